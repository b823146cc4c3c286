/*  event_fields: see event_fields.h. */
#include "common/event_fields.h"

#include <math.h>
#include "common/actions.h"
#include "common/event_time.h"

#define TRY(text, slot)                                                                            \
    if (memcmp (key.bytes, text, sizeof (text) - 1) == 0)                                          \
    return EVENT_SLOT_##slot

/*  The object on the hot path: a name is compared only with those of its size. */
static event_slot_t find_in_root (span_t key)
{
    switch (key.size) {
    case 4:
        TRY ("tags", TOP_TAGS);
        break;
    case 5:
        TRY ("extra", EXTRA);
        break;
    case 6:
        TRY ("action", ACTION);
        break;
    case 7:
        TRY ("user_id", USER_ID);
        TRY ("item_id", ITEM_ID);
        TRY ("context", CONTEXT);
        break;
    case 8:
        TRY ("category", TOP_CATEGORY);
        TRY ("duration", TOP_DURATION);
        break;
    case 9:
        TRY ("tenant_id", TENANT_ID);
        TRY ("timestamp", TIMESTAMP);
        break;
    case 11:
        TRY ("scenario_id", SCENARIO_ID);
        TRY ("action_type", ACTION_TYPE);
        break;
    case 13:
        TRY ("scenario_data", SCENARIO_DATA);
        break;
    case 14:
        TRY ("watch_duration", TOP_WATCH_DURATION);
        break;
    case 15:
        TRY ("completion_rate", COMPLETION_RATE);
        break;
    default:
        break;
    }
    return EVENT_SLOT_NONE;
}

typedef struct {
    span_t key;
    event_slot_t slot;
} inner_key_t;

#define INNER(text, symbol)                                                                        \
    {                                                                                              \
        {text, sizeof (text) - 1}, EVENT_SLOT_##symbol                                             \
    }
enum { INNER_KEYS_MAX = 4 };
static const inner_key_t INNER_KEYS[EVENT_SLOT_OBJECT_COUNT][INNER_KEYS_MAX + 1] = {
    [EVENT_SLOT_CONTEXT] = {INNER ("category", CONTEXT_CATEGORY), INNER ("tags", CONTEXT_TAGS)},
    [EVENT_SLOT_SCENARIO_DATA] = {INNER ("video_data", VIDEO), INNER ("music_data", MUSIC),
                                  INNER ("news_data", NEWS), INNER ("education_data", EDUCATION)},
    [EVENT_SLOT_VIDEO] = {INNER ("watch_duration", VIDEO_WATCH_DURATION),
                          INNER ("duration", VIDEO_DURATION)},
    [EVENT_SLOT_MUSIC] = {INNER ("play_duration", MUSIC_PLAY_DURATION),
                          INNER ("duration", MUSIC_DURATION)},
    [EVENT_SLOT_NEWS] = {INNER ("read_duration", NEWS_READ_DURATION)},
    [EVENT_SLOT_EDUCATION] = {INNER ("study_duration", EDUCATION_STUDY_DURATION),
                              INNER ("duration", EDUCATION_DURATION),
                              INNER ("lesson_duration", EDUCATION_LESSON_DURATION)},
    [EVENT_SLOT_EXTRA] = {INNER ("duration", EXTRA_DURATION),
                          INNER ("video_duration", EXTRA_VIDEO_DURATION)},
};

event_slot_t event_fields_find (event_slot_t object, span_t key)
{
    if (object == EVENT_SLOT_ROOT)
        return find_in_root (key);
    for (const inner_key_t *inner = INNER_KEYS[object]; inner->key.bytes; inner++)
        if (span_equal (inner->key, key))
            return inner->slot;
    return EVENT_SLOT_NONE;
}

