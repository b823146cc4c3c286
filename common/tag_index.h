/*  tag_index: numbers of things by a hash of what they are found by.
 *
 *      uint64_t at = TAG_INDEX_START;
 *      for (uint32_t n; (n = tag_index_next (&index, tag, &at)) != TAG_INDEX_NONE;)
 *          if (things[n] is the one) ...
 *
 *  Open addressing with linear probing over (tag, number), at most 2/3 full. A tag is 32 bits of the
 *  hash, and says both where a number is and, nearly always, whether it is meant: a thing that is
 *  not is hardly ever touched, and to grow or to remove touches none. It compares no keys and owns
 *  no things; which number is found first is no promise.
 */
#ifndef HOTPATH_TAG_INDEX_H
#define HOTPATH_TAG_INDEX_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t tag;
    uint32_t number; /* + 1; 0: empty */
} tag_place_t;

/*  Zeroed: empty. */
typedef struct {
    tag_place_t *places;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
} tag_index_t;

/*  Of a hash whose bits need not be equally good: all keys of a shard have the same hash modulo the
 *  number of shards. (Multiplicative hashing by 2^64 over the golden ratio; Knuth 6.4.) */
static inline uint32_t tag_index_tag (uint64_t hash)
{
    return (uint32_t)(hash * UINT64_C (0x9e3779b97f4a7c15) >> 32);
}

#define TAG_INDEX_NONE UINT32_MAX
#define TAG_INDEX_START UINT64_MAX

/*  The next number of a tag, or TAG_INDEX_NONE; *at starts as TAG_INDEX_START. */
static inline uint32_t tag_index_next (const tag_index_t *self, uint32_t tag, uint64_t *at)
{
    if (!self->capacity)
        return TAG_INDEX_NONE;
    uint32_t mask = self->capacity - 1;
    *at = *at == TAG_INDEX_START ? tag & mask : (*at + 1) & mask;
    for (; self->places[*at].number; *at = (*at + 1) & mask)
        if (self->places[*at].tag == tag)
            return self->places[*at].number - 1;
    return TAG_INDEX_NONE;
}

/*  The first number of a tag, most likely the one that is meant; or TAG_INDEX_NONE. */
static inline uint32_t tag_index_first (const tag_index_t *self, uint32_t tag)
{
    uint64_t at = TAG_INDEX_START;
    return tag_index_next (self, tag, &at);
}

/*  Asks the processor for the memory where a tag is looked for. */
static inline void tag_index_ask (const tag_index_t *self, uint32_t tag)
{
    if (self->capacity)
        __builtin_prefetch (&self->places[tag & (self->capacity - 1)]);
}

/*  Room for so many at once: growing step by step costs as much as filling. */
void tag_index_reserve (tag_index_t *self, uint32_t count);
/*  number: below UINT32_MAX - 1. */
void tag_index_add (tag_index_t *self, uint32_t tag, uint32_t number);
/*  One that is there. */
void tag_index_remove (tag_index_t *self, uint32_t tag, uint32_t number);
void tag_index_free (tag_index_t *self);
size_t tag_index_memory_bytes (const tag_index_t *self);

#endif
