/*  result_lookup: reads the order of a result out of what Redis answered. Pure; answers come from
 *  outside: what cannot be read counts as absent (and is then replaced).
 */
#ifndef HOTPATH_SINK_RESULT_LOOKUP_H
#define HOTPATH_SINK_RESULT_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include "common/span.h"
#include "sink/result_order.h"

enum { RESULT_ORDER_FIELDS = 5 };

/*  Of the HMGET's values (bytes NULL: nil): lineage, era, revision, window_end, shards. known is
 * false where one is absent or not readable, or there are not RESULT_ORDER_FIELDS. */
result_order_t result_lookup_order (const span_t *values, size_t count);

/*  Of a history member (JSON): its order, and whether the window is empty. known is false where it
 * is not readable. */
result_order_t result_lookup_member (span_t json, bool *empty);

#endif
