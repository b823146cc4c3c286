/*  clock: the only place that asks the time. Pure modules take it as an argument. */
#ifndef HOTPATH_CLOCK_H
#define HOTPATH_CLOCK_H

#include <stdint.h>

/*  Wall clock, ms since the epoch, UTC. */
int64_t clock_wall_ms (void);
/*  Monotonic, ms and us since some start of its own. */
int64_t clock_ms (void);
int64_t clock_us (void);

#endif
