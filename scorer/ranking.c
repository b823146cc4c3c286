#include "scorer/ranking.h"

#include <stdlib.h>
#include "common/memory.h"
#include "scorer/item_stats.h"

/*  Cells lie in the order of arrival, their items and sums anywhere: fetched this many cells ahead.
 */
enum { PREFETCH_CELLS = 8 };

struct ranking {
    ranked_t *heap; /* the worst on top, until ranking_sort */
    uint32_t count, capacity, top_k;
    uint32_t *touched; /* items with a cell in the window */
    uint32_t touched_count, touched_capacity;
    item_stats_t *stats;
};

ranking_t *ranking_new (void)
{
    ranking_t *self = memory_new (sizeof *self);
    self->stats = item_stats_new ();
    return self;
}

void ranking_destroy (ranking_t **self_p)
{
    ranking_t *self = *self_p;
    if (!self)
        return;
    item_stats_destroy (&self->stats);
    free (self->heap);
    free (self->touched);
    free (self);
    *self_p = NULL;
}

/*  ---- the best top_k ---- */

/*  <0: a ranks before b. Never 0 for two items. */
static int compare_ranked (const ranked_t *a, const ranked_t *b)
{
    if (a->score > b->score || a->score < b->score)
        return a->score > b->score ? -1 : 1;
    return span_compare (a->id, b->id);
}

void ranking_start (ranking_t *self, uint32_t top_k)
{
    self->count = 0;
    self->top_k = top_k;
}

