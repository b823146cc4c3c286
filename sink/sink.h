/*  sink: the process that gathers results and writes them to Redis: its one loop.
 *
 *  In: results (PULL, from workers). Out: acks (PUSH to each worker), commands (Redis).
 *  A result's way: result_chain (is it the next one?) -> profile: result_commands -> redis_writer;
 *  ranking or metrics part: gather -> (all shards, or time is up) -> result_commands -> redis_writer;
 *  executed -> result_chain -> ack_peers. It does not: know the configuration (each result brings what
 *  it needs), compute scores, keep state on disk. While Redis cannot take more, or is away, the sink
 *  takes no more results: they wait as owed.
 */
#ifndef HOTPATH_SINK_SINK_H
#define HOTPATH_SINK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/beat.h"
#include "common/status.h"
#include "sink/redis_url.h"

enum {
    SINK_FRAMES_A_TURN = 64,
    SINK_RECEIVE_FRAMES = 64, /* high-water mark of the intake */
    SINK_TURN_MS = 20,        /* the loop turns at least so often */
    SINK_DRAIN_MS = 5000,
    SINK_LINGER_MS = 500,
    SINK_SWEEP_MS = 1000,  /* how often peers are looked at */
    SINK_CROWDED_MS = 1000, /* without room for profiles: the rest is taken without them */
    SINK_RIVAL_MS = 15000, /* how long a start waits for another sink of its name to end */
};

typedef struct {
    const char *listen;       /* endpoint */
    const char *name;         /* [A-Za-z0-9._-] */
    const redis_url_t *redis; /* changes within `reload` alone */
    /*  Reads the URL again; true where it is another by now, and is in *redis. */
    bool (*reload) (void *arg);
    void *reload_arg;
    bool can_reload; /* the URL came from a file */
    int64_t redis_timeout_ms, redis_wait_ms, gather_timeout_ms;
    const char *key_prefix;
    bool cluster_keys, allow_plain_tcp;
    const status_settings_t *status;
    bool name_given; /* by a setting */
    beat_t beat;
} sink_options_t;

typedef struct sink sink_t;

/*  Connects to Redis and listens. NULL with a sentence in error and the sysexits code in *code.
 *  `options` and what it points to are borrowed for life. */
sink_t *sink_new (const sink_options_t *options, char *error, size_t error_size, int *code);
/*  Works until SIGTERM: EX_OK; or until a later life of this sink has taken over: EX_TEMPFAIL. */
int sink_run (sink_t *self);
/*  Takes nothing more; waits, at most SINK_DRAIN_MS, until Redis has what is under way, and acks
 * it. What is still gathered is not acked: its workers send it to the next life of the sink. */
void sink_drain (sink_t *self);
void sink_destroy (sink_t **self_p);

#endif
