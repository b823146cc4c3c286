/*  gather_history: what the sink knows of one scenario's metrics history in Redis: of each window its
 *  order, whether it has events, and its member, as JSON, so that it can be written again when Redis lost
 *  it: the workers' cells of older windows are gone. Pure.
 *
 *  All histories share one memory for members: beyond its bound those of the history that was longest
 *  without a new one are forgotten (their orders stay).
 */
#ifndef HOTPATH_SINK_GATHER_HISTORY_H
#define HOTPATH_SINK_GATHER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "common/span.h"
#include "sink/result_order.h"

typedef struct {
    result_order_t order;
    bool empty;       /* total_actions is 0 */
    bool in_redis;    /* as far as is known */
    bool looked_up;   /* Redis told it; else it was published in this life */
    span_t member;    /* own memory; bytes NULL: not kept */
    uint64_t *hashes; /* of the parts it was made of, by shard; or NULL */
    uint32_t hash_count;
} gather_window_t;

typedef struct {
    size_t bytes, bytes_max;             /* of all members */
    uint64_t forgotten;                  /* members, so far */
    TAILQ_HEAD (, gather_history) kept;  /* histories with members, the longest untouched first */
} history_memory_t;

typedef struct gather_history {
    gather_window_t *windows; /* by window end, the newest windows_max */
    uint32_t count, capacity;
    uint32_t windows_max; /* history_windows; 0: not known yet */
    size_t bytes;         /* of its members */
    history_memory_t *memory;
    TAILQ_ENTRY (gather_history) kept; /* where bytes > 0 */
} gather_history_t;

/*  A member that Redis lacks. */
typedef struct {
    int64_t window_end_ms;
    span_t json; /* borrowed from the history */
} history_member_t;

void history_memory_init (history_memory_t *self, size_t bytes_max);

void gather_history_init (gather_history_t *self, history_memory_t *memory);
void gather_history_free (gather_history_t *self);

gather_window_t *gather_history_find (const gather_history_t *self, int64_t window_end_ms);
/*  The window is written to Redis with this order: adds it or replaces its entry, without a member; then
 *  keeps the newest windows_max. */
void gather_history_set (gather_history_t *self, const result_order_t *order, bool empty);
/*  Keeps a copy of the member of a window that was set; nothing where it is not there any more. */
void gather_history_keep (gather_history_t *self, int64_t window_end_ms, span_t member);
void gather_history_limit (gather_history_t *self, uint32_t windows_max);
/*  Does a window with events of that lineage lie within [from_ms, before_ms)? */
bool gather_history_has_events (const gather_history_t *self, uint64_t lineage, int64_t from_ms,
                                int64_t before_ms);

/*  What Redis has is read anew: asked, then learn for each member there, then learned. Of a window known
 *  here and there the greater stays, of equals the one that was written last: ours; where the lineages
 *  differ, that of `lineage`. Afterwards those not in Redis are those that are to be written again. */
void gather_history_asked (gather_history_t *self);
void gather_history_learn (gather_history_t *self, uint64_t lineage, const result_order_t *order,
                           bool empty, span_t member);
void gather_history_learned (gather_history_t *self);
/*  The oldest members that Redis lacks, at most `members_max` and about bytes_max; how many. They count
 *  as written then. */
uint32_t gather_history_missing (gather_history_t *self, history_member_t *members,
                                 uint32_t members_max, size_t bytes_max);
/*  The newest window, or NULL. */
const gather_window_t *gather_history_newest (const gather_history_t *self);

#endif