static void sift_down (ranked_t *heap, uint32_t count, ranked_t moving)
{
    uint32_t at = 0;
    for (uint32_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && compare_ranked (&heap[child + 1], &heap[child]) > 0)
            child++;
        if (compare_ranked (&moving, &heap[child]) >= 0)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

void ranking_offer (ranking_t *self, const ranked_t *ranked)
{
    if (self->count == self->top_k) {
        if (compare_ranked (ranked, &self->heap[0]) < 0)
            sift_down (self->heap, self->count, *ranked);
        return;
    }
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 64;
        self->heap = memory_resize (self->heap, self->capacity * sizeof *self->heap);
    }
    uint32_t at = self->count++;
    while (at && compare_ranked (ranked, &self->heap[(at - 1) / 2]) > 0) {
        self->heap[at] = self->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    self->heap[at] = *ranked;
}

/*  Heap sort: the worst goes to the end, again and again. */
void ranking_sort (ranking_t *self)
{
    for (uint32_t count = self->count; count > 1; count--) {
        ranked_t worst = self->heap[0];
        sift_down (self->heap, count - 1, self->heap[count - 1]);
        self->heap[count - 1] = worst;
    }
}

const ranked_t *ranking_list (const ranking_t *self, uint32_t *count)
{
    *count = self->count;
    return self->heap;
}

/*  ---- scores ---- */

static void touch (ranking_t *self, item_t *item, uint32_t number)
{
    if (item->note)
        return;
    item->note = 1;
    if (self->touched_count == self->touched_capacity) {
        self->touched_capacity = self->touched_capacity ? 2 * self->touched_capacity : 1024;
        self->touched =
            memory_resize (self->touched, self->touched_capacity * sizeof *self->touched);
    }
    self->touched[self->touched_count++] = number;
}

/*  Adds one bucket's cells, whose actions are in order of their names, to their items' scores. */
static void add_bucket (ranking_t *self, score_cells_t *cells, const score_bucket_t *bucket,
                        const ranking_query_t *query)
{
    double lambda = query->lambda_per_ms;
    double factor = decay_factor (lambda, query->end_ms, bucket->start_ms, bucket->length_ms);
    for (uint32_t i = 0; i < bucket->cell_count; i++) {
        const score_cell_t *cell = &bucket->cells[i];
        if (i + PREFETCH_CELLS < bucket->cell_count) {
            __builtin_prefetch (&cells->items.list[cell[PREFETCH_CELLS].item], 1);
            __builtin_prefetch (&bucket->sums[cell[PREFETCH_CELLS].first - 1]);
        }
        item_t *item = &cells->items.list[cell->item];
        touch (self, item, cell->item);
        double score = item->score;
        for (uint32_t at = cell->first; at; at = bucket->sums[at - 1].next) {
            const action_sums_t *sums = &bucket->sums[at - 1];
            score += query->weights[sums->action] * (factor * decay_sum (&sums->moments, lambda));
        }
        item->score = score;
    }
}

/*  ---- ahead ---- */

enum { AHEAD_CELLS_MIN = 256 }; /* fewer are summed in some 20 us */

/*  Events still to come are of slices that end later, or late: then they count in windows that are
 * not complete. */
static bool is_settled (const score_bucket_t *bucket, int64_t complete_ms)
{
    return bucket->start_ms + bucket->length_ms <= complete_ms && bucket->mark_ms <= complete_ms;
}

static ranking_ahead_t *keep_scores (ranking_t *self, score_cells_t *cells)
{
    ranking_ahead_t *ahead = memory_new (sizeof *ahead);
    ahead->items = memory_new_array (self->touched_count, sizeof *ahead->items);
    ahead->scores = memory_new_array (self->touched_count, sizeof *ahead->scores);
    ahead->item_count = self->touched_count;
    for (uint32_t i = 0; i < self->touched_count; i++) {
        item_t *item = &cells->items.list[self->touched[i]];
        ahead->items[i] = self->touched[i];
        ahead->scores[i] = item->score;
        item->score = 0;
        item->note = 0;
    }
    return ahead;
}

ranking_ahead_t *ranking_look_ahead (ranking_t *self, score_cells_t *cells,
                                     const ranking_query_t *query, int64_t complete_ms)
{
    uint32_t from = score_cells_lower_bound (cells, query->start_ms), to = from;
    uint64_t cell_count = 0;
    for (; to < cells->bucket_count && is_settled (cells->buckets[to], complete_ms); to++)
        cell_count += cells->buckets[to]->cell_count;
    if (cell_count < AHEAD_CELLS_MIN)
        return NULL;
    self->touched_count = 0;
    for (uint32_t i = from; i < to; i++)
        add_bucket (self, cells, cells->buckets[i], query);
    ranking_ahead_t *ahead = keep_scores (self, cells);
    ahead->query = *query;
    ahead->bucket_count = to - from;
    ahead->stamps = memory_new_array (ahead->bucket_count, sizeof *ahead->stamps);
    for (uint32_t i = from; i < to; i++)
        ahead->stamps[i - from] = cells->buckets[i]->stamp;
    return ahead;
}

void ranking_ahead_destroy (ranking_ahead_t **self_p)
{
    ranking_ahead_t *self = *self_p;
    if (!self)
        return;
    free (self->stamps);
    free (self->items);
    free (self->scores);
    free (self);
    *self_p = NULL;
}

size_t ranking_ahead_bytes (const ranking_ahead_t *self)
{
    return self ? sizeof *self + self->bucket_count * sizeof *self->stamps +
                      self->item_count * (sizeof *self->items + sizeof *self->scores)
                : 0;
}

static bool is_of_use (const ranking_ahead_t *ahead, const score_cells_t *cells,
                       const ranking_query_t *query, uint32_t from)
{
    if (ahead->query.start_ms != query->start_ms || ahead->query.end_ms != query->end_ms ||
        ahead->query.weights_of.era != query->weights_of.era ||
        ahead->query.weights_of.number != query->weights_of.number ||
        ahead->bucket_count > cells->bucket_count - from)
        return false;
    for (uint32_t i = 0; i < ahead->bucket_count; i++)
        if (ahead->stamps[i] != cells->buckets[from + i]->stamp)
            return false;
    return true;
}

static void take_scores (ranking_t *self, score_cells_t *cells, const ranking_ahead_t *ahead)
{
    for (uint32_t i = 0; i < ahead->item_count; i++) {
        if (i + PREFETCH_CELLS < ahead->item_count)
            __builtin_prefetch (&cells->items.list[ahead->items[i + PREFETCH_CELLS]], 1);
        item_t *item = &cells->items.list[ahead->items[i]];
        touch (self, item, ahead->items[i]);
        item->score = ahead->scores[i];
    }
}

void ranking_compute (ranking_t *self, score_cells_t *cells, const ranking_query_t *query,
                      const ranking_ahead_t *ahead)
{
    uint32_t from = score_cells_lower_bound (cells, query->start_ms);
    self->touched_count = 0;
    if (ahead && is_of_use (ahead, cells, query, from)) {
        take_scores (self, cells, ahead);
        from += ahead->bucket_count;
    }
    for (uint32_t i = from; i < cells->bucket_count && cells->buckets[i]->start_ms < query->end_ms;
         i++)
        if (cells->buckets[i]->mark_ms <= query->end_ms)
            add_bucket (self, cells, cells->buckets[i], query);
    ranking_start (self, query->top_k);
    for (uint32_t i = 0; i < self->touched_count; i++) {
        uint32_t number = self->touched[i];
        item_t *item = &cells->items.list[number];
        if (item->score > 0) {
            ranked_t ranked = {item->score, item_table_id (&cells->items, number), number};
            ranking_offer (self, &ranked);
        }
        item->score = 0;
        item->note = 0;
    }
    ranking_sort (self);
}

void ranking_write_items (ranking_t *self, score_cells_t *cells, const ranking_query_t *query,
                          bool item_stats, buffer_t *body)
{
    if (item_stats)
        item_stats_gather (self->stats, cells, query, self->heap, self->count);
    for (uint32_t i = 0; i < self->count; i++) {
        result_item_t item = {.item = self->heap[i].id, .score = self->heap[i].score};
        if (item_stats)
            item_stats_fill (self->stats, cells, i, &item);
        results_write_item (body, &item, item_stats);
    }
}
