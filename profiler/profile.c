/*  profile: see the header. Scores and caps of labels: profile_interest.c; the layout of a list of
 * events: profile_log.c. */
#include "profiler/profile.h"

#include <math.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"
#include "profiler/profile_interest.h"

enum { HOUR_MS = 3600000, COUNT_BITS = 47, LINE_BYTES = 64, PREFETCH_LINES_MAX = 16 };
/*  Counting these takes about a microsecond, whenever the profile is written. */
enum { LOG_EVENTS_MAX = 32, LOG_WORDS_MAX = 240 };

void profile_init (profile_t *self)
{
    *self = (profile_t){.newest_ms = EVENT_TIME_NONE};
}

static size_t arrays_bytes (uint32_t counts, uint32_t interests, uint32_t recent)
{
    return counts * sizeof (uint64_t) + interests * sizeof (profile_interest_t) +
           recent * sizeof (profile_recent_t);
}

static size_t used_bytes (const profile_t *self)
{
    return self->log_words * sizeof (uint32_t) +
           arrays_bytes (self->count_count, self->interest_count, self->recent_count);
}

/*  Moves to a block of at least so many bytes. */
static void move_to (profile_t *self, profile_shared_t *shared, size_t bytes)
{
    CHECK (bytes <= UINT32_MAX);
    profile_t old = *self;
    self->block_bytes = (uint32_t)bytes;
    self->counts = profile_slab_take (&shared->slab, &self->block_bytes);
    shared->bytes += self->block_bytes - old.block_bytes;
    if (!old.counts)
        return;
    size_t front = old.log_words * sizeof (uint32_t);
    memcpy (self->counts, old.counts,
            front + arrays_bytes (old.count_count, old.interest_count, 0)); /* one of them is 0 */
    memcpy (profile_recent (self), profile_recent (&old), arrays_bytes (0, 0, old.recent_count));
    profile_slab_give (&shared->slab, old.counts, old.block_bytes);
}

void profile_reserve (profile_t *self, profile_shared_t *shared, uint32_t counts,
                      uint32_t interests, uint32_t recent)
{
    size_t needed = used_bytes (self) + arrays_bytes (counts, interests, recent);
    if (needed > self->block_bytes)
        move_to (self, shared, needed);
}

void profile_make_room (profile_t *self, profile_shared_t *shared, uint32_t counts,
                        uint32_t interests, uint32_t recent)
{
    size_t needed = used_bytes (self) + arrays_bytes (counts, interests, recent);
    if (needed > self->block_bytes)
        move_to (self, shared, needed + needed / 3);
}

void profile_prefetch (const profile_t *self, bool all)
{
    const char *block = (const char *)self->counts;
    size_t front = self->log_words * sizeof (uint32_t) +
                   arrays_bytes (self->count_count, self->interest_count, 0);
    size_t lines = (front + LINE_BYTES - 1) / LINE_BYTES;
    size_t from = self->log_events && !all ? front / LINE_BYTES : 0; /* a list's end */
    if (lines > PREFETCH_LINES_MAX)
        lines = PREFETCH_LINES_MAX;
    for (size_t i = from; i < lines; i++)
        __builtin_prefetch (block + i * LINE_BYTES, 1);
    if (self->block_bytes > lines * LINE_BYTES)
        __builtin_prefetch (block + self->block_bytes - LINE_BYTES, 1); /* the newest items */
}

void profile_prefetch_items (const profile_t *self, const profile_shared_t *shared)
{
    const uint32_t *at = (const uint32_t *)self->counts;
    for (uint32_t i = 0; i < self->log_events; i++) {
        profile_row_t row;
        at = profile_log_read (at, &row);
        if (row.item != PROFILE_STRING_NONE)
            profile_strings_prefetch_number (shared->strings, row.item);
    }
    for (uint32_t i = 0; i < self->recent_count; i++)
        profile_strings_prefetch_number (shared->strings, profile_recent (self)[i].item);
}

