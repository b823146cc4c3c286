/*  gather_keys: what the sink knows of each (tenant, scenario, kind): its slots, and the order of
 * what Redis has. Plain structures with their bookkeeping; gather.c decides. Pure.
 */
#ifndef HOTPATH_SINK_GATHER_KEYS_H
#define HOTPATH_SINK_GATHER_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/results.h"
#include "sink/gather_history.h"
#include "sink/gather_slot.h"
#include "sink/result_order.h"

/*  How far a shard has come with its parts of a scenario: the window of the last one that it sent. */
typedef struct {
    uint64_t epoch;
    int64_t window_end_ms;
} gather_told_t;

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
    gather_history_t history; /* metrics */
    gather_told_t *told;      /* metrics: by shard, of told_revision */
    uint32_t told_count;
    revision_t told_revision;
    int64_t *empty_until_ms; /* metrics: by shard, see result_metrics_t; NULL: nothing was said */
    uint32_t empty_count;
    uint32_t history_windows;
    int64_t slide_ms, ttl_ms;
    bool lost; /* Redis lost it, and no worker has sent anything of it since: it may have ended */
    revision_t config_revision;
    span_t metrics_json; /* of config_revision; own memory */
    bool in_flight;      /* one publication at a time */
    int64_t flight_window_ms;
    token_list_t flight; /* tokens that are done with it */
    int64_t retry_ms, published_ms, touched_ms;
    int64_t look_ms; /* when time alone may change something of it (gather.c) */
} gather_key_t;

typedef struct {
    gather_key_t **buckets;
    uint32_t bucket_count, count;
    history_memory_t memory; /* of all histories */
} gather_keys_t;

void gather_keys_init (gather_keys_t *self, size_t history_bytes_max);
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

/*  Does one of its slots have something that is not published? */
bool gather_key_waits (const gather_key_t *self);

/*  A shard sent its part of a window. */
void gather_key_tell (gather_key_t *self, uint32_t shards_total, const chain_token_t *token,
                      revision_t revision, int64_t window_end_ms);
/*  Has a shard sent a part of that revision of a later window? Then it will send none of this one: shards
 *  send windows in their order, what is not acknowledged before what is new. */
bool gather_key_is_past (const gather_key_t *self, uint32_t shard, revision_t revision,
                         int64_t window_end_ms);

/*  A shard says until when it has no events of the scenario: parts of windows that end by then need not come. */
void gather_key_tell_empty (gather_key_t *self, uint32_t shards_total, uint32_t shard,
                            int64_t empty_until_ms);
bool gather_key_is_empty (const gather_key_t *self, uint32_t shard, int64_t window_end_ms);
/*  Another lineage's shards said nothing. */
void gather_key_forget_empty (gather_key_t *self);

/*  Does a window with events lie within (window_end - history, window_end), of this lineage? */
bool gather_key_has_events_before (const gather_key_t *self, int64_t window_end_ms);

#endif
