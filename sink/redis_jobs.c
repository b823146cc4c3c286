/*  redis_jobs: see redis_jobs.h. */
#include "sink/redis_jobs.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"

redis_job_t *redis_job_new (redis_job_kind_t kind, commands_t *commands, void *tag)
{
    redis_job_t *self = memory_new (sizeof *self);
    self->kind = kind;
    self->commands = *commands;
    self->tag = tag;
    *commands = (commands_t){0};
    return self;
}

redis_job_t *redis_job_new_write (commands_t *prepare, commands_t *commands, void *tag)
{
    CHECK (commands->count > 0);
    if (commands->count > 1) {
        commands_t whole = {0};
        buffer_reserve (&whole.bytes, commands->bytes.size + 64);
        commands_append_words (&whole, (const char *const[]){"MULTI", NULL});
        commands_join (&whole, commands);
        commands_append_words (&whole, (const char *const[]){"EXEC", NULL});
        commands_free (commands);
        *commands = whole;
    }
    redis_job_t *self = redis_job_new (JOB_WRITE, commands, tag);
    self->prepare = *prepare;
    *prepare = (commands_t){0};
    return self;
}

void redis_job_destroy (redis_job_t **self_p)
{
    redis_job_t *self = *self_p;
    if (!self)
        return;
    commands_free (&self->prepare);
    commands_free (&self->commands);
    free (self->refused);
    free (self);
    *self_p = NULL;
}

size_t redis_job_bytes (const redis_job_t *self)
{
    return sizeof *self + self->prepare.bytes.size + self->commands.bytes.size;
}

void redis_jobs_init (redis_jobs_t *self)
{
    *self = (redis_jobs_t){0};
    TAILQ_INIT (&self->list);
}

redis_job_t *redis_jobs_first (const redis_jobs_t *self)
{
    return TAILQ_FIRST (&self->list);
}

void redis_jobs_put (redis_jobs_t *self, redis_job_t *job)
{
    TAILQ_INSERT_TAIL (&self->list, job, entry);
    if (!self->unsent)
        self->unsent = job;
    self->bytes += redis_job_bytes (job);
    self->count++;
}

void redis_jobs_put_first (redis_jobs_t *self, redis_job_t *job)
{
    if (!self->unsent || self->unsent->prepare_sent) {
        redis_jobs_put (self, job);
        return;
    }
    TAILQ_INSERT_BEFORE (self->unsent, job, entry);
    self->unsent = job;
    self->bytes += redis_job_bytes (job);
    self->count++;
}

void redis_jobs_sent (redis_jobs_t *self)
{
    self->unsent = TAILQ_NEXT (self->unsent, entry);
}

void redis_jobs_remove (redis_jobs_t *self, redis_job_t *job)
{
    if (self->unsent == job)
        self->unsent = TAILQ_NEXT (job, entry);
    TAILQ_REMOVE (&self->list, job, entry);
    self->bytes -= redis_job_bytes (job);
    self->count--;
}

void redis_jobs_restart (redis_jobs_t *self)
{
    for (redis_job_t *job = TAILQ_FIRST (&self->list), *next; job; job = next) {
        next = TAILQ_NEXT (job, entry);
        job->prepare_sent = false;
        job->answered = 0;
        free (job->refused);
        job->refused = NULL;
        if (job->kind != JOB_WRITE && job->kind != JOB_READ) {
            redis_jobs_remove (self, job);
            redis_job_destroy (&job);
        }
    }
    self->unsent = TAILQ_FIRST (&self->list);
}
