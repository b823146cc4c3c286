/*  event_json: see event_json.h. A message that event_scan does not take becomes a document of yyjson's. */
#include "common/event_json.h"

#include <stdlib.h>
#include <yyjson.h>
#include "common/event_scan.h"
#include "common/memory.h"

/*  Messages that are not scanned, after several in a row that were for nothing. */
enum { PAUSE_MAX = 64 };

struct event_json {
    char *pool;
    size_t pool_bytes;
    event_scan_key_t keys[EVENT_SCAN_KEYS];
    span_t scanned;        /* the last message, where it was one for event_scan; borrowed */
    uint32_t pause, pauses; /* how many are still not scanned; how many after the next one in vain */
};

event_json_t *event_json_new (void)
{
    event_json_t *self = memory_new (sizeof (*self));
    self->pool_bytes = 16 * 1024;
    self->pool = memory_new (self->pool_bytes);
    return self;
}

void event_json_destroy (event_json_t **self_p)
{
    if (!*self_p)
        return;
    free ((*self_p)->pool);
    free (*self_p);
    *self_p = NULL;
}

/*  yyjson is iterative and takes any depth, so depth is looked at before it: there can't be more
 *  within each other than there are opening brackets, and those are counted 16 bytes at a time (the
 *  compilers' vector extension: what they make of a plain loop at -O2 costs more than the parsing).
 */
static size_t count_opening_brackets (span_t message)
{
    typedef uint8_t lanes_t __attribute__ ((vector_size (16)));
    const lanes_t fold = (lanes_t){0} + 0x20, open = (lanes_t){0} + '{'; /* '[' | 0x20 is '{' */
    const size_t lanes = sizeof (lanes_t);
    size_t count = 0, at = 0;
    while (message.size - at >= lanes) {
        lanes_t block, counts = {0};
        for (int i = 0; i < 255 && message.size - at >= lanes; i++, at += lanes) {
            memcpy (&block, message.bytes + at, lanes);
            counts -= (lanes_t)((block | fold) == open); /* true is -1 */
        }
        for (size_t i = 0; i < lanes; i++)
            count += counts[i];
    }
    for (; at < message.size; at++)
        count += (message.bytes[at] | 0x20) == '{';
    return count;
}

/*  The exact depth, by brackets outside strings. */
static bool is_too_deep (span_t message)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < message.size; i++) {
        char byte = message.bytes[i];
        if (in_string) {
            if (byte == '\\')
                i++;
            else if (byte == '"')
                in_string = false;
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '{' || byte == '[') {
            if (++depth > EVENT_DEPTH_MAX)
                return true;
        } else if ((byte == '}' || byte == ']') && depth) {
            depth--;
        }
    }
    return false;
}

static bool is_blank (span_t message)
{
    for (size_t i = 0; i < message.size; i++)
        if (message.bytes[i] != ' ' && (message.bytes[i] < '\t' || message.bytes[i] > '\r'))
            return false;
    return true;
}

static void reserve_pool (event_json_t *self, size_t message_bytes)
{
    size_t needed = yyjson_read_max_memory_usage (message_bytes, YYJSON_READ_NOFLAG);
    if (needed <= self->pool_bytes)
        return;
    while (self->pool_bytes < needed)
        self->pool_bytes *= 2;
    free (self->pool); /* nothing in it is to be kept: not a resize */
    self->pool = memory_new (self->pool_bytes);
}

static event_kind_t take_value (yyjson_val *val, event_value_t *value)
{
    switch (yyjson_get_type (val)) {
    case YYJSON_TYPE_NULL:
        return EVENT_KIND_ABSENT;
    case YYJSON_TYPE_STR:
        value->text = (span_t){unsafe_yyjson_get_str (val), unsafe_yyjson_get_len (val)};
        return EVENT_KIND_TEXT;
    case YYJSON_TYPE_NUM:
        if (yyjson_is_real (val)) {
            value->real = unsafe_yyjson_get_real (val);
            return EVENT_KIND_REAL;
        }
        if (yyjson_is_uint (val) && unsafe_yyjson_get_uint (val) > INT64_MAX) {
            value->natural = unsafe_yyjson_get_uint (val);
            return EVENT_KIND_NATURAL;
        }
        value->integer = unsafe_yyjson_get_sint (val);
        return EVENT_KIND_INTEGER;
    case YYJSON_TYPE_OBJ:
        value->node = val;
        return EVENT_KIND_OBJECT;
    case YYJSON_TYPE_ARR:
        value->node = val;
        return EVENT_KIND_ARRAY;
    default:
        return EVENT_KIND_OTHER;
    }
}

static void read_object (event_slot_t object, event_fields_t *fields)
{
    yyjson_val *node = (yyjson_val *)fields->values[object].node, *key, *val;
    size_t i, count;
    yyjson_obj_foreach (node, i, count, key, val)
    {
        span_t name = {unsafe_yyjson_get_str (key), unsafe_yyjson_get_len (key)};
        event_slot_t slot = event_fields_find (object, name);
        if (slot != EVENT_SLOT_NONE)
            fields->kinds[slot] = (uint8_t)take_value (val, &fields->values[slot]);
    }
}

/*  Messages of a stream are alike: where most are not for it, few are tried. */
static bool scan (event_json_t *self, span_t message, event_fields_t *fields)
{
    self->scanned = (span_t){NULL, 0};
    if (self->pause) {
        self->pause--;
        return false;
    }
    if (event_scan_read (self->keys, message, fields)) {
        self->scanned = message;
        self->pauses = 0;
        return true;
    }
    self->pause = self->pauses;
    self->pauses = self->pauses < PAUSE_MAX ? 2 * self->pauses + 1 : PAUSE_MAX;
    return false;
}

event_reason_t event_json_read (event_json_t *self, span_t message, event_fields_t *fields)
{
    if (scan (self, message, fields))
        return EVENT_REASON_NONE;
    if (count_opening_brackets (message) > EVENT_DEPTH_MAX && is_too_deep (message))
        return EVENT_REASON_TOO_DEEP;
    reserve_pool (self, message.size);
    yyjson_alc pool;
    yyjson_alc_pool_init (&pool, self->pool, self->pool_bytes);
    /* without YYJSON_READ_INSITU the bytes are not changed, whatever the parameter's type says */
    yyjson_doc *document =
        yyjson_read_opts ((char *)message.bytes, message.size, YYJSON_READ_NOFLAG, &pool, NULL);
    if (!document)
        return is_blank (message) ? EVENT_REASON_EMPTY : EVENT_REASON_SYNTAX;

    event_fields_clear (fields);
    event_slot_t object = EVENT_SLOT_ROOT;
    fields->kinds[object] =
        (uint8_t)take_value (yyjson_doc_get_root (document), &fields->values[object]);
    if (fields->kinds[object] != EVENT_KIND_OBJECT)
        return EVENT_REASON_NOT_AN_OBJECT;
    for (; object < EVENT_SLOT_OBJECT_COUNT; object++)
        if (fields->kinds[object] == EVENT_KIND_OBJECT)
            read_object (object, fields);
    return EVENT_REASON_NONE;
}

void event_json_tags (const event_json_t *self, const void *node, event_t *event)
{
    yyjson_val *element;
    size_t i, count;
    if (self->scanned.bytes) {
        event_scan_tags (self->scanned, node, event);
        return;
    }
    yyjson_arr_foreach ((yyjson_val *)node, i, count, element)
    {
        if (event->tag_count == EVENT_TAGS_MAX)
            return;
        event_value_t value = {.node = NULL};
        event_kind_t kind = take_value (element, &value);
        event_fields_add_tag (event, kind, value.text);
    }
}
