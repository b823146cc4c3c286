/*  faults: see faults.h. */
#include "faults.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "model_stage.h"
#include "oracle.h"
#include "sim_disk.h"
#include "sim_kafka.h"
#include "sim_redis.h"
#include "world.h"

enum {
    KINDS_IN_THOUSAND = 350, /* each kind is one of the schedule's */
    CALLS_MAX = 150,
    CLOCK_BACK_MS_MAX = 7200000,
    FORMER_MS = 3000, /* an owner whose lock was broken goes on at least so long */
};

static const char *const names[] = {
#define FAULTS_NAME(symbol, name) name,
    FAULTS_LIST (FAULTS_NAME)
#undef FAULTS_NAME
};

/*  What lasts, and until when (0: it does not). */
static struct {
    int64_t full_ms, redis_ms, errors_ms;
    redis_loss_t loss;
    bool needs_restart;
    int64_t thaw_ms[SIM_PROCESSES_MAX];
    bool kills[SIM_PROCESSES_MAX];     /* killed instead of thawed */
    int64_t end_ms[SIM_PROCESSES_MAX]; /* killed then, whatever it does */
} lasting;

const char *fault_name (fault_kind_t kind)
{
    return names[kind];
}

void fault_write (const fault_t *fault, char *text, size_t size)
{
    snprintf (text, size, "step %u: %s target=%u calls=%u for %" PRId64 " ms choice=%u",
              fault->step, names[fault->kind], fault->target, fault->calls, fault->duration_ms,
              fault->choice);
}

static void make_network (network_t *network, chance_t *chance)
{
    *network = (network_t){.frames_max = 2 + chance_below (chance, 30),
                           .delay_ms_max = chance_is (chance, 500) ? 5 : 300};
    if (chance_is (chance, 300))
        network->slow = 1 + chance_below (chance, 40);
    if (!chance_is (chance, 350))
        return;
    network->drop = chance_is (chance, 600) ? chance_below (chance, 80) : 0;
    network->repeat = chance_is (chance, 600) ? chance_below (chance, 80) : 0;
    network->swap = chance_is (chance, 600) ? chance_below (chance, 80) : 0;
}

void faults_make (faults_t *self, chance_t *chance, uint32_t kinds)
{
    memset (self, 0, sizeof *self);
    memset (&lasting, 0, sizeof lasting);
    self->steps = 30 + chance_below (chance, 200);
    make_network (&self->network, chance);
    uint32_t drawn[FAULT_KINDS], count = 0, all = 0;
    for (uint32_t i = 0; i < FAULT_KINDS; i++)
        all |= (uint32_t)chance_is (chance, KINDS_IN_THOUSAND) << i;
    /* A shard that is lost is built again from what the source still has: then it keeps all. */
    if (all >> FAULT_FOLDER_LOST & 1)
        all &= ~(UINT32_C (1) << FAULT_RETENTION);
    for (uint32_t i = 0; i < FAULT_KINDS; i++) {
        if (all & kinds & UINT32_C (1) << i)
            drawn[count++] = i;
    }
    uint32_t faults = count ? chance_below (chance, chance_is (chance, 800) ? 9 : FAULTS_MAX) : 0;
    for (uint32_t i = 0; i < faults; i++) {
        fault_t *fault = &self->list[self->count++];
        *fault = (fault_t){.step = chance_below (chance, self->steps),
                           .kind = drawn[chance_below (chance, count)],
                           .target = chance_below (chance, 1000),
                           .calls = 1 + chance_below (chance, CALLS_MAX),
                           .duration_ms = chance_between (chance, 10, 12000),
                           .choice = chance_below (chance, 1000)};
    }
}

/*  ---- doing them ---- */

/*  A process that runs, by chance of the fault; NULL: none does. */
static process_t *pick (const fault_t *fault)
{
    process_t *up[SIM_PROCESSES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim.process_count; i++) {
        if (sim.processes[i].up && !sim.processes[i].frozen)
            up[count++] = &sim.processes[i];
    }
    return count ? up[fault->target % count] : NULL;
}

static void count_commits (const process_t *process)
{
    if (sim_committer_has (process, false))
        sim_event (EVENT_KILLS_UNCOMMITTED);
    if (sim_committer_has (process, true))
        sim_event (EVENT_KILLS_UNTOLD);
}

