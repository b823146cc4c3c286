/*  ack_peers: the workers that results come from, each with a PUSH to the endpoint where it takes
 * acks.
 *
 *  A peer is known by that endpoint; it is forgotten after a minute of silence. Acks are never
 * waited for: what a peer does not take now is due again later.
 */
#ifndef HOTPATH_SINK_ACK_PEERS_H
#define HOTPATH_SINK_ACK_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"
#include "common/wire.h"
#include "sink/result_chain.h"

enum {
    ACK_PEERS_MAX = CHAIN_PEERS_MAX,
    ACK_PEER_SILENCE_MS = 60000,
    ACK_FRAMES_MAX = 100, /* waiting for a peer that does not take them */
};

typedef struct ack_peers ack_peers_t;

/*  `name`: of the sink, borrowed for life. */
ack_peers_t *ack_peers_new (const char *name, uint64_t incarnation);
/*  Acks under way are given up to linger_ms. */
void ack_peers_destroy (ack_peers_t **self_p, int linger_ms);

/*  Number of the peer that a frame came from (below ACK_PEERS_MAX), or -1: no endpoint that can be
 *  answered, or too many. An ack is due where the frame is a greeting. */
int ack_peers_heard (ack_peers_t *self, const wire_header_t *header, const wire_results_t *frame,
                     int64_t now_ms);
/*  An ack is due to every peer. */
void ack_peers_tell_all (ack_peers_t *self);
/*  Sends what is due. */
void ack_peers_send (ack_peers_t *self, result_chain_t *chain, uint64_t redis_generation);
/*  Forgets who is silent since ACK_PEER_SILENCE_MS. */
void ack_peers_forget (ack_peers_t *self, int64_t now_ms);

#endif
