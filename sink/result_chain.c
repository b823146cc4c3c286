/*  result_chain: see result_chain.h. Sequences that are executed out of order (a ranking waits for
 * other shards, a profile behind it does not) are remembered in a ring of bits from `executed` on.
 */
#include "sink/result_chain.h"

#include <sys/queue.h>

#include "common/buffer.h"
#include "common/check.h"
#include "common/memory.h"
#include "common/stage.h"

typedef struct link {
    uint32_t peer, shard;
    uint64_t epoch;
    uint64_t expected, executed;
    uint64_t *ring; /* bit (sequence % ring_bits): executed, for executed < sequence < expected */
    uint64_t ring_bits;
    buffer_t body; /* chunks so far */
    uint64_t body_first;
    uint32_t chunk_next, chunk_count; /* chunk_count 0: none is under way */
    bool chunks_bad;
    bool ack_due, gap;
    uint64_t gap_expected;
    int64_t gap_told_ms;
    struct link *next; /* of the same lineage */
    TAILQ_ENTRY (link) of_peer, due;
} link_t;

/*  The shards last heard of from one peer, and those of them to which an ack is due. */
typedef struct {
    TAILQ_HEAD (, link) links, due;
} peer_t;

enum { NO_PEER = CHAIN_PEERS_MAX };

typedef struct {
    uint64_t lineage;
    int64_t heard_ms;
    link_t *links[STAGE_COUNT][WIRE_SHARDS_MAX];
    link_t *first;
} lineage_t;

struct result_chain {
    uint64_t incarnation;
    lineage_t *lineages[CHAIN_LINEAGES_MAX];
    uint32_t lineage_count;
    peer_t peers[CHAIN_PEERS_MAX];
};

result_chain_t *result_chain_new (uint64_t incarnation)
{
    result_chain_t *self = memory_new (sizeof *self);
    self->incarnation = incarnation;
    for (uint32_t i = 0; i < CHAIN_PEERS_MAX; i++) {
        TAILQ_INIT (&self->peers[i].links);
        TAILQ_INIT (&self->peers[i].due);
    }
    return self;
}

/*  ---- whom an ack is due to ---- */

static void mark_due (result_chain_t *self, link_t *link)
{
    if (!link->ack_due)
        TAILQ_INSERT_TAIL (&self->peers[link->peer].due, link, due);
    link->ack_due = true;
}

static void unmark_due (result_chain_t *self, link_t *link)
{
    if (link->ack_due)
        TAILQ_REMOVE (&self->peers[link->peer].due, link, due);
    link->ack_due = false;
}

static void set_peer (result_chain_t *self, link_t *link, uint32_t peer)
{
    bool due = link->ack_due;
    if (link->peer == peer)
        return;
    unmark_due (self, link);
    if (link->peer != NO_PEER)
        TAILQ_REMOVE (&self->peers[link->peer].links, link, of_peer);
    link->peer = peer;
    if (peer != NO_PEER)
        TAILQ_INSERT_TAIL (&self->peers[peer].links, link, of_peer);
    if (due && peer != NO_PEER)
        mark_due (self, link);
}

/*  ---- links ---- */

static void free_lineage (result_chain_t *self, lineage_t *lineage)
{
    for (link_t *link = lineage->first, *next; link; link = next) {
        next = link->next;
        set_peer (self, link, NO_PEER);
        buffer_free (&link->body);
        free (link->ring);
        free (link);
    }
    free (lineage);
}

void result_chain_destroy (result_chain_t **self_p)
{
    result_chain_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->lineage_count; i++)
        free_lineage (self, self->lineages[i]);
    free (self);
    *self_p = NULL;
}

static lineage_t *find_lineage (const result_chain_t *self, uint64_t lineage)
{
    for (uint32_t i = 0; i < self->lineage_count; i++) {
        if (self->lineages[i]->lineage == lineage)
            return self->lineages[i];
    }
    return NULL;
}

