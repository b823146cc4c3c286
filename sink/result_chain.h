/*  result_chain: the second hop's chain: which results of each shard have come, and which Redis
 * has.
 *
 *  For each (lineage, stage, shard): the epoch, the sequence expected next, and the sequence up to
 * which everything is executed. A frame's result is taken only if it is the expected one; a gap is
 * refused and said once a second, so that one gap makes one repetition. Chunks of one body have a
 * sequence each and are put together here.
 *
 *  Pure: no socket and no clock; it keeps no results.
 */
#ifndef HOTPATH_SINK_RESULT_CHAIN_H
#define HOTPATH_SINK_RESULT_CHAIN_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"
#include "common/wire.h"

enum {
    CHAIN_BODY_BYTES_MAX = WIRE_FRAME_BYTES_MAX, /* of a body put together from chunks */
    CHAIN_LINEAGES_MAX = 64,         /* known at a time; the one longest unheard of makes room */
    CHAIN_OUTSTANDING_MAX = 1 << 20, /* accepted and not executed, of one shard */
    CHAIN_GAP_REPEAT_MS = 1000,
    CHAIN_PEERS_MAX = 1024, /* workers that can be told of acks */
};

typedef enum {
    CHAIN_ACCEPT, /* taken; *body is whole */
    CHAIN_PART,   /* taken; the body is not whole yet */
    CHAIN_BAD, /* taken, but its chunks do not fit or are too large: to be counted; it is executed
                */
    CHAIN_REPEAT,     /* came before: not an error */
    CHAIN_GAP,        /* refused: something before it is missing */
    CHAIN_OLD_EPOCH,  /* refused: the shard has another owner by now */
    CHAIN_OTHER_SINK, /* refused: numbered for another life of the sink */
    CHAIN_FULL,       /* refused: no room, or too many outstanding */
    CHAIN_MARK,       /* says where the chain stands, as it does, or where it begins anew */
} chain_verdict_t;

/*  Names the sequences of one taken body, for result_chain_executed. */
typedef struct {
    uint64_t lineage;
    uint8_t stage;
    uint32_t shard;
    uint64_t epoch;
    uint64_t first, last;
} chain_token_t;

typedef struct result_chain result_chain_t;

/*  `incarnation`: of this life of the sink. */
result_chain_t *result_chain_new (uint64_t incarnation);
void result_chain_destroy (result_chain_t **self_p);

/*  Judges one result of a frame; `peer` (below CHAIN_PEERS_MAX) is who sent it (its acks are read by
 * result_chain_next_ack). ACCEPT: *body is the whole body (of the frame, or the chain's own until
 * the next call for this shard), *token names it. GAP, OTHER_SINK, FULL: an ack with `gap` is due,
 * at most once in CHAIN_GAP_REPEAT_MS while it stays so. `result->shard` must be below
 * WIRE_SHARDS_MAX, `stage` below STAGE_COUNT. `room`: whether there is room for one that is next. */
chain_verdict_t result_chain_take (result_chain_t *self, uint32_t peer, const wire_results_t *frame,
                                   const wire_result_t *result, bool room, int64_t now_ms,
                                   chain_token_t *token, span_t *body);

/*  Redis has it (or it needs not be written). */
void result_chain_executed (result_chain_t *self, const chain_token_t *token);

/*  All shards last heard of from `peer` are to be acked (it greeted). */
void result_chain_greet (result_chain_t *self, uint32_t peer);
/*  Takes the next ack that is due to `peer`; false: none. */
bool result_chain_next_ack (result_chain_t *self, uint32_t peer, wire_ack_t *ack);
/*  Is any ack due to `peer`? Costs nothing: it is asked for each peer each turn. */
bool result_chain_has_ack (const result_chain_t *self, uint32_t peer);

#endif
