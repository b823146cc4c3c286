/*  profile_json: written straight into a buffer, since a tree of the document would cost more than
 * the document; only numbers go through yyjson, which knows the shortest form of a double.
 */
#include "profiler/profile_json.h"

#include <stdlib.h>
#include <yyjson.h>

#include "common/check.h"
#include "common/utf8.h"

enum {
    FEW_NAMES = 16,
    ESCAPED_BYTES = 6,  /* that a byte of a string may become */
    NUMBER_BYTES = 40,  /* of a number, at most */
    AROUND_BYTES = 128, /* of what is around a string or number, at most */
};

/*  ---- pieces: each writes at a place where there is room, and returns where it ended ---- */

static char *make_room (buffer_t *to, size_t bytes)
{
    buffer_reserve (to, bytes);
    return (char *)to->bytes + to->size;
}

static void end_at (buffer_t *to, const char *at)
{
    to->size = (size_t)(at - (char *)to->bytes);
}

/*  Inline, so that the sizes of literals are known. */
static inline __attribute__ ((always_inline)) char *put_text (char *at, const char *text)
{
    size_t size = strlen (text);
    memcpy (at, text, size);
    return at + size;
}

static char *put_uint (char *at, uint64_t value)
{
    char digits[24];
    size_t from = sizeof digits;
    do
        digits[--from] = (char)('0' + value % 10);
    while (value /= 10);
    memcpy (at, digits + from, sizeof digits - from);
    return at + (sizeof digits - from);
}

static char *put_double (char *at, double value)
{
    /* Whole numbers as yyjson has them, without the way there. */
    if (value >= 0 && value < 1e9 && value == (double)(uint32_t)value)
        return put_text (put_uint (at, (uint32_t)value), ".0");
    char memory[512]; /* yyjson asks for one small block */
    yyjson_alc allocator;
    yyjson_val number = {0};
    size_t size = 0;
    yyjson_alc_pool_init (&allocator, memory, sizeof memory);
    unsafe_yyjson_set_real (&number, value);
    char *text = yyjson_val_write_opts (&number, YYJSON_WRITE_NOFLAG, &allocator, &size, NULL);
    CHECK (text && size <= NUMBER_BYTES); /* sums of finite weights over finite counts are finite */
    memcpy (at, text, size);
    return at + size;
}

static char *put_escaped (char *at, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    *at++ = '\\';
    if (byte == '"' || byte == '\\') {
        *at++ = (char)byte;
        return at;
    }
    at = put_text (at, "u00");
    *at++ = hex[byte >> 4];
    *at++ = hex[byte & 15];
    return at;
}