static bool is_space (char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static span_t trim (span_t text)
{
    while (text.size && is_space (text.bytes[0])) {
        text.bytes++;
        text.size--;
    }
    while (text.size && is_space (text.bytes[text.size - 1]))
        text.size--;
    return text;
}

/*  Decimal digits of a number, put at the end of `digits`. */
static span_t write_digits (char digits[20], bool negative, uint64_t magnitude)
{
    size_t at = 20;
    do {
        digits[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude);
    if (negative)
        digits[--at] = '-';
    return (span_t){digits + at, 20 - at};
}

/*  An id: a string (trimmed, 1 .. 256 bytes, no NUL) or a 64-bit integer. */
static int take_id (const event_fields_t *self, event_slot_t slot, char digits[20], span_t *id)
{
    const event_value_t *value = &self->values[slot];
    switch ((event_kind_t)self->kinds[slot]) {
    case EVENT_KIND_TEXT:
        *id = trim (value->text);
        if (id->size >= 1 && id->size <= EVENT_ID_BYTES_MAX && !memchr (id->bytes, '\0', id->size))
            return 0;
        break;
    case EVENT_KIND_INTEGER:
        if (value->integer < 0)
            *id = write_digits (digits, true, -(uint64_t)value->integer);
        else
            *id = write_digits (digits, false, (uint64_t)value->integer);
        return 0;
    case EVENT_KIND_NATURAL:
        *id = write_digits (digits, false, value->natural);
        return 0;
    default:
        break;
    }
    *id = (span_t){NULL, 0};
    return -1;
}

/*  The alias is asked only where action_type itself is absent. */
static int take_action (event_fields_t *self, event_t *event)
{
    event_slot_t slot = self->kinds[EVENT_SLOT_ACTION_TYPE] != EVENT_KIND_ABSENT
                            ? EVENT_SLOT_ACTION_TYPE
                            : EVENT_SLOT_ACTION;
    if (self->kinds[slot] != EVENT_KIND_TEXT)
        return -1;
    span_t name = trim (self->values[slot].text);
    if (name.size == 0 || name.size > EVENT_ACTION_BYTES_MAX)
        return -1;
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.bytes[i];
        self->action[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    event->action = (span_t){self->action, name.size};
    event->action_known = actions_find (event->action);
    return 0;
}

static int take_time (const event_fields_t *self, int64_t record_time_ms, int64_t *time_ms)
{
    const event_value_t *value = &self->values[EVENT_SLOT_TIMESTAMP];
    switch ((event_kind_t)self->kinds[EVENT_SLOT_TIMESTAMP]) {
    case EVENT_KIND_ABSENT:
        if (record_time_ms < 0 || record_time_ms > EVENT_TIME_MS_MAX)
            return -1;
        *time_ms = record_time_ms;
        return 0;
    case EVENT_KIND_TEXT:
        return event_time_from_text (value->text, time_ms);
    case EVENT_KIND_INTEGER:
        return event_time_from_integer (value->integer, time_ms);
    case EVENT_KIND_REAL:
        return event_time_from_real (value->real, time_ms);
    default:
        return -1;
    }
}

/*  Seconds, 0 .. 7 days, as ms rounded half up; -1 where it is not a number or out of range. */
static int take_seconds_ms (const event_fields_t *self, size_t slot, int64_t *ms)
{
    const int64_t seconds_max = EVENT_WATCHED_MS_MAX / 1000;
    if (self->kinds[slot] == EVENT_KIND_INTEGER) {
        int64_t seconds = self->values[slot].integer;
        if (seconds < 0 || seconds > seconds_max)
            return -1;
        *ms = seconds * 1000;
        return 0;
    }
    if (self->kinds[slot] != EVENT_KIND_REAL)
        return -1;
    double seconds = self->values[slot].real;
    if (!(seconds >= 0 && seconds <= (double)seconds_max)) /* NaN too */
        return -1;
    double exact = seconds * 1000, whole = floor (exact);
    *ms = (int64_t)whole + (exact - whole >= 0.5);
    return 0;
}

/*  The first valid of a row of slots, at least `least_ms`; the invalid ones before it are counted.
 */
static int64_t first_ms (const event_fields_t *self, size_t first, size_t last, int64_t least_ms,
                         event_t *event)
{
    for (size_t slot = first; slot <= last; slot++) {
        int64_t ms;
        if (self->kinds[slot] == EVENT_KIND_ABSENT)
            continue;
        if (take_seconds_ms (self, slot, &ms) == 0 && ms >= least_ms)
            return ms;
        event->wrong_types++;
    }
    return EVENT_MS_NONE;
}

static event_rate_t judge_rate (const event_fields_t *self, int64_t content_ms, event_t *event)
{
    const event_value_t *value = &self->values[EVENT_SLOT_COMPLETION_RATE];
    event_kind_t kind = (event_kind_t)self->kinds[EVENT_SLOT_COMPLETION_RATE];
    if (kind != EVENT_KIND_ABSENT) {
        double rate = kind == EVENT_KIND_REAL      ? value->real
                      : kind == EVENT_KIND_INTEGER ? (double)value->integer
                                                   : -1.0;
        if (rate >= 0 && rate <= 1)
            return rate > 0.8 ? EVENT_RATE_DONE : EVENT_RATE_LOW;
        event->wrong_types++;
    }
    if (event->watched_ms == EVENT_MS_NONE || content_ms == EVENT_MS_NONE)
        return EVENT_RATE_UNKNOWN;
    /* watched / content > 0.8, without a rounding to argue about */
    return event->watched_ms * 5 > content_ms * 4 ? EVENT_RATE_DONE : EVENT_RATE_LOW;
}

static bool is_label (event_kind_t kind, span_t text)
{
    return kind == EVENT_KIND_TEXT && text.size >= 1 && text.size <= EVENT_LABEL_BYTES_MAX;
}

static span_t take_category (const event_fields_t *self, event_t *event)
{
    static const event_slot_t SLOTS[] = {EVENT_SLOT_CONTEXT_CATEGORY, EVENT_SLOT_TOP_CATEGORY};
    for (size_t i = 0; i < sizeof (SLOTS) / sizeof (SLOTS[0]); i++) {
        event_kind_t kind = (event_kind_t)self->kinds[SLOTS[i]];
        if (kind == EVENT_KIND_ABSENT)
            continue;
        if (kind == EVENT_KIND_TEXT && is_label (kind, self->values[SLOTS[i]].text))
            return self->values[SLOTS[i]].text;
        event->wrong_types++;
    }
    return (span_t){NULL, 0};
}

event_reason_t event_fields_check (event_fields_t *self, int64_t record_time_ms, event_t *event)
{
    event->tag_count = 0;
    event->wrong_types = 0;
    if (take_id (self, EVENT_SLOT_TENANT_ID, self->digits[0], &event->tenant))
        return EVENT_REASON_TENANT;
    if (take_id (self, EVENT_SLOT_SCENARIO_ID, self->digits[1], &event->scenario))
        return EVENT_REASON_SCENARIO;
    if (take_id (self, EVENT_SLOT_USER_ID, self->digits[2], &event->user))
        return EVENT_REASON_USER;
    if (take_id (self, EVENT_SLOT_ITEM_ID, self->digits[3], &event->item))
        return EVENT_REASON_ITEM;
    if (take_action (self, event))
        return EVENT_REASON_ACTION;
    if (take_time (self, record_time_ms, &event->time_ms))
        return EVENT_REASON_TIMESTAMP;

    for (size_t object = EVENT_SLOT_ROOT + 1; object < EVENT_SLOT_OBJECT_COUNT; object++)
        if (self->kinds[object] != EVENT_KIND_ABSENT && self->kinds[object] != EVENT_KIND_OBJECT)
            event->wrong_types++;
    event->category = take_category (self, event);
    event->watched_ms =
        first_ms (self, EVENT_SLOT_WATCHED_FIRST, EVENT_SLOT_WATCHED_LAST, 0, event);
    int64_t content_ms =
        first_ms (self, EVENT_SLOT_CONTENT_FIRST, EVENT_SLOT_CONTENT_LAST, 1, event);
    event->rate = judge_rate (self, content_ms, event);
    return EVENT_REASON_NONE;
}

event_slot_t event_fields_tags (const event_fields_t *self, event_t *event)
{
    static const event_slot_t SLOTS[] = {EVENT_SLOT_CONTEXT_TAGS, EVENT_SLOT_TOP_TAGS};
    for (size_t i = 0; i < sizeof (SLOTS) / sizeof (SLOTS[0]); i++) {
        if (self->kinds[SLOTS[i]] == EVENT_KIND_ARRAY)
            return SLOTS[i];
        if (self->kinds[SLOTS[i]] != EVENT_KIND_ABSENT)
            event->wrong_types++;
    }
    return EVENT_SLOT_NONE;
}

void event_fields_add_tag (event_t *event, event_kind_t kind, span_t text)
{
    if (kind == EVENT_KIND_ABSENT)
        return;
    if (!is_label (kind, text)) {
        event->wrong_types++;
        return;
    }
    for (uint32_t i = 0; i < event->tag_count; i++)
        if (span_equal (event->tags[i], text))
            return;
    event->tags[event->tag_count++] = text;
}
