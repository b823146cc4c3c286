/*  profile_interest: see the headers. Interests are one array ordered by (kind, label, action), so
 * a label's actions lie together and categories come before tags.
 */
#include "profiler/profile_interest.h"

#include <math.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"

enum { CUSTOM_MAX = 64, LABELS_MAX = PROFILE_TAGS_MAX + EVENT_TAGS_MAX };

static uint64_t key_of (profile_kind_t kind, uint32_t label, uint16_t action)
{
    return (uint64_t)kind << 63 | (uint64_t)label << 16 | action;
}

static uint32_t find_key (const profile_t *self, uint64_t key)
{
    uint32_t from = 0, to = self->interest_count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (self->interests[middle].key < key)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool same_label (const profile_t *self, uint32_t at, uint64_t key)
{
    return at < self->interest_count && self->interests[at].key >> 16 == key >> 16;
}

void profile_add_interest (profile_t *self, profile_shared_t *shared, profile_kind_t kind,
                           span_t label, uint16_t action, double sum)
{
    uint32_t number = profile_strings_find (shared->strings, label);
    bool made = number == PROFILE_STRING_NONE;
    if (made)
        number = profile_strings_take (shared->strings, label);
    uint64_t key = key_of (kind, number, action);
    uint32_t at = find_key (self, key);
    if (at < self->interest_count && self->interests[at].key == key) {
        self->interests[at].sum += sum;
        return;
    }
    if (!same_label (self, at, key) && (!at || !same_label (self, at - 1, key))) {
        CHECK (self->label_counts[kind] < LABELS_MAX);
        self->label_counts[kind]++;
        if (!made)
            profile_strings_hold (shared->strings, number);
    }
    profile_reserve (self, shared, 0, self->interest_count + 1, 0);
    memmove (self->interests + at + 1, self->interests + at,
             (self->interest_count - at) * sizeof *self->interests);
    self->interests[at] = (profile_interest_t){.key = key, .sum = sum};
    self->interest_count++;
}

void profile_interest_move (profile_t *self, int64_t reference_ms, double period_ms)
{
    double factor = exp (-(double)(reference_ms - self->reference_ms) / self->period_ms);
    for (uint32_t i = 0; i < self->interest_count; i++)
        self->interests[i].sum *= factor;
    self->reference_ms = reference_ms;
    self->period_ms = period_ms;
}

void profile_interest_release (profile_t *self, profile_shared_t *shared)
{
    for (uint32_t i = 0; i < self->interest_count; i++)
        if (!i || !same_label (self, i - 1, self->interests[i].key))
            profile_strings_release (shared->strings,
                                     profile_interest_label (self->interests[i].key));
    self->interest_count = 0;
    self->label_counts[PROFILE_CATEGORY] = self->label_counts[PROFILE_TAG] = 0;
}

/*  ---- scores ---- */

typedef struct {
    span_t name;
    double score;
    uint32_t order; /* of the label within its kind, as the array has them */
} scored_t;

static span_t action_name (const profile_weights_t *weights, const profile_interest_t *interest)
{
    return action_names_get (weights->names, profile_interest_action (interest->key));
}

/*  Sum of weight * count over one label's actions, without the factor from the reference to u,
 * which all labels share. Known actions come by number. A scenario's own come by name, since their
 * numbers differ from process to process, and equal input shall give equal bits. */
static double sum_label (profile_weights_t *weights, const profile_interest_t *list, uint32_t count)
{
    const profile_interest_t *own[CUSTOM_MAX];
    uint32_t own_count = 0;
    double score = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t action = profile_interest_action (list[i].key);
        if (action < ACTION_CUSTOM || own_count == CUSTOM_MAX) {
            score += profile_weights_get (weights, action) * list[i].sum;
            continue;
        }
        uint32_t at = own_count++;
        while (at && span_compare (action_name (weights, own[at - 1]),
                                   action_name (weights, &list[i])) > 0) {
            own[at] = own[at - 1];
            at--;
        }
        own[at] = &list[i];
    }
    for (uint32_t i = 0; i < own_count; i++)
        score += profile_weights_get (weights, profile_interest_action (own[i]->key)) * own[i]->sum;
    return score;
}

