/*  event_scan: see event_scan.h. What takes time is to wait for where a string ends, since all that is behind it
 *  begins there: strings are looked at 16 bytes at a time (the compilers' vector extension), and keys are taken to
 *  be those of the message before, but for a few that this one may go without.
 *
 *  Each function goes on at a place and returns where it ended, or NULL: not of the usual shape.
 */
#include "common/event_scan.h"

#include <endian.h>
#include <yyjson.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "common/utf8.h"

enum {
    DIGITS_MAX = 18, /* no sum of them overflows */
    LANES = 16,
    MISSING_MAX = 2, /* keys in a row */
    WORD_BITS = 64,
    AROUND_KEY = 3, /* two quotation marks and a colon */
};
/*  An integer up to here, and a power of ten up to 10^22, are doubles: their quotient is rounded once. */
#define EXACT_MAX (UINT64_C (1) << 53)
_Static_assert ((int)EVENT_SLOT_COUNT <= (int)WORD_BITS, "a bit for each slot");

typedef int8_t lanes_t __attribute__ ((vector_size (LANES)));

typedef struct {
    event_scan_key_t *next_key, *keys_end;
    const char *end;
    event_fields_t *fields;
    uint64_t seen; /* slots whose key came */
} scan_t;

static inline const char *skip_space (const scan_t *self, const char *at)
{
    if (at < self->end && (uint8_t)*at > ' ') /* nearly always */
        return at;
    while (at < self->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static inline bool is_at (const scan_t *self, const char *at, char byte)
{
    return at < self->end && *at == byte;
}

/*  ---- 16 comparisons at once: where one holds, all bits of its lane are set ---- */

#ifdef __SSE2__
static inline bool all_lanes (lanes_t found)
{
    return _mm_movemask_epi8 ((__m128i)found) == (1 << LANES) - 1;
}

/*  The first that holds, or LANES. Without a branch for each half: most texts are of about 8 bytes. */
static inline int first_lane (lanes_t found)
{
    return __builtin_ctz ((uint32_t)_mm_movemask_epi8 ((__m128i)found) | 1u << LANES);
}
#else
static inline bool all_lanes (lanes_t found)
{
    uint64_t words[2];
    memcpy (words, &found, LANES);
    return (words[0] & words[1]) == UINT64_MAX;
}

static inline int first_lane (lanes_t found)
{
    uint64_t words[2];
    memcpy (words, &found, LANES);
    words[0] = le64toh (words[0]);
    words[1] = le64toh (words[1]);
    if (words[0])
        return __builtin_ctzll (words[0]) / 8;
    return words[1] ? 8 + __builtin_ctzll (words[1]) / 8 : LANES;
}
#endif

/*  ---- strings ---- */

static bool is_plain (char byte)
{
    return (signed char) byte >= ' ' && byte != '"' && byte != '\\';
}

/*  The first byte that is not plain, or the end. */
static inline const char *pass_plain (const char *at, const char *end)
{
    for (; end - at >= LANES; at += LANES) {
        lanes_t block;
        memcpy (&block, at, LANES);
        /* Signed: bytes from 0x80 on are below ' ' as well. */
        int first = first_lane ((lanes_t)(block < ' ') | (lanes_t)(block == '"') | (lanes_t)(block == '\\'));
        if (first < LANES)
            return at + first;
    }
    while (at < end && is_plain (*at))
        at++;
    return at;
}

/*  From a byte that is not ASCII on. */
static const char *pass_wide (const char *at, const char *end)
{
    while (at < end && (*at & 0x80)) {
        size_t bytes = utf8_sequence_bytes (at, (size_t)(end - at));
        if (!bytes)
            return at;
        at += bytes;
        if (at < end && !(*at & 0x80))
            at = pass_plain (at, end);
    }
    return at;
}

/*  A text behind its quotation mark, and the one that ends it. */
static inline const char *scan_text (const scan_t *self, const char *from, span_t *text)
{
    const char *at = pass_plain (from, self->end);
    if (at < self->end && *at != '"')
        at = pass_wide (at, self->end);
    if (!is_at (self, at, '"'))
        return NULL;
    *text = (span_t){from, (size_t)(at - from)};
    return at + 1;
}

/*  ---- keys ---- */

static inline bool is_expected (const scan_t *self, const char *at, const event_scan_key_t *key,
                                event_slot_t object)
{
    if (key->object != object || self->end - at < EVENT_SCAN_KEY_BYTES)
        return false;
    lanes_t same = ~(lanes_t){0};
    for (int i = 0; i < EVENT_SCAN_KEY_BYTES; i += LANES) {
        lanes_t bytes, text, any;
        memcpy (&bytes, at + i, LANES);
        memcpy (&text, key->text + i, LANES);
        memcpy (&any, key->any + i, LANES);
        same &= (lanes_t)(bytes == text) | any;
    }
    return key->size && all_lanes (same);
}

static void expect (event_scan_key_t *key, event_slot_t object, span_t text, event_slot_t slot)
{
    *key = (event_scan_key_t){.object = (int8_t)object, .slot = (int8_t)slot};
    if (text.size + AROUND_KEY > EVENT_SCAN_KEY_BYTES)
        return;
    key->size = (uint8_t)(text.size + AROUND_KEY);
    key->text[0] = '"';
    memcpy (key->text + 1, text.bytes, text.size);
    memcpy (key->text + 1 + text.size, "\":", 2);
    memset (key->any + key->size, 0xff, sizeof key->any - key->size);
}

/*  A key up to its value. One that is expected, with its size, has an end that is known at once; so has one that
 * is expected behind some that this message goes without. */
static inline const char *scan_key (scan_t *self, const char *at, event_slot_t object, event_slot_t *slot)
{
    event_scan_key_t *next = self->next_key;
    for (event_scan_key_t *key = next; key < self->keys_end && key - next <= MISSING_MAX; key++)
        if (is_expected (self, at, key, object)) {
            self->next_key = key + 1;
            *slot = key->slot;
            return at + key->size;
        }
    span_t text;
    if (!is_at (self, at, '"') || !(at = scan_text (self, at + 1, &text)))
        return NULL;
    *slot = object == EVENT_SLOT_NONE ? EVENT_SLOT_NONE : event_fields_find (object, text);
    if (next < self->keys_end) {
        expect (next, object, text, *slot);
        self->next_key++;
    }
    at = skip_space (self, at);
    return is_at (self, at, ':') ? at + 1 : NULL;
}

/*  ---- numbers ---- */

/*  Passes digits, and puts the first DIGITS_MAX behind those of *number. */
static inline const char *pass_digits (const scan_t *self, const char *from, uint64_t *number)
{
    const char *at = from;
    for (; at < self->end && *at >= '0' && *at <= '9'; at++)
        if (at - from < DIGITS_MAX)
            *number = *number * 10 + (uint64_t)(*at - '0');
    return at;
}

static double real_of (const char *text, bool negative, uint64_t digits, size_t fraction_digits, bool exact)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
    if (exact && digits <= EXACT_MAX) {
        double value = (double)digits / powers[fraction_digits];
        return negative ? -value : value;
    }
    yyjson_val value = {0};
    yyjson_read_number (text, &value, YYJSON_READ_NOFLAG, NULL, NULL);
    return yyjson_get_real (&value);
}

static const char *scan_number (const scan_t *self, const char *from, event_value_t *value,
                                event_kind_t *kind)
{
    bool negative = is_at (self, from, '-');
    const char *first = from + negative;
    uint64_t number = 0;
    const char *at = is_at (self, first, '0') ? first + 1 : pass_digits (self, first, &number);
    size_t digits = (size_t)(at - first), fraction_digits = 0;
    if (!digits || digits > DIGITS_MAX)
        return NULL;
    *kind = EVENT_KIND_INTEGER;
    value->integer = negative ? -(int64_t)number : (int64_t)number;
    if (is_at (self, at, '.')) {
        const char *point = at;
        at = pass_digits (self, point + 1, &number);
        fraction_digits = (size_t)(at - point) - 1;
        if (!fraction_digits)
            return NULL;
        *kind = EVENT_KIND_REAL;
    }
    /* Nor at the end of the message: a number is read up to what is behind it. */
    if (at == self->end || *at == 'e' || *at == 'E')
        return NULL;
    if (*kind == EVENT_KIND_REAL)
        value->real =
            real_of (from, negative, number, fraction_digits, digits + fraction_digits <= DIGITS_MAX);
    return at;
}

/*  ---- values ---- */

/*  False: its key came before. The later one counts, and nothing that is within the earlier one. */
static inline bool keep (scan_t *self, event_slot_t slot, event_kind_t kind, event_value_t value)
{
    if (slot == EVENT_SLOT_NONE)
        return true;
    uint64_t bit = UINT64_C (1) << slot;
    bool first = !(self->seen & bit);
    self->seen |= bit;
    self->fields->values[slot] = value;
    self->fields->kinds[slot] = (uint8_t)kind;
    return first;
}

static const char *scan_value (scan_t *self, const char *at, event_slot_t slot, uint32_t depth);

static const char *scan_array (scan_t *self, const char *at, uint32_t depth)
{
    if (depth > EVENT_DEPTH_MAX)
        return NULL;
    at = skip_space (self, at);
    if (is_at (self, at, ']'))
        return at + 1;
    for (;; at++) {
        at = scan_value (self, skip_space (self, at), EVENT_SLOT_NONE, depth);
        if (!at)
            return NULL;
        at = skip_space (self, at);
        if (!is_at (self, at, ','))
            return is_at (self, at, ']') ? at + 1 : NULL;
    }
}

/*  `object`: a slot of one that matters, or any other. */
static const char *scan_object (scan_t *self, const char *at, event_slot_t object, uint32_t depth)
{
    if (object >= EVENT_SLOT_OBJECT_COUNT)
        object = EVENT_SLOT_NONE;
    if (depth > EVENT_DEPTH_MAX)
        return NULL;
    at = skip_space (self, at);
    if (is_at (self, at, '}'))
        return at + 1;
    for (;; at++) {
        event_slot_t slot;
        at = scan_key (self, skip_space (self, at), object, &slot);
        if (!at)
            return NULL;
        at = skip_space (self, at);
        if (is_at (self, at, '"')) { /* most are texts */
            event_value_t value;
            at = scan_text (self, at + 1, &value.text);
            if (!at || !keep (self, slot, EVENT_KIND_TEXT, value))
                return NULL;
        } else if (!(at = scan_value (self, at, slot, depth))) {
            return NULL;
        }
        at = skip_space (self, at);
        if (!is_at (self, at, ','))
            return is_at (self, at, '}') ? at + 1 : NULL;
    }
}

static const char *scan_literal (const scan_t *self, const char *at, span_t literal)
{
    bool there = (size_t)(self->end - at) >= literal.size && memcmp (at, literal.bytes, literal.size) == 0;
    return there ? at + literal.size : NULL;
}

static inline const char *scan_any (scan_t *self, const char *at, event_slot_t slot, uint32_t depth,
                                    event_value_t *value, event_kind_t *kind)
{
    if (at == self->end)
        return NULL;
    switch (*at) {
    case '"':
        *kind = EVENT_KIND_TEXT;
        return scan_text (self, at + 1, &value->text);
    case '{':
        *kind = EVENT_KIND_OBJECT;
        value->node = at;
        return scan_object (self, at + 1, slot, depth + 1);
    case '[':
        *kind = EVENT_KIND_ARRAY;
        value->node = at;
        return scan_array (self, at + 1, depth + 1);
    case 't':
        *kind = EVENT_KIND_OTHER;
        return scan_literal (self, at, span_of ("true"));
    case 'f':
        *kind = EVENT_KIND_OTHER;
        return scan_literal (self, at, span_of ("false"));
    case 'n':
        *kind = EVENT_KIND_ABSENT;
        return scan_literal (self, at, span_of ("null"));
    default:
        return scan_number (self, at, value, kind);
    }
}

static const char *scan_value (scan_t *self, const char *at, event_slot_t slot, uint32_t depth)
{
    event_value_t value = {.node = NULL};
    event_kind_t kind;
    at = scan_any (self, at, slot, depth, &value, &kind);
    return at && keep (self, slot, kind, value) ? at : NULL;
}

bool event_scan_read (event_scan_key_t *keys, span_t message, event_fields_t *fields)
{
    scan_t self = {.next_key = keys,
                   .keys_end = keys + EVENT_SCAN_KEYS,
                   .end = message.bytes + message.size,
                   .fields = fields};
    event_fields_clear (fields);
    const char *at = skip_space (&self, message.bytes);
    if (!is_at (&self, at, '{'))
        return false;
    at = scan_object (&self, at + 1, EVENT_SLOT_ROOT, 1);
    return at && skip_space (&self, at) == self.end;
}

void event_scan_tags (span_t message, const void *node, event_t *event)
{
    scan_t self = {.end = message.bytes + message.size}; /* expects no keys */
    const char *at = skip_space (&self, (const char *)node + 1);
    while (!is_at (&self, at, ']') && event->tag_count < EVENT_TAGS_MAX) {
        event_value_t value = {.node = NULL};
        event_kind_t kind;
        at = scan_any (&self, at, EVENT_SLOT_NONE, 1, &value, &kind);
        if (!at)
            return;
        event_fields_add_tag (event, kind, value.text);
        at = skip_space (&self, at);
        at = skip_space (&self, at + is_at (&self, at, ','));
    }
}
