/*  gather_slot: the parts of one window of one scenario, from all shards. Which of them count
 * together: rankings those of one revision only, the greatest; metrics all with the greatest
 * revision's window (sums hold whatever the revision). It does not decide when to publish
 * (gather.c). Pure.
 */
#ifndef HOTPATH_SINK_GATHER_SLOT_H
#define HOTPATH_SINK_GATHER_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/results.h"
#include "sink/token_list.h"

/*  One shard's part, with the newest content that it sent. */
typedef struct {
    bool present, counts; /* counts: goes into the result as it stands */
    bool empty;           /* not present: its shard said that it has no events there */
    bool owes;            /* its token is neither done nor in a publication */
    bool exact;
    int64_t since_ms; /* event time from which on its revision has run there */
    revision_t revision;
    int64_t window_start_ms, ttl_ms;
    uint64_t total_actions; /* metrics */
    uint64_t hash;          /* gather_slot_hash */
    uint8_t *content;
    size_t content_bytes;
    chain_token_t token;
} gather_part_t;

typedef struct {
    result_kind_t kind;
    int64_t window_start_ms, window_end_ms; /* start and ttl: as the greatest revision has them */
    int64_t ttl_ms;
    revision_t revision; /* the greatest seen */
    uint32_t shards_total, reported;
    gather_part_t *parts;    /* shards_total */
    bool dirty;              /* something in it has not been published */
    int64_t dirty_ms;        /* since when it waits for the rest */
    bool forced;             /* to be published as it is: newer windows need its room */
    bool published, skipped; /* skipped: an empty window that is not to be written */
    bool published_complete;
    int64_t held_until_ms; /* its tokens are not done before: 0: they are; INT64_MAX: they were held once */
    revision_t published_revision;
    size_t bytes;
} gather_slot_t;

/*  A part as it arrives; content is borrowed. */
typedef struct {
    const result_header_t *header;
    span_t content;
    uint64_t total_actions;
    const chain_token_t *token;
} gather_arrival_t;

gather_slot_t *gather_slot_new (result_kind_t kind, int64_t window_end_ms, uint32_t shards_total);
/*  Frees it; tokens that it still owes go to `done`. */
void gather_slot_destroy (gather_slot_t **self_p, token_list_t *done);

/*  Takes a shard's part (token->shard < shards_total); it replaces what that shard sent before,
 * unless that has a greater revision. Tokens of parts that count no longer go to `done`. */
void gather_slot_put (gather_slot_t *self, const gather_arrival_t *arrival, int64_t now_ms,
                      token_list_t *done);

/*  A shard has no events in this window and need not send a part of it. */
void gather_slot_put_empty (gather_slot_t *self, uint32_t shard, int64_t now_ms);

bool gather_slot_complete (const gather_slot_t *self);
/*  All parts that count are exact. */
bool gather_slot_exact (const gather_slot_t *self);
/*  From which event time on the revision has run in all shards whose parts count by it. */
int64_t gather_slot_since_ms (const gather_slot_t *self);
/*  No event counted in the window (metrics). */
bool gather_slot_empty (const gather_slot_t *self);
/*  Every part that counts has the greatest revision. */
bool gather_slot_uniform (const gather_slot_t *self);
/*  Contents of the parts that count, into `contents` (room for shards_total); returns how many. */
uint32_t gather_slot_contents (const gather_slot_t *self, span_t *contents);
/*  Moves the tokens that it owes to `tokens`. */
void gather_slot_take_tokens (gather_slot_t *self, token_list_t *tokens);
/*  Hash of all that a part says. */
uint64_t gather_slot_hash (const result_header_t *header, span_t content);

#endif
