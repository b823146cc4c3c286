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
    const profile_interest_t *interests = profile_interests (self);
    uint32_t from = 0, to = self->interest_count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (interests[middle].key < key)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool same_label (const profile_t *self, uint32_t at, uint64_t key)
{
    return at < self->interest_count && profile_interests (self)[at].key >> 16 == key >> 16;
}

void profile_add_interest (profile_t *self, profile_shared_t *shared, profile_kind_t kind,
                           uint32_t label, uint16_t action, double sum)
{
    uint64_t key = key_of (kind, label, action);
    uint32_t at = find_key (self, key);
    bool known = same_label (self, at, key) || (at && same_label (self, at - 1, key));
    if (known)
        profile_give_string (self, shared, label); /* its own reference stays */
    if (known && at < self->interest_count && profile_interests (self)[at].key == key) {
        profile_interests (self)[at].sum += sum;
        return;
    }
    if (!known) {
        CHECK (self->label_counts[kind] < LABELS_MAX);
        self->label_counts[kind]++;
    }
    profile_make_room (self, shared, 0, 1, 0);
    profile_interest_t *interests = profile_interests (self);
    memmove (interests + at + 1, interests + at, (self->interest_count - at) * sizeof *interests);
    interests[at] = (profile_interest_t){.key = key, .sum = sum};
    self->interest_count++;
}

void profile_interest_move (profile_t *self, int64_t reference_ms, double period_ms)
{
    double factor = exp (-(double)(reference_ms - self->reference_ms) / self->period_ms);
    profile_interest_t *interests = profile_interests (self);
    for (uint32_t i = 0; i < self->interest_count; i++)
        interests[i].sum *= factor;
    self->reference_ms = reference_ms;
    self->period_ms = period_ms;
}

void profile_interest_release (profile_t *self, profile_shared_t *shared)
{
    const profile_interest_t *interests = profile_interests (self);
    for (uint32_t i = 0; !self->borrows && i < self->interest_count; i++)
        if (!i || !same_label (self, i - 1, interests[i].key))
            profile_give_string (self, shared, profile_interest_label (interests[i].key));
    self->interest_count = 0;
    self->label_counts[PROFILE_CATEGORY] = self->label_counts[PROFILE_TAG] = 0;
}

/*  ---- scores ---- */

typedef struct {
    double score;
    uint32_t from, to; /* its interests; empty: it goes */
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
    uint64_t key = profile_interests (self)[from].key;
    while (next < to && same_label (self, next, key))
        next++;
    return next;
}

static span_t label_name (const profile_t *self, const profile_shared_t *shared, uint32_t at)
{
    uint64_t key = profile_interests (self)[at].key;
    return profile_strings_get (shared->strings, profile_interest_label (key));
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
        double score = sum_label (weights, profile_interests (self) + from, next - from) * factor;
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

/*  The label that is kept last: of the least score, then of the greatest name. */
static scored_t *find_weakest (const profile_t *self, const profile_shared_t *shared,
                               scored_t *scored, uint32_t count)
{
    scored_t *weakest = NULL;
    for (scored_t *one = scored; one < scored + count; one++) {
        if (one->from == one->to || (weakest && one->score > weakest->score))
            continue;
        if (!weakest || one->score < weakest->score ||
            span_compare (label_name (self, shared, one->from),
                          label_name (self, shared, weakest->from)) > 0)
            weakest = one;
    }
    return weakest;
}

static void remove_label (profile_t *self, profile_shared_t *shared, scored_t *label)
{
    uint64_t key = profile_interests (self)[label->from].key;
    profile_give_string (self, shared, profile_interest_label (key));
    self->label_counts[profile_interest_kind (key)]--;
    shared->evicted++;
    label->to = label->from;
}

/*  Keeps the interests of one kind that are those of the labels listed. */
static void close_gaps (profile_t *self, const scored_t *scored, uint32_t count, uint32_t from,
                        uint32_t to)
{
    profile_interest_t *interests = profile_interests (self);
    uint32_t kept = from;
    for (uint32_t i = 0; i < count; i++) {
        memmove (interests + kept, interests + scored[i].from,
                 (scored[i].to - scored[i].from) * sizeof *interests);
        kept += scored[i].to - scored[i].from;
    }
    memmove (interests + kept, interests + to, (self->interest_count - to) * sizeof *interests);
    self->interest_count -= to - kept;
}

/*  One event brings few labels too many: to look for the weakest, again and again, costs less than
 * to sort them all. */
void profile_interest_cap (profile_t *self, profile_shared_t *shared, profile_weights_t *weights,
                           profile_kind_t kind, uint32_t keep)
{
    if (self->label_counts[kind] <= keep)
        return;
    scored_t scored[LABELS_MAX];
    uint32_t from, to, count = 0;
    range_of (self, kind, &from, &to);
    for (uint32_t at = from, next; at < to; at = next) {
        next = label_end (self, at, to);
        CHECK (count < LABELS_MAX);
        scored[count++] = (scored_t){
            .score = sum_label (weights, profile_interests (self) + at, next - at),
            .from = at,
            .to = next,
        };
    }
    while (self->label_counts[kind] > keep)
        remove_label (self, shared, find_weakest (self, shared, scored, count));
    close_gaps (self, scored, count, from, to);
}