static int compare_scored (const void *a_, const void *b_)
{
    const scored_t *a = a_, *b = b_;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return span_compare (a->name, b->name);
}

/*  The array's range of one kind: [from, to). */
static void range_of (const profile_t *self, profile_kind_t kind, uint32_t *from, uint32_t *to)
{
    uint32_t middle = find_key (self, key_of (PROFILE_TAG, 0, 0));
    *from = kind == PROFILE_TAG ? middle : 0;
    *to = kind == PROFILE_TAG ? self->interest_count : middle;
}

/*  End of the label that begins at `from`. */
static uint32_t label_end (const profile_t *self, uint32_t from, uint32_t to)
{
    uint32_t next = from + 1;
    while (next < to && same_label (self, next, self->interests[from].key))
        next++;
    return next;
}

static span_t label_name (const profile_t *self, const profile_shared_t *shared, uint32_t at)
{
    return profile_strings_get (shared->strings, profile_interest_label (self->interests[at].key));
}

/*  Scores every label of a kind, best first. */
static uint32_t score_labels (const profile_t *self, const profile_shared_t *shared,
                              profile_weights_t *weights, profile_kind_t kind, scored_t *scored)
{
    uint32_t from, to, count = 0;
    range_of (self, kind, &from, &to);
    for (uint32_t next; from < to; from = next) {
        next = label_end (self, from, to);
        CHECK (count < LABELS_MAX);
        scored[count] =
            (scored_t){.name = label_name (self, shared, from),
                       .score = sum_label (weights, self->interests + from, next - from),
                       .order = count};
        count++;
    }
    qsort (scored, count, sizeof *scored, compare_scored);
    return count;
}

uint32_t profile_top (const profile_t *self, const profile_shared_t *shared,
                      profile_weights_t *weights, profile_kind_t kind, uint32_t limit,
                      profile_score_t *top)
{
    uint32_t from, to, count = 0;
    double factor = exp (-(double)(self->newest_ms - self->reference_ms) / self->period_ms);
    range_of (self, kind, &from, &to);
    for (uint32_t next; limit && from < to; from = next) {
        next = label_end (self, from, to);
        double score = sum_label (weights, self->interests + from, next - from) * factor;
        if (!(score > 0) || (count == limit && score < top[count - 1].score))
            continue; /* most labels: their names are never looked at */
        span_t name = label_name (self, shared, from);
        uint32_t at = count;
        while (at && (top[at - 1].score < score ||
                      (!(top[at - 1].score > score) && span_compare (name, top[at - 1].name) < 0)))
            at--;
        if (at == limit)
            continue;
        count += count < limit;
        memmove (top + at + 1, top + at, (count - at - 1) * sizeof *top);
        top[at] = (profile_score_t){.name = name, .score = score};
    }
    return count;
}

void profile_interest_cap (profile_t *self, profile_shared_t *shared, profile_weights_t *weights,
                           profile_kind_t kind, uint32_t keep)
{
    if (self->label_counts[kind] <= keep)
        return;
    scored_t scored[LABELS_MAX];
    bool gone[LABELS_MAX] = {false};
    uint32_t count = score_labels (self, shared, weights, kind, scored);
    for (uint32_t i = keep; i < count; i++)
        gone[scored[i].order] = true;

    uint32_t from, to, kept, order = 0;
    range_of (self, kind, &from, &to);
    kept = from;
    for (uint32_t next; from < to; from = next, order++) {
        next = label_end (self, from, to);
        if (gone[order]) {
            profile_strings_release (shared->strings,
                                     profile_interest_label (self->interests[from].key));
            continue;
        }
        memmove (self->interests + kept, self->interests + from,
                 (next - from) * sizeof *self->interests);
        kept += next - from;
    }
    memmove (self->interests + kept, self->interests + to,
             (self->interest_count - to) * sizeof *self->interests);
    self->interest_count -= to - kept;
    shared->evicted += count - keep;
    self->label_counts[kind] = (uint16_t)keep;
}
