/*  profile_record: version 2, in the order of the writer below. Numbers are 7 bits a byte, the least
 * first, and the upper bit of a byte says that more follow; a text is its size and its bytes; a
 * double is its 8 bytes, the least first; times are how long before the newest event. A record is
 * written for each user that changed, in each commit: hence not msgpack, which is larger and takes
 * longer. The first version began with 0x9c.
 */
#include "profiler/profile_record.h"

#include <math.h>
#include <stdlib.h>

#include "common/actions.h"
#include "common/check.h"
#include "common/memory.h"

enum {
    VERSION = 2,
    FIRST_VERSION = 0x9c, /* its first byte */
    DIRTY = 1,            /* flags */
    LOG = 2,              /* a list of events follows, not counts of them */
    HAS_CATEGORY = 1,     /* flags of an event, beside its number of labels */
    HAS_ITEM = 2,
    LABELS_SHIFT = 2,
    ACTIONS_MAX = ACTION_NUMBER_MAX + 1,
    NUMBER_BYTES_MAX = 10,
    FIXED_BYTES_MAX = 16 * NUMBER_BYTES_MAX + sizeof (double),
    TEXT_BYTES_MAX = NUMBER_BYTES_MAX + PROFILE_STRINGS_NEAR_BYTES + EVENT_ID_BYTES_MAX,
    COUNT_BYTES_MAX = 2 * NUMBER_BYTES_MAX + TEXT_BYTES_MAX,
    ROW_BYTES_MAX = 3 * NUMBER_BYTES_MAX + 2 * TEXT_BYTES_MAX, /* without its labels */
    INTEREST_BYTES_MAX = 2 * NUMBER_BYTES_MAX + TEXT_BYTES_MAX + sizeof (double),
    RECENT_BYTES_MAX = NUMBER_BYTES_MAX + TEXT_BYTES_MAX,
};
#define COUNT_MAX ((UINT64_C (1) << 46) - 1)
_Static_assert(EVENT_LABEL_BYTES_MAX <= EVENT_ID_BYTES_MAX &&
                   EVENT_ACTION_BYTES_MAX <= EVENT_ID_BYTES_MAX,
               "every text of a record has room");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "doubles are written as they lie");

/*  ---- writing: into room that was made before ---- */

