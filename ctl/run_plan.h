/*  run_plan: what `hotpath run` starts: each child with its name, command line, environment, and
 * its place in the order of start and of stop. Pure. Not here: starting it (children), when (run).
 *
 *      start   configd, then the sinks, then workers and ingestors
 *      stop    ingestors, then the workers (they drain), then the sinks, then configd
 */
#ifndef HOTPATH_CTL_RUN_PLAN_H
#define HOTPATH_CTL_RUN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ctl/run_settings.h"

typedef enum {
    PART_CONFIGD,
    PART_SINK,
    PART_SCORER,
    PART_PROFILER,
    PART_METRICS,
    PART_INGESTOR,
    PART_COUNT,
} part_t;

enum {
    RUN_BEAT_FD = 3, /* where each child finds its beat pipe */
    RUN_START_STAGES = 3,
    RUN_STOP_STAGES = 4,
    RUN_FIRST_BEAT_MS = 60000, /* a child that says nothing for so long after its start hangs */
    RUN_REDIS_AGAIN_MS =
        50000, /* how long a sink's later lives wait for Redis; below RUN_FIRST_BEAT_MS */
    RUN_SOCKET_NAME_BYTES = 32, /* longest name of a socket in the sockets' folder, "/" included */
};

typedef struct {
    part_t part;
    uint32_t index;   /* among the children of its part */
    char name[32];    /* "scorer-0" */
    char **arguments; /* [0] is the path of the program; NULL ends them */
    size_t argument_count;
    char *again;           /* one more argument from its second life on, or NULL */
    char *secret;          /* one more variable of its environment, "NAME=VALUE", or NULL */
    bool reads_input;      /* it gets standard input */
    int64_t first_beat_ms; /* at most this long after its start */
} run_child_t;

typedef struct {
    run_child_t *children;
    uint32_t count;
} run_plan_t;

/*  programs: folder of the executables; sockets: folder of their ipc sockets. Fails never. */
run_plan_t *run_plan_new (const run_settings_t *settings, const char *programs,
                          const char *sockets);
void run_plan_destroy (run_plan_t **self_p);

/*  0 .. RUN_START_STAGES - 1 and 0 .. RUN_STOP_STAGES - 1. */
uint32_t run_plan_start_stage (part_t part);
uint32_t run_plan_stop_stage (part_t part);
/*  "hotpath-scorer"; static. */
const char *run_plan_program (part_t part);
/*  Which parts get the setting of this name: bit i is part i; 0: `run` keeps it, or makes it into
 * others; -1: no such setting. */
int run_plan_takers (const char *setting);
/*  Can ipc sockets live in this folder: is each path short enough for the kernel, and no comma in
 * it (it would end the endpoint in a list)? */
bool run_plan_sockets_fit (const char *folder);

#endif
