#include "scorer/item_table.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/event.h"
#include "common/memory.h"

enum { SLOTS_MIN = 16, MALLOC_OVERHEAD_BYTES = 16 };

void item_table_init (item_table_t *self)
{
    *self = (item_table_t){.slot_count = SLOTS_MIN, .dirty_first = ITEM_TABLE_END};
    self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
}

void item_table_free (item_table_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        free (self->list[i].id);
    free (self->list);
    free (self->slots);
    free (self->spare);
    *self = (item_table_t){.dirty_first = ITEM_TABLE_END};
}

/*  All items of a shard share hash % shard_count: the low bits alone would put them into one slot
 * of each shard_count, so the hash is mixed and its high half used. */
static uint32_t home_slot (const item_table_t *self, uint64_t hash)
{
    return (uint32_t)(hash * UINT64_C (0x9e3779b97f4a7c15) >> 32) & (self->slot_count - 1);
}

static uint32_t *find_slot (const item_table_t *self, span_t id, uint64_t hash)
{
    uint32_t mask = self->slot_count - 1;
    uint32_t at = home_slot (self, hash);
    for (; self->slots[at]; at = (at + 1) & mask) {
        const item_t *item = &self->list[self->slots[at] - 1];
        if (item->hash == hash && item->size == id.size && !memcmp (item->id, id.bytes, id.size))
            break;
    }
    return &self->slots[at];
}

static void grow_slots (item_table_t *self)
{
    free (self->slots);
    self->slot_count *= 2;
    self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
    uint32_t mask = self->slot_count - 1;
    for (uint32_t i = 0; i < self->count; i++) {
        if (!self->list[i].id)
            continue;
        uint32_t at = home_slot (self, self->list[i].hash);
        while (self->slots[at])
            at = (at + 1) & mask;
        self->slots[at] = i + 1;
    }
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

static void fill (item_table_t *self, uint32_t *slot, uint32_t number, span_t id, uint64_t hash)
{
    item_t *item = &self->list[number];
    item->id = memory_copy_string (id.bytes, id.size);
    item->size = (uint16_t)id.size;
    item->hash = hash;
    *slot = number + 1;
    if (2 * ++self->used > self->slot_count)
        grow_slots (self);
}

uint32_t item_table_get (item_table_t *self, span_t id, uint64_t hash)
{
    uint32_t *slot = find_slot (self, id, hash);
    if (*slot)
        return *slot - 1;
    uint32_t number;
    if (self->spare_count) {
        number = self->spare[--self->spare_count];
    } else {
        CHECK (self->count < ITEM_TABLE_ITEMS_MAX);
        number = self->count;
        extend (self, number + 1);
    }
    fill (self, slot, number, id, hash);
    item_t *item = &self->list[number];
    item->stored = false;
    if (!item->dirty_next) { /* else its number is in the chain from its last use */
        item->dirty_next = self->dirty_first;
        self->dirty_first = number + 1;
    }
    return number;
}

void item_table_ask_slot (const item_table_t *self, uint64_t hash)
{
    __builtin_prefetch (&self->slots[home_slot (self, hash)]);
}

bool item_table_ask_item (const item_table_t *self, uint64_t hash, uint32_t *number)
{
    uint32_t slot = self->slots[home_slot (self, hash)];
    if (!slot)
        return false;
    __builtin_prefetch (&self->list[slot - 1], 1);
    *number = slot - 1;
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
    uint32_t *slot = find_slot (self, id, hash);
    if (*slot || (number < self->count && self->list[number].id))
        return -1;
    if (number >= self->count)
        extend (self, number + 1);
    fill (self, slot, number, id, hash);
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

/*  Deletion of linear probing without tombstones: items behind the hole move up, unless that
 *  would put them before their home slot (Knuth 6.4, algorithm R). */
static void close_hole (item_table_t *self, uint32_t hole)
{
    uint32_t mask = self->slot_count - 1;
    for (uint32_t at = (hole + 1) & mask; self->slots[at]; at = (at + 1) & mask) {
        uint32_t home = home_slot (self, self->list[self->slots[at] - 1].hash);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            self->slots[hole] = self->slots[at];
            hole = at;
        }
    }
    self->slots[hole] = 0;
}

void item_table_remove (item_table_t *self, uint32_t number)
{
    item_t *item = &self->list[number];
    CHECK (item->id && !item->cell_count);
    uint32_t *slot = find_slot (self, item_table_id (self, number), item->hash);
    CHECK (*slot == number + 1);
    close_hole (self, (uint32_t)(slot - self->slots));
    free (item->id);
    item->id = NULL;
    item->stored = false;
    self->used--;
    spare_number (self, number);
}

size_t item_table_memory_bytes (const item_table_t *self)
{
    return self->capacity * sizeof *self->list + self->slot_count * sizeof *self->slots +
           self->spare_capacity * sizeof *self->spare +
           (size_t)self->used * (MALLOC_OVERHEAD_BYTES + 16);
}
