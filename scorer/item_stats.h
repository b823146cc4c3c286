/*  item_stats: what the ranked items did over a window: counts by action, unique users, watched
 * time.
 *
 *  One walk over the window's cells notes which belong to ranked items; each item's cells are then
 * put together one item at a time, so that memory does not grow with top_k times a sketch. Pure.
 */
#ifndef HOTPATH_ITEM_STATS_H
#define HOTPATH_ITEM_STATS_H

#include "scorer/ranking.h"

typedef struct item_stats item_stats_t;

item_stats_t *item_stats_new (void);
void item_stats_destroy (item_stats_t **self_p);

/*  Finds the cells of the `count` items in the query's window. Uses the items' `note`, which is 0
 * again afterwards. */
void item_stats_gather (item_stats_t *self, score_cells_t *cells, const ranking_query_t *query,
                        const ranked_t *ranked, uint32_t count);

/*  Fills the stats of ranked[index] of the last item_stats_gather into `item`: its actions are
 * borrowed until the next call. */
void item_stats_fill (item_stats_t *self, const score_cells_t *cells, uint32_t index,
                      result_item_t *item);

#endif
