/*  pending_counts: a count for each partition index. Pure; private to the dead letters. */
#ifndef HOTPATH_PENDING_COUNTS_H
#define HOTPATH_PENDING_COUNTS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/memory.h"

typedef struct {
    uint32_t *counts;
    uint32_t size;
} pending_counts_t;

static inline void pending_counts_add (pending_counts_t *self, uint32_t partition)
{
    if (partition >= self->size) {
        uint32_t size = partition + 16;
        self->counts = memory_resize (self->counts, size * sizeof *self->counts);
        memset (self->counts + self->size, 0, (size - self->size) * sizeof *self->counts);
        self->size = size;
    }
    self->counts[partition]++;
}

static inline void pending_counts_subtract (pending_counts_t *self, uint32_t partition)
{
    CHECK (partition < self->size && self->counts[partition] > 0);
    self->counts[partition]--;
}

static inline uint32_t pending_counts_get (const pending_counts_t *self, uint32_t partition)
{
    return partition < self->size ? self->counts[partition] : 0;
}

static inline void pending_counts_clear (pending_counts_t *self)
{
    if (self->size)
        memset (self->counts, 0, self->size * sizeof *self->counts);
}

static inline void pending_counts_free (pending_counts_t *self)
{
    free (self->counts);
    *self = (pending_counts_t){0};
}

#endif
