#include "scorer/item_table.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/event.h"
#include "common/memory.h"

enum { MALLOC_OVERHEAD_BYTES = 16 };

void item_table_init (item_table_t *self)
{
    *self = (item_table_t){.dirty_first = ITEM_TABLE_END};
}

void item_table_free (item_table_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        free (self->list[i].id);
    free (self->list);
    tag_index_free (&self->index);
    free (self->spare);
    *self = (item_table_t){.dirty_first = ITEM_TABLE_END};
}

static uint32_t find (const item_table_t *self, span_t id, uint64_t hash)
{
    uint64_t at = TAG_INDEX_START;
    for (uint32_t number;
         (number = tag_index_next (&self->index, tag_index_tag (hash), &at)) != TAG_INDEX_NONE;) {
        const item_t *item = &self->list[number];
        if (item->hash == hash && item->size == id.size && !memcmp (item->id, id.bytes, id.size))
            return number;
    }
    return TAG_INDEX_NONE;
}

/*  Makes numbers up to `count` exist. */
static void extend (item_table_t *self, uint32_t count)
{
    if (count > self->capacity) {
        uint32_t capacity = self->capacity ? self->capacity : 16;
        while (capacity < count)
            capacity *= 2;
        self->list = memory_resize (self->list, capacity * sizeof *self->list);
        self->capacity = capacity;
    }
    memset (self->list + self->count, 0, (count - self->count) * sizeof *self->list);
    self->count = count;
}

static void fill (item_table_t *self, uint32_t number, span_t id, uint64_t hash)
{
    item_t *item = &self->list[number];
    item->id = memory_copy_string (id.bytes, id.size);
    item->size = (uint16_t)id.size;
    item->hash = hash;
    tag_index_add (&self->index, tag_index_tag (hash), number);
}

uint32_t item_table_get (item_table_t *self, span_t id, uint64_t hash)
{
    uint32_t number = find (self, id, hash);
    if (number != TAG_INDEX_NONE)
        return number;
    if (self->spare_count) {
        number = self->spare[--self->spare_count];
    } else {
        CHECK (self->count < ITEM_TABLE_ITEMS_MAX);
        number = self->count;
        extend (self, number + 1);
    }
    fill (self, number, id, hash);
    item_t *item = &self->list[number];
    item->stored = false;
    if (!item->dirty_next) { /* else its number is in the chain from its last use */
        item->dirty_next = self->dirty_first;
        self->dirty_first = number + 1;
    }
    return number;
}

void item_table_ask_place (const item_table_t *self, uint64_t hash)
{
    tag_index_ask (&self->index, tag_index_tag (hash));
}

bool item_table_ask_item (const item_table_t *self, uint64_t hash, uint32_t *number)
{
    *number = tag_index_first (&self->index, tag_index_tag (hash));
    if (*number == TAG_INDEX_NONE)
        return false;
    __builtin_prefetch (&self->list[*number], 1);
    return true;
}

void item_table_ask_id (const item_table_t *self, uint32_t number)
{
    __builtin_prefetch (self->list[number].id);
}

int item_table_load (item_table_t *self, uint32_t number, span_t id, uint64_t hash)
{
    if (number >= ITEM_TABLE_ITEMS_MAX || id.size < 1 || id.size > EVENT_ID_BYTES_MAX)
        return -1;
    if (find (self, id, hash) != TAG_INDEX_NONE || (number < self->count && self->list[number].id))
        return -1;
    if (number >= self->count)
        extend (self, number + 1);
    fill (self, number, id, hash);
    self->list[number].stored = true;
    return 0;
}

static void spare_number (item_table_t *self, uint32_t number)
{
    if (self->spare_count == self->spare_capacity) {
        self->spare_capacity = self->spare_capacity ? 2 * self->spare_capacity : 16;
        self->spare = memory_resize (self->spare, self->spare_capacity * sizeof *self->spare);
    }
    self->spare[self->spare_count++] = number;
}

void item_table_loaded (item_table_t *self)
{
    self->spare_count = 0;
    for (uint32_t i = self->count; i-- > 0;)
        if (!self->list[i].id)
            spare_number (self, i);
}

void item_table_remove (item_table_t *self, uint32_t number)
{
    item_t *item = &self->list[number];
    CHECK (item->id && !item->cell_count);
    tag_index_remove (&self->index, tag_index_tag (item->hash), number);
    free (item->id);
    item->id = NULL;
    item->stored = false;
    spare_number (self, number);
}

size_t item_table_memory_bytes (const item_table_t *self)
{
    return self->capacity * sizeof *self->list + tag_index_memory_bytes (&self->index) +
           self->spare_capacity * sizeof *self->spare +
           (size_t)self->index.count * (MALLOC_OVERHEAD_BYTES + 16);
}
