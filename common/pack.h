/*  pack: msgpack in and out of flat buffers, for our own frames and stored values.
 *
 *  Writing is msgpack-c's packer. Reading is a cursor of our own, since msgpack-c's only reader
 *  builds a tree of objects (an allocation a message, and a tree before any cap is checked): it
 *  walks the bytes once, never allocates, and after the first error stays in error, so that a
 *  reader checks once at the end. Bytes may come from outside: nothing is trusted.
 */
#ifndef HOTPATH_PACK_H
#define HOTPATH_PACK_H

#include <math.h>
#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/span.h"

/*  ---- writing ---- */

static inline int pack_append (void *arg, const char *bytes, size_t size)
{
    buffer_append ((buffer_t *) arg, bytes, size);
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

/*  ---- reading ---- */

typedef struct {
    const uint8_t *at, *end;
    bool failed; /* once set, every read returns zero values */
} cursor_t;

static inline cursor_t cursor_of (const void *bytes, size_t size)
{
    return (cursor_t){.at = bytes, .end = (const uint8_t *) bytes + size, .failed = false};
}
/*  All was well, and nothing is left. */
static inline bool cursor_finished (const cursor_t *self)
{
    return !self->failed && self->at == self->end;
}
/*  Count of an array, at most `count_max` and at most one element a byte left (so that a count from
 *  outside bounds an allocation). */
size_t cursor_array (cursor_t *self, size_t count_max);
uint64_t cursor_uint (cursor_t *self);
/*  Any msgpack integer that fits. */
int64_t cursor_int (cursor_t *self);
/*  A uint of at most `max`. */
uint64_t cursor_uint_max (cursor_t *self, uint64_t max);
double cursor_double (cursor_t *self);
bool cursor_bool (cursor_t *self);
/*  A str or bin of at most `size_max` bytes; borrows from the buffer that is read. */
span_t cursor_span (cursor_t *self, size_t size_max);
/*  Takes a nil if one is next. */
bool cursor_take_nil (cursor_t *self);

#endif
