/*  frame_line: the frames on one way through the proxy, and what befalls them. By chance, from a seed, a frame is
 *  lost, sent a second time later on, kept back with all that come behind it, or kept back alone, so that others
 *  pass it. Pure: time is an argument. Bounded: who finds no room takes nothing more from the sender.
 */
#ifndef HOTPATH_FRAME_LINE_H
#define HOTPATH_FRAME_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/span.h"

enum { FRAME_LINE_ROOM = 64, FRAME_LINE_FRAMES_MAX = 2 * FRAME_LINE_ROOM /* with those sent twice */ };

/*  Chances of one frame, 0 to 1, each for itself; a lost one has no other fate. */
typedef struct {
    double drop, repeat, delay, reorder;
    uint32_t hold_ms; /* the longest that a frame is kept back; a second copy as long again */
} frame_faults_t;

typedef struct {
    uint64_t came, bytes;
    uint64_t sent;      /* copies included */
    uint64_t dropped, repeated, delayed;
    uint64_t reordered; /* sent after one that came later */
} frame_counts_t;

typedef struct frame_line frame_line_t;

frame_line_t *frame_line_new (uint64_t seed);
void frame_line_destroy (frame_line_t **self_p);
/*  From now on; without faults a line is a queue. */
void frame_line_set (frame_line_t *self, const frame_faults_t *faults);
const frame_counts_t *frame_line_counts (const frame_line_t *self);

bool frame_line_has_room (const frame_line_t *self);
/*  Takes a copy of the frame; there must be room. */
void frame_line_put (frame_line_t *self, span_t frame, int64_t now_ms);
/*  The frame that is to be sent now, borrowed until the next call; bytes NULL: none. It stays the next one
 *  until frame_line_sent says that it has gone. */
span_t frame_line_next (frame_line_t *self, int64_t now_ms);
void frame_line_sent (frame_line_t *self);
/*  How long (ms) until one is to be sent: 0 now; -1: there is none. */
int64_t frame_line_wait_ms (const frame_line_t *self, int64_t now_ms);

#endif