static bool plain (uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

#define EACH_BYTE(value) (UINT64_C (0x0101010101010101) * (value))

/*  A byte of the word is 0 (Anderson, "Bit Twiddling Hacks"). */
static uint64_t has_zero (uint64_t word)
{
    return (word - EACH_BYTE (0x01)) & ~word & EACH_BYTE (0x80);
}

static bool all_plain (uint64_t word)
{
    uint64_t control = (word - EACH_BYTE (0x20)) & ~word & EACH_BYTE (0x80);
    return !(control | (word & EACH_BYTE (0x80)) | has_zero (word ^ EACH_BYTE ('"')) |
             has_zero (word ^ EACH_BYTE ('\\')));
}

/*  Room for ESCAPED_BYTES each, and a word. */
static char *put_string_bytes (char *to, span_t text)
{
    size_t at = 0;
    for (uint64_t word; at + sizeof word <= text.size; at += sizeof word, to += sizeof word) {
        memcpy (&word, text.bytes + at, sizeof word);
        if (!all_plain (word))
            break;
        memcpy (to, &word, sizeof word);
    }
    while (at < text.size) {
        uint8_t byte = (uint8_t)text.bytes[at];
        size_t sequence =
            byte < 0x80 ? 0 : utf8_sequence_bytes (text.bytes + at, text.size - at);
        if (plain (byte)) {
            *to++ = (char)byte;
        } else if (sequence) {
            memcpy (to, text.bytes + at, sequence);
            to += sequence;
        } else if (byte < 0x80) {
            to = put_escaped (to, byte);
        } else {
            to = put_text (to, "\xef\xbf\xbd");
        }
        at += sequence ? sequence : 1;
    }
    return to;
}

static char *put_string (char *at, span_t text)
{
    *at++ = '"';
    at = put_string_bytes (at, text);
    *at++ = '"';
    return at;
}

/*  Of a string and what is around it. */
static size_t room_of (span_t text)
{
    return text.size * ESCAPED_BYTES + AROUND_BYTES;
}

void profile_json_write_string (buffer_t *to, span_t text)
{
    end_at (to, put_string (make_room (to, room_of (text)), text));
}

static char *put_two (char *at, int64_t value)
{
    *at++ = (char)('0' + value / 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

static char *put_time (char *at, int64_t time_ms)
{
    int64_t days = time_ms / 86400000, rest = time_ms % 86400000;
    /* Civil date from days since 1970-01-01: Howard Hinnant, "chrono-compatible low-level date
     * algorithms", civil_from_days; years begin in March, so that the leap day is a year's last. */
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097, of_era = shifted % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0: March */
    int64_t day = of_year - (153 * month + 2) / 5 + 1;
    int64_t year = year_of_era + era * 400 + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;
    *at++ = '"';
    if (year >= 10000) {
        at = put_uint (at, (uint64_t)year);
    } else {
        at = put_two (at, year / 100);
        at = put_two (at, year % 100);
    }
    *at++ = '-';
    at = put_two (at, month);
    *at++ = '-';
    at = put_two (at, day);
    *at++ = 'T';
    at = put_two (at, rest / 3600000);
    *at++ = ':';
    at = put_two (at, rest / 60000 % 60);
    *at++ = ':';
    at = put_two (at, rest / 1000 % 60);
    *at++ = '.';
    *at++ = (char)('0' + rest % 1000 / 100);
    at = put_two (at, rest % 100);
    return put_text (at, "Z\"");
}

void profile_json_write_time (buffer_t *to, int64_t time_ms)
{
    end_at (to, put_time (make_room (to, AROUND_BYTES), time_ms));
}

/*  ---- the object ---- */

typedef struct {
    span_t name;
    uint64_t count;
} named_count_t;

static int compare_names (const void *a, const void *b)
{
    return span_compare (((const named_count_t *)a)->name, ((const named_count_t *)b)->name);
}

/*  Most users have a few actions. */
static void sort_names (named_count_t *list, uint32_t count)
{
    if (count > FEW_NAMES) {
        qsort (list, count, sizeof *list, compare_names);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        named_count_t one = list[i];
        uint32_t at = i;
        for (; at && compare_names (&list[at - 1], &one) > 0; at--)
            list[at] = list[at - 1];
        list[at] = one;
    }
}

static void put_stats (buffer_t *to, const profile_json_t *what)
{
    const profile_t *profile = what->profile;
    named_count_t few[64], *list = few;
    if (profile->count_count > sizeof few / sizeof *few)
        list = memory_new_array (profile->count_count, sizeof *list);
    uint32_t count = 0;
    for (uint32_t i = 0; i < profile->count_count; i++) {
        uint32_t code = profile_count_code (profile->counts[i]);
        if (code < PROFILE_HOUR_CODE)
            list[count++] = (named_count_t){
                .name = action_names_get (what->weights->names, (uint16_t)code),
                .count = profile_count_value (profile->counts[i]),
            };
    }
    sort_names (list, count);
    char *at = put_text (make_room (to, AROUND_BYTES), "\"stats\":{");
    for (uint32_t i = 0; i < count; i++) {
        end_at (to, at);
        at = make_room (to, room_of (list[i].name));
        *at++ = '"';
        at = put_string_bytes (at, list[i].name);
        at = put_text (at, "_count\":");
        at = put_uint (at, list[i].count);
        *at++ = ',';
    }
    end_at (to, at);
    uint64_t views = profile_count (profile, ACTION_VIEW);
    uint64_t clicks = profile_count (profile, ACTION_CLICK);
    at = put_text (make_room (to, AROUND_BYTES), "\"engagement_rate\":");
    at = put_double (at, views ? (double)clicks / (double)views : 0);
    end_at (to, put_text (at, "}"));
    if (list != few)
        free (list);
}

static void put_labels (buffer_t *to, const profile_json_t *what, profile_kind_t kind,
                        uint32_t limit)
{
    profile_score_t top[PROFILE_TAGS_MAX];
    CHECK (limit <= PROFILE_TAGS_MAX);
    uint32_t count = profile_top (what->profile, what->shared, what->weights, kind, limit, top);
    char *at = put_text (make_room (to, AROUND_BYTES), "[");
    for (uint32_t i = 0; i < count; i++) {
        end_at (to, at);
        at = make_room (to, room_of (top[i].name));
        at = put_text (at, i ? ",{\"name\":" : "{\"name\":");
        at = put_string (at, top[i].name);
        at = put_text (at, ",\"score\":");
        at = put_double (at, top[i].score);
        *at++ = '}';
    }
    end_at (to, put_text (at, "]"));
}

static void put_hours (buffer_t *to, const profile_t *profile)
{
    char *at = make_room (to, AROUND_BYTES + PROFILE_HOURS * NUMBER_BYTES);
    at = put_text (at, ",\"active_hours\":{");
    bool first = true;
    for (uint32_t i = 0; i < profile->count_count; i++) {
        uint32_t code = profile_count_code (profile->counts[i]);
        if (code < PROFILE_HOUR_CODE)
            continue;
        at = put_text (at, first ? "\"" : ",\"");
        first = false;
        at = put_uint (at, code - PROFILE_HOUR_CODE);
        at = put_text (at, "\":");
        at = put_uint (at, profile_count_value (profile->counts[i]));
    }
    end_at (to, put_text (at, "}"));
}

static void put_recent (buffer_t *to, const profile_json_t *what)
{
    const profile_t *profile = what->profile;
    const profile_recent_t *recent = profile_recent (profile);
    uint32_t first =
        profile->recent_count > what->recent_items ? profile->recent_count - what->recent_items : 0;
    char *at = put_text (make_room (to, AROUND_BYTES), ",\"recent_items\":[");
    for (uint32_t i = first; i < profile->recent_count; i++) {
        span_t item = profile_strings_get (what->shared->strings, recent[i].item);
        end_at (to, at);
        at = make_room (to, room_of (item));
        if (i > first)
            *at++ = ',';
        at = put_string (at, item);
    }
    end_at (to, put_text (at, "]"));
}

void profile_json_write (buffer_t *to, const profile_json_t *what)
{
    CHECK (what->profile->newest_ms != EVENT_TIME_NONE && !what->profile->log_events);
    char *at = make_room (to, room_of (what->tenant) + room_of (what->user) +
                                  room_of (what->scenario));
    at = put_string (put_text (at, "{\"tenant_id\":"), what->tenant);
    at = put_string (put_text (at, ",\"user_id\":"), what->user);
    at = put_string (put_text (at, ",\"scenario_id\":"), what->scenario);
    end_at (to, put_text (at, ","));
    put_stats (to, what);
    end_at (to, put_text (make_room (to, AROUND_BYTES), ",\"preferences\":{\"categories\":"));
    put_labels (to, what, PROFILE_CATEGORY, what->top_categories);
    end_at (to, put_text (make_room (to, AROUND_BYTES), ",\"tags\":"));
    put_labels (to, what, PROFILE_TAG, what->top_tags);
    end_at (to, put_text (make_room (to, AROUND_BYTES), "}"));
    put_hours (to, what->profile);
    put_recent (to, what);
    at = put_text (make_room (to, AROUND_BYTES), ",\"first_seen\":");
    at = put_time (at, what->profile->first_ms);
    at = put_text (at, ",\"updated_at\":");
    at = put_time (at, what->profile->newest_ms);
    end_at (to, put_text (at, "}"));
}
