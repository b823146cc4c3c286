/*  sim_network: connections from one process to an endpoint of another, as ZeroMQ's from PUSH to PULL;
 *  its functions, as hotpath calls them, are in sim_zmq.c.
 *
 *  A connection is a pipe of its own. Frames of one pipe arrive in order, each after a delay; pipes
 *  know nothing of each other, so what a new connection carries may overtake an old one. A pipe holds
 *  a bounded number of frames. When the receiver dies, what had arrived is lost, and some of what was
 *  under way; the rest waits for its next life at that endpoint. When the sender dies, some of what
 *  was under way is lost, from the end. Beyond that a hostile proxy may drop, repeat and swap single
 *  frames.
 */
#ifndef HOTPATH_MODEL_SIM_NETWORK_H
#define HOTPATH_MODEL_SIM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim.h"

enum { NETWORK_ENDPOINT_BYTES = 64 };

typedef struct {
    uint32_t frames_max; /* that a pipe holds, where its high-water marks allow more */
    int64_t delay_ms_max;
    uint32_t slow;               /* in thousand: a frame takes seconds */
    uint32_t drop, repeat, swap; /* in thousand: the hostile proxy */
} network_t;

void sim_network_begin (const network_t *network);
/*  No more slow or hostile frames; what is under way arrives soon. */
void sim_network_calm (void);
/*  Has a frame come for this process? */
bool sim_network_waits (const process_t *process);
/*  Frees all of it. */
void sim_network_end (void);

/*  ---- the ends of connections; they are the caller's ---- */

/*  Who listens at an endpoint. */
typedef struct listener {
    struct listener *next;
    process_t *owner;
    char endpoint[NETWORK_ENDPOINT_BYTES];
} listener_t;

/*  Listens at `endpoint` (one that ends with * is given a number). -1: another does. */
int network_listen (listener_t *self, const char *endpoint);
void network_leave (listener_t *self);

typedef struct pipe pipe_t;

/*  Conflate: only the newest frame waits. */
pipe_t *network_connect (const char *endpoint, uint32_t frames_max, bool conflate);
/*  Linger: all that is under way is delivered. */
void network_close (pipe_t *pipe, bool linger);
bool network_has_room (const pipe_t *pipe);
void network_push (pipe_t *pipe, const void *bytes, size_t size);

bool network_is_readable (const listener_t *self);
/*  A frame that has come, of any connection; the caller's to free. False: none has. */
bool network_pull (const listener_t *self, void **bytes, size_t *size);

#endif