static lineage_t *need_lineage (result_chain_t *self, uint64_t lineage)
{
    lineage_t *found = find_lineage (self, lineage);
    if (found)
        return found;
    uint32_t at = self->lineage_count;
    if (at == CHAIN_LINEAGES_MAX) {
        at = 0;
        for (uint32_t i = 1; i < CHAIN_LINEAGES_MAX; i++) {
            if (self->lineages[i]->heard_ms < self->lineages[at]->heard_ms)
                at = i;
        }
        free_lineage (self, self->lineages[at]);
    } else {
        self->lineage_count++;
    }
    self->lineages[at] = memory_new (sizeof (lineage_t));
    self->lineages[at]->lineage = lineage;
    return self->lineages[at];
}

static link_t *need_link (lineage_t *lineage, uint8_t stage, uint32_t shard)
{
    CHECK (stage < STAGE_COUNT && shard < WIRE_SHARDS_MAX);
    link_t **place = &lineage->links[stage][shard];
    if (!*place) {
        *place = memory_new (sizeof (link_t));
        (*place)->shard = shard;
        (*place)->peer = NO_PEER;
        (*place)->expected = 1;
        (*place)->next = lineage->first;
        lineage->first = *place;
    }
    return *place;
}

static void drop_chunks (link_t *link)
{
    buffer_free (&link->body);
    link->chunk_count = 0;
    link->chunks_bad = false;
}

static void begin_at (link_t *link, uint64_t sequence)
{
    drop_chunks (link);
    free (link->ring);
    link->ring = NULL;
    link->ring_bits = 0;
    link->expected = sequence;
    link->executed = sequence - 1;
    link->gap = false;
    link->gap_expected = 0;
}

static void begin_epoch (link_t *link, uint64_t epoch)
{
    link->epoch = epoch;
    begin_at (link, 1);
}

/*  What was numbered before is sent again by numbers from here on. */
static void begin_numbers (link_t *link, uint64_t sequence)
{
    if (sequence > link->expected)
        begin_at (link, sequence);
}

static void want_repeat (result_chain_t *self, link_t *link, int64_t now_ms)
{
    if (link->gap_expected == link->expected && now_ms - link->gap_told_ms < CHAIN_GAP_REPEAT_MS)
        return;
    link->gap_expected = link->expected;
    link->gap_told_ms = now_ms;
    link->gap = true;
    mark_due (self, link);
}

/*  Doubles the ring until `sequence` fits behind `executed`. */
static void grow_ring (link_t *link, uint64_t sequence)
{
    uint64_t bits = link->ring_bits ? link->ring_bits : 64;
    while (sequence - link->executed >= bits)
        bits *= 2;
    if (bits == link->ring_bits)
        return;
    uint64_t *ring = memory_new_array (bits / 64, sizeof *ring);
    for (uint64_t s = link->executed + 1; s - link->executed < link->ring_bits; s++) {
        uint64_t old = s % link->ring_bits, new = s % bits;
        if (link->ring[old / 64] >> (old % 64) & 1)
            ring[new / 64] |= UINT64_C (1) << (new % 64);
    }
    free (link->ring);
    link->ring = ring;
    link->ring_bits = bits;
}

static void set_executed (link_t *link, uint64_t sequence)
{
    if (sequence <= link->executed || sequence >= link->expected)
        return;
    grow_ring (link, sequence);
    uint64_t bit = sequence % link->ring_bits;
    link->ring[bit / 64] |= UINT64_C (1) << (bit % 64);
}

static void advance_executed (result_chain_t *self, link_t *link)
{
    while (link->executed + 1 < link->expected && link->ring_bits) {
        uint64_t bit = (link->executed + 1) % link->ring_bits;
        if (!(link->ring[bit / 64] >> (bit % 64) & 1))
            break;
        link->ring[bit / 64] &= ~(UINT64_C (1) << (bit % 64));
        link->executed++;
        mark_due (self, link);
    }
}

/*  A body of which not all chunks came will never be executed by others: its sequences count as
 * such. */
static void give_up_chunks (result_chain_t *self, link_t *link, uint64_t last)
{
    for (uint64_t s = link->body_first; s <= last; s++)
        set_executed (link, s);
    advance_executed (self, link);
    drop_chunks (link);
}

