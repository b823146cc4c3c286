/*  item_table: the items of one scenario in one shard, each with a number for as long as it has
 * cells.
 *
 *  Numbers are dense and used again, since they index arrays and name items in stored cells. Which
 *  number an item has is seen in no result. It stores nothing itself: see score_records.
 */
#ifndef HOTPATH_ITEM_TABLE_H
#define HOTPATH_ITEM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/span.h"
#include "common/tag_index.h"

/*  Bound of one scenario's items in one shard; memory ends long before. */
enum { ITEM_TABLE_ITEMS_MAX = 1 << 28 };
#define ITEM_TABLE_END UINT32_MAX

typedef struct {
    char *id; /* NULL: the number is free */
    uint64_t hash;
    double score;        /* while a ranking is computed; 0 between */
    uint32_t note;       /* scratch of whoever walks the cells; 0 between */
    uint32_t cell_count; /* how many cells it has: 0 frees it */
    uint32_t dirty_next; /* 0: as stored; else in the chain: number + 1 of the next, or END */
    uint16_t size;       /* of id, 1 .. 256 */
    bool stored;         /* a commit holds it under this number */
} item_t;

typedef struct {
    item_t *list; /* by number */
    uint32_t count, capacity;
    tag_index_t index; /* numbers by hash */
    uint32_t *spare; /* free numbers below count */
    uint32_t spare_count, spare_capacity;
    uint32_t dirty_first; /* chain of items that are not stored as they are: number + 1, or END */
} item_table_t;

void item_table_init (item_table_t *self);
void item_table_free (item_table_t *self);

/*  Number of an item, added (dirty) where it is new. `hash` is its key_hash. */
uint32_t item_table_get (item_table_t *self, span_t id, uint64_t hash);
/*  Takes a stored item. -1: the number or the id is taken or out of range. The list of free
 *  numbers does not hold before item_table_loaded. */
int item_table_load (item_table_t *self, uint32_t number, span_t id, uint64_t hash);
/*  Every stored item is there: finds the free numbers. */
void item_table_loaded (item_table_t *self);
/*  Frees the number of an item without cells. */
void item_table_remove (item_table_t *self, uint32_t number);

/*  For an item that is looked for soon: ask the processor for its place; then, by that, for the item
 * (false: there is none; else most likely its number); then for its id. */
void item_table_ask_place (const item_table_t *self, uint64_t hash);
bool item_table_ask_item (const item_table_t *self, uint64_t hash, uint32_t *number);
void item_table_ask_id (const item_table_t *self, uint32_t number);

/*  Borrowed until the item is removed. */
static inline span_t item_table_id (const item_table_t *self, uint32_t number)
{
    return (span_t){self->list[number].id, self->list[number].size};
}

size_t item_table_memory_bytes (const item_table_t *self);

#endif
