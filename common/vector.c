#include "common/vector.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

static const vector_entry_t absent = {VECTOR_ABSENT, EVENT_TIME_NONE};

vector_entry_t vector_get (const vector_t *self, uint32_t partition)
{
    return partition < self->count ? self->entries[partition] : absent;
}

void vector_set (vector_t *self, uint32_t partition, vector_entry_t entry)
{
    if (partition >= self->count) {
        self->entries = memory_resize (self->entries, (partition + 1) * sizeof *self->entries);
        for (uint32_t i = self->count; i <= partition; i++)
            self->entries[i] = absent;
        self->count = partition + 1;
    }
    self->entries[partition] = entry;
}

int64_t vector_greatest_ms (const vector_t *self)
{
    int64_t greatest_ms = EVENT_TIME_NONE;
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->entries[i].greatest_ms > greatest_ms)
            greatest_ms = self->entries[i].greatest_ms;
    }
    return greatest_ms;
}

void vector_copy (vector_t *self, const vector_t *other)
{
    self->entries = memory_resize (self->entries, (other->count + 1) * sizeof *self->entries);
    if (other->count)
        memcpy (self->entries, other->entries, other->count * sizeof *self->entries);
    self->count = other->count;
}

void vector_free (vector_t *self)
{
    free (self->entries);
    *self = (vector_t){0};
}

vector_verdict_t vector_judge (vector_entry_t entry, int64_t from, int64_t to, int64_t base)
{
    if (entry.next == VECTOR_ABSENT) {
        if (base < 0 || from > base)
            return VECTOR_GAP;
        return to >= base ? VECTOR_APPLY : VECTOR_REPEAT;
    }
    /* Offsets below base are gone and it was told to skip them: base stands in for what cannot come. */
    if (base > entry.next && from <= base)
        return to >= base ? VECTOR_APPLY : VECTOR_REPEAT;
    if (to <= entry.next)
        return VECTOR_REPEAT;
    return from <= entry.next ? VECTOR_APPLY : VECTOR_GAP;
}
