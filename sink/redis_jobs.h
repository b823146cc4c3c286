/*  redis_jobs: what is to be executed by Redis: those sent, in the order of their answers, and those that
 *  wait, in two lanes: rankings, metrics and look-ups before profiles, each lane in its order. Pure: it
 *  sends nothing.
 *
 *  A write may have a part to prepare, of which all must succeed before its own commands are sent.
 *  Several commands become one transaction.
 */
#ifndef HOTPATH_SINK_REDIS_JOBS_H
#define HOTPATH_SINK_REDIS_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "sink/commands.h"
#include "sink/redis_answer.h"

enum { JOB_TAG_BYTES = 96, JOB_REASON_BYTES = 512 };

typedef enum {
    JOB_WRITE,
    JOB_READ,
    JOB_CHECK,  /* is Redis what it was? The rest: of one connection only */
    JOB_EXPIRE, /* the marker's TTL; whatever its answer is */
} redis_job_kind_t;

typedef enum { LANE_FIRST, LANE_SECOND, LANES } redis_lane_t;

/*  Commands that go together: bytes of the job, and how many there are. */
typedef struct {
    span_t bytes;
    uint32_t count;
} redis_batch_t;

typedef struct redis_job {
    TAILQ_ENTRY (redis_job) entry;
    redis_job_kind_t kind;
    redis_lane_t lane;
    redis_batch_t prepare, commands; /* commands: with MULTI and EXEC, where there are several */
    bool prepared;                   /* or there is nothing to prepare */
    uint32_t answered;               /* of the batch under way */
    char *refused;                   /* first error of a command that was queued */
    uint8_t tag[JOB_TAG_BYTES];      /* the caller's */
} redis_job_t;

typedef struct {
    TAILQ_HEAD (redis_job_list, redis_job) sent, waiting[LANES];
    size_t count, bytes[LANES]; /* sent and waiting */
} redis_jobs_t;

/*  Copies the commands and the tag (NULL: none; at most JOB_TAG_BYTES). */
redis_job_t *redis_job_new (redis_job_kind_t kind, redis_lane_t lane, const commands_t *commands,
                            const void *tag, size_t tag_size);
/*  A JOB_WRITE; `prepare` may be empty. */
redis_job_t *redis_job_new_write (redis_lane_t lane, const commands_t *prepare,
                                  const commands_t *commands, const void *tag, size_t tag_size);
void redis_job_destroy (redis_job_t **self_p);
size_t redis_job_bytes (const redis_job_t *self);
/*  The batch to send, or sent last. */
const redis_batch_t *redis_job_batch (const redis_job_t *self);

typedef enum {
    JOB_GOES_ON,  /* more answers come */
    JOB_PREPARED, /* its commands are to be sent now */
    JOB_DONE,     /* executed */
    JOB_PASSING,  /* an error that may pass: everything again, on a new connection */
    JOB_LASTING,  /* an error of this job alone */
} job_verdict_t;

/*  Takes the next answer to a JOB_WRITE or JOB_READ. An error's text, with the command, goes into
 *  `reason`. */
job_verdict_t redis_job_take (redis_job_t *self, const redis_answer_t *answer,
                              char reason[JOB_REASON_BYTES]);

void redis_jobs_init (redis_jobs_t *self);
/*  At the end of its lane; the list owns it. */
void redis_jobs_put (redis_jobs_t *self, redis_job_t *job);
/*  Before all that wait. */
void redis_jobs_put_first (redis_jobs_t *self, redis_job_t *job);
/*  The next to send, or NULL; redis_jobs_sent: it is. */
redis_job_t *redis_jobs_waiting (const redis_jobs_t *self);
void redis_jobs_sent (redis_jobs_t *self, redis_job_t *job);
/*  The one that the next answer is for, or NULL. */
redis_job_t *redis_jobs_answering (const redis_jobs_t *self);
/*  It was sent and is prepared: it waits again, before all others. */
void redis_jobs_prepared (redis_jobs_t *self, redis_job_t *job);
/*  Takes it out of those sent; the caller's again. */
void redis_jobs_remove (redis_jobs_t *self, redis_job_t *job);
/*  The connection is gone: all waits again, in its order; what was the connection's own is destroyed. */
void redis_jobs_restart (redis_jobs_t *self);
/*  Takes any job out, for the end; NULL: there is none. */
redis_job_t *redis_jobs_take_any (redis_jobs_t *self);

#endif
