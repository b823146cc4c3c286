/*  result_order: which of two results of a key is the greater: by revision, window end, shards reported,
 *  within a lineage. Pure.
 */
#ifndef HOTPATH_SINK_RESULT_ORDER_H
#define HOTPATH_SINK_RESULT_ORDER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/results.h"

typedef struct {
    bool known; /* false: there is none */
    uint64_t lineage;
    revision_t revision;
    int64_t window_end_ms;
    uint32_t shards;
} result_order_t;

/*  < 0: a is lesser, 0: equal, > 0: greater; both of one lineage. */
int result_order_compare (const result_order_t *a, const result_order_t *b);
/*  May a result of order `next` replace `old`? */
bool result_order_replaces (const result_order_t *next, const result_order_t *old);
/*  May it replace `old` as the history's member of one window? There shards go before revisions: what all
 *  have counted is not given up for what some of them count by a newer revision (those that owed it when
 *  that came). */
bool result_order_replaces_member (const result_order_t *next, const result_order_t *old);

#endif
