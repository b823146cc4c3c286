#include "configd/applied_state.h"

#include <stdlib.h>
#include <uthash.h>
#include "common/memory.h"

enum { ROLES = CONFIG_ROLE_PROFILER + 1 };

typedef struct {
    uint64_t hash, era, number;
    UT_hash_handle hh;
} written_t;

typedef struct {
    char *name;
    config_role_t role;
    uint64_t process_incarnation, incarnation, sequence;
    uint32_t shards_owned, shard_count;
    int64_t heard_ms;
    written_t *written;
    UT_hash_handle hh;
} process_t;

struct applied_state {
    uint64_t incarnation, sequence;
    int64_t published_ms;
    bool told;
    process_t *processes;
    uint32_t shard_count[ROLES]; /* of a stage that was heard of; 0: it was not */
};

applied_state_t *applied_state_new (void)
{
    applied_state_t *self = memory_new (sizeof *self);
    self->told = true;
    return self;
}

static void forget_written (process_t *process)
{
    written_t *written, *next;
    HASH_ITER (hh, process->written, written, next)
    {
        HASH_DEL (process->written, written);
        free (written);
    }
}

static void forget (applied_state_t *self, process_t *process)
{
    HASH_DEL (self->processes, process);
    forget_written (process);
    free (process->name);
    free (process);
}

void applied_state_destroy (applied_state_t **self_p)
{
    applied_state_t *self = *self_p;
    if (!self)
        return;
    process_t *process, *next;
    HASH_ITER (hh, self->processes, process, next)
    {
        forget (self, process);
    }
    free (self);
    *self_p = NULL;
}

void applied_state_publish (applied_state_t *self, uint64_t incarnation, uint64_t sequence,
                            int64_t now_ms)
{
    if (self->incarnation == incarnation && self->sequence == sequence)
        return;
    self->incarnation = incarnation;
    self->sequence = sequence;
    self->published_ms = now_ms;
    self->told = false;
}

static process_t *find_or_add (applied_state_t *self, span_t name)
{
    process_t *process = NULL;
    HASH_FIND (hh, self->processes, name.bytes, name.size, process);
    if (process || HASH_COUNT (self->processes) >= APPLIED_PROCESSES_MAX)
        return process;
    process = memory_new (sizeof *process);
    process->name = memory_copy_string (name.bytes, name.size);
    HASH_ADD_KEYPTR (hh, self->processes, process->name, name.size, process);
    return process;
}

static void note_written (process_t *process, const config_written_t *told)
{
    written_t *written = NULL;
    HASH_FIND (hh, process->written, &told->hash, sizeof told->hash, written);
    if (!written) {
        if (HASH_COUNT (process->written) >= CONFIG_SCENARIOS_MAX)
            return;
        written = memory_new (sizeof *written);
        written->hash = told->hash;
        HASH_ADD (hh, process->written, hash, sizeof written->hash, written);
    }
    written->era = told->era;
    written->number = told->number;
}

void applied_state_report (applied_state_t *self, config_request_t *report, int64_t now_ms)
{
    process_t *process = find_or_add (self, report->process);
    if (!process)
        return;
    if (process->process_incarnation != report->process_incarnation)
        forget_written (process);
    process->process_incarnation = report->process_incarnation;
    process->incarnation = report->incarnation;
    process->sequence = report->sequence;
    process->role = report->role;
    process->shards_owned = report->shards_owned;
    process->shard_count = report->shard_count;
    process->heard_ms = now_ms;
    if (report->role != CONFIG_ROLE_OTHER)
        self->shard_count[report->role] = report->shard_count;
    for (uint32_t i = 0; i < report->written_count; i++) {
        config_written_t written = config_wire_written (report);
        note_written (process, &written);
    }
}

static bool lives (const process_t *process, int64_t now_ms)
{
    return now_ms - process->heard_ms <= APPLIED_SILENT_MS;
}

/*  Does it run what was published as `sequence` of this life? */
static bool runs (const applied_state_t *self, const process_t *process, uint64_t sequence)
{
    return process->incarnation == self->incarnation && process->sequence >= sequence;
}

void applied_state_count (const applied_state_t *self, int64_t now_ms, config_applied_t *applied)
{
    *applied = (config_applied_t){.sequence = self->sequence};
    for (const process_t *process = self->processes; process; process = process->hh.next) {
        if (!lives (process, now_ms))
            continue;
        applied->processes++;
        applied->behind += !runs (self, process, self->sequence);
    }
    if (applied->behind)
        applied->behind_ms = now_ms - self->published_ms;
}

bool applied_state_step (applied_state_t *self, int64_t now_ms, int64_t *took_ms)
{
    if (self->told)
        return false;
    uint32_t living = 0, behind = 0;
    process_t *process, *next;
    HASH_ITER (hh, self->processes, process, next)
    {
        if (now_ms - process->heard_ms > APPLIED_FORGET_MS)
            forget (self, process);
        else if (lives (process, now_ms)) {
            living++;
            behind += !runs (self, process, self->sequence);
        }
    }
    self->told = living && !behind;
    *took_ms = now_ms - self->published_ms;
    return self->told;
}

static bool has_written (const process_t *process, uint64_t hash, uint64_t era, uint64_t number)
{
    written_t *written = NULL;
    HASH_FIND (hh, process->written, &hash, sizeof hash, written);
    return written && (written->era > era || (written->era == era && written->number >= number));
}

applied_verdict_t applied_state_judge (const applied_state_t *self, uint64_t hash, uint64_t era,
                                       uint64_t number, uint64_t sequence, int64_t now_ms)
{
    applied_verdict_t verdict = {0};
    uint32_t owned[ROLES] = {0};
    for (const process_t *process = self->processes; process; process = process->hh.next) {
        if (!lives (process, now_ms))
            continue;
        verdict.processes++;
        owned[process->role] += process->shards_owned;
        if (!runs (self, process, sequence))
            verdict.behind++;
        else if ((process->role == CONFIG_ROLE_SCORER || process->role == CONFIG_ROLE_METRICS) &&
                 process->shards_owned && !has_written (process, hash, era, number))
            verdict.unwritten++;
    }
    for (int role = 0; role < ROLES; role++)
        if (self->shard_count[role] > owned[role])
            verdict.unowned += self->shard_count[role] - owned[role];
    verdict.applied =
        verdict.processes && !verdict.behind && !verdict.unwritten && !verdict.unowned;
    return verdict;
}

void applied_state_each (const applied_state_t *self, int64_t now_ms,
                         void (*each) (void *arg, const applied_process_t *process), void *arg)
{
    for (const process_t *one = self->processes; one; one = one->hh.next) {
        applied_process_t process = {.process = one->name,
                                     .role = one->role,
                                     .process_incarnation = one->process_incarnation,
                                     .incarnation = one->incarnation,
                                     .sequence = one->sequence,
                                     .shards_owned = one->shards_owned,
                                     .shard_count = one->shard_count,
                                     .behind = !runs (self, one, self->sequence),
                                     .silent_ms = now_ms - one->heard_ms};
        if (lives (one, now_ms))
            each (arg, &process);
    }
}