static void kill_now (process_t *process)
{
    if (!process->up)
        return;
    count_commits (process);
    sim_kill (process);
}

static void kill_all (void)
{
    sim_event (EVENT_KILLS_ALL);
    for (uint32_t i = 0; i < sim.process_count; i++)
        kill_now (&sim.processes[i]);
}

static void stop (process_t *process)
{
    if (process->stopping)
        return;
    process->stopping = true;
    sim_event (EVENT_STOPS);
}

static void freeze (const fault_t *fault, process_t *process)
{
    uint32_t slot = (uint32_t)(process - sim.processes);
    process->freeze_in = fault->calls;
    lasting.thaw_ms[slot] = sim.now_ms + fault->duration_ms;
    lasting.kills[slot] = fault->kind == FAULT_FREEZE_KILL;
}

static void add_or_end_worker (bool add)
{
    for (uint32_t i = 0; i < WORLD_WORKERS_MAX; i++) {
        process_t *process = world_process (PROCESS_WORKER, add ? i : WORLD_WORKERS_MAX - 1 - i);
        if (process->wanted == add || (!add && process->number == 0))
            continue;
        process->wanted = add;
        process->start_ms = sim.now_ms;
        sim_event (add ? EVENT_WORKERS_ADDED : EVENT_WORKERS_ENDED);
        if (!add && process->up)
            stop (process);
        return;
    }
}

/*  A worker whose lock is broken is frozen for a while, goes on as a former owner, and is
 *  killed. */
static void make_former (process_t *process, int64_t duration_ms)
{
    uint32_t slot = (uint32_t)(process - sim.processes);
    lasting.end_ms[slot] = sim.now_ms + 2 * duration_ms + FORMER_MS;
    if (process->frozen)
        return;
    process->frozen = true;
    process->frozen_ms = sim.now_ms;
    sim_event (EVENT_FREEZES);
    lasting.thaw_ms[slot] = sim.now_ms + duration_ms;
}

static void lose_lock (const fault_t *fault)
{
    char folder[SIM_STATE_BYTES], lock[SIM_STATE_BYTES];
    uint32_t shard = fault->target % world.shard_count;
    bool all = fault->kind == FAULT_FOLDER_LOST;
    snprintf (folder, sizeof folder, SIM_STATE "/%s/%u", model_stage.name, shard);
    snprintf (lock, sizeof lock, SIM_STATE "/%s/%u/lock", model_stage.name, shard);
    process_t *owner = sim_files_locker (lock);
    lasting.needs_restart = true;
    if (owner)
        make_former (owner, fault->duration_ms);
    sim_files_remove (all ? folder : lock);
    sim_event (all ? EVENT_FOLDERS_LOST : EVENT_LOCKS_LOST);
    if (all)
        checks_folder_lost (shard);
}

static void stop_redis (const fault_t *fault)
{
    static const redis_loss_t losses[] = {REDIS_KEEPS, REDIS_KEEPS, REDIS_EMPTY, REDIS_OLDER};
    if (!sim_redis_is_up ())
        return;
    lasting.loss = losses[fault->choice % 4];
    lasting.redis_ms = sim.now_ms + fault->duration_ms;
    sim_redis_stop ();
}

static void start_redis (void)
{
    static const event_kind_t kinds[] = {EVENT_REDIS_KILLS, EVENT_REDIS_EMPTIED,
                                         EVENT_REDIS_ROLLBACKS};
    lasting.redis_ms = 0;
    sim_redis_start (lasting.loss);
    sim_event (kinds[lasting.loss]);
    if (lasting.loss != REDIS_KEEPS)
        checks_redis_lost ();
}

static void flush_redis (void)
{
    sim_redis_flush ();
    sim_event (EVENT_REDIS_FLUSHES);
    checks_redis_lost ();
}

static void set_clock_back (process_t *process, uint32_t choice)
{
    process->skew_ms -= 1 + (int64_t)choice * CLOCK_BACK_MS_MAX / 1000;
    sim_event (EVENT_CLOCKS_BACK);
    lasting.needs_restart = true;
    kill_now (process);
}

