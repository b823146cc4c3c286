/*  result_order: see result_order.h. */
#include "sink/result_order.h"

int result_order_compare (const result_order_t *a, const result_order_t *b)
{
    int order = revision_compare (a->revision, b->revision);
    if (order == 0)
        order = (a->window_end_ms > b->window_end_ms) - (a->window_end_ms < b->window_end_ms);
    if (order == 0)
        order = (a->shards > b->shards) - (a->shards < b->shards);
    return order;
}

bool result_order_replaces (const result_order_t *next, const result_order_t *old)
{
    return !old->known || next->lineage != old->lineage || result_order_compare (next, old) >= 0;
}

bool result_order_replaces_member (const result_order_t *next, const result_order_t *old)
{
    if (!old->known || next->lineage != old->lineage || next->shards > old->shards)
        return true;
    return next->shards == old->shards && revision_compare (next->revision, old->revision) >= 0;
}
