/*  gather: puts the parts of all shards together and decides what is written when.
 *
 *  A result is published when all shards have reported; if some have not `timeout_ms` after the
 * first, with what is there (complete = 0), and again when the rest arrives. A lesser result never
 * replaces a greater one, an equal one does: by (revision, window end, shards reported) within a
 * lineage; another lineage replaces. A metrics history is ordered so per window. What Redis has is
 * looked up before a key is first written.
 * In rec:metrics the later of two windows stays, whatever their revisions, unless the slide changed between.
 *
 *  An empty metrics window is written only where a window with events lies within the newest
 *  history_windows before it; it waits for those before it that are still gathered.
 *
 *  Parts of a metrics window that was published without some shards are done only after GATHER_HOLD_MS, or with
 * the rest: until then their shards owe them, so that a sink that starts in between gets all of them. (Of a ranking
 * every shard sends its newest part to a sink that starts.)
 *
 *  Parts that need not be written count as done. Of published windows the newest keeps its parts (a
 * shard may send its part again), an older one of metrics only the hashes of its parts: the same
 * part sent again is done at once, another one begins the window anew.
 *
 *  One publication a key is under way at a time. Pure: time is an argument, Redis is asked by the
 * caller.
 */
#ifndef HOTPATH_SINK_GATHER_H
#define HOTPATH_SINK_GATHER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/outcome.h"
#include "common/report.h"
#include "common/results.h"
#include "common/wire.h"
#include "sink/gather_keys.h"
#include "sink/part_reader.h"
#include "sink/token_list.h"

enum {
    GATHER_RANKING_SLOTS_MAX = 4, /* windows of a ranking gathered at a time */
    GATHER_METRICS_SLOTS_MIN = 8, /* of metrics: history_windows, but at least this */
    GATHER_AGAIN_MS = 20,         /* a result that was complete is published again after this */
    GATHER_HOLD_MS = 60000,       /* parts of a metrics window that is not whole stay owed so long */
    GATHER_RETRY_MS = 10000,      /* a key that cannot be written (a foreign type) is tried again */
    GATHER_TICK_MS = 20,          /* how often keys are looked at whose time has come … */
    GATHER_LOOK_MS = 1000,        /* … and those that wait, at least */
    GATHER_IDLE_MS = 3600000,     /* a key is forgotten when nothing came for so long, and its TTL */
    GATHER_RESTORE_MEMBERS = 256, /* of a history, written again in one transaction … */
    GATHER_RESTORE_BYTES = 1 << 18,
};
#define GATHER_HISTORY_BYTES_MAX ((size_t)256 << 20) /* members of all histories */
#define GATHER_BYTES_GOAL ((size_t)256 << 20) /* parts of all keys; beyond, what can be written comes first */
#define GATHER_BYTES_MAX  ((size_t)1 << 30)   /* beyond, the oldest slots go */

typedef struct gather gather_t;

/*  What is to be written. Spans are borrowed until gather_done (). */
typedef struct {
    gather_key_t *key; /* for gather_done */
    result_kind_t kind;
    span_t tenant, scenario;
    uint64_t lineage;
    revision_t revision;
    int64_t window_start_ms, window_end_ms, ttl_ms;
    int64_t since_ms; /* event time from which on the revision has run; EVENT_TIME_NONE: always */
    uint32_t shards;
    bool complete, exact;
    bool newest;              /* metrics: to rec:metrics too, not only to the history */
    uint32_t history_windows; /* metrics */
    /*  Not 0: members of the history are written again, by window, and of the above only ids, TTL,
     *  history_windows and `newest` (that of the last member) count. */
    uint32_t member_count;
    const history_member_t *members;
    span_t metrics_json;      /* metrics: of the greatest revision */
    span_t *contents;         /* for part_reader; own memory, valid until the next gather call */
    uint32_t content_count;
} gather_result_t;

/*  `history_bytes_max`: of the members of all histories together. */
gather_t *gather_new (int64_t timeout_ms, size_t history_bytes_max);
void gather_destroy (gather_t **self_p);

/*  Takes a part (content: the body behind its header; copied). -1: not valid; then its token is
 * done. */
int gather_put (gather_t *self, const wire_results_t *frame, const chain_token_t *token,
                const result_header_t *header, span_t content, int64_t now_ms);

/*  The next key whose order in Redis is wanted, or NULL; the caller asks Redis and then calls
 * learn_order (and learn_window for each history member) and learned, all with the key's
 * lookup_serial of now: an answer to a lookup that was asked anew since is ignored. */
gather_key_t *gather_next_lookup (gather_t *self);
void gather_learn_order (gather_key_t *key, uint32_t serial, const result_order_t *order);
void gather_learn_window (gather_key_t *key, uint32_t serial, const result_order_t *order,
                          bool empty, span_t member);
void gather_learned (gather_t *self, gather_key_t *key, uint32_t serial);

/*  The next result to write; false: none now. Its publication is under way until gather_done. */
bool gather_next (gather_t *self, int64_t now_ms, gather_result_t *result);
/*  OK: Redis has it. Else (the key cannot be written now): it is looked up and tried again later.
 */
void gather_done (gather_t *self, gather_key_t *key, outcome_t outcome, int64_t now_ms);
/*  Takes a token that is done; false: none. */
bool gather_take_done (gather_t *self, chain_token_t *token);

/*  Of a metrics result that gather_next gave: the member as it is written, kept for the day on which Redis
 *  loses it. */
void gather_keep_member (gather_t *self, gather_key_t *key, int64_t window_end_ms, span_t json);

/*  Redis lost what it had, or some of it. Each key of which a worker still sends parts is looked up again,
 *  and what is held of it is published again: the newest windows, and of a history what Redis lacks. Of
 *  which none does (a scenario that was paused or removed) nothing is written. */
void gather_lost (gather_t *self, int64_t now_ms);

/*  Nothing more is to be taken until Redis has executed some of what is under way: it holds much. */
bool gather_is_full (const gather_t *self);

/*  For gauges. */
size_t gather_bytes (const gather_t *self);
uint32_t gather_key_count (const gather_t *self);
typedef struct {
    size_t bytes;                 /* of members kept */
    uint64_t forgotten, restored; /* members, so far */
} gather_history_count_t;
gather_history_count_t gather_history_count (const gather_t *self);
/*  Windows that were given up for want of memory before they were written. */
uint64_t gather_given_up_count (const gather_t *self);
/*  Windows and parts not written since Redis has a greater one (or the same from this part). */
uint64_t gather_lesser_count (const gather_t *self);

#endif