/*  Those of processes. */
static void hit (const fault_t *fault)
{
    process_t *process = pick (fault);
    if (!process)
        return;
    if (fault->kind == FAULT_STOP)
        stop (process);
    else if (fault->kind == FAULT_CLOCK_BACK)
        set_clock_back (process, fault->choice);
    else if (fault->kind != FAULT_KILL)
        freeze (fault, process);
    else if (fault->choice % 2)
        kill_now (process);
    else
        process->kill_in = fault->calls;
}

static void begin (const fault_t *fault)
{
    switch (fault->kind) {
    case FAULT_KILL:
    case FAULT_STOP:
    case FAULT_FREEZE:
    case FAULT_FREEZE_KILL:
    case FAULT_CLOCK_BACK:
        hit (fault);
        break;
    case FAULT_KILL_ALL:
        kill_all ();
        break;
    case FAULT_ADD_WORKER:
    case FAULT_END_WORKER:
        add_or_end_worker (fault->kind == FAULT_ADD_WORKER);
        break;
    case FAULT_LOCK_LOST:
    case FAULT_FOLDER_LOST:
        lose_lock (fault);
        break;
    case FAULT_DISK_FULL:
        lasting.full_ms = sim.now_ms + fault->duration_ms;
        sim_disk_set_full (true);
        break;
    case FAULT_REBALANCE:
        sim_kafka_rebalance ();
        break;
    case FAULT_ADD_PARTITION:
        sim_kafka_add_partition ();
        break;
    case FAULT_RETENTION:
        sim_kafka_expire ();
        break;
    case FAULT_REVISION:
        world.revision++;
        sim_event (EVENT_REVISIONS);
        break;
    case FAULT_REDIS_KILL:
        stop_redis (fault);
        break;
    case FAULT_REDIS_FLUSH:
        flush_redis ();
        break;
    case FAULT_REDIS_SAVE:
        sim_redis_save ();
        break;
    case FAULT_REDIS_ERRORS:
        lasting.errors_ms = sim.now_ms + fault->duration_ms;
        sim_redis_set_mode (REDIS_OOM + fault->choice % (REDIS_MODES - REDIS_OOM));
        sim_event (EVENT_REDIS_ERRORS);
        break;
    default:
        sim_redis_cut ();
        sim_event (EVENT_REDIS_DROPS);
    }
}

static void thaw (process_t *process, uint32_t slot)
{
    lasting.thaw_ms[slot] = 0;
    process->freeze_in = 0;
    if (!process->frozen)
        return;
    if (lasting.kills[slot]) {
        kill_now (process);
        return;
    }
    process->frozen = false;
    sim_event (EVENT_THAWS);
}

static void end_lasting (int64_t now_ms)
{
    for (uint32_t i = 0; i < sim.process_count; i++) {
        if (lasting.thaw_ms[i] && now_ms >= lasting.thaw_ms[i])
            thaw (&sim.processes[i], i);
        if (lasting.end_ms[i] && now_ms >= lasting.end_ms[i]) {
            lasting.end_ms[i] = 0;
            kill_now (&sim.processes[i]);
        }
    }
    if (lasting.full_ms && now_ms >= lasting.full_ms) {
        lasting.full_ms = 0;
        sim_disk_set_full (false);
    }
    if (lasting.redis_ms && now_ms >= lasting.redis_ms)
        start_redis ();
    if (lasting.errors_ms && now_ms >= lasting.errors_ms) {
        lasting.errors_ms = 0;
        sim_redis_set_mode (REDIS_FINE);
    }
}

void faults_step (const faults_t *self, uint32_t step, uint64_t without)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->list[i].step != step || (without >> i & 1))
            continue;
        char text[128];
        fault_write (&self->list[i], text, sizeof text);
        sim_trace ("FAULT %u: %s", i, text);
        begin (&self->list[i]);
    }
    end_lasting (sim.now_ms);
}

void faults_end (void)
{
    for (uint32_t i = 0; i < sim.process_count; i++) {
        sim.processes[i].kill_in = sim.processes[i].freeze_in = 0;
        lasting.kills[i] = false;
    }
    end_lasting (INT64_MAX);
    if (lasting.needs_restart)
        kill_all ();
}
