/*  state_clock: a clock that never goes back within one state folder: it gives the wall clock, or
 *  one more than it ever gave where that is greater. Incarnations and epochs come from it, so that
 *  a clock set back makes no new life look older than a former one, also where a shard's own store,
 *  which keeps its epoch, was lost. Kept in STATE/clock as text, shared by all processes of the
 *  folder.
 *
 *  It is a help, not a promise: where the file cannot be read or written the wall clock is given.
 */
#ifndef HOTPATH_STATE_CLOCK_H
#define HOTPATH_STATE_CLOCK_H

#include <stdint.h>

/*  The next number, at least `least` and `wall_ms` (ms since the epoch); remembered. Waits at
 *  most half a second for another process. */
uint64_t state_clock_next (const char *state, uint64_t least, int64_t wall_ms);

#endif