static uint8_t *put_number (uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_double (uint8_t *at, double value)
{
    memcpy (at, &value, sizeof value);
    return at + sizeof value;
}

static uint8_t *put_text (uint8_t *at, span_t text)
{
    CHECK (text.size <= EVENT_ID_BYTES_MAX);
    at = put_number (at, text.size);
    memcpy (at, text.bytes, text.size);
    return at + text.size;
}

static uint8_t *put_string (uint8_t *at, const profile_shared_t *shared, uint32_t number)
{
    uint32_t size = profile_strings_size (shared->strings, number);
    CHECK (size <= EVENT_ID_BYTES_MAX);
    at = put_number (at, size);
    profile_strings_copy (shared->strings, number, (char *)at);
    return at + size;
}

static uint32_t action_count (const profile_t *profile)
{
    uint32_t count = 0;
    while (count < profile->count_count &&
           profile_count_code (profile->counts[count]) < PROFILE_HOUR_CODE)
        count++;
    return count;
}

/*  Known actions are their number + 1, others 0 and their name. */
static uint8_t *put_action (uint8_t *at, uint16_t action, const action_names_t *names)
{
    if (action < ACTION_CUSTOM)
        return put_number (at, (uint64_t)action + 1);
    return put_text (put_number (at, 0), action_names_get (names, action));
}

static uint8_t *put_counts (uint8_t *at, const profile_t *profile, const action_names_t *names)
{
    for (uint32_t i = 0; i < profile->count_count; i++) {
        uint32_t code = profile_count_code (profile->counts[i]);
        if (code >= PROFILE_HOUR_CODE)
            at = put_number (at, code - PROFILE_HOUR_CODE);
        else
            at = put_action (at, (uint16_t)code, names);
        at = put_number (at, profile_count_value (profile->counts[i]));
    }
    return at;
}

/*  An action's place among the profile's actions. */
static uint32_t place_of (const profile_t *profile, uint16_t action)
{
    for (uint32_t i = 0; i < profile->count_count; i++)
        if (profile_count_code (profile->counts[i]) == action)
            return i;
    CHECK (!"an interest of an action that was never counted");
    return 0;
}

/*  Each label: its name, how many actions, and of each its place and decayed count. */
static uint8_t *put_labels (uint8_t *at, const profile_t *profile, const profile_shared_t *shared)
{
    const profile_interest_t *interests = profile_interests (profile);
    for (uint32_t from = 0, next; from < profile->interest_count; from = next) {
        uint64_t label = interests[from].key >> 16;
        next = from + 1;
        while (next < profile->interest_count && interests[next].key >> 16 == label)
            next++;
        at = put_string (at, shared, profile_interest_label (interests[from].key));
        at = put_number (at, next - from);
        for (uint32_t i = from; i < next; i++) {
            at = put_number (at, place_of (profile, profile_interest_action (interests[i].key)));
            at = put_double (at, interests[i].sum);
        }
    }
    return at;
}

static uint8_t *put_arrays (uint8_t *at, const profile_t *profile, const profile_shared_t *shared,
                            const action_names_t *names)
{
    const profile_recent_t *recent = profile_recent (profile);
    uint32_t actions = action_count (profile);
    at = put_number (at, (uint64_t)(profile->newest_ms - profile->reference_ms));
    at = put_number (at, actions);
    at = put_number (at, profile->count_count - actions);
    at = put_number (at, profile->label_counts[PROFILE_CATEGORY]);
    at = put_number (at, profile->label_counts[PROFILE_TAG]);
    at = put_number (at, profile->interest_count);
    at = put_number (at, profile->recent_count);
    at = put_counts (at, profile, names);
    at = put_labels (at, profile, shared);
    for (uint32_t i = 0; i < profile->recent_count; i++) {
        at = put_string (at, shared, recent[i].item);
        at = put_number (at, (uint64_t)(profile->newest_ms - recent[i].time_ms));
    }
    return at;
}

static uint8_t *put_log (uint8_t *at, const profile_t *profile, const profile_shared_t *shared,
                         const action_names_t *names)
{
    const uint32_t *log = (const uint32_t *)profile->counts;
    at = put_number (at, profile->log_events);
    for (uint32_t i = 0; i < profile->log_events; i++) {
        profile_row_t row;
        log = profile_log_read (log, &row);
        bool has_item = row.item != PROFILE_STRING_NONE;
        at = put_number (at, (uint64_t)(profile->newest_ms - row.time_ms));
        at = put_action (at, row.action, names);
        at = put_number (at, (uint64_t)row.label_count << LABELS_SHIFT |
                                 (has_item ? HAS_ITEM : 0) |
                                 (row.has_category ? HAS_CATEGORY : 0));
        if (has_item)
            at = put_string (at, shared, row.item);
        for (uint32_t j = 0; j < row.label_count; j++)
            at = put_string (at, shared, row.labels[j]);
    }
    return at;
}

void profile_record_write (buffer_t *to, span_t user, bool dirty, const profile_t *profile,
                           const profile_shared_t *shared, const action_names_t *names)
{
    CHECK (profile->newest_ms != EVENT_TIME_NONE);
    buffer_reserve (to, FIXED_BYTES_MAX + TEXT_BYTES_MAX +
                            (size_t)profile->log_events * ROW_BYTES_MAX +
                            (size_t)profile->log_words * TEXT_BYTES_MAX +
                            (size_t)profile->count_count * COUNT_BYTES_MAX +
                            (size_t)profile->interest_count * INTEREST_BYTES_MAX +
                            (size_t)profile->recent_count * RECENT_BYTES_MAX);
    uint8_t *at = to->bytes + to->size;
    *at++ = VERSION;
    *at++ = (uint8_t)((dirty ? DIRTY : 0) | (profile->log_events ? LOG : 0));
    at = put_text (at, user);
    at = put_number (at, (uint64_t)profile->newest_ms);
    at = put_number (at, (uint64_t)(profile->newest_ms - profile->first_ms));
    at = put_double (at, profile->period_ms);
    if (profile->log_events)
        at = put_log (at, profile, shared, names);
    else
        at = put_arrays (at, profile, shared, names);
    to->size = (size_t)(at - to->bytes);
}

/*  ---- reading: nothing is trusted; after the first error all is zero ---- */

typedef struct {
    const uint8_t *at, *end;
    bool failed;
} reader_t;

static uint64_t fail (reader_t *self)
{
    self->failed = true;
    self->at = self->end;
    return 0;
}

static uint64_t take_number (reader_t *self, uint64_t max)
{
    uint64_t value = 0;
    for (unsigned shift = 0; self->at < self->end && shift < 64; shift += 7) {
        uint8_t byte = *self->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value <= max ? value : fail (self);
    }
    return fail (self);
}

static double take_double (reader_t *self)
{
    double value = 0;
    if ((size_t)(self->end - self->at) < sizeof value) {
        fail (self);
        return 0;
    }
    memcpy (&value, self->at, sizeof value);
    self->at += sizeof value;
    if (!isfinite (value) || value < 0)
        fail (self);
    return value;
}

static span_t take_text (reader_t *self, size_t size_max)
{
    size_t size = (size_t)take_number (self, size_max);
    if (!size || (size_t)(self->end - self->at) < size)
        fail (self);
    span_t text = {(const char *)self->at, self->failed ? 0 : size};
    self->at += text.size;
    return text;
}

/*  A time that was so long before the newest one. */
static int64_t take_time (reader_t *self, int64_t newest_ms)
{
    return newest_ms - (int64_t)take_number (self, (uint64_t)newest_ms);
}

static uint64_t take_count (reader_t *self)
{
    uint64_t count = take_number (self, COUNT_MAX);
    return count ? count : fail (self);
}

static uint16_t take_action (reader_t *self, action_names_t *names)
{
    uint16_t number = (uint16_t)take_number (self, ACTION_KNOWN_COUNT);
    if (self->failed || number)
        return (uint16_t)(number - !!number);
    span_t name = take_text (self, EVENT_ACTION_BYTES_MAX);
    return self->failed ? (uint16_t)ACTION_OTHER : action_names_intern (names, name);
}

/*  How many there are of each, so that the block is made once. */
typedef struct {
    uint32_t actions, hours, labels[2], interests, recent;
} sizes_t;

static sizes_t take_sizes (reader_t *self)
{
    sizes_t sizes;
    sizes.actions = (uint32_t)take_number (self, ACTIONS_MAX);
    sizes.hours = (uint32_t)take_number (self, PROFILE_HOURS);
    sizes.labels[PROFILE_CATEGORY] = (uint32_t)take_number (self, PROFILE_CATEGORIES_MAX);
    sizes.labels[PROFILE_TAG] = (uint32_t)take_number (self, PROFILE_TAGS_MAX);
    sizes.interests = (uint32_t)take_number (self, UINT32_MAX);
    sizes.recent = (uint32_t)take_number (self, PROFILE_RECENT_MAX);
    uint64_t labels = sizes.labels[PROFILE_CATEGORY] + sizes.labels[PROFILE_TAG];
    if (!sizes.actions || !sizes.hours || sizes.interests < labels ||
        sizes.interests > labels * sizes.actions)
        fail (self);
    /*  Each takes more than a byte, so that numbers from outside bound an allocation. */
    if ((uint64_t)sizes.actions + sizes.interests + sizes.recent > (size_t)(self->end - self->at))
        fail (self);
    return sizes;
}

static void take_labels (reader_t *self, profile_t *profile, profile_shared_t *shared,
                         const uint16_t *actions, const sizes_t *sizes)
{
    uint32_t categories = sizes->labels[PROFILE_CATEGORY], left = sizes->interests;
    for (uint32_t i = 0; i < categories + sizes->labels[PROFILE_TAG] && !self->failed; i++) {
        profile_kind_t kind = i < categories ? PROFILE_CATEGORY : PROFILE_TAG;
        span_t name = take_text (self, EVENT_LABEL_BYTES_MAX);
        uint32_t count = (uint32_t)take_number (self, left);
        if (!count)
            fail (self);
        for (uint32_t j = 0; j < count && !self->failed; j++) {
            size_t place = (size_t)take_number (self, sizes->actions - 1);
            double sum = take_double (self);
            if (!self->failed)
                profile_add_interest (profile, shared, kind,
                                      profile_strings_take (shared->strings, name), actions[place],
                                      sum);
        }
        left -= count;
    }
    if (left)
        fail (self);
}

static void take_counts (reader_t *self, profile_t *profile, profile_shared_t *shared,
                         action_names_t *names, uint16_t *actions, const sizes_t *sizes)
{
    for (uint32_t i = 0; i < sizes->actions && !self->failed; i++) {
        actions[i] = take_action (self, names);
        uint64_t events = take_count (self);
        if (!self->failed)
            profile_add_count (profile, shared, actions[i], events);
    }
    for (uint32_t i = 0; i < sizes->hours && !self->failed; i++) {
        uint32_t hour = (uint32_t)take_number (self, PROFILE_HOURS - 1);
        uint64_t events = take_count (self);
        if (!self->failed)
            profile_add_count (profile, shared, PROFILE_HOUR_CODE + hour, events);
    }
}

static void take_arrays (reader_t *self, profile_t *profile, profile_shared_t *shared,
                         action_names_t *names)
{
    profile->reference_ms = take_time (self, profile->newest_ms);
    sizes_t sizes = take_sizes (self);
    if (self->failed)
        return;
    uint16_t *actions = memory_new_array (sizes.actions, sizeof *actions);
    profile_reserve (profile, shared, sizes.actions + sizes.hours, sizes.interests, sizes.recent);
    take_counts (self, profile, shared, names, actions, &sizes);
    take_labels (self, profile, shared, actions, &sizes);
    free (actions);
    for (uint32_t i = 0; i < sizes.recent && !self->failed; i++) {
        span_t item = take_text (self, EVENT_ID_BYTES_MAX);
        int64_t time_ms = take_time (self, profile->newest_ms);
        if (!self->failed)
            profile_add_recent (profile, shared, PROFILE_RECENT_MAX,
                                profile_strings_take (shared->strings, item), time_ms);
    }
}

/*  Its strings are interned once all of the row is there. */
static void take_row (reader_t *self, profile_t *profile, profile_shared_t *shared,
                      action_names_t *names)
{
    uint32_t labels[PROFILE_ROW_LABELS_MAX];
    span_t texts[PROFILE_ROW_LABELS_MAX], item = {0};
    int64_t time_ms = take_time (self, profile->newest_ms);
    profile_row_t row = {.time_ms = time_ms, .labels = labels, .item = PROFILE_STRING_NONE};
    row.action = take_action (self, names);
    uint32_t shape = (uint32_t)take_number (
        self, PROFILE_ROW_LABELS_MAX << LABELS_SHIFT | HAS_CATEGORY | HAS_ITEM);
    row.label_count = shape >> LABELS_SHIFT;
    row.has_category = shape & HAS_CATEGORY;
    if (shape & HAS_ITEM)
        item = take_text (self, EVENT_ID_BYTES_MAX);
    for (uint32_t i = 0; i < row.label_count; i++)
        texts[i] = take_text (self, EVENT_LABEL_BYTES_MAX);
    if (shape & HAS_ITEM)
        row.item = 0; /* any: for its size */
    if (time_ms < profile->first_ms || (row.has_category && !row.label_count) ||
        !profile_log_has_room (profile, &row))
        fail (self);
    if (self->failed)
        return;
    if (shape & HAS_ITEM)
        row.item = profile_strings_take (shared->strings, item);
    for (uint32_t i = 0; i < row.label_count; i++)
        labels[i] = profile_strings_take (shared->strings, texts[i]);
    profile_log_add (profile, shared, &row);
}

static void take_log (reader_t *self, profile_t *profile, profile_shared_t *shared,
                      action_names_t *names)
{
    uint32_t count = (uint32_t)take_number (self, UINT16_MAX);
    profile->reference_ms = profile->first_ms;
    if (!count)
        fail (self);
    for (uint32_t i = 0; i < count && !self->failed; i++)
        take_row (self, profile, shared, names);
}

int profile_record_read (const void *value, size_t value_size, span_t *user, bool *dirty,
                         profile_t *profile, profile_shared_t *shared, action_names_t *names)
{
    reader_t reader = {value, (const uint8_t *)value + value_size, false};
    if (value_size && *reader.at == FIRST_VERSION)
        return profile_record_read_first (value, value_size, user, dirty, profile, shared, names);
    if (take_number (&reader, UINT8_MAX) != VERSION)
        return -1;
    uint64_t flags = take_number (&reader, DIRTY | LOG);
    *dirty = flags & DIRTY;
    *user = take_text (&reader, EVENT_ID_BYTES_MAX);
    profile->newest_ms = (int64_t)take_number (&reader, INT64_MAX);
    profile->first_ms = take_time (&reader, profile->newest_ms);
    profile->period_ms = take_double (&reader);
    if (reader.failed || profile->period_ms <= 0)
        return -1;
    if (flags & LOG)
        take_log (&reader, profile, shared, names);
    else
        take_arrays (&reader, profile, shared, names);
    return !reader.failed && reader.at == reader.end ? 0 : -1;
}