static void release_row (const profile_t *self, profile_shared_t *shared, const profile_row_t *row)
{
    if (row->item != PROFILE_STRING_NONE)
        profile_give_string (self, shared, row->item);
    for (uint32_t i = 0; i < row->label_count; i++)
        profile_give_string (self, shared, row->labels[i]);
}

/*  Forgets every event and keeps the memory. */
static void reset (profile_t *self, profile_shared_t *shared)
{
    const uint32_t *at = (const uint32_t *)self->counts;
    for (uint32_t i = 0; i < self->log_events; i++) {
        profile_row_t row;
        at = profile_log_read (at, &row);
        release_row (self, shared, &row);
    }
    profile_interest_release (self, shared);
    for (uint32_t i = 0; i < self->recent_count; i++)
        profile_give_string (self, shared, profile_recent (self)[i].item);
    self->log_events = 0;
    self->log_words = 0;
    self->recent_count = 0;
    self->count_count = 0;
    self->newest_ms = EVENT_TIME_NONE;
}

void profile_free (profile_t *self, profile_shared_t *shared)
{
    reset (self, shared);
    shared->bytes -= self->block_bytes;
    profile_slab_give (&shared->slab, self->counts, self->block_bytes);
    profile_init (self);
}

static bool periods_apart (int64_t later_ms, int64_t earlier_ms, double period_ms, int64_t more_ms)
{
    return (double)(later_ms - earlier_ms) >= PROFILE_EXPIRY_PERIODS * period_ms + (double)more_ms;
}

bool profile_expired (const profile_t *self, double period_ms, int64_t watermark_ms)
{
    return self->newest_ms != EVENT_TIME_NONE && watermark_ms != EVENT_TIME_NONE &&
           periods_apart (watermark_ms, self->newest_ms, period_ms, PROFILE_LATE_KEPT_MS);
}

/*  ---- counts ---- */

