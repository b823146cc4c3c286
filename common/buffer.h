/*  buffer: bytes that grow. `bytes` and `size` may be read directly; grown only here. */
#ifndef HOTPATH_BUFFER_H
#define HOTPATH_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "common/memory.h"

typedef struct {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
} buffer_t;

/*  Makes room for `more` bytes behind `size`; aborts without memory. */
static inline void buffer_reserve (buffer_t *self, size_t more)
{
    if (self->capacity - self->size >= more)
        return;
    size_t capacity = self->capacity ? self->capacity : 256;
    while (capacity - self->size < more)
        capacity *= 2;
    self->bytes = memory_resize (self->bytes, capacity);
    self->capacity = capacity;
}

static inline void buffer_append (buffer_t *self, const void *bytes, size_t size)
{
    if (!size)
        return;
    buffer_reserve (self, size);
    memcpy (self->bytes + self->size, bytes, size);
    self->size += size;
}

/*  Empties it and keeps its memory. */
static inline void buffer_clear (buffer_t *self)
{
    self->size = 0;
}

/*  Frees its memory; it may be used again. */
static inline void buffer_free (buffer_t *self)
{
    free (self->bytes);
    *self = (buffer_t){0};
}

#endif
