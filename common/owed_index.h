/*  owed_index: which owed results there are, by the hash of their keys. Open addressing over (hash,
 * result): one look at memory to know that a result is not there, and none at its neighbours. It
 * compares no keys and owns no results.
 */
#ifndef HOTPATH_OWED_INDEX_H
#define HOTPATH_OWED_INDEX_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t hash;
    void *entry; /* NULL: empty */
} owed_place_t;

/*  Zeroed: empty. Linear probing, at most 2/3 full. */
typedef struct {
    owed_place_t *places;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
} owed_index_t;

/*  The next result of a hash, or NULL; *at starts as OWED_INDEX_START. */
#define OWED_INDEX_START UINT64_MAX
static inline void *owed_index_next (const owed_index_t *self, uint64_t hash, uint64_t *at)
{
    if (!self->capacity)
        return NULL;
    uint32_t mask = self->capacity - 1;
    *at = *at == OWED_INDEX_START ? hash & mask : (*at + 1) & mask;
    for (; self->places[*at].entry; *at = (*at + 1) & mask)
        if (self->places[*at].hash == hash)
            return self->places[*at].entry;
    return NULL;
}
/*  Asks the processor for what looking for a result of that hash, or adding or removing it, touches first. */
static inline void owed_index_prefetch (const owed_index_t *self, uint64_t hash)
{
    if (self->capacity)
        __builtin_prefetch (&self->places[hash & (self->capacity - 1)], 1);
}
void owed_index_add (owed_index_t *self, uint64_t hash, void *entry);
/*  One that is there. */
void owed_index_remove (owed_index_t *self, uint64_t hash, const void *entry);
void owed_index_free (owed_index_t *self);

#endif
