/*  gather_keys: what the sink knows of each (tenant, scenario, kind): its slots, and the order of
 * what Redis has. Plain structures with their bookkeeping; gather.c decides. Pure.
 */
#ifndef HOTPATH_SINK_GATHER_KEYS_H
#define HOTPATH_SINK_GATHER_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/results.h"
#include "sink/gather_slot.h"

/*  The order of a result that Redis has: by revision, window end, shards reported within a lineage.
 */
typedef struct {
    bool known; /* false: Redis has none */
    uint64_t lineage;
    revision_t revision;
    int64_t window_end_ms;
    uint32_t shards;
} result_order_t;

/*  < 0: a is lesser, 0: equal, > 0: greater; both of one lineage. */
int result_order_compare (const result_order_t *a, const result_order_t *b);
/*  May a result of order `next` replace `old`? */
bool result_order_replaces (const result_order_t *next, const result_order_t *old);
/*  May it replace `old` as the history's member of one window? There shards go before revisions: what all have
 * counted is not given up for what some of them count by a newer revision (those that owed it when that came). */
bool result_order_replaces_member (const result_order_t *next, const result_order_t *old);

/*  One member of a metrics history. */
typedef struct {
    result_order_t order;
    bool empty;       /* total_actions is 0 */
    uint64_t *hashes; /* of the parts it was made of, by shard; or NULL */
    uint32_t hash_count;
} gather_window_t;

typedef enum { LOOKUP_WANTED, LOOKUP_ASKED, LOOKUP_DONE } gather_lookup_state_t;

typedef struct gather_key {
    struct gather_key *next; /* in its bucket */
    uint64_t hash;
    result_kind_t kind;
    span_t tenant, scenario; /* own memory */
    uint64_t lineage;        /* of the slots */
    gather_lookup_state_t lookup;
    uint32_t lookup_serial; /* of the lookup asked last */
    bool lookup_queued, queued;
    result_order_t order;  /* of the newest result */
    gather_slot_t **slots; /* by window end */
    uint32_t slot_count, slot_capacity;
    gather_window_t *windows; /* metrics: by window end, the newest history_windows */
    uint32_t window_count, window_capacity;
    uint32_t history_windows;
    int64_t slide_ms;
    revision_t config_revision;
    span_t metrics_json; /* of config_revision; own memory */
    bool in_flight;      /* one publication at a time */
    int64_t flight_window_ms;
    token_list_t flight; /* tokens that are done with it */
    int64_t retry_ms, published_ms, touched_ms;
} gather_key_t;

typedef struct {
    gather_key_t **buckets;
    uint32_t bucket_count, count;
} gather_keys_t;

void gather_keys_init (gather_keys_t *self);
void gather_keys_free (gather_keys_t *self, token_list_t *done);
/*  NULL: not there. */
gather_key_t *gather_keys_find (const gather_keys_t *self, result_kind_t kind, span_t tenant,
                                span_t scenario);
gather_key_t *gather_keys_add (gather_keys_t *self, result_kind_t kind, span_t tenant,
                               span_t scenario);
/*  Removes and frees it; tokens that its slots owe go to `done`. */
void gather_keys_remove (gather_keys_t *self, gather_key_t *key, token_list_t *done);

/*  The slot of a window, or NULL; *at is its index, or where it belongs. */
gather_slot_t *gather_key_slot (const gather_key_t *self, int64_t window_end_ms, uint32_t *at);
void gather_key_insert (gather_key_t *self, uint32_t at, gather_slot_t *slot);
/*  Frees the slot at an index; returns the bytes that it held. */
size_t gather_key_drop (gather_key_t *self, uint32_t at, token_list_t *done);

gather_window_t *gather_key_window (const gather_key_t *self, int64_t window_end_ms);
/*  Adds the window or replaces its entry; then keeps the newest history_windows (where that is
 * known). */
gather_window_t *gather_key_set_window (gather_key_t *self, const result_order_t *order,
                                        bool empty);
void gather_key_trim_windows (gather_key_t *self);
void gather_key_forget_windows (gather_key_t *self);
/*  Does a window with events lie within (window_end - history, window_end), of this lineage? */
bool gather_key_has_events_before (const gather_key_t *self, int64_t window_end_ms);

#endif
