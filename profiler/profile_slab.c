/*  profile_slab: see the header. Sizes are every line up to 512 bytes, then four steps to each
 * doubling, up to 32 KiB.
 */
#include "profiler/profile_slab.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/memory.h"

enum {
    LINE_BYTES = 64,
    LINEAR_CLASSES = 8, /* 64, 128 … 512 */
    LINEAR_BYTES_MAX = LINEAR_CLASSES * LINE_BYTES,
    STEPS = 4,
    BLOCK_BYTES_MAX = 32768,
    REGION_BYTES_MIN = 64 << 10,
    REGIONS_MIN = 8,
    REGION_FRACTION = 8,
};

/*  Under the address sanitizer each block is one of malloc's, so that it sees what is used after
 * it was given back. */
#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/*  Class of a size of at most BLOCK_BYTES_MAX; *bytes becomes the class's. */
static uint32_t class_of (uint32_t *bytes)
{
    if (*bytes <= LINEAR_BYTES_MAX) {
        uint32_t lines = (*bytes + LINE_BYTES - 1) / LINE_BYTES;
        *bytes = lines * LINE_BYTES;
        return lines - 1;
    }
    uint32_t doubling = 31 - (uint32_t)__builtin_clz (*bytes - 1); /* 2^doubling < bytes */
    uint32_t step_bytes = (UINT32_C (1) << doubling) / STEPS;
    uint32_t step = (*bytes - 1 - (UINT32_C (1) << doubling)) / step_bytes; /* 0 … 3 */
    *bytes = (UINT32_C (1) << doubling) + (step + 1) * step_bytes;
    return LINEAR_CLASSES + (doubling - 9) * STEPS + step; /* 512 is 2^9 */
}

/*  A region is at most an eighth of all before it: huge pages are there as soon as they are touched, and many shards
 * have a newest region each. */
static void add_region (profile_slab_t *self)
{
    size_t bytes = REGION_BYTES_MIN;
    while (bytes < MEMORY_HUGE_BYTES && bytes * 2 * REGION_FRACTION <= self->bytes)
        bytes *= 2;
    if (self->region_count == self->region_capacity) {
        self->region_capacity = self->region_capacity ? 2 * self->region_capacity : REGIONS_MIN;
        self->regions =
            memory_resize (self->regions, self->region_capacity * sizeof *self->regions);
    }
    void *start = memory_map (bytes);
    self->regions[self->region_count++] = (profile_region_t){start, bytes};
    self->bytes += bytes;
    self->at = start;
    self->end = self->at + bytes;
}

static void push (profile_slab_t *self, uint32_t class, void *block)
{
    memcpy (block, &self->free[class], sizeof (void *));
    self->free[class] = block;
}

/*  What is left of the newest region becomes blocks of small sizes. */
static void use_up (profile_slab_t *self)
{
    while (self->at < self->end) {
        uint32_t left = (uint32_t)(self->end - self->at);
        uint32_t bytes = left < LINEAR_BYTES_MAX ? left : (uint32_t)LINEAR_BYTES_MAX;
        push (self, class_of (&bytes), self->at);
        self->at += bytes;
    }
}

void *profile_slab_take (profile_slab_t *self, uint32_t *bytes)
{
    CHECK (*bytes > 0);
    if (SANITIZED || *bytes > BLOCK_BYTES_MAX) {
        *bytes = (*bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
        self->outside++;
        return memory_new (*bytes);
    }
    uint32_t class = class_of (bytes);
    void *block = self->free[class];
    if (block) {
        memcpy (&self->free[class], block, sizeof (void *));
        return block;
    }
    if ((size_t)(self->end - self->at) < *bytes) {
        use_up (self);
        add_region (self);
    }
    block = self->at;
    self->at += *bytes;
    return block;
}

void profile_slab_give (profile_slab_t *self, void *block, uint32_t bytes)
{
    if (!block)
        return;
    if (SANITIZED || bytes > BLOCK_BYTES_MAX) {
        self->outside--;
        free (block);
    } else {
        push (self, class_of (&bytes), block);
    }
}

void profile_slab_free (profile_slab_t *self)
{
    for (uint32_t i = 0; i < self->region_count; i++)
        memory_unmap (self->regions[i].start, self->regions[i].bytes);
    free (self->regions);
    *self = (profile_slab_t){0};
}
