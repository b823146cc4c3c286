#include "scorer/score_cells.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/event.h"
#include "common/memory.h"
#include "common/windows.h"
#include "scorer/score_records.h"

enum { SLOTS_MIN = 16, CELLS_MIN = 8 };

score_cells_t *score_cells_new (uint64_t scenario_hash, const action_names_t *names)
{
    score_cells_t *self = memory_new (sizeof *self);
    self->hash = scenario_hash;
    self->names = names;
    item_table_init (&self->items);
    return self;
}

static void destroy_bucket (score_bucket_t *bucket)
{
    for (uint32_t i = 0; i < bucket->cell_count; i++) {
        cell_stats_t *stats = bucket->cells[i].stats;
        if (stats)
            distinct_destroy (&stats->users);
        free (stats);
    }
    free (bucket->cells);
    free (bucket->slots);
    free (bucket->sums);
    tag_index_free (&bucket->sum_index);
    free (bucket);
}

void score_cells_destroy (score_cells_t **self_p)
{
    score_cells_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->bucket_count; i++)
        destroy_bucket (self->buckets[i]);
    free (self->buckets);
    item_table_free (&self->items);
    free (self);
    *self_p = NULL;
}

/*  ---- buckets ---- */

static int compare_bucket (const score_bucket_t *bucket, int64_t start_ms, int64_t length_ms,
                           int64_t mark_ms)
{
    if (bucket->start_ms != start_ms)
        return bucket->start_ms < start_ms ? -1 : 1;
    if (bucket->length_ms != length_ms)
        return bucket->length_ms < length_ms ? -1 : 1;
    return (bucket->mark_ms > mark_ms) - (bucket->mark_ms < mark_ms);
}

