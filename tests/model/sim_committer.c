/*  sim_committer: instead of committer.c: a process's committing thread, a step at a time, as
 *  the schedule has it. Between the steps the process may be killed: with a commit submitted,
 *  or written and not told.
 */
#include "sim_disk.h"

#include <stdlib.h>

#include "checks.h"
#include "common/memory.h"

enum { JOBS_MAX = SIM_SHARDS_MAX };

struct committer {
    process_t *process;
    commit_job_t *waiting[JOBS_MAX], *written[JOBS_MAX], *told[JOBS_MAX];
    uint32_t waiting_count, written_count, told_count;
};

/*  By process slot; NULL: it has none. */
static committer_t *committers[SIM_PROCESSES_MAX];

static void put (commit_job_t **list, uint32_t *count, commit_job_t *job)
{
    if (*count == JOBS_MAX) {
        sim_fail ("more than one commit of a shard under way");
        commit_job_destroy (&job);
        return;
    }
    list[(*count)++] = job;
}

static commit_job_t *take (commit_job_t **list, uint32_t *count)
{
    if (!*count)
        return NULL;
    commit_job_t *job = list[0];
    for (uint32_t i = 1; i < *count; i++)
        list[i - 1] = list[i];
    --*count;
    return job;
}

static void write_job (committer_t *self, commit_job_t *job)
{
    sim.current = self->process;
    sim.in_thread = true;
    job->fault =
        shard_store_commit (job->store, &job->changes, job->epoch, job->error, sizeof job->error);
    bool effective = !self->process->dead;
    sim.in_thread = false;
    sim.current = NULL;
    job->took_ms = 0;
    if (effective)
        checks_committed (self->process, job);
}

bool sim_committers_wait (void)
{
    for (uint32_t i = 0; i < SIM_PROCESSES_MAX; i++) {
        const committer_t *self = committers[i];
        if (self && !self->process->frozen && (self->waiting_count || self->written_count))
            return true;
    }
    return false;
}

void sim_committers_step (void)
{
    uint32_t first = chance_below (&sim.chance, SIM_PROCESSES_MAX);
    for (uint32_t i = 0; i < SIM_PROCESSES_MAX; i++) {
        committer_t *self = committers[(first + i) % SIM_PROCESSES_MAX];
        if (!self || self->process->frozen || (!self->waiting_count && !self->written_count))
            continue;
        if (self->written_count && (!self->waiting_count || chance_is (&sim.chance, 500))) {
            put (self->told, &self->told_count, take (self->written, &self->written_count));
            self->process->attention = true;
            return;
        }
        commit_job_t *job = take (self->waiting, &self->waiting_count);
        put (self->written, &self->written_count, job);
        write_job (self, job);
        if (self->process->dead)
            sim_kill (self->process);
        return;
    }
}

bool sim_committer_has (const process_t *process, bool written)
{
    const committer_t *self = committers[process - sim.processes];
    return self && (written ? self->written_count : self->waiting_count);
}

/*  ---- committer.h ---- */

committer_t *committer_new (void)
{
    committer_t *self = memory_new (sizeof *self);
    self->process = sim.current;
    committers[self->process - sim.processes] = self;
    return self;
}

/*  As the real one it waits for what was submitted; that of a killed process is lost. */
void committer_destroy (committer_t **self_p)
{
    committer_t *self = *self_p;
    if (!self)
        return;
    commit_job_t *job;
    while (!self->process->dead && self->waiting_count) {
        sim_wait (1);
    }
    while ((job = take (self->waiting, &self->waiting_count)) ||
           (job = take (self->written, &self->written_count)) ||
           (job = take (self->told, &self->told_count)))
        commit_job_destroy (&job);
    committers[self->process - sim.processes] = NULL;
    free (self);
    *self_p = NULL;
}

void committer_submit (committer_t *self, commit_job_t **job_p)
{
    put (self->waiting, &self->waiting_count, *job_p);
    *job_p = NULL;
}

commit_job_t *committer_take (committer_t *self)
{
    return sim_call ("committer_take") ? take (self->told, &self->told_count) : NULL;
}

int committer_fd (const committer_t *self)
{
    (void)self;
    return -1;
}
