/*  event_msgpack: see event_msgpack.h. Format: the msgpack specification (2017). */
#include "common/event_msgpack.h"

#include "common/check.h"
#include "common/utf8.h"

typedef struct {
    const uint8_t *at, *end;
} cursor_t;

/*  One item's head. Text and binary are passed over with it, elements are not. */
typedef struct {
    event_kind_t kind;
    event_value_t value;
    uint64_t items; /* to come behind it: elements of an array, keys and values of a map */
} item_t;

static size_t bytes_left (const cursor_t *self)
{
    return (size_t)(self->end - self->at);
}

/*  Big-endian number of `bytes` bytes. */
static int take_number (cursor_t *self, size_t bytes, uint64_t *number)
{
    if (bytes_left (self) < bytes)
        return -1;
    *number = 0;
    for (size_t i = 0; i < bytes; i++)
        *number = *number << 8 | *self->at++;
    return 0;
}

static int take_bytes (cursor_t *self, uint64_t size, bool is_str, item_t *item)
{
    if (bytes_left (self) < size)
        return -1;
    item->value.text = (span_t){(const char *)self->at, (size_t)size};
    self->at += size;
    bool valid = utf8_valid (item->value.text);
    item->kind = valid ? EVENT_KIND_TEXT : EVENT_KIND_OTHER;
    return valid || !is_str ? 0 : -1;
}

/*  `head` is where the container begins; every item takes a byte at least. */
static int take_container (cursor_t *self, event_kind_t kind, uint64_t items, const uint8_t *head,
                           item_t *item)
{
    if (items > bytes_left (self))
        return -1;
    item->kind = kind;
    item->value.node = head;
    item->items = items;
    return 0;
}

static int skip_bytes (cursor_t *self, uint64_t size, item_t *item)
{
    if (bytes_left (self) < size)
        return -1;
    self->at += size;
    item->kind = EVENT_KIND_OTHER;
    return 0;
}

static int take_real (cursor_t *self, size_t bytes, item_t *item)
{
    uint64_t bits;
    if (take_number (self, bytes, &bits))
        return -1;
    item->kind = EVENT_KIND_REAL;
    if (bytes == sizeof (float)) {
        uint32_t half = (uint32_t)bits;
        float real;
        memcpy (&real, &half, sizeof (real));
        item->value.real = (double)real;
    } else {
        memcpy (&item->value.real, &bits, sizeof (bits));
    }
    return 0;
}

static int take_integer (cursor_t *self, size_t bytes, bool is_signed, item_t *item)
{
    uint64_t bits;
    if (take_number (self, bytes, &bits))
        return -1;
    if (is_signed) {
        uint64_t sign = UINT64_C (1) << (bytes * 8 - 1); /* extended to 64 bits by (x ^ s) - s */
        bits = (bits ^ sign) - sign;
    } else if (bits > INT64_MAX) {
        item->kind = EVENT_KIND_NATURAL;
        item->value.natural = bits;
        return 0;
    }
    item->kind = EVENT_KIND_INTEGER;
    item->value.integer = (int64_t)bits;
    return 0;
}

/*  Heads of 0xc0 .. 0xdf; `head` is where the item begins, *self just behind its first byte. */
static int take_long_form (cursor_t *self, const uint8_t *head, item_t *item)
{
    uint8_t type = *head;
    uint64_t size = 0;
    switch (type) {
    case 0xc0:
        item->kind = EVENT_KIND_ABSENT;
        return 0;
    case 0xc2:
    case 0xc3:
        item->kind = EVENT_KIND_OTHER;
        return 0;
    case 0xc4: /* bin 8, 16, 32 */
    case 0xc5:
    case 0xc6:
        return take_number (self, (size_t)1 << (type - 0xc4), &size)
                   ? -1
                   : take_bytes (self, size, false, item);
    case 0xc7: /* ext 8, 16, 32: one byte of type more */
    case 0xc8:
    case 0xc9:
        return take_number (self, (size_t)1 << (type - 0xc7), &size)
                   ? -1
                   : skip_bytes (self, size + 1, item);
    case 0xca:
    case 0xcb:
        return take_real (self, type == 0xca ? sizeof (float) : sizeof (double), item);
    case 0xcc: /* uint 8 .. 64 */
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take_integer (self, (size_t)1 << (type - 0xcc), false, item);
    case 0xd0: /* int 8 .. 64 */
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_integer (self, (size_t)1 << (type - 0xd0), true, item);
    case 0xd4: /* fixext 1 .. 16 */
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return skip_bytes (self, (UINT64_C (1) << (type - 0xd4)) + 1, item);
    case 0xd9: /* str 8, 16, 32 */
    case 0xda:
    case 0xdb:
        return take_number (self, (size_t)1 << (type - 0xd9), &size)
                   ? -1
                   : take_bytes (self, size, true, item);
    case 0xdc: /* array 16, 32 */
    case 0xdd:
        return take_number (self, type == 0xdc ? 2 : 4, &size)
                   ? -1
                   : take_container (self, EVENT_KIND_ARRAY, size, head, item);
    case 0xde: /* map 16, 32 */
    case 0xdf:
        return take_number (self, type == 0xde ? 2 : 4, &size)
                   ? -1
                   : take_container (self, EVENT_KIND_OBJECT, size * 2, head, item);
    default: /* 0xc1 is never used */
        return -1;
    }
}

