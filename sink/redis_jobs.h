/*  redis_jobs: the writer's list of jobs: first those sent, in order, then those that wait, from
 * `unsent` on. Pure: it sends nothing.
 */
#ifndef HOTPATH_SINK_REDIS_JOBS_H
#define HOTPATH_SINK_REDIS_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "sink/commands.h"

typedef enum {
    JOB_WRITE,
    JOB_READ,
    JOB_CHECK,  /* run_id and marker; the rest: of one connection only */
    JOB_MARKER, /* writes the marker */
    JOB_IGNORE, /* whatever its answer is */
} redis_job_kind_t;

typedef struct redis_job {
    TAILQ_ENTRY (redis_job) entry;
    redis_job_kind_t kind;
    commands_t prepare, commands; /* commands: with MULTI and EXEC, where there are several */
    bool prepare_sent;
    uint32_t answered; /* of both */
    char *refused;     /* first error of a command that was queued */
    void *tag;
} redis_job_t;

typedef struct {
    TAILQ_HEAD (, redis_job) list;
    redis_job_t *unsent; /* NULL: all are sent */
    size_t count, bytes;
} redis_jobs_t;

/*  Takes the contents of `commands` (left empty). */
redis_job_t *redis_job_new (redis_job_kind_t kind, commands_t *commands, void *tag);
/*  A JOB_WRITE; takes the contents of both lists. Several commands become one transaction. */
redis_job_t *redis_job_new_write (commands_t *prepare, commands_t *commands, void *tag);
void redis_job_destroy (redis_job_t **self_p);
size_t redis_job_bytes (const redis_job_t *self);

void redis_jobs_init (redis_jobs_t *self);
/*  The oldest job, or NULL. */
redis_job_t *redis_jobs_first (const redis_jobs_t *self);
/*  At the end; the list owns it. */
void redis_jobs_put (redis_jobs_t *self, redis_job_t *job);
/*  Before all that are not sent yet; at the end where one of them is half sent. */
void redis_jobs_put_first (redis_jobs_t *self, redis_job_t *job);
/*  `unsent` is sent: goes on to the next. */
void redis_jobs_sent (redis_jobs_t *self);
/*  Takes it out; the caller's again. */
void redis_jobs_remove (redis_jobs_t *self, redis_job_t *job);
/*  The connection is gone: nothing is sent any more, and what was its own is destroyed. */
void redis_jobs_restart (redis_jobs_t *self);

#endif
