#include "common/tag_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include "common/check.h"
#include "common/memory.h"

enum { CAPACITY_MIN = 16 };

static void place (tag_index_t *self, tag_place_t what)
{
    uint32_t mask = self->capacity - 1;
    uint32_t at = what.tag & mask;
    while (self->places[at].number)
        at = (at + 1) & mask;
    self->places[at] = what;
}

static bool holds (const tag_index_t *self, uint32_t count)
{
    return (uint64_t)count * 3 <= (uint64_t)self->capacity * 2;
}

void tag_index_reserve (tag_index_t *self, uint32_t count)
{
    if (holds (self, count))
        return;
    tag_index_t old = *self;
    self->capacity = old.capacity ? old.capacity : CAPACITY_MIN;
    while (!holds (self, count)) {
        CHECK (self->capacity <= UINT32_MAX / 2);
        self->capacity *= 2;
    }
    self->places = memory_new_array (self->capacity, sizeof *self->places);
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.places[i].number)
            place (self, old.places[i]);
    free (old.places);
}

void tag_index_add (tag_index_t *self, uint32_t tag, uint32_t number)
{
    tag_index_reserve (self, self->count + 1);
    place (self, (tag_place_t){tag, number + 1});
    self->count++;
}

void tag_index_remove (tag_index_t *self, uint32_t tag, uint32_t number)
{
    CHECK (self->count);
    uint32_t mask = self->capacity - 1;
    uint32_t hole = tag & mask;
    while (self->places[hole].number != number + 1)
        hole = (hole + 1) & mask;
    /* No tombstones: what was pushed behind the hole moves up, unless that would put it before its
     * home (Knuth 6.4, algorithm R). */
    for (uint32_t at = (hole + 1) & mask; self->places[at].number; at = (at + 1) & mask) {
        uint32_t home = self->places[at].tag & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            self->places[hole] = self->places[at];
            hole = at;
        }
    }
    self->places[hole].number = 0;
    self->count--;
}

void tag_index_free (tag_index_t *self)
{
    free (self->places);
    *self = (tag_index_t){0};
}

size_t tag_index_memory_bytes (const tag_index_t *self)
{
    return self->capacity * sizeof *self->places;
}
