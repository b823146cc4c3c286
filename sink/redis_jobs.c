/*  redis_jobs: see redis_jobs.h. A job is one block of memory: itself, then its bytes. */
#include "sink/redis_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/memory.h"
#include "sink/redis_texts.h"

enum { NAMED_KEY_BYTES = 80 }; /* of a key, in a reason */

static const char multi[] = "*1\r\n$5\r\nMULTI\r\n", execute[] = "*1\r\n$4\r\nEXEC\r\n";

/*  ---- one job ---- */

static char *append (char *to, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy (to, bytes, size);
    return to + size;
}

static redis_job_t *make (redis_job_kind_t kind, redis_lane_t lane, const commands_t *prepare,
                          const commands_t *commands, const void *tag, size_t tag_size)
{
    bool whole = kind == JOB_WRITE && commands->count > 1;
    size_t prepare_bytes = prepare ? prepare->bytes.size : 0;
    size_t wrapping = whole ? sizeof multi - 1 + sizeof execute - 1 : 0;
    CHECK (commands->count > 0 && tag_size <= JOB_TAG_BYTES);
    /* Its bytes need no zeroes: not memory_new. */
    redis_job_t *self =
        memory_resize (NULL, sizeof *self + prepare_bytes + wrapping + commands->bytes.size);
    *self = (redis_job_t){.kind = kind, .lane = lane};
    char *at = (char *)(self + 1);
    if (tag)
        memcpy (self->tag, tag, tag_size);
    if (prepare && prepare->count > 0)
        self->prepare = (redis_batch_t){{at, prepare_bytes}, prepare->count};
    self->prepared = self->prepare.count == 0;
    at = append (at, prepare ? prepare->bytes.bytes : NULL, prepare_bytes);
    self->commands = (redis_batch_t){{at, wrapping + commands->bytes.size},
                                     commands->count + (whole ? 2 : 0)};
    if (whole)
        at = append (at, multi, sizeof multi - 1);
    at = append (at, commands->bytes.bytes, commands->bytes.size);
    if (whole)
        append (at, execute, sizeof execute - 1);
    return self;
}

redis_job_t *redis_job_new (redis_job_kind_t kind, redis_lane_t lane, const commands_t *commands,
                            const void *tag, size_t tag_size)
{
    CHECK (kind != JOB_WRITE);
    return make (kind, lane, NULL, commands, tag, tag_size);
}

redis_job_t *redis_job_new_write (redis_lane_t lane, const commands_t *prepare,
                                  const commands_t *commands, const void *tag, size_t tag_size)
{
    return make (JOB_WRITE, lane, prepare, commands, tag, tag_size);
}

void redis_job_destroy (redis_job_t **self_p)
{
    redis_job_t *self = *self_p;
    if (!self)
        return;
    free (self->refused);
    free (self);
    *self_p = NULL;
}

size_t redis_job_bytes (const redis_job_t *self)
{
    return sizeof *self + self->prepare.bytes.size + self->commands.bytes.size;
}

const redis_batch_t *redis_job_batch (const redis_job_t *self)
{
    return self->prepared ? &self->commands : &self->prepare;
}

/*  ---- answers ---- */

/*  "COMMAND key: error (what can be done)", of the command answered last. */
static void describe (const redis_job_t *self, uint32_t index, const char *error,
                      char reason[JOB_REASON_BYTES])
{
    span_t name = {0}, key = {0};
    const char *remedy = redis_texts_remedy (error);
    commands_name (redis_job_batch (self)->bytes, index, &name, &key);
    int key_bytes = (int)(key.size < NAMED_KEY_BYTES ? key.size : NAMED_KEY_BYTES);
    snprintf (reason, JOB_REASON_BYTES, "%.*s%s%.*s: %s%s%s%s", (int)name.size,
              name.bytes ? name.bytes : "", key_bytes ? " " : "", key_bytes,
              key.bytes ? key.bytes : "", error, *remedy ? " (" : "", remedy, *remedy ? ")" : "");
}

/*  The first error in an answer, or NULL; *index: which of a list's, from 1 on. */
static const char *find_error (const redis_answer_t *answer, uint32_t *index)
{
    *index = 0;
    if (answer->kind == ANSWER_ERROR)
        return answer->text.bytes;
    for (size_t i = 0; answer->kind == ANSWER_LIST && i < answer->count; i++) {
        if (!answer->list[i] || answer->list[i]->kind != ANSWER_ERROR)
            continue;
        *index = (uint32_t)i + 1;
        return answer->list[i]->text.bytes;
    }
    return NULL;
}

