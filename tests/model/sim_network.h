/*  sim_network: ZeroMQ as hotpath uses it, PUSH to PULL, in place of libzmq and libczmq.
 *
 *  A connection is a pipe of its own. Frames of one pipe arrive in order, each after a delay; pipes know
 *  nothing of each other, so what a new connection carries may overtake an old one. A pipe holds a
 *  bounded number of frames. When the receiver dies, what had arrived is lost, and some of what was under
 *  way; the rest waits for its next life at that endpoint. When the sender dies, some of what was under
 *  way is lost, from the end. Beyond that a hostile proxy may drop, repeat and swap single frames.
 */
#ifndef HOTPATH_MODEL_SIM_NETWORK_H
#define HOTPATH_MODEL_SIM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include "sim.h"

typedef struct {
    uint32_t frames_max; /* that a pipe holds, where its high-water marks allow more */
    int64_t delay_ms_max;
    uint32_t slow;               /* in thousand: a frame takes up to SLOW_MS_MAX */
    uint32_t drop, repeat, swap; /* in thousand: the hostile proxy */
} network_t;

void sim_network_begin (const network_t *network);
/*  No more slow or hostile frames; what is under way arrives soon. */
void sim_network_calm (void);
/*  Has a frame come for this process? */
bool sim_network_waits (const process_t *process);
/*  Frees all of it. */
void sim_network_end (void);

#endif
