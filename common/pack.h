/*  pack: msgpack in and out of flat buffers, for our own frames and stored values.
 *
 *  Writing is msgpack-c's packer. Reading is a cursor of our own, since msgpack-c's only reader
 *  builds a tree of objects (an allocation a message, and a tree before any cap is checked): it
 *  walks the bytes once, never allocates, and after the first error stays in error, so that a
 *  reader checks once at the end. Bytes may come from outside: nothing is trusted.
 */
#ifndef HOTPATH_PACK_H
#define HOTPATH_PACK_H

#include <endian.h>
#include <math.h>
#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/span.h"

/*  ---- writing ---- */

static inline int pack_append (void *arg, const char *bytes, size_t size)
{
    buffer_append ((buffer_t *)arg, bytes, size);
    return 0;
}
static inline msgpack_packer pack_to (buffer_t *to)
{
    return (msgpack_packer){.data = to, .callback = pack_append};
}
static inline void pack_array (buffer_t *to, size_t count)
{
    msgpack_packer packer = pack_to (to);
    msgpack_pack_array (&packer, count);
}
static inline void pack_uint (buffer_t *to, uint64_t value)
{
    msgpack_packer packer = pack_to (to);
    msgpack_pack_uint64 (&packer, value);
}
static inline void pack_int (buffer_t *to, int64_t value)
{
    msgpack_packer packer = pack_to (to);
    msgpack_pack_int64 (&packer, value);
}
static inline void pack_double (buffer_t *to, double value)
{
    msgpack_packer packer = pack_to (to);
    msgpack_pack_double (&packer, value);
}
static inline void pack_bool (buffer_t *to, bool value)
{
    msgpack_packer packer = pack_to (to);
    if (value)
        msgpack_pack_true (&packer);
    else
        msgpack_pack_false (&packer);
}
static inline void pack_nil (buffer_t *to)
{
    msgpack_packer packer = pack_to (to);
    msgpack_pack_nil (&packer);
}
/*  As a msgpack str. */
static inline void pack_span (buffer_t *to, span_t value)
{
    msgpack_packer packer = pack_to (to);
    msgpack_pack_str (&packer, value.size);
    buffer_append (to, value.bytes, value.size);
}
/*  As a msgpack bin. */
static inline void pack_bytes (buffer_t *to, const void *bytes, size_t size)
{
    msgpack_packer packer = pack_to (to);
    msgpack_pack_bin (&packer, size);
    buffer_append (to, bytes, size);
}

/*  ---- writing where the room is known ----
 *
 *  The same bytes, for rows of events: whoever calls has reserved the room, so that nothing is
 *  asked a field. `at` is where to write; where the next value goes is returned.
 */

enum { PACK_UINT_BYTES_MAX = 9, PACK_SPAN_HEAD_BYTES_MAX = 5, PACK_ARRAY_BYTES_MAX = 5 };

