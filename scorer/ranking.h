/*  ranking: the best items of one scenario's window in one shard.
 *
 *  score (item, T) = sum over cells of weight (action) * exp (-lambda (T - m)) * (n + lambda S1 +
 *  lambda^2 S2 / 2), see common/decay.h. The sum of an item runs in the order (slice, mark, action
 *  name), so that equal cells give equal bits. The ranking has the top_k items with score > 0, by
 * score descending, then item id bytewise ascending. Cost: the cells of the window, and n log
 * top_k.
 *
 *  Pure. It does not choose the window, and knows nothing of configs or of how results travel.
 */
#ifndef HOTPATH_RANKING_H
#define HOTPATH_RANKING_H

#include "common/buffer.h"
#include "common/results.h"
#include "scorer/score_cells.h"

typedef struct {
    int64_t start_ms, end_ms; /* the window [start, end): slices that start in it, marks <= end */
    double lambda_per_ms;
    const double *weights; /* by action number, of all below the cells' action_limit; finite */
    uint32_t top_k;        /* >= 1 */
} ranking_query_t;

typedef struct {
    double score;
    span_t id; /* borrowed from the cells */
    uint32_t item;
} ranked_t;

/*  Scratch memory and the last result; one for a shard, reused. */
typedef struct ranking ranking_t;

ranking_t *ranking_new (void);
void ranking_destroy (ranking_t **self_p);

/*  Computes the ranking of a window. `cells` are only lent for scratch fields, which are 0 again
 *  afterwards. The result holds until the next call and the next change of the cells. */
void ranking_compute (ranking_t *self, score_cells_t *cells, const ranking_query_t *query);

/*  The items of the last ranking_compute, best first. */
const ranked_t *ranking_list (const ranking_t *self, uint32_t *count);

/*  The bounded heap alone: starts an empty one of the best `top_k`, offers an item (score > 0),
 * sorts what it kept, best first (ranking_list). */
void ranking_start (ranking_t *self, uint32_t top_k);
void ranking_offer (ranking_t *self, const ranked_t *ranked);
void ranking_sort (ranking_t *self);

/*  Appends every ranked item of the last ranking_compute by results_write_item, in order; where
 *  `item_stats`, with its actions, unique users and watched time over the query's window. */
void ranking_write_items (ranking_t *self, score_cells_t *cells, const ranking_query_t *query,
                          bool item_stats, buffer_t *body);

#endif
