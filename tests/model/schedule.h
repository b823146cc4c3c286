/*  schedule: one run of the model from one seed: a world, its events, a time with faults, then
 *  calm until all is as the oracle says. The same seed gives the same schedule.
 */
#ifndef HOTPATH_MODEL_SCHEDULE_H
#define HOTPATH_MODEL_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include "faults.h"

typedef struct {
    uint64_t seed;
    uint32_t kinds;   /* of faults that may be drawn, as bits */
    uint64_t without; /* faults left out, as bits */
} schedule_t;

typedef struct {
    uint32_t steps, calm_steps; /* in all; of those, until all was quiet */
    int64_t calm_ms;
} schedule_result_t;

/*  True: all promises were kept. Else sim.failure says which was not. */
bool schedule_run (const schedule_t *self, schedule_result_t *result);
/*  The faults that a seed has. */
void schedule_faults (const schedule_t *self, faults_t *faults);

#endif
