#include "scorer/item_stats.h"

#include <stdlib.h>
#include "common/memory.h"

/*  A cell of a ranked item; `next`: index + 1 of the item's next one. */
typedef struct {
    const score_bucket_t *bucket;
    const score_cell_t *cell;
    uint32_t next;
} found_t;

struct item_stats {
    uint32_t *first; /* by rank: index + 1 of its first found cell; 0: none */
    uint32_t first_capacity;
    found_t *found;
    uint32_t found_count, found_capacity;
    result_action_t *actions; /* of the item being filled, sorted by name */
    uint32_t action_count, action_capacity;
    distinct_t *users;
};

item_stats_t *item_stats_new (void)
{
    item_stats_t *self = memory_new (sizeof *self);
    self->users = distinct_new (DISTINCT_ITEM);
    return self;
}

void item_stats_destroy (item_stats_t **self_p)
{
    item_stats_t *self = *self_p;
    if (!self)
        return;
    distinct_destroy (&self->users);
    free (self->first);
    free (self->found);
    free (self->actions);
    free (self);
    *self_p = NULL;
}

static void note_cell (item_stats_t *self, uint32_t rank, const score_bucket_t *bucket,
                       const score_cell_t *cell)
{
    if (self->found_count == self->found_capacity) {
        self->found_capacity = self->found_capacity ? 2 * self->found_capacity : 256;
        self->found = memory_resize (self->found, self->found_capacity * sizeof *self->found);
    }
    self->found[self->found_count++] = (found_t){bucket, cell, self->first[rank]};
    self->first[rank] = self->found_count;
}

void item_stats_gather (item_stats_t *self, score_cells_t *cells, const ranking_query_t *query,
                        const ranked_t *ranked, uint32_t count)
{
    if (count > self->first_capacity) {
        self->first_capacity = count;
        self->first = memory_resize (self->first, count * sizeof *self->first);
    }
    self->found_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        self->first[i] = 0;
        cells->items.list[ranked[i].item].note = i + 1;
    }
    for (uint32_t i = score_cells_lower_bound (cells, query->start_ms);
         i < cells->bucket_count && cells->buckets[i]->start_ms < query->end_ms; i++) {
        const score_bucket_t *bucket = cells->buckets[i];
        for (uint32_t j = 0; bucket->mark_ms <= query->end_ms && j < bucket->cell_count; j++) {
            uint32_t note = cells->items.list[bucket->cells[j].item].note;
            if (note)
                note_cell (self, note - 1, bucket, &bucket->cells[j]);
        }
    }
    for (uint32_t i = 0; i < count; i++)
        cells->items.list[ranked[i].item].note = 0;
}

/*  Adds to the count of a name, in its place; an item has few actions. */
static void count_action (item_stats_t *self, span_t name, uint64_t count)
{
    uint32_t at = 0;
    int order = 1;
    while (at < self->action_count && (order = span_compare (self->actions[at].name, name)) < 0)
        at++;
    if (at < self->action_count && !order) {
        self->actions[at].count += count;
        return;
    }
    if (self->action_count == self->action_capacity) {
        self->action_capacity = self->action_capacity ? 2 * self->action_capacity : 64;
        self->actions =
            memory_resize (self->actions, self->action_capacity * sizeof *self->actions);
    }
    memmove (self->actions + at + 1, self->actions + at,
             (self->action_count - at) * sizeof *self->actions);
    self->actions[at] = (result_action_t){name, count};
    self->action_count++;
}

void item_stats_fill (item_stats_t *self, const score_cells_t *cells, uint32_t index,
                      result_item_t *item)
{
    self->action_count = 0;
    distinct_clear (self->users);
    for (uint32_t at = self->first[index]; at; at = self->found[at - 1].next) {
        const found_t *found = &self->found[at - 1];
        for (uint32_t sum = found->cell->first; sum; sum = found->bucket->sums[sum - 1].next) {
            const action_sums_t *sums = &found->bucket->sums[sum - 1];
            count_action (self, action_names_get (cells->names, sums->action), sums->moments.count);
        }
        const cell_stats_t *stats = found->cell->stats;
        if (!stats)
            continue;
        distinct_merge (self->users, stats->users);
        item->watched_ms += stats->watched_ms;
        item->watched_count += stats->watched_count;
    }
    item->actions = self->actions;
    item->action_count = self->action_count;
    item->unique_users = distinct_count (self->users);
}
