/*  ack_peers: see ack_peers.h. */
#include "sink/ack_peers.h"

#include <czmq.h>

#include "common/incarnation.h"
#include "common/log.h"
#include "common/crash_point.h"
#include "common/memory.h"

typedef struct {
    char *endpoint; /* NULL: free */
    zsock_t *socket;
    uint64_t incarnation;
    uint32_t sink_index; /* which of its sinks we are */
    int64_t heard_ms;
    bool due;
} peer_t;

struct ack_peers {
    const char *name;
    uint64_t incarnation;
    peer_t peers[ACK_PEERS_MAX];
    uint32_t count; /* of places that were ever used */
    buffer_t frame, acks;
};

ack_peers_t *ack_peers_new (const char *name, uint64_t incarnation)
{
    ack_peers_t *self = memory_new (sizeof *self);
    self->name = name;
    self->incarnation = incarnation;
    return self;
}

static void close_peer (peer_t *peer, int linger_ms)
{
    if (peer->socket)
        zsock_set_linger (peer->socket, linger_ms);
    zsock_destroy (&peer->socket);
    free (peer->endpoint);
    *peer = (peer_t){0};
}

void ack_peers_destroy (ack_peers_t **self_p, int linger_ms)
{
    ack_peers_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++)
        close_peer (&self->peers[i], linger_ms);
    buffer_free (&self->frame);
    buffer_free (&self->acks);
    free (self);
    *self_p = NULL;
}

static zsock_t *connect_to (const char *endpoint)
{
    zsock_t *socket = zsock_new (ZMQ_PUSH);
    if (!socket)
        return NULL;
    zsock_set_linger (socket, 0);
    zsock_set_sndhwm (socket, ACK_FRAMES_MAX);
    if (zsock_connect (socket, "%s", endpoint) != 0)
        zsock_destroy (&socket);
    return socket;
}

/*  The place of an endpoint, a free one for it, or NULL. */
static peer_t *find_place (ack_peers_t *self, span_t endpoint)
{
    peer_t *place = NULL;
    for (uint32_t i = 0; i < self->count; i++) {
        peer_t *peer = &self->peers[i];
        if (!peer->endpoint)
            place = place ? place : peer;
        else if (span_equal (span_of (peer->endpoint), endpoint))
            return peer;
    }
    if (!place && self->count < ACK_PEERS_MAX)
        place = &self->peers[self->count++];
    return place;
}

static bool is_endpoint (span_t text)
{
    bool known = (text.size > 6 && memcmp (text.bytes, "ipc://", 6) == 0) ||
                 (text.size > 6 && memcmp (text.bytes, "tcp://", 6) == 0);
    return known && !memchr (text.bytes, 0, text.size);
}

int ack_peers_heard (ack_peers_t *self, const wire_header_t *header, const wire_results_t *frame,
                     int64_t now_ms)
{
    if (!is_endpoint (frame->answers))
        return -1;
    peer_t *peer = find_place (self, frame->answers);
    if (!peer)
        return -1;
    incarnation_verdict_t verdict =
        incarnation_judge (peer->incarnation, peer->heard_ms, header->incarnation, now_ms);
    if (!peer->endpoint || verdict == INCARNATION_NEWER) {
        /* Acks that wait in the old pipe are for a life that has ended. */
        close_peer (peer, 0);
        char *endpoint = memory_copy_string (frame->answers.bytes, frame->answers.size);
        peer->socket = connect_to (endpoint);
        if (!peer->socket) {
            free (endpoint);
            return -1;
        }
        peer->endpoint = endpoint;
        peer->incarnation = header->incarnation;
        peer->due = true;
        log_info ("worker heard", F_SPAN ("worker", header->sender), F_STR ("answers", endpoint));
    }
    if (verdict != INCARNATION_STALE)
        peer->heard_ms = now_ms;
    peer->sink_index = frame->sink_index;
    peer->due = peer->due || frame->result_count == 0;
    return (int)(peer - self->peers);
}

void ack_peers_tell_all (ack_peers_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        self->peers[i].due = self->peers[i].endpoint != NULL;
}

static void send_acks (ack_peers_t *self, uint32_t number, result_chain_t *chain,
                       uint64_t redis_generation)
{
    peer_t *peer = &self->peers[number];
    wire_acks_t head = {.redis_generation = redis_generation, .sink_index = peer->sink_index};
    wire_ack_t ack;
    if (peer->due)
        result_chain_greet (chain, number);
    buffer_clear (&self->acks);
    while (result_chain_next_ack (chain, number, &ack)) {
        wire_write_ack (&self->acks, &ack);
        head.ack_count++;
    }
    buffer_clear (&self->frame);
    wire_write_header (&self->frame, WIRE_ACKS, span_of (self->name), self->incarnation);
    wire_write_acks (&self->frame, &head);
    buffer_append (&self->frame, self->acks.bytes, self->acks.size);
    if (head.ack_count)
        CRASH_POINT (ACK_BEFORE);
    int sent =
        zmq_send (zsock_resolve (peer->socket), self->frame.bytes, self->frame.size, ZMQ_DONTWAIT);
    if (head.ack_count)
        CRASH_POINT (ACK_AFTER);
    peer->due = sent < 0; /* then all of it is told with the next one */
}

void ack_peers_send (ack_peers_t *self, result_chain_t *chain, uint64_t redis_generation)
{
    for (uint32_t i = 0; i < self->count; i++) {
        peer_t *peer = &self->peers[i];
        bool due = peer->endpoint && (peer->due || result_chain_has_ack (chain, i));
        if (due && (zsock_events (peer->socket) & ZMQ_POLLOUT))
            send_acks (self, i, chain, redis_generation);
    }
}

void ack_peers_forget (ack_peers_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->count; i++) {
        peer_t *peer = &self->peers[i];
        if (peer->endpoint && now_ms - peer->heard_ms > ACK_PEER_SILENCE_MS)
            close_peer (peer, 0);
    }
}