static inline uint8_t *pack_at_nil (uint8_t *at)
{
    *at = 0xc0;
    return at + 1;
}
static inline uint8_t *pack_at_bool (uint8_t *at, bool value)
{
    *at = value ? 0xc3 : 0xc2;
    return at + 1;
}
static inline uint8_t *pack_at_16 (uint8_t *at, uint8_t tag, uint16_t value)
{
    uint16_t big = htobe16 (value);
    *at = tag;
    memcpy (at + 1, &big, sizeof big);
    return at + 3;
}
static inline uint8_t *pack_at_32 (uint8_t *at, uint8_t tag, uint32_t value)
{
    uint32_t big = htobe32 (value);
    *at = tag;
    memcpy (at + 1, &big, sizeof big);
    return at + 5;
}
static inline uint8_t *pack_at_64 (uint8_t *at, uint8_t tag, uint64_t value)
{
    uint64_t big = htobe64 (value);
    *at = tag;
    memcpy (at + 1, &big, sizeof big);
    return at + 9;
}
static inline uint8_t *pack_at_uint (uint8_t *at, uint64_t value)
{
    if (value > UINT32_MAX)
        return pack_at_64 (at, 0xcf, value);
    if (value > UINT16_MAX)
        return pack_at_32 (at, 0xce, (uint32_t)value);
    if (value > UINT8_MAX)
        return pack_at_16 (at, 0xcd, (uint16_t)value);
    if (value > 0x7f)
        *at++ = 0xcc;
    *at = (uint8_t)value;
    return at + 1;
}
static inline uint8_t *pack_at_int (uint8_t *at, int64_t value)
{
    if (value >= 0)
        return pack_at_uint (at, (uint64_t)value);
    if (value < INT32_MIN)
        return pack_at_64 (at, 0xd3, (uint64_t)value);
    if (value < INT16_MIN)
        return pack_at_32 (at, 0xd2, (uint32_t)value);
    if (value < INT8_MIN)
        return pack_at_16 (at, 0xd1, (uint16_t)value);
    if (value < -32)
        *at++ = 0xd0;
    *at = (uint8_t)value;
    return at + 1;
}
static inline uint8_t *pack_at_array (uint8_t *at, uint32_t count)
{
    if (count > UINT16_MAX)
        return pack_at_32 (at, 0xdd, count);
    if (count > 15)
        return pack_at_16 (at, 0xdc, (uint16_t)count);
    *at = (uint8_t)(0x90 | count);
    return at + 1;
}
/*  As a msgpack str; of less than 4 GiB. */
static inline uint8_t *pack_at_span (uint8_t *at, span_t value)
{
    if (value.size > UINT16_MAX)
        at = pack_at_32 (at, 0xdb, (uint32_t)value.size);
    else if (value.size > UINT8_MAX)
        at = pack_at_16 (at, 0xda, (uint16_t)value.size);
    else {
        if (value.size > 31)
            *at++ = 0xd9;
        *at++ = (uint8_t)(value.size > 31 ? value.size : 0xa0 | value.size);
    }
    memcpy (at, value.bytes, value.size);
    return at + value.size;
}

/*  ---- reading ---- */

typedef struct {
    const uint8_t *at, *end;
    bool failed; /* once set, every read returns zero values */
} cursor_t;

static inline cursor_t cursor_of (const void *bytes, size_t size)
{
    return (cursor_t){.at = bytes, .end = (const uint8_t *)bytes + size, .failed = false};
}
/*  All was well, and nothing is left. */
static inline bool cursor_finished (const cursor_t *self)
{
    return !self->failed && self->at == self->end;
}
/*  Count of an array, at most `count_max` and at most one element a byte left (so that a count from
 *  outside bounds an allocation). */
size_t cursor_array (cursor_t *self, size_t count_max);
uint64_t cursor_any_uint (cursor_t *self);
/*  Most are of one byte, or hashes: those are read in place. */
static inline uint64_t cursor_uint (cursor_t *self)
{
    size_t left = self->failed ? 0 : (size_t)(self->end - self->at);
    if (left && *self->at <= 0x7f)
        return *self->at++;
    if (left < 9 || *self->at != 0xcf)
        return cursor_any_uint (self);
    uint64_t big;
    memcpy (&big, self->at + 1, sizeof big);
    self->at += 9;
    return be64toh (big);
}
/*  Any msgpack integer that fits. */
int64_t cursor_int (cursor_t *self);
/*  A uint of at most `max`. */
static inline uint64_t cursor_uint_max (cursor_t *self, uint64_t max)
{
    uint64_t value = cursor_uint (self);
    if (value <= max)
        return value;
    self->failed = true;
    return 0;
}
double cursor_double (cursor_t *self);
bool cursor_bool (cursor_t *self);
span_t cursor_any_span (cursor_t *self, size_t size_max);
/*  A str or bin of at most `size_max` bytes; borrows from the buffer that is read. */
static inline span_t cursor_span (cursor_t *self, size_t size_max)
{
    size_t left = self->failed ? 0 : (size_t)(self->end - self->at);
    size_t size = left ? *self->at & 0x1f : 0;
    if (!left || (*self->at & 0xe0) != 0xa0 || size >= left || size > size_max)
        return cursor_any_span (self, size_max);
    span_t span = {(const char *)self->at + 1, size};
    self->at += 1 + size;
    return span;
}
/*  Takes a nil if one is next. */
static inline bool cursor_take_nil (cursor_t *self)
{
    if (self->failed || self->at == self->end || *self->at != 0xc0)
        return false;
    self->at++;
    return true;
}

#endif