/*  First bucket that is not before the given one. */
static uint32_t lower_bound (const score_cells_t *self, int64_t start_ms, int64_t length_ms,
                             int64_t mark_ms)
{
    uint32_t low = 0, high = self->bucket_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_bucket (self->buckets[middle], start_ms, length_ms, mark_ms) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t score_cells_lower_bound (const score_cells_t *self, int64_t from_ms)
{
    return lower_bound (self, from_ms, INT64_MIN, INT64_MIN);
}

/*  A power of two of slots, of which `count` are less than half. */
static uint32_t slots_for (uint32_t count)
{
    uint32_t slots = SLOTS_MIN;
    while (slots <= 2 * count && slots < UINT32_MAX / 4)
        slots *= 2;
    return slots;
}

/*  As large as the slice before it was (`like`, or NULL), since growing is what costs; those for
 * late events (with a mark) are small. */
static score_bucket_t *new_bucket (int64_t start_ms, int64_t length_ms, int64_t mark_ms,
                                   const score_bucket_t *like)
{
    score_bucket_t *bucket = memory_new (sizeof *bucket);
    bool large = like && !mark_ms && !like->mark_ms;
    bucket->start_ms = start_ms;
    bucket->length_ms = length_ms;
    bucket->mark_ms = mark_ms;
    bucket->slot_count = slots_for (large ? like->cell_count : 0);
    bucket->slots = memory_new_array (bucket->slot_count, sizeof *bucket->slots);
    if (large)
        tag_index_reserve (&bucket->sum_index, like->sum_count);
    bucket->dirty_first = SCORE_CELLS_END;
    return bucket;
}

score_bucket_t *score_cells_bucket (score_cells_t *self, int64_t start_ms, int64_t length_ms,
                                    int64_t mark_ms)
{
    if (self->recent < self->bucket_count &&
        !compare_bucket (self->buckets[self->recent], start_ms, length_ms, mark_ms))
        return self->buckets[self->recent];
    uint32_t at = lower_bound (self, start_ms, length_ms, mark_ms);
    self->recent = at;
    if (at < self->bucket_count &&
        !compare_bucket (self->buckets[at], start_ms, length_ms, mark_ms))
        return self->buckets[at];
    if (self->bucket_count == self->bucket_capacity) {
        self->bucket_capacity = self->bucket_capacity ? 2 * self->bucket_capacity : 16;
        self->buckets =
            memory_resize (self->buckets, self->bucket_capacity * sizeof (score_bucket_t *));
    }
    memmove (self->buckets + at + 1, self->buckets + at,
             (self->bucket_count - at) * sizeof (score_bucket_t *));
    self->bucket_count++;
    self->buckets[at] =
        new_bucket (start_ms, length_ms, mark_ms, at ? self->buckets[at - 1] : NULL);
    self->buckets[at]->stamp = ++self->stamp;
    return self->buckets[at];
}

/*  ---- cells ---- */

static uint32_t slot_of (const score_bucket_t *bucket, uint32_t item)
{
    return (item * UINT32_C (0x9e3779b1) >> 7) & (bucket->slot_count - 1);
}

static uint32_t *find_slot (const score_bucket_t *bucket, uint32_t item)
{
    uint32_t mask = bucket->slot_count - 1;
    uint32_t at = slot_of (bucket, item);
    while (bucket->slots[at] && bucket->cells[bucket->slots[at] - 1].item != item)
        at = (at + 1) & mask;
    return &bucket->slots[at];
}

static void grow_slots (score_bucket_t *bucket)
{
    free (bucket->slots);
    bucket->slot_count *= 2;
    bucket->slots = memory_new_array (bucket->slot_count, sizeof *bucket->slots);
    for (uint32_t i = 0; i < bucket->cell_count; i++)
        *find_slot (bucket, bucket->cells[i].item) = i + 1;
}

const score_cell_t *score_cells_find (const score_bucket_t *bucket, uint32_t item)
{
    uint32_t slot = *find_slot (bucket, item);
    return slot ? &bucket->cells[slot - 1] : NULL;
}

score_cell_t *score_cells_cell (score_cells_t *self, score_bucket_t *bucket, uint32_t item)
{
    uint32_t *slot = find_slot (bucket, item);
    if (*slot)
        return &bucket->cells[*slot - 1];
    if (bucket->cell_count == bucket->cell_capacity) {
        bucket->cell_capacity = bucket->cell_capacity ? 2 * bucket->cell_capacity : CELLS_MIN;
        bucket->cells =
            memory_resize (bucket->cells, bucket->cell_capacity * sizeof *bucket->cells);
    }
    uint32_t index = bucket->cell_count++;
    bucket->cells[index] = (score_cell_t){.item = item};
    *slot = index + 1;
    if (2 * bucket->cell_count > bucket->slot_count)
        grow_slots (bucket);
    self->items.list[item].cell_count++;
    self->cell_count++;
    return &bucket->cells[index];
}

/*  ---- sums ---- */

static uint32_t sum_tag (uint32_t item, uint16_t action)
{
    return tag_index_tag ((uint64_t)item << 16 | action);
}

static action_sums_t *find_sums (const score_bucket_t *bucket, uint32_t item, uint16_t action)
{
    uint64_t at = TAG_INDEX_START;
    for (uint32_t number; (number = tag_index_next (&bucket->sum_index, sum_tag (item, action),
                                                    &at)) != TAG_INDEX_NONE;) {
        action_sums_t *sums = &bucket->sums[number];
        if (sums->item == item && sums->action == action)
            return sums;
    }
    return NULL;
}

static action_sums_t *new_sums (score_bucket_t *bucket, uint32_t item, uint16_t action)
{
    if (bucket->sum_count == bucket->sum_capacity) {
        bucket->sum_capacity = bucket->sum_capacity ? 2 * bucket->sum_capacity : CELLS_MIN;
        bucket->sums = memory_resize (bucket->sums, bucket->sum_capacity * sizeof *bucket->sums);
    }
    tag_index_add (&bucket->sum_index, sum_tag (item, action), bucket->sum_count);
    action_sums_t *sums = &bucket->sums[bucket->sum_count++];
    *sums = (action_sums_t){.item = item, .action = action};
    return sums;
}

/*  Names are compared only when a cell sees an action for the first time. */
static action_sums_t *add_sums (score_cells_t *self, score_bucket_t *bucket, score_cell_t *cell,
                                uint16_t action)
{
    if (action >= self->action_limit)
        self->action_limit = (uint32_t)action + 1;
    action_sums_t *sums = new_sums (bucket, cell->item, action);
    span_t name = action_names_get (self->names, action);
    uint32_t *link = &cell->first;
    while (*link &&
           span_compare (action_names_get (self->names, bucket->sums[*link - 1].action), name) < 0)
        link = &bucket->sums[*link - 1].next;
    sums->next = *link;
    *link = bucket->sum_count;
    return sums;
}

action_sums_t *score_cells_sums (score_cells_t *self, score_bucket_t *bucket, uint32_t item,
                                 uint16_t action)
{
    action_sums_t *sums = find_sums (bucket, item, action);
    return sums ? sums : add_sums (self, bucket, score_cells_cell (self, bucket, item), action);
}

cell_stats_t *score_cells_stats (score_cells_t *self, score_cell_t *cell)
{
    if (!cell->stats) {
        self->has_stats = true;
        cell->stats = memory_new (sizeof *cell->stats);
        cell->stats->users = distinct_new (DISTINCT_ITEM);
    }
    return cell->stats;
}

static void add_stats (score_cells_t *self, score_cell_t *cell, const score_event_t *event)
{
    cell_stats_t *stats = score_cells_stats (self, cell);
    distinct_add (stats->users, event->user_hash);
    if (event->watched_ms != EVENT_MS_NONE) {
        stats->watched_ms += (uint64_t)event->watched_ms;
        stats->watched_count++;
    }
}

static void mark_dirty (score_bucket_t *bucket, score_cell_t *cell)
{
    if (cell->dirty_next)
        return;
    cell->dirty_next = bucket->dirty_first;
    bucket->dirty_first = (uint32_t)(cell - bucket->cells) + 1;
}

void score_cells_add (score_cells_t *self, const score_event_t *event)
{
    int64_t start_ms = windows_floor (event->time_ms, event->slice_ms);
    score_bucket_t *bucket = score_cells_bucket (self, start_ms, event->slice_ms, event->mark_ms);
    uint32_t item = item_table_get (&self->items, event->item, event->item_hash);
    action_sums_t *sums = score_cells_sums (self, bucket, item, event->action);
    if (event->counts_only)
        sums->moments.count++;
    else
        decay_add (&sums->moments, event->time_ms - decay_middle (start_ms, event->slice_ms));
    if (event->with_stats)
        add_stats (self, score_cells_cell (self, bucket, item), event);
    if (!sums->dirty)
        mark_dirty (bucket, score_cells_cell (self, bucket, item));
    sums->dirty = true;
    self->dirty = true;
    bucket->stamp = ++self->stamp;
}

/*  ---- what comes soon ---- */

/*  The bucket is taken to be the one that the last event went to. */
static void ask_bucket (const score_cells_t *self, score_ask_t *ask)
{
    ask->lost = self->recent >= self->bucket_count;
    if (!ask->lost)
        ask->bucket = self->buckets[self->recent];
}

static void ask_sums (uint16_t action, const score_ask_t *ask)
{
    uint32_t slot = ask->bucket->slots[slot_of (ask->bucket, ask->item)];
    if (slot)
        __builtin_prefetch (&ask->bucket->cells[slot - 1], 1);
    uint32_t number = tag_index_first (&ask->bucket->sum_index, sum_tag (ask->item, action));
    if (number != TAG_INDEX_NONE)
        __builtin_prefetch (&ask->bucket->sums[number], 1);
}

void score_cells_ask (const score_cells_t *self, int step, uint64_t item_hash, uint16_t action,
                      score_ask_t *ask)
{
    if (ask->lost)
        return;
    if (step == 0) {
        ask_bucket (self, ask);
        item_table_ask_place (&self->items, item_hash);
    } else if (step == 1)
        ask->lost = !item_table_ask_item (&self->items, item_hash, &ask->item);
    else if (step == 2) {
        item_table_ask_id (&self->items, ask->item);
        tag_index_ask (&ask->bucket->sum_index, sum_tag (ask->item, action));
        __builtin_prefetch (&ask->bucket->slots[slot_of (ask->bucket, ask->item)], 1);
    } else
        ask_sums (action, ask);
}

/*  ---- age ---- */

static void release_items (score_cells_t *self, const score_bucket_t *bucket, change_set_t *deletes)
{
    for (uint32_t i = 0; i < bucket->cell_count; i++) {
        uint32_t number = bucket->cells[i].item;
        item_t *item = &self->items.list[number];
        CHECK (item->cell_count);
        if (--item->cell_count)
            continue;
        if (item->stored)
            score_records_delete_item (deletes, self->hash, number);
        item_table_remove (&self->items, number);
    }
    self->cell_count -= bucket->cell_count;
}

void score_cells_expire (score_cells_t *self, int64_t before_ms, change_set_t *deletes)
{
    uint32_t count = 0;
    for (; count < self->bucket_count && self->buckets[count]->start_ms < before_ms; count++) {
        score_bucket_t *bucket = self->buckets[count];
        if (bucket->stored)
            score_records_delete_bucket (deletes, self->hash, bucket);
        release_items (self, bucket, deletes);
        destroy_bucket (bucket);
    }
    if (!count)
        return;
    self->bucket_count -= count;
    memmove (self->buckets, self->buckets + count, self->bucket_count * sizeof (score_bucket_t *));
    self->recent = 0;
}

size_t score_cells_memory_bytes (const score_cells_t *self)
{
    size_t bytes = sizeof *self + item_table_memory_bytes (&self->items) +
                   self->bucket_capacity * sizeof (score_bucket_t *);
    for (uint32_t i = 0; i < self->bucket_count; i++) {
        const score_bucket_t *bucket = self->buckets[i];
        bytes += sizeof *bucket + bucket->cell_capacity * sizeof *bucket->cells +
                 bucket->slot_count * sizeof *bucket->slots +
                 tag_index_memory_bytes (&bucket->sum_index) +
                 bucket->sum_capacity * sizeof *bucket->sums;
        for (uint32_t j = 0; self->has_stats && j < bucket->cell_count; j++)
            if (bucket->cells[j].stats)
                bytes +=
                    sizeof (cell_stats_t) + distinct_memory_bytes (bucket->cells[j].stats->users);
    }
    return bytes;
}
