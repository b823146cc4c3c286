/*  profile: see the header. Scores and caps of labels: profile_interest.c. */
#include "profiler/profile.h"

#include <math.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"
#include "profiler/profile_interest.h"

enum { HOUR_MS = 3600000, COUNT_BITS = 47, LINE_BYTES = 64, PREFETCH_LINES_MAX = 16 };
enum { COUNTS_MIN = 6, INTERESTS_MIN = 8, RECENT_MIN = 4 };

void profile_init (profile_t *self)
{
    *self = (profile_t){.newest_ms = EVENT_TIME_NONE};
}

static size_t block_bytes (uint32_t counts, uint32_t interests, uint32_t recent)
{
    return counts * sizeof (uint64_t) + interests * sizeof (profile_interest_t) +
           recent * sizeof (profile_recent_t);
}

static size_t array_bytes (const profile_t *self)
{
    return block_bytes (self->count_capacity, self->interest_capacity, self->recent_capacity);
}

static uint32_t grown (uint32_t capacity, uint32_t needed, uint32_t least)
{
    if (needed <= capacity)
        return capacity;
    return needed <= least ? least : needed + needed / 2;
}

void profile_reserve (profile_t *self, profile_shared_t *shared, uint32_t counts,
                      uint32_t interests, uint32_t recent)
{
    if (counts <= self->count_capacity && interests <= self->interest_capacity &&
        recent <= self->recent_capacity)
        return;
    counts = grown (self->count_capacity, counts, COUNTS_MIN);
    interests = grown (self->interest_capacity, interests, INTERESTS_MIN);
    recent = grown (self->recent_capacity, recent, RECENT_MIN);
    size_t bytes = block_bytes (counts, interests, recent);
    uint64_t *block = memory_new (bytes);
    profile_interest_t *new_interests = (profile_interest_t *)(block + counts);
    profile_recent_t *new_recent = (profile_recent_t *)(new_interests + interests);
    if (self->counts) {
        memcpy (block, self->counts, self->count_count * sizeof *block);
        memcpy (new_interests, self->interests, self->interest_count * sizeof *new_interests);
        memcpy (new_recent, self->recent, self->recent_count * sizeof *new_recent);
    }
    free (self->counts);
    shared->bytes += bytes - array_bytes (self);
    self->counts = block;
    self->interests = new_interests;
    self->recent = new_recent;
    self->count_capacity = counts;
    self->interest_capacity = interests;
    self->recent_capacity = (uint16_t)recent;
}

void profile_prefetch (const profile_t *self)
{
    const char *block = (const char *)self->counts;
    size_t bytes = array_bytes (self);
    if (bytes > PREFETCH_LINES_MAX * LINE_BYTES)
        bytes = PREFETCH_LINES_MAX * LINE_BYTES;
    for (size_t at = 0; at < bytes; at += LINE_BYTES)
        __builtin_prefetch (block + at, 1);
}

void profile_free (profile_t *self, profile_shared_t *shared)
{
    profile_interest_release (self, shared);
    for (uint32_t i = 0; i < self->recent_count; i++)
        profile_strings_release (shared->strings, self->recent[i].item);
    shared->bytes -= array_bytes (self);
    free (self->counts);
    profile_init (self);
}

/*  Forgets every event and keeps the memory. */
static void reset (profile_t *self, profile_shared_t *shared)
{
    profile_interest_release (self, shared);
    for (uint32_t i = 0; i < self->recent_count; i++)
        profile_strings_release (shared->strings, self->recent[i].item);
    self->recent_count = 0;
    self->count_count = 0;
    self->newest_ms = EVENT_TIME_NONE;
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
    profile_reserve (self, shared, self->count_count + 1, 0, 0);
    memmove (self->counts + at + 1, self->counts + at,
             (self->count_count - at) * sizeof *self->counts);
    self->counts[at] = (uint64_t)code << COUNT_BITS | count;
    self->count_count++;
}

/*  ---- recent items ---- */

static void remove_recent (profile_t *self, uint32_t at)
{
    self->recent_count--;
    memmove (self->recent + at, self->recent + at + 1,
             (self->recent_count - at) * sizeof *self->recent);
}

static bool recent_before (const profile_shared_t *shared, const profile_recent_t *recent,
                           int64_t time_ms, span_t item)
{
    if (recent->time_ms != time_ms)
        return recent->time_ms < time_ms;
    return span_compare (profile_strings_get (shared->strings, recent->item), item) < 0;
}

void profile_add_recent (profile_t *self, profile_shared_t *shared, uint32_t recent_items,
                         span_t item, int64_t time_ms)
{
    CHECK (recent_items <= PROFILE_RECENT_MAX);
    uint32_t number = profile_strings_find (shared->strings, item);
    bool known = false;
    for (uint32_t i = 0; number != PROFILE_STRING_NONE && !known && i < self->recent_count; i++) {
        if (self->recent[i].item != number)
            continue;
        if (self->recent[i].time_ms >= time_ms)
            return;
        remove_recent (self, i);
        known = true;
    }
    while (self->recent_count > recent_items) { /* fewer are kept than before */
        profile_strings_release (shared->strings, self->recent[0].item);
        remove_recent (self, 0);
    }
    uint32_t at = self->recent_count;
    while (at && !recent_before (shared, &self->recent[at - 1], time_ms, item))
        at--;
    if (self->recent_count == recent_items) {
        if (!at) {
            if (known)
                profile_strings_release (shared->strings, number);
            return;
        }
        profile_strings_release (shared->strings, self->recent[0].item);
        remove_recent (self, 0);
        at--;
    }
    profile_reserve (self, shared, 0, 0, (uint32_t)self->recent_count + 1);
    memmove (self->recent + at + 1, self->recent + at,
             (self->recent_count - at) * sizeof *self->recent);
    if (!known)
        number = profile_strings_take (shared->strings, item);
    self->recent[at] = (profile_recent_t){.time_ms = time_ms, .item = number};
    self->recent_count++;
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
    if (self->newest_ms == EVENT_TIME_NONE) {
        self->first_ms = self->newest_ms = self->reference_ms = time_ms;
        self->period_ms = rules->period_ms;
    }
    if (self->period_ms != rules->period_ms) /* no event came since the new period did */
        profile_interest_move (self, self->newest_ms, rules->period_ms);
    move_newest (self, time_ms);
    if (time_ms < self->first_ms)
        self->first_ms = time_ms;

    profile_add_count (self, shared, event->action, 1);
    uint32_t hour = (uint32_t)(time_ms / HOUR_MS % PROFILE_HOURS);
    profile_add_count (self, shared, PROFILE_HOUR_CODE + hour, 1);
    if (event->action != ACTION_IMPRESSION)
        profile_add_recent (self, shared, rules->recent_items, event->item, time_ms);
    if (event->category.bytes || event->tag_count) {
        double part = exp ((double)(time_ms - self->reference_ms) / self->period_ms);
        if (event->category.bytes)
            profile_add_interest (self, shared, PROFILE_CATEGORY, event->category, event->action,
                                  part);
        for (uint32_t i = 0; i < event->tag_count && i < EVENT_TAGS_MAX; i++)
            profile_add_interest (self, shared, PROFILE_TAG, event->tags[i], event->action, part);
        profile_interest_cap (self, shared, rules->weights, PROFILE_CATEGORY,
                              PROFILE_CATEGORIES_MAX);
        profile_interest_cap (self, shared, rules->weights, PROFILE_TAG, PROFILE_TAGS_MAX);
    }
    return true;
}
