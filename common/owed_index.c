#include "common/owed_index.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"

enum { CAPACITY_MIN = 64, KEPT_CAPACITY_MAX = 4096 };

static void place (owed_index_t *self, uint64_t hash, void *entry)
{
    uint32_t mask = self->capacity - 1;
    uint32_t at = (uint32_t)hash & mask;
    while (self->places[at].entry)
        at = (at + 1) & mask;
    self->places[at] = (owed_place_t){hash, entry};
}

static void grow (owed_index_t *self)
{
    owed_index_t old = *self;
    CHECK (old.capacity <= UINT32_MAX / 2);
    self->capacity = old.capacity ? old.capacity * 2 : CAPACITY_MIN;
    self->places = memory_new_array (self->capacity, sizeof *self->places);
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.places[i].entry)
            place (self, old.places[i].hash, old.places[i].entry);
    free (old.places);
}

void owed_index_add (owed_index_t *self, uint64_t hash, void *entry)
{
    if ((uint64_t)(self->count + 1) * 3 > (uint64_t)self->capacity * 2)
        grow (self);
    place (self, hash, entry);
    self->count++;
}

void owed_index_remove (owed_index_t *self, uint64_t hash, const void *entry)
{
    CHECK (self->count);
    uint32_t mask = self->capacity - 1;
    uint32_t hole = (uint32_t)hash & mask;
    while (self->places[hole].entry != entry)
        hole = (hole + 1) & mask;
    /* What was pushed behind the hole moves forward, so that no probe breaks. */
    for (uint32_t at = (hole + 1) & mask; self->places[at].entry; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)self->places[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            self->places[hole] = self->places[at];
            hole = at;
        }
    }
    self->places[hole].entry = NULL;
    if (--self->count == 0 && self->capacity > KEPT_CAPACITY_MAX)
        owed_index_free (self);
}

void owed_index_free (owed_index_t *self)
{
    free (self->places);
    *self = (owed_index_t){0};
}
