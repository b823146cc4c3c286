/*  profile_record_first: reads the records of the first version, which this program does not write
 * any more: msgpack [1, user, dirty, first, newest, reference, period, [action, count, ...], [hour,
 *  count, ...], categories, tags, [item, time, ...]], where categories and tags are [[name,
 *  action's place in the counts, decayed count, ...], ...].
 */
#include "profiler/profile_record.h"

#include <math.h>
#include <stdlib.h>

#include "common/actions.h"
#include "common/memory.h"

enum { VERSION = 1, FIELD_COUNT = 12, ACTIONS_MAX = ACTION_NUMBER_MAX + 1 };
#define COUNT_MAX ((UINT64_C (1) << 46) - 1)

static bool at_text (const cursor_t *cursor)
{
    uint8_t tag = cursor->at < cursor->end ? *cursor->at : 0;
    return (tag & 0xe0) == 0xa0 || (tag >= 0xd9 && tag <= 0xdb);
}

static uint16_t read_action (cursor_t *cursor, action_names_t *names)
{
    if (!at_text (cursor))
        return (uint16_t)cursor_uint_max (cursor, ACTION_KNOWN_COUNT - 1);
    span_t name = cursor_span (cursor, EVENT_ACTION_BYTES_MAX);
    if (!name.size)
        cursor->failed = true;
    return cursor->failed ? (uint16_t)ACTION_OTHER : action_names_intern (names, name);
}

static size_t read_pairs (cursor_t *cursor, size_t pairs_max)
{
    size_t count = cursor_array (cursor, 2 * pairs_max);
    if (count % 2)
        cursor->failed = true;
    return cursor->failed ? 0 : count / 2;
}

static uint64_t read_count (cursor_t *cursor)
{
    uint64_t count = cursor_uint_max (cursor, COUNT_MAX);
    if (!count)
        cursor->failed = true;
    return count;
}

static int64_t read_time (cursor_t *cursor)
{
    int64_t time_ms = cursor_int (cursor);
    if (time_ms < 0)
        cursor->failed = true;
    return time_ms;
}

static void read_labels (cursor_t *cursor, profile_t *profile, profile_shared_t *shared,
                         profile_kind_t kind, const uint16_t *actions, size_t count)
{
    size_t labels =
        cursor_array (cursor, kind == PROFILE_CATEGORY ? PROFILE_CATEGORIES_MAX : PROFILE_TAGS_MAX);
    for (size_t i = 0; i < labels && !cursor->failed; i++) {
        size_t fields = cursor_array (cursor, 1 + 2 * count);
        span_t name = cursor_span (cursor, EVENT_LABEL_BYTES_MAX);
        if (fields < 3 || fields % 2 == 0)
            cursor->failed = true;
        for (size_t j = 1; j + 1 < fields && !cursor->failed; j += 2) {
            size_t place = (size_t)cursor_uint_max (cursor, count - 1);
            double sum = cursor_double (cursor);
            if (!isfinite (sum) || sum < 0)
                cursor->failed = true;
            if (!cursor->failed)
                profile_add_interest (profile, shared, kind,
                                      profile_strings_take (shared->strings, name), actions[place],
                                      sum);
        }
    }
}

static void read_counts (cursor_t *cursor, profile_t *profile, profile_shared_t *shared,
                         action_names_t *names, uint16_t **actions, size_t *action_count_)
{
    size_t count = read_pairs (cursor, ACTIONS_MAX);
    *actions = memory_new_array (count, sizeof **actions);
    *action_count_ = count;
    for (size_t i = 0; i < count && !cursor->failed; i++) {
        (*actions)[i] = read_action (cursor, names);
        uint64_t events = read_count (cursor);
        if (!cursor->failed)
            profile_add_count (profile, shared, (*actions)[i], events);
    }
    size_t hours = read_pairs (cursor, PROFILE_HOURS);
    for (size_t i = 0; i < hours && !cursor->failed; i++) {
        uint32_t hour = (uint32_t)cursor_uint_max (cursor, PROFILE_HOURS - 1);
        uint64_t events = read_count (cursor);
        if (!cursor->failed)
            profile_add_count (profile, shared, PROFILE_HOUR_CODE + hour, events);
    }
    if (!count || !hours)
        cursor->failed = true;
}

int profile_record_read_first (const void *value, size_t value_size, span_t *user, bool *dirty,
                               profile_t *profile, profile_shared_t *shared,
                               action_names_t *names)
{
    cursor_t cursor = cursor_of (value, value_size);
    if (cursor_array (&cursor, FIELD_COUNT) != FIELD_COUNT || cursor_uint (&cursor) != VERSION)
        return -1;
    *user = cursor_span (&cursor, EVENT_ID_BYTES_MAX);
    *dirty = cursor_bool (&cursor);
    profile->first_ms = read_time (&cursor);
    profile->newest_ms = read_time (&cursor);
    profile->reference_ms = read_time (&cursor);
    profile->period_ms = cursor_double (&cursor);
    if (!user->size || profile->first_ms > profile->newest_ms ||
        profile->reference_ms > profile->newest_ms || !isfinite (profile->period_ms) ||
        profile->period_ms <= 0)
        return -1;

    uint16_t *actions = NULL;
    size_t count = 0;
    read_counts (&cursor, profile, shared, names, &actions, &count);
    if (!cursor.failed)
        read_labels (&cursor, profile, shared, PROFILE_CATEGORY, actions, count);
    if (!cursor.failed)
        read_labels (&cursor, profile, shared, PROFILE_TAG, actions, count);
    free (actions);
    size_t items = read_pairs (&cursor, PROFILE_RECENT_MAX);
    for (size_t i = 0; i < items && !cursor.failed; i++) {
        span_t item = cursor_span (&cursor, EVENT_ID_BYTES_MAX);
        int64_t time_ms = read_time (&cursor);
        if (!cursor.failed)
            profile_add_recent (profile, shared, PROFILE_RECENT_MAX,
                                profile_strings_take (shared->strings, item), time_ms);
    }
    return cursor_finished (&cursor) ? 0 : -1;
}
