#include "common/partition_names.h"

#include <stdlib.h>
#include <uthash.h>

#include "common/check.h"
#include "common/memory.h"

typedef struct {
    char *name;
    size_t size;
    uint32_t number;
    UT_hash_handle hh;
} entry_t;

struct partition_names {
    entry_t *by_name;
    entry_t **by_number;
    uint32_t count, capacity;
};

partition_names_t *partition_names_new (void)
{
    return memory_new (sizeof (partition_names_t));
}

void partition_names_destroy (partition_names_t **self_p)
{
    partition_names_t *self = *self_p;
    if (!self)
        return;
    HASH_CLEAR (hh, self->by_name);
    for (uint32_t i = 0; i < self->count; i++) {
        free (self->by_number[i]->name);
        free (self->by_number[i]);
    }
    free (self->by_number);
    free (self);
    *self_p = NULL;
}

uint32_t partition_names_intern (partition_names_t *self, span_t name)
{
    entry_t *entry;
    HASH_FIND (hh, self->by_name, name.bytes, name.size, entry);
    if (entry)
        return entry->number;
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->by_number =
            memory_resize (self->by_number, self->capacity * sizeof *self->by_number);
    }
    entry = memory_new (sizeof *entry);
    entry->name = memory_copy_string (name.bytes, name.size);
    entry->size = name.size;
    entry->number = self->count;
    self->by_number[self->count++] = entry;
    HASH_ADD_KEYPTR (hh, self->by_name, entry->name, entry->size, entry);
    return entry->number;
}

span_t partition_names_get (const partition_names_t *self, uint32_t number)
{
    CHECK (number < self->count);
    return (span_t){self->by_number[number]->name, self->by_number[number]->size};
}

uint32_t partition_names_count (const partition_names_t *self)
{
    return self->count;
}
