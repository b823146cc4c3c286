/*  redis_writer: jobs in, executed by Redis in order, each told when it is done. It joins the connection
 *  (redis_link), what is said on a new one (redis_greeting) and the jobs (redis_jobs), and decides when
 *  to try again.
 *
 *  Jobs are pipelined up to WRITER_FLIGHT_BYTES. Whatever goes wrong that may pass (a broken connection,
 *  no answer, OOM, LOADING, READONLY, a changed password, …) closes the connection; after a back-off it
 *  is made anew, and every job not told as done is executed again in order: jobs hold absolute values, so
 *  twice does no harm. A job that cannot succeed (a command of its transaction refused, as WRONGTYPE) is
 *  told as an error and does not stop the others.
 *
 *  Each second INFO and the marker are read: another server, another history, or no marker, and the
 *  connection is made anew, so that the greeting decides what that means.
 *
 *  No answer: no byte in either direction for timeout_ms while one is awaited. Where the same work has
 *  been broken off so, it is given twice the time, up to WRITER_TIMEOUT_MAX_MS: a slow Redis must not be
 *  asked the same again and again for ever.
 *
 *  Nothing here blocks. One thread.
 */
#ifndef HOTPATH_SINK_REDIS_WRITER_H
#define HOTPATH_SINK_REDIS_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/outcome.h"
#include "common/span.h"
#include "sink/commands.h"
#include "sink/redis_answer.h"
#include "sink/redis_jobs.h"
#include "sink/redis_url.h"

enum {
    WRITER_QUEUE_BYTES = 16 << 20, /* jobs of a lane that are not done; beyond, it has no room */
    WRITER_FLIGHT_BYTES = 1 << 20, /* sent and not answered */
    WRITER_BACKOFF_MIN_MS = 50,
    WRITER_BACKOFF_MAX_MS = 1000,
    WRITER_CHECK_MS = 1000,   /* of run_id and marker */
    WRITER_EXPIRE_MS = 60000, /* how often the marker's TTL is set anew */
    WRITER_TIMEOUT_MAX_MS = 60000,
    WRITER_SAID_MS = 10000, /* the same trouble is logged so often */
};

typedef struct redis_writer redis_writer_t;

/*  Tells that a job is done. `tag` is a copy of the job's, borrowed for the call. OK: executed; of a
 *  read, `answer` is Redis's. ERROR: it cannot succeed as things are (logged). */
typedef void (*redis_done_fn) (void *arg, const void *tag, outcome_t outcome,
                               const redis_answer_t *answer);
/*  The password was refused: where the URL can be read again it is, into the `url` of the options.
 *  False: it cannot. */
typedef bool (*redis_reload_fn) (void *arg);

typedef struct {
    const redis_url_t *url; /* borrowed for the writer's life; changes only within `reload`, or before
                             * redis_writer_url_changed */
    const char *name;       /* of the sink: [A-Za-z0-9._-]; copied */
    const char *key_prefix; /* of the marker; copied */
    bool cluster_keys;
    uint64_t life;      /* wall clock of this process's start, ms */
    int64_t timeout_ms; /* see above */
    redis_done_fn done;
    redis_reload_fn reload; /* NULL: nothing to read again */
    void *arg;
} redis_writer_options_t;

typedef enum {
    WRITER_AWAY,       /* not connected, trying */
    WRITER_REFUSED,    /* as AWAY, and somebody must act: password, permissions, kind of server */
    WRITER_RIVAL,      /* as AWAY: another sink of this name is alive */
    WRITER_READY,      /* connected and greeted */
    WRITER_SUPERSEDED, /* a later life of this sink has taken over: for ever */
} writer_state_t;

redis_writer_t *redis_writer_new (const redis_writer_options_t *options);
/*  Jobs that are not done are forgotten. */
void redis_writer_destroy (redis_writer_t **self_p);

/*  Puts a job at the end of its lane; copies all. `prepare` (may be empty) is executed before, outside
 *  of the transaction; all of it must succeed. Only LANE_FIRST may have something to prepare. */
void redis_writer_put (redis_writer_t *self, redis_lane_t lane, const commands_t *prepare,
                       const commands_t *commands, const void *tag, size_t tag_size);
/*  Puts a job of one reading command, into LANE_FIRST. */
void redis_writer_ask (redis_writer_t *self, const commands_t *command, const void *tag,
                       size_t tag_size);

/*  Room for more jobs in a lane: none while it is failing, so that what comes waits with its sender. */
bool redis_writer_has_room (const redis_writer_t *self, redis_lane_t lane);
/*  Nothing waits and nothing is under way. */
bool redis_writer_idle (const redis_writer_t *self);

/*  What to poll for before redis_writer_work; -1: no connection now (call work after a while). */
int redis_writer_fd (const redis_writer_t *self);
short redis_writer_events (const redis_writer_t *self);
/*  Does what can be done without waiting; calls done for the jobs that are. */
void redis_writer_work (redis_writer_t *self, int64_t now_ms);
/*  The URL is another now: the connection is made anew. */
void redis_writer_url_changed (redis_writer_t *self, int64_t now_ms);

writer_state_t redis_writer_state (const redis_writer_t *self);
/*  No connection, and none is being made: it waits for its next attempt. */
bool redis_writer_off (const redis_writer_t *self);
/*  What went wrong last; borrowed. */
const char *redis_writer_error (const redis_writer_t *self);
/*  Did it fail, or was it refused, since it last executed a write (or had none to execute)? */
bool redis_writer_failing (const redis_writer_t *self);
/*  For metrics: how often it failed so far; jobs that are not done, and their bytes. */
uint64_t redis_writer_retries (const redis_writer_t *self);
void redis_writer_waiting (const redis_writer_t *self, size_t *jobs, size_t *bytes);
/*  Changes when Redis is another or empty; 0 before the first READY. */
uint64_t redis_writer_generation (const redis_writer_t *self);
/*  This life's number among those of the sink, from the first READY on: greater than any before. */
uint64_t redis_writer_life (const redis_writer_t *self);

#endif
