/*  ranking: the best items of one scenario's window in one shard.
 *
 *  score (item, T) = sum over cells of weight (action) * exp (-lambda (T - m)) * (n + lambda S1 +
 *  lambda^2 S2 / 2), see common/decay.h. The sum of an item runs in the order (slice, mark, action
 *  name), so that equal cells give equal bits. The ranking has the top_k items with score > 0, by
 * score descending, then item id bytewise ascending. Cost: the cells of the window, and n log
 * top_k.
 *
 *  Most of the cells of a window cannot change any more long before it ends: their sum can be taken
 * while there is time (ranking_look_ahead), so that what remains at its end is the last slide. The
 * order of the sum is the same, and so are its bits.
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
    revision_t weights_of; /* where equal, the weights of each action are; for ranking_ahead_t alone */
} ranking_query_t;

/*  The scores of a window as far as its first buckets make them. */
typedef struct {
    ranking_query_t query;
    uint64_t *stamps; /* of those buckets; where one differs now, this is of no use */
    uint32_t bucket_count;
    uint32_t *items; /* by number */
    double *scores;
    uint32_t item_count;
} ranking_ahead_t;

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
 *  afterwards. The result holds until the next call and the next change of the cells. `ahead`: what
 * of it there may be already, or NULL; it changes no result. */
void ranking_compute (ranking_t *self, score_cells_t *cells, const ranking_query_t *query,
                      const ranking_ahead_t *ahead);

/*  The sum over the first buckets of a later window, up to the first that may still change: whose
 * slice ends after `complete_ms` (the newest complete window), or that counts only in later windows.
 * NULL where it is too little to be kept. */
ranking_ahead_t *ranking_look_ahead (ranking_t *self, score_cells_t *cells,
                                     const ranking_query_t *query, int64_t complete_ms);
void ranking_ahead_destroy (ranking_ahead_t **self_p);
size_t ranking_ahead_bytes (const ranking_ahead_t *self);

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
