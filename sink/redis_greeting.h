/*  redis_greeting: what is said on a new connection before anything is written, and what its answers
 *  mean: may we write, are we alone, and is Redis still what it was? Pure: the caller moves the bytes.
 *
 *      AUTH, SELECT (where the URL says so), CLIENT SETNAME, CLIENT ID, CLIENT LIST,
 *      INFO server, INFO replication, WATCH marker, GET marker
 *          -> judged: master? of what generation? has a later life of this sink taken over?
 *      MULTI, SET marker, EXEC, CLIENT LIST
 *          -> the marker is ours: whoever of our name comes later with a lesser life is turned away
 *      CLIENT KILL ID (each other connection of our name)
 *          -> nothing that they still hold is executed behind what we write
 *
 *  The generation is that of what Redis holds: it changes where the server is another (run_id), has
 *  another history (master_replid: it went through a failover), or has no marker (emptied).
 *
 *  Two sinks of one name: of lives of one sink the later wins (the former was frozen, or cut off). At
 *  its first greeting a sink that finds another alive does not take over: two are running by mistake.
 */
#ifndef HOTPATH_SINK_REDIS_GREETING_H
#define HOTPATH_SINK_REDIS_GREETING_H

#include <stdbool.h>
#include <stdint.h>
#include "sink/commands.h"
#include "sink/redis_answer.h"
#include "sink/redis_marker.h"
#include "sink/redis_url.h"

enum {
    GREETING_RIVAL_IDLE_S = 3, /* a sink says something each second: one silent for longer is gone */
    GREETING_CLIENTS_MAX = 64, /* connections of our name */
    GREETING_REASON_BYTES = 512,
    GREETING_MARKER_TTL_S = 30 * 86400,
};

typedef enum {
    GREETING_GOES_ON,
    GREETING_DONE,
    GREETING_FAILED,     /* may pass: try again */
    GREETING_REFUSED,    /* password, database, permissions, kind of server: somebody must act */
    GREETING_RIVAL,      /* another sink of this name is alive */
    GREETING_SUPERSEDED, /* a later life of this sink has taken over: never write again */
} greeting_verdict_t;

typedef struct redis_greeting redis_greeting_t;

/*  `client_name` is what the connection is called, `life` the incarnation of this process (wall clock).
 *  Texts are copied. */
redis_greeting_t *redis_greeting_new (const char *client_name, const char *marker_key,
                                      bool cluster_keys, uint64_t life);
void redis_greeting_destroy (redis_greeting_t **self_p);

/*  A connection stands: the commands to send, valid until the next redis_greeting_begin or destroy. */
const commands_t *redis_greeting_begin (redis_greeting_t *self, const redis_url_t *url);
/*  Takes the next answer. GOES_ON: *next is NULL or what to send now (valid as above). DONE: write. The
 *  others: the connection is of no use; redis_greeting_reason says why. `wall_ms`: for a new generation.
 */
greeting_verdict_t redis_greeting_take (redis_greeting_t *self, const redis_answer_t *answer,
                                        int64_t wall_ms, const commands_t **next);
const char *redis_greeting_reason (const redis_greeting_t *self);
/*  A sentence about a command that was refused and can be done without, once; else NULL. */
const char *redis_greeting_warning (redis_greeting_t *self);

/*  After DONE: the marker as it stands in Redis; its generation and life are ours. (The life is greater
 *  than that given where Redis knew a greater one: a clock was set back.) */
const redis_marker_t *redis_greeting_marker (const redis_greeting_t *self);
/*  How many connections of our name it ended. */
uint32_t redis_greeting_ended (const redis_greeting_t *self);

/*  What the server says of itself in INFO (a section): GOES_ON, or with a reason FAILED (a replica) or
 *  REFUSED (a cluster, and the keys are plain). Fills the ids of `marker` that it tells. For the check
 *  each second as well. */
greeting_verdict_t redis_greeting_read_info (redis_greeting_t *self, const char *info,
                                             redis_marker_t *marker);

#endif
