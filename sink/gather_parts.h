/*  gather_parts: what the files of gather share: gather.c (what to publish), gather_put.c (parts that
 * arrive) and gather_tick.c (what time alone brings). Nobody else includes it.
 */
#ifndef HOTPATH_SINK_GATHER_PARTS_H
#define HOTPATH_SINK_GATHER_PARTS_H

#include "sink/gather.h"
#include "sink/key_queue.h"

struct gather {
    int64_t timeout_ms, tick_ms, sweep_ms;
    gather_keys_t keys;
    key_queue_t ready, lookups;
    part_reader_t *reader;
    token_list_t done;
    size_t done_at; /* tokens before it are taken */
    size_t bytes;
    uint32_t in_flight; /* publications under way */
    uint64_t given_up;
    uint64_t lesser, restored;
    span_t *contents;
    history_member_t *members;
};

/*  The key is looked at by the next gather_next. */
void gather_make_ready (gather_t *self, gather_key_t *key);
/*  The key's order in Redis is to be asked (again); nothing of it is published before. */
void gather_want_lookup (gather_t *self, gather_key_t *key);
/*  Frees a slot; tokens that it owes are done. */
void gather_drop_slot (gather_t *self, gather_key_t *key, uint32_t at);
/*  Makes keys ready that wait for the time only; forgets those that nothing came for. */
void gather_tick (gather_t *self, int64_t now_ms);

#endif