static uint32_t find_count (const profile_t *self, uint32_t code)
{
    uint32_t from = 0, to = self->count_count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (profile_count_code (self->counts[middle]) < code)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

uint64_t profile_count (const profile_t *self, uint32_t code)
{
    uint32_t at = find_count (self, code);
    bool found = at < self->count_count && profile_count_code (self->counts[at]) == code;
    return found ? profile_count_value (self->counts[at]) : 0;
}

void profile_add_count (profile_t *self, profile_shared_t *shared, uint32_t code, uint64_t count)
{
    uint32_t at = find_count (self, code);
    if (at < self->count_count && profile_count_code (self->counts[at]) == code) {
        self->counts[at] += count;
        return;
    }
    profile_make_room (self, shared, 1, 0, 0);
    /* The interests lie behind. */
    memmove (self->counts + at + 1, self->counts + at,
             arrays_bytes (self->count_count - at, self->interest_count, 0));
    self->counts[at] = (uint64_t)code << COUNT_BITS | count;
    self->count_count++;
}

/*  ---- recent items ---- */

/*  The newest is at the block's end, and the first moves: the oldest one goes without a move. */
static void remove_recent (profile_t *self, uint32_t at)
{
    profile_recent_t *recent = profile_recent (self);
    memmove (recent + 1, recent, at * sizeof *recent);
    self->recent_count--;
}

static void insert_recent (profile_t *self, profile_shared_t *shared, uint32_t at,
                           profile_recent_t one)
{
    profile_make_room (self, shared, 0, 0, 1);
    const profile_recent_t *from = profile_recent (self);
    self->recent_count++;
    profile_recent_t *recent = profile_recent (self);
    memmove (recent, from, at * sizeof *recent);
    recent[at] = one;
}

static bool recent_before (const profile_shared_t *shared, const profile_recent_t *recent,
                           int64_t time_ms, span_t item)
{
    if (recent->time_ms != time_ms)
        return recent->time_ms < time_ms;
    return span_compare (profile_strings_get (shared->strings, recent->item), item) < 0;
}

/*  Takes an item's place from it where this is a newer time of it. False: it is not. */
static bool take_out (profile_t *self, uint32_t number, int64_t time_ms, bool *known)
{
    const profile_recent_t *recent = profile_recent (self);
    for (uint32_t i = 0; i < self->recent_count; i++) {
        if (recent[i].item != number)
            continue;
        if (recent[i].time_ms >= time_ms)
            return false;
        remove_recent (self, i);
        *known = true;
        break;
    }
    return true;
}

static void drop_oldest (profile_t *self, profile_shared_t *shared)
{
    profile_give_string (self, shared, profile_recent (self)[0].item);
    remove_recent (self, 0);
}

void profile_add_recent (profile_t *self, profile_shared_t *shared, uint32_t recent_items,
                         uint32_t item, int64_t time_ms)
{
    CHECK (recent_items <= PROFILE_RECENT_MAX);
    bool known = false;
    bool newer = take_out (self, item, time_ms, &known);
    if (!newer || known)
        profile_give_string (self, shared, item); /* its own reference stays */
    if (!newer)
        return;
    while (self->recent_count > recent_items) /* fewer are kept than before */
        drop_oldest (self, shared);
    uint32_t at = self->recent_count;
    const profile_recent_t *recent = profile_recent (self);
    span_t text = profile_strings_get (shared->strings, item);
    while (at && !recent_before (shared, &recent[at - 1], time_ms, text))
        at--;
    if (self->recent_count == recent_items) {
        if (!at) {
            profile_give_string (self, shared, item);
            return;
        }
        drop_oldest (self, shared);
        at--;
    }
    insert_recent (self, shared, at, (profile_recent_t){.time_ms = time_ms, .item = item});
}

/*  ---- one event ---- */

/*  Moves time forward to a newer event. */
static void move_newest (profile_t *self, int64_t time_ms)
{
    if (time_ms <= self->newest_ms)
        return;
    self->newest_ms = time_ms;
    if ((double)(time_ms - self->reference_ms) > self->period_ms)
        profile_interest_move (self, time_ms, self->period_ms);
}

static void begin (profile_t *self, int64_t time_ms, double period_ms)
{
    self->first_ms = self->newest_ms = self->reference_ms = time_ms;
    self->period_ms = period_ms;
}

/*  Counts one event by the profile's period. Takes over one reference to each string. */
static void count_row (profile_t *self, profile_shared_t *shared, uint32_t recent_items,
                       const profile_row_t *row, bool interests)
{
    int64_t time_ms = row->time_ms;
    move_newest (self, time_ms);
    if (time_ms < self->first_ms)
        self->first_ms = time_ms;
    profile_add_count (self, shared, row->action, 1);
    uint32_t hour = (uint32_t)(time_ms / HOUR_MS % PROFILE_HOURS);
    profile_add_count (self, shared, PROFILE_HOUR_CODE + hour, 1);
    if (row->item != PROFILE_STRING_NONE)
        profile_add_recent (self, shared, recent_items, row->item, time_ms);
    if (!interests || !row->label_count)
        return;
    double part = exp ((double)(time_ms - self->reference_ms) / self->period_ms);
    for (uint32_t i = 0; i < row->label_count; i++)
        profile_add_interest (self, shared,
                              !i && row->has_category ? PROFILE_CATEGORY : PROFILE_TAG,
                              row->labels[i], row->action, part);
}

/*  ---- a list of events ---- */

bool profile_log_has_room (const profile_t *self, const profile_row_t *row)
{
    return !self->count_count && self->log_events < LOG_EVENTS_MAX &&
           self->log_words + profile_log_words (row) <= LOG_WORDS_MAX;
}

void profile_log_add (profile_t *self, profile_shared_t *shared, const profile_row_t *row)
{
    CHECK (profile_log_has_room (self, row));
    uint32_t words = profile_log_words (row);
    size_t needed = (self->log_words + words) * sizeof (uint32_t);
    if (needed > self->block_bytes)
        move_to (self, shared, needed + needed / 3);
    profile_log_write ((uint32_t *)self->counts + self->log_words, row);
    self->log_words = (uint16_t)(self->log_words + words);
    self->log_events++;
    if (row->time_ms > self->newest_ms)
        self->newest_ms = row->time_ms;
    if (row->time_ms < self->first_ms)
        self->first_ms = row->time_ms;
}

const profile_t *profile_read (const profile_t *self, profile_shared_t *shared,
                               const profile_rules_t *rules, profile_t *scratch)
{
    if (!self->log_events)
        return self;
    const uint32_t *at = (const uint32_t *)self->counts;
    scratch->borrows = true;
    reset (scratch, shared);
    for (uint32_t i = 0; i < self->log_events; i++) {
        profile_row_t row;
        at = profile_log_read (at, &row);
        if (!i)
            begin (scratch, row.time_ms, self->period_ms);
        bool weighs = profile_weights_get (rules->weights, row.action) != 0;
        count_row (scratch, shared, rules->recent_items, &row, weighs);
    }
    return scratch;
}

/*  A list that has become too long, or whose period changes, is counted. */
static void end_log (profile_t *self, profile_shared_t *shared, uint32_t recent_items)
{
    profile_t log = *self;
    const uint32_t *at = (const uint32_t *)log.counts;
    profile_init (self);
    for (uint32_t i = 0; i < log.log_events; i++) {
        profile_row_t row;
        at = profile_log_read (at, &row);
        if (!i)
            begin (self, row.time_ms, log.period_ms);
        count_row (self, shared, recent_items, &row, true);
    }
    shared->bytes -= log.block_bytes;
    profile_slab_give (&shared->slab, log.counts, log.block_bytes);
}

/*  ---- an event of the input ---- */

/*  The event with its strings by number, one reference to each. */
static profile_row_t row_of (const stage_event_t *event, profile_shared_t *shared, uint32_t *labels)
{
    profile_row_t row = {.time_ms = event->time_ms,
                         .action = event->action,
                         .has_category = event->category.bytes != NULL,
                         .labels = labels,
                         .item = PROFILE_STRING_NONE};
    if (event->action != ACTION_IMPRESSION)
        row.item = profile_strings_take (shared->strings, event->item);
    if (row.has_category)
        labels[row.label_count++] = profile_strings_take (shared->strings, event->category);
    for (uint32_t i = 0; i < event->tag_count && i < EVENT_TAGS_MAX; i++)
        labels[row.label_count++] = profile_strings_take (shared->strings, event->tags[i]);
    return row;
}

bool profile_apply (profile_t *self, profile_shared_t *shared, const profile_rules_t *rules,
                    const stage_event_t *event)
{
    int64_t time_ms = event->time_ms;
    if (self->newest_ms != EVENT_TIME_NONE) {
        if (periods_apart (time_ms, self->newest_ms, rules->period_ms, 0) ||
            profile_expired (self, rules->period_ms, event->complete_ms))
            reset (self, shared);
        else if (periods_apart (self->first_ms, time_ms, rules->period_ms, 0))
            return false;
    }
    if (self->newest_ms == EVENT_TIME_NONE)
        begin (self, time_ms, rules->period_ms);
    uint32_t labels[PROFILE_ROW_LABELS_MAX];
    profile_row_t row = row_of (event, shared, labels);
    bool same_period = self->period_ms == rules->period_ms;
    if (same_period && profile_log_has_room (self, &row)) {
        profile_log_add (self, shared, &row);
        return true;
    }
    if (self->log_events)
        end_log (self, shared, rules->recent_items);
    if (!same_period) /* no event came since the new period did */
        profile_interest_move (self, self->newest_ms, rules->period_ms);
    count_row (self, shared, rules->recent_items, &row, true);
    profile_interest_cap (self, shared, rules->weights, PROFILE_CATEGORY, PROFILE_CATEGORIES_MAX);
    profile_interest_cap (self, shared, rules->weights, PROFILE_TAG, PROFILE_TAGS_MAX);
    return true;
}
