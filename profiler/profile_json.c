/*  profile_json: written straight into a buffer, since a tree of the document would cost more than
 * the document; only numbers go through yyjson, which knows the shortest form of a double.
 */
#include "profiler/profile_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "common/check.h"
#include "common/utf8.h"

enum { FEW_NAMES = 16 };

/*  Inline, so that the sizes of literals are known. */
static inline __attribute__ ((always_inline)) void put_text (buffer_t *to, const char *text)
{
    buffer_append (to, text, strlen (text));
}

static void put_uint (buffer_t *to, uint64_t value)
{
    char digits[24];
    size_t from = sizeof digits;
    do
        digits[--from] = (char)('0' + value % 10);
    while (value /= 10);
    buffer_append (to, digits + from, sizeof digits - from);
}

static void put_double (buffer_t *to, double value)
{
    char memory[512]; /* yyjson asks for one small block */
    yyjson_alc allocator;
    yyjson_val number = {0};
    size_t size = 0;
    yyjson_alc_pool_init (&allocator, memory, sizeof memory);
    unsafe_yyjson_set_real (&number, value);
    char *text = yyjson_val_write_opts (&number, YYJSON_WRITE_NOFLAG, &allocator, &size, NULL);
    CHECK (text); /* sums of finite weights over finite counts are finite */
    buffer_append (to, text, size);
}

static void put_escaped (buffer_t *to, uint8_t byte)
{
    char text[8];
    int size = byte == '"' || byte == '\\' ? snprintf (text, sizeof text, "\\%c", byte)
                                           : snprintf (text, sizeof text, "\\u%04x", byte);
    buffer_append (to, text, (size_t)size);
}

static bool plain (uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static void put_string_bytes (buffer_t *to, span_t text)
{
    size_t from = 0, at = 0;
    while (true) {
        while (at < text.size && plain ((uint8_t)text.bytes[at]))
            at++;
        if (at == text.size)
            break;
        uint8_t byte = (uint8_t)text.bytes[at];
        size_t sequence = utf8_sequence_bytes (text.bytes + at, text.size - at);
        if (byte >= 0x80 && sequence) {
            at += sequence;
            continue;
        }
        buffer_append (to, text.bytes + from, at - from);
        if (byte < 0x80)
            put_escaped (to, byte);
        else
            put_text (to, "\xef\xbf\xbd");
        from = ++at;
    }
    buffer_append (to, text.bytes + from, at - from);
}

void profile_json_write_string (buffer_t *to, span_t text)
{
    put_text (to, "\"");
    put_string_bytes (to, text);
    put_text (to, "\"");
}

/*  At least `width` digits, with zeros before. */
static void put_padded (buffer_t *to, int64_t value, int width)
{
    int64_t limit = 10;
    for (int digits = 1; digits < width; digits++, limit *= 10)
        if (value < limit)
            put_text (to, "0");
    put_uint (to, (uint64_t)value);
}

void profile_json_write_time (buffer_t *to, int64_t time_ms)
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
    put_text (to, "\"");
    put_padded (to, year, 4);
    put_text (to, "-");
    put_padded (to, month, 2);
    put_text (to, "-");
    put_padded (to, day, 2);
    put_text (to, "T");
    put_padded (to, rest / 3600000, 2);
    put_text (to, ":");
    put_padded (to, rest / 60000 % 60, 2);
    put_text (to, ":");
    put_padded (to, rest / 1000 % 60, 2);
    put_text (to, ".");
    put_padded (to, rest % 1000, 3);
    put_text (to, "Z\"");
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
    put_text (to, "\"stats\":{");
    for (uint32_t i = 0; i < count; i++) {
        put_text (to, "\"");
        put_string_bytes (to, list[i].name);
        put_text (to, "_count\":");
        put_uint (to, list[i].count);
        put_text (to, ",");
    }
    uint64_t views = profile_count (profile, ACTION_VIEW);
    uint64_t clicks = profile_count (profile, ACTION_CLICK);
    put_text (to, "\"engagement_rate\":");
    put_double (to, views ? (double)clicks / (double)views : 0);
    put_text (to, "}");
    if (list != few)
        free (list);
}

static void put_labels (buffer_t *to, const profile_json_t *what, profile_kind_t kind,
                        uint32_t limit)
{
    profile_score_t top[PROFILE_TAGS_MAX];
    CHECK (limit <= PROFILE_TAGS_MAX);
    uint32_t count = profile_top (what->profile, what->shared, what->weights, kind, limit, top);
    put_text (to, "[");
    for (uint32_t i = 0; i < count; i++) {
        put_text (to, i ? ",{\"name\":" : "{\"name\":");
        profile_json_write_string (to, top[i].name);
        put_text (to, ",\"score\":");
        put_double (to, top[i].score);
        put_text (to, "}");
    }
    put_text (to, "]");
}

static void put_hours (buffer_t *to, const profile_t *profile)
{
    bool first = true;
    put_text (to, ",\"active_hours\":{");
    for (uint32_t i = 0; i < profile->count_count; i++) {
        uint32_t code = profile_count_code (profile->counts[i]);
        if (code < PROFILE_HOUR_CODE)
            continue;
        put_text (to, first ? "\"" : ",\"");
        first = false;
        put_uint (to, code - PROFILE_HOUR_CODE);
        put_text (to, "\":");
        put_uint (to, profile_count_value (profile->counts[i]));
    }
    put_text (to, "}");
}

static void put_recent (buffer_t *to, const profile_json_t *what)
{
    const profile_t *profile = what->profile;
    uint32_t first =
        profile->recent_count > what->recent_items ? profile->recent_count - what->recent_items : 0;
    put_text (to, ",\"recent_items\":[");
    for (uint32_t i = first; i < profile->recent_count; i++) {
        if (i > first)
            put_text (to, ",");
        profile_json_write_string (
            to, profile_strings_get (what->shared->strings, profile_recent (profile)[i].item));
    }
    put_text (to, "]");
}

void profile_json_write (buffer_t *to, const profile_json_t *what)
{
    CHECK (what->profile->newest_ms != EVENT_TIME_NONE);
    put_text (to, "{\"tenant_id\":");
    profile_json_write_string (to, what->tenant);
    put_text (to, ",\"user_id\":");
    profile_json_write_string (to, what->user);
    put_text (to, ",\"scenario_id\":");
    profile_json_write_string (to, what->scenario);
    put_text (to, ",");
    put_stats (to, what);
    put_text (to, ",\"preferences\":{\"categories\":");
    put_labels (to, what, PROFILE_CATEGORY, what->top_categories);
    put_text (to, ",\"tags\":");
    put_labels (to, what, PROFILE_TAG, what->top_tags);
    put_text (to, "}");
    put_hours (to, what->profile);
    put_recent (to, what);
    put_text (to, ",\"first_seen\":");
    profile_json_write_time (to, what->profile->first_ms);
    put_text (to, ",\"updated_at\":");
    profile_json_write_time (to, what->profile->newest_ms);
    put_text (to, "}");
}
