/*  worker_pause: for how long a worker applied nothing, and for how long of that events had come.
 *
 *      worker_pause_none_waits (&pause, now_ms);     each time when intake was found empty
 *      worker_pause_applied (&pause, now_ms);        each time when events were applied
 *
 *  A stream that is quiet makes long gaps and no stalls: a stall is what the worker itself, or its
 *  wait for a core, takes from the events. Times in ms of one monotonic clock.
 */
#ifndef HOTPATH_WORKER_PAUSE_H
#define HOTPATH_WORKER_PAUSE_H

#include <stdint.h>

enum { WORKER_PAUSE_MS = 30000 }; /* half of what is looked back on at most */

/*  The greatest of the last half to whole minute. */
typedef struct {
    int64_t began_ms; /* of the present half minute */
    int64_t longest_ms, longest_before_ms;
} worker_longest_t;

/*  All zero is a good start. */
typedef struct {
    int64_t applied_ms; /* the last ones; 0: none yet */
    int64_t free_ms;    /* until then none waited */
    worker_longest_t gap, stall;
} worker_pause_t;

void worker_pause_none_waits (worker_pause_t *self, int64_t now_ms);
void worker_pause_applied (worker_pause_t *self, int64_t now_ms);

/*  The longest of those that had ended by the last events, in ms; 0 without any. */
int64_t worker_pause_longest_ms (const worker_longest_t *self);

#endif
