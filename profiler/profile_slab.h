/*  profile_slab: the memory of one shard's profiles. Blocks have few sizes and a profile outgrows
 * its block often, so a list of free blocks of each size takes the place of a general allocator;
 * and all of a shard's memory goes at once when the shard does. Regions are large, so that the
 * kernel can map them by huge pages: an event touches a few lines of a user's block, and nothing
 * near it.
 *
 *  A freed block is used again for blocks of its size only, and regions go with the slab.
 */
#ifndef HOTPATH_PROFILE_SLAB_H
#define HOTPATH_PROFILE_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum { PROFILE_SLAB_CLASSES = 32 };

typedef struct {
    void *start;
    size_t bytes;
} profile_region_t;

/*  Zeroed: empty. */
typedef struct {
    void *free[PROFILE_SLAB_CLASSES]; /* the first of each size; it begins with the next one */
    uint8_t *at, *end;                /* of the newest region: not yet given out */
    profile_region_t *regions;
    uint32_t region_count, region_capacity;
    uint64_t bytes;   /* of all regions */
    uint64_t outside; /* blocks that came from malloc and were not given back */
} profile_slab_t;

/*  A block of at least *bytes (> 0), not zeroed; *bytes becomes its size, a multiple of a cache line,
 * to be told again when it is given back. Larger ones than the greatest size come from malloc. */
void *profile_slab_take (profile_slab_t *self, uint32_t *bytes);
/*  NULL is nothing. */
void profile_slab_give (profile_slab_t *self, void *block, uint32_t bytes);
/*  Frees every region; blocks that came from malloc must be given before. */
void profile_slab_free (profile_slab_t *self);

#endif