/*  The answer to EXEC, or to a lone command. */
static job_verdict_t take_last (redis_job_t *self, const redis_answer_t *answer,
                                char reason[JOB_REASON_BYTES])
{
    if (answer->kind == ANSWER_NIL && self->kind == JOB_WRITE && self->commands.count > 1) {
        snprintf (reason, JOB_REASON_BYTES, "EXEC: a transaction was given up");
        return JOB_PASSING;
    }
    if (answer->kind == ANSWER_ERROR && self->refused) {
        snprintf (reason, JOB_REASON_BYTES, "%s", self->refused);
        return JOB_PASSING;
    }
    if (answer->kind == ANSWER_ERROR) {
        describe (self, self->answered - 1, answer->text.bytes, reason);
        bool lasting = self->kind == JOB_READ && !redis_texts_passing (answer->text.bytes);
        return lasting ? JOB_LASTING : JOB_PASSING;
    }
    uint32_t index;
    const char *error = find_error (answer, &index);
    if (!error)
        return JOB_DONE;
    describe (self, index, error, reason);
    return redis_texts_passing (error) ? JOB_PASSING : JOB_LASTING;
}

job_verdict_t redis_job_take (redis_job_t *self, const redis_answer_t *answer,
                              char reason[JOB_REASON_BYTES])
{
    const redis_batch_t *batch = redis_job_batch (self);
    bool last = ++self->answered == batch->count;
    if (!self->prepared) {
        uint32_t index;
        const char *error = find_error (answer, &index);
        if (error) {
            describe (self, self->answered - 1, error, reason);
            return JOB_PASSING;
        }
        return last ? JOB_PREPARED : JOB_GOES_ON;
    }
    if (last)
        return take_last (self, answer, reason);
    if (answer->kind == ANSWER_ERROR && !self->refused) {
        describe (self, self->answered - 1, answer->text.bytes, reason);
        self->refused = memory_copy_string (reason, strlen (reason));
    }
    return JOB_GOES_ON;
}

/*  ---- the lists ---- */

void redis_jobs_init (redis_jobs_t *self)
{
    *self = (redis_jobs_t){0};
    TAILQ_INIT (&self->sent);
    for (int i = 0; i < LANES; i++)
        TAILQ_INIT (&self->waiting[i]);
}

void redis_jobs_put (redis_jobs_t *self, redis_job_t *job)
{
    TAILQ_INSERT_TAIL (&self->waiting[job->lane], job, entry);
    self->bytes[job->lane] += redis_job_bytes (job);
    self->count++;
}

void redis_jobs_put_first (redis_jobs_t *self, redis_job_t *job)
{
    CHECK (job->lane == LANE_FIRST);
    TAILQ_INSERT_HEAD (&self->waiting[LANE_FIRST], job, entry);
    self->bytes[job->lane] += redis_job_bytes (job);
    self->count++;
}

redis_job_t *redis_jobs_waiting (const redis_jobs_t *self)
{
    redis_job_t *job = TAILQ_FIRST (&self->waiting[LANE_FIRST]);
    return job ? job : TAILQ_FIRST (&self->waiting[LANE_SECOND]);
}

void redis_jobs_sent (redis_jobs_t *self, redis_job_t *job)
{
    TAILQ_REMOVE (&self->waiting[job->lane], job, entry);
    TAILQ_INSERT_TAIL (&self->sent, job, entry);
    job->answered = 0;
}

redis_job_t *redis_jobs_answering (const redis_jobs_t *self)
{
    return TAILQ_FIRST (&self->sent);
}

void redis_jobs_prepared (redis_jobs_t *self, redis_job_t *job)
{
    CHECK (job->lane == LANE_FIRST);
    job->prepared = true;
    TAILQ_REMOVE (&self->sent, job, entry);
    TAILQ_INSERT_HEAD (&self->waiting[LANE_FIRST], job, entry);
}

void redis_jobs_remove (redis_jobs_t *self, redis_job_t *job)
{
    TAILQ_REMOVE (&self->sent, job, entry);
    self->bytes[job->lane] -= redis_job_bytes (job);
    self->count--;
}

/*  As if nothing of it had been sent; false: it was of one connection and is gone. */
static bool reset (redis_jobs_t *self, struct redis_job_list *list, redis_job_t *job)
{
    free (job->refused);
    job->refused = NULL;
    job->answered = 0;
    job->prepared = job->prepare.count == 0;
    if (job->kind == JOB_WRITE || job->kind == JOB_READ)
        return true;
    TAILQ_REMOVE (list, job, entry);
    self->bytes[job->lane] -= redis_job_bytes (job);
    self->count--;
    redis_job_destroy (&job);
    return false;
}

void redis_jobs_restart (redis_jobs_t *self)
{
    for (redis_job_t *job = TAILQ_FIRST (&self->waiting[LANE_FIRST]), *next; job; job = next) {
        next = TAILQ_NEXT (job, entry);
        reset (self, &self->waiting[LANE_FIRST], job);
    }
    /* From the last to the first, each to the head of its lane: the old order is kept. */
    for (redis_job_t *job; (job = TAILQ_LAST (&self->sent, redis_job_list));) {
        if (!reset (self, &self->sent, job))
            continue;
        TAILQ_REMOVE (&self->sent, job, entry);
        TAILQ_INSERT_HEAD (&self->waiting[job->lane], job, entry);
    }
}

redis_job_t *redis_jobs_take_any (redis_jobs_t *self)
{
    redis_job_t *job = redis_jobs_answering (self);
    if (!job && (job = redis_jobs_waiting (self)))
        redis_jobs_sent (self, job);
    if (job)
        redis_jobs_remove (self, job);
    return job;
}