static int take_item (cursor_t *self, item_t *item)
{
    item->items = 0;
    if (self->at == self->end)
        return -1;
    const uint8_t *head = self->at++;
    uint8_t type = *head;
    if (type <= 0x7f || type >= 0xe0) {
        item->kind = EVENT_KIND_INTEGER;
        item->value.integer = type <= 0x7f ? type : type - 256;
        return 0;
    }
    if (type <= 0x8f)
        return take_container (self, EVENT_KIND_OBJECT, (type & 0x0fU) * 2, head, item);
    if (type <= 0x9f)
        return take_container (self, EVENT_KIND_ARRAY, type & 0x0fU, head, item);
    if (type <= 0xbf)
        return take_bytes (self, type & 0x1fU, true, item);
    return take_long_form (self, head, item);
}

/*  Passes over what belongs to an item whose head was taken; `depth` counts the containers around
 *  it. No recursion: `left` holds what each open container still has to come.
 */
static event_reason_t skip_items (cursor_t *self, const item_t *item, size_t depth)
{
    uint64_t left[EVENT_DEPTH_MAX];
    const size_t around = depth;
    event_kind_t kind = item->kind;
    uint64_t items = item->items;
    for (;;) {
        if (kind == EVENT_KIND_OBJECT || kind == EVENT_KIND_ARRAY) {
            if (depth == EVENT_DEPTH_MAX)
                return EVENT_REASON_TOO_DEEP;
            left[depth++] = items;
        }
        while (depth > around && left[depth - 1] == 0)
            depth--;
        if (depth == around)
            return EVENT_REASON_NONE;
        left[depth - 1]--;
        item_t next;
        if (take_item (self, &next))
            return EVENT_REASON_SYNTAX;
        kind = next.kind;
        items = next.items;
    }
}

/*  Reads the map that *self points at and sets the slots of its keys. */
static event_reason_t read_map (cursor_t *self, event_slot_t object, event_fields_t *fields)
{
    item_t map, key, value;
    if (take_item (self, &map))
        return EVENT_REASON_SYNTAX;
    if (map.kind != EVENT_KIND_OBJECT)
        return EVENT_REASON_NOT_AN_OBJECT;
    for (uint64_t i = 0; i < map.items; i += 2) {
        if (take_item (self, &key))
            return EVENT_REASON_SYNTAX;
        event_reason_t reason = skip_items (self, &key, 1);
        if (reason)
            return reason;
        if (take_item (self, &value))
            return EVENT_REASON_SYNTAX;
        reason = skip_items (self, &value, 1);
        if (reason)
            return reason;
        event_slot_t slot = key.kind == EVENT_KIND_TEXT ? event_fields_find (object, key.value.text)
                                                        : EVENT_SLOT_NONE;
        if (slot != EVENT_SLOT_NONE) {
            fields->kinds[slot] = (uint8_t)value.kind;
            fields->values[slot] = value.value;
        }
    }
    return EVENT_REASON_NONE;
}

event_reason_t event_msgpack_read (span_t message, event_fields_t *fields)
{
    const uint8_t *begin = (const uint8_t *)message.bytes, *end = begin + message.size;
    event_fields_clear (fields);
    cursor_t cursor = {begin, end};
    event_reason_t reason = read_map (&cursor, EVENT_SLOT_ROOT, fields);
    if (reason)
        return reason;
    if (cursor.at != end)
        return EVENT_REASON_SYNTAX;
    for (event_slot_t object = EVENT_SLOT_ROOT + 1; object < EVENT_SLOT_OBJECT_COUNT; object++) {
        if (fields->kinds[object] != EVENT_KIND_OBJECT)
            continue;
        /* its syntax and depth were judged when the map around it was read */
        cursor = (cursor_t){fields->values[object].node, end};
        reason = read_map (&cursor, object, fields);
        CHECK (reason == EVENT_REASON_NONE);
    }
    return EVENT_REASON_NONE;
}

void event_msgpack_tags (span_t message, const void *node, event_t *event)
{
    cursor_t cursor = {node, (const uint8_t *)message.bytes + message.size};
    item_t array, element;
    int result = take_item (&cursor, &array);
    CHECK (result == 0 && array.kind == EVENT_KIND_ARRAY);
    for (uint64_t i = 0; i < array.items && event->tag_count < EVENT_TAGS_MAX; i++) {
        result = take_item (&cursor, &element);
        CHECK (result == 0);
        event_fields_add_tag (event, element.kind, element.value.text);
        event_reason_t reason = skip_items (&cursor, &element, 1);
        CHECK (reason == EVENT_REASON_NONE);
    }
}
