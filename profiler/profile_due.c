/*  profile_due: a binary heap. */
#include "profiler/profile_due.h"

#include <stdlib.h>

#include "common/memory.h"

static bool earlier (profile_due_entry_t a, profile_due_entry_t b)
{
    return a.at_ms != b.at_ms ? a.at_ms < b.at_ms : a.slot < b.slot;
}

void profile_due_push (profile_due_t *self, int64_t at_ms, uint32_t slot)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 64;
        self->list = memory_resize (self->list, self->capacity * sizeof *self->list);
    }
    profile_due_entry_t entry = {at_ms, slot};
    size_t at = self->count++;
    while (at && earlier (entry, self->list[(at - 1) / 2])) {
        self->list[at] = self->list[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    self->list[at] = entry;
}

bool profile_due_pop (profile_due_t *self, int64_t until_ms, uint32_t *slot)
{
    if (!self->count || self->list[0].at_ms > until_ms)
        return false;
    *slot = self->list[0].slot;
    profile_due_entry_t last = self->list[--self->count];
    size_t at = 0;
    for (size_t child = 1; child < self->count; child = 2 * at + 1) {
        if (child + 1 < self->count && earlier (self->list[child + 1], self->list[child]))
            child++;
        if (!earlier (self->list[child], last))
            break;
        self->list[at] = self->list[child];
        at = child;
    }
    if (self->count)
        self->list[at] = last;
    return true;
}

void profile_due_clear (profile_due_t *self)
{
    self->count = 0;
}

void profile_due_free (profile_due_t *self)
{
    free (self->list);
    *self = (profile_due_t){0};
}