static chain_verdict_t take_chunk (result_chain_t *self, link_t *link, const wire_result_t *result,
                                   chain_token_t *token, span_t *body)
{
    uint64_t sequence = link->expected++;
    bool whole = result->chunk_count == 1 && result->chunk == 0;
    if (link->chunk_count == 0) {
        drop_chunks (link);
        link->body_first = sequence;
        link->chunk_next = 0;
        link->chunk_count = result->chunk_count;
    }
    bool fits = result->chunk_count > 0 && result->chunk_count == link->chunk_count &&
                result->chunk == link->chunk_next &&
                result->body.size <= CHAIN_BODY_BYTES_MAX - link->body.size;
    if (!fits) {
        give_up_chunks (self, link, sequence);
        return CHAIN_BAD;
    }
    token->first = link->body_first;
    token->last = sequence;
    if (whole) {
        link->chunk_count = 0;
        *body = result->body;
        return CHAIN_ACCEPT;
    }
    buffer_append (&link->body, result->body.bytes, result->body.size);
    if (++link->chunk_next < link->chunk_count)
        return CHAIN_PART;
    link->chunk_count = 0;
    *body = (span_t){(const char *)link->body.bytes, link->body.size};
    return CHAIN_ACCEPT;
}

chain_verdict_t result_chain_take (result_chain_t *self, uint32_t peer, const wire_results_t *frame,
                                   const wire_result_t *result, bool room, int64_t now_ms,
                                   chain_token_t *token, span_t *body)
{
    CHECK (peer < CHAIN_PEERS_MAX);
    lineage_t *lineage = need_lineage (self, frame->lineage);
    lineage->heard_ms = now_ms;
    link_t *link = need_link (lineage, frame->stage, result->shard);
    *body = (span_t){0};
    *token = (chain_token_t){.lineage = frame->lineage,
                             .stage = frame->stage,
                             .shard = result->shard,
                             .epoch = result->epoch};
    if (result->epoch < link->epoch)
        return CHAIN_OLD_EPOCH;
    if (result->epoch > link->epoch)
        begin_epoch (link, result->epoch);
    set_peer (self, link, peer);
    if (frame->sink_incarnation != self->incarnation) {
        /* What was under way when it learned of us comes behind: it has begun anew already. */
        if (link->expected == 1)
            want_repeat (self, link, now_ms);
        return CHAIN_OTHER_SINK;
    }
    if (result->chunk_count == 0 && result->chunk == WIRE_MARK_BEGIN) {
        begin_numbers (link, result->sequence);
        return CHAIN_MARK;
    }
    /* Behind a lost tail nothing would come that shows the gap; nor behind a lost answer that told of one. */
    if (result->chunk_count == 0 && result->sequence <= link->expected)
        return CHAIN_MARK;
    if (result->sequence < link->expected)
        return CHAIN_REPEAT;
    if (result->sequence > link->expected) {
        want_repeat (self, link, now_ms);
        return CHAIN_GAP;
    }
    if (!room || link->expected - link->executed > CHAIN_OUTSTANDING_MAX) {
        want_repeat (self, link, now_ms);
        return CHAIN_FULL;
    }
    return take_chunk (self, link, result, token, body);
}

void result_chain_executed (result_chain_t *self, const chain_token_t *token)
{
    lineage_t *lineage = find_lineage (self, token->lineage);
    link_t *link = lineage ? lineage->links[token->stage][token->shard] : NULL;
    if (!link || link->epoch != token->epoch)
        return;
    for (uint64_t s = token->first; s <= token->last; s++)
        set_executed (link, s);
    advance_executed (self, link);
}

void result_chain_greet (result_chain_t *self, uint32_t peer)
{
    link_t *link;
    CHECK (peer < CHAIN_PEERS_MAX);
    TAILQ_FOREACH (link, &self->peers[peer].links, of_peer) {
        mark_due (self, link);
    }
}

bool result_chain_has_ack (const result_chain_t *self, uint32_t peer)
{
    CHECK (peer < CHAIN_PEERS_MAX);
    return !TAILQ_EMPTY (&self->peers[peer].due);
}

bool result_chain_next_ack (result_chain_t *self, uint32_t peer, wire_ack_t *ack)
{
    CHECK (peer < CHAIN_PEERS_MAX);
    link_t *link = TAILQ_FIRST (&self->peers[peer].due);
    if (!link)
        return false;
    *ack = (wire_ack_t){.shard = link->shard,
                        .epoch = link->epoch,
                        .executed = link->executed,
                        .expected = link->expected,
                        .gap = link->gap};
    unmark_due (self, link);
    link->gap = false;
    return true;
}
