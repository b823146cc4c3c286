/*  redis_writer: the one connection to Redis: jobs in, executed in order, each told when it is
 * done.
 *
 *  A job is the commands of one result; more than one command go as one MULTI. Jobs are pipelined
 * up to WRITER_FLIGHT_BYTES. Whatever goes wrong that may pass (a broken connection, a timeout,
 * OOM, LOADING, READONLY, MOVED, MISCONF, BUSY, …) closes the connection; after a back-off it is
 * made anew and every job not told as done is executed again in order: jobs hold absolute values,
 * so twice does no harm. A job that cannot succeed (a command of its transaction refused, as
 * WRONGTYPE) is told as an error and does not stop the others.
 *
 *  Commands of the connection itself: AUTH, SELECT, CLIENT SETNAME hotpath-sink-NAME, CLIENT ID,
 * CLIENT LIST, CLIENT KILL ID (an older connection of that name, so that nothing it still holds is
 * executed behind ours), and each second INFO server and GET PREFIXhotpath:marker:NAME. Another
 * run_id, or no marker: Redis lost what it had, and the generation changes. It is kept in the
 * marker, so that it outlives the sink.
 *
 *  Nothing here blocks but redis_writer_start and the look-up of a host name. The only file that
 * knows hiredis. One thread.
 */
#ifndef HOTPATH_SINK_REDIS_WRITER_H
#define HOTPATH_SINK_REDIS_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/outcome.h"
#include "common/span.h"
#include "sink/commands.h"
#include "sink/redis_url.h"

enum {
    WRITER_QUEUE_BYTES = 64 << 20, /* jobs waiting; beyond, redis_writer_has_room is false */
    WRITER_QUEUE_JOBS = 200000,
    WRITER_FLIGHT_BYTES = 1 << 20, /* sent and not answered */
    WRITER_BACKOFF_MIN_MS = 50,
    WRITER_BACKOFF_MAX_MS = 1000,
    WRITER_CHECK_MS = 1000, /* of run_id and marker */
    WRITER_MARKER_TTL_S = 30 * 86400,
    WRITER_MARKER_REFRESH_MS = 60000,
};

typedef struct redis_writer redis_writer_t;

/*  Tells that a job is done. OK: executed; of a read, `values` are the answer's (bytes NULL: nil),
 *  borrowed for the call. ERROR: it cannot succeed as things are (logged). RETRY: the writer is
 * being destroyed and the job may not have been executed; only `tag` is to be freed. */
typedef void (*redis_done_fn) (void *arg, void *tag, outcome_t outcome, const span_t *values,
                               size_t count);

typedef struct {
    const redis_url_t *url; /* borrowed for the writer's life */
    const char *name;       /* of the sink: [A-Za-z0-9._-]; copied */
    const char *key_prefix; /* of the marker; copied */
    int64_t timeout_ms;     /* without any answer: the connection is broken */
    redis_done_fn done;
    void *arg;
} redis_writer_options_t;

redis_writer_t *redis_writer_new (const redis_writer_options_t *options);
void redis_writer_destroy (redis_writer_t **self_p);

/*  Waits until the first connection stands, at most wait_ms (at least one attempt). RETRY: not
 * reached, ERROR: reached, and the password or the database was refused; redis_writer_error says
 * what. */
outcome_t redis_writer_start (redis_writer_t *self, int64_t wait_ms);
/*  What went wrong last; borrowed. */
const char *redis_writer_error (const redis_writer_t *self);

/*  Puts a job at the end; takes the contents of both lists (they are left empty). `prepare` (may be
 *  empty) is executed before, outside of the transaction; all of it must succeed. */
void redis_writer_put (redis_writer_t *self, commands_t *prepare, commands_t *commands, void *tag);
/*  Puts a job of one reading command. */
void redis_writer_ask (redis_writer_t *self, commands_t *command, void *tag);

bool redis_writer_has_room (const redis_writer_t *self);
/*  Nothing waits and nothing is under way. */
bool redis_writer_idle (const redis_writer_t *self);

/*  What to poll for before redis_writer_work; -1: no connection now (call work after a while). */
int redis_writer_fd (const redis_writer_t *self);
short redis_writer_events (const redis_writer_t *self);
/*  Does what can be done without waiting; calls done for the jobs that are. */
void redis_writer_work (redis_writer_t *self, int64_t now_ms);

bool redis_writer_connected (const redis_writer_t *self);
/*  Did it fail, or was it refused, since it last executed a write (or had none to execute)? */
bool redis_writer_failing (const redis_writer_t *self);
/*  For metrics: how often it failed so far; jobs that are not done, and their bytes. */
uint64_t redis_writer_retries (const redis_writer_t *self);
void redis_writer_waiting (const redis_writer_t *self, size_t *jobs, size_t *bytes);
/*  Changes when Redis is another or empty; 0 before the first connection. */
uint64_t redis_writer_generation (const redis_writer_t *self);

#endif
