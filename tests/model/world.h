/*  world: which processes a schedule has, and their lives: what the main of each executable
 *  does, with settings of the schedule's instead of a command line.
 */
#ifndef HOTPATH_MODEL_WORLD_H
#define HOTPATH_MODEL_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include "sim.h"

enum { WORLD_WORKERS_MAX = 4, WORLD_INGESTORS_MAX = 3, WORLD_SINKS_MAX = 2 };

typedef struct {
    uint32_t shard_count, ingestor_count, worker_count, sink_count;
    bool fixed_names;     /* a process has the same name, and endpoint, in all its lives */
    int64_t commit_interval_ms, gather_timeout_ms, max_skew_ms, redis_timeout_ms;
    uint64_t revision;    /* of the config, as configd has it */
} world_t;

extern world_t world;

/*  Makes the processes of `world`; none is started yet. Workers beyond worker_count are made
 *  too, and not wanted. */
void world_begin (void);
process_t *world_process (process_kind_t kind, uint32_t number);
/*  What an event of a ranked item scores by a revision. */
double world_weight (uint64_t revision);

#endif
