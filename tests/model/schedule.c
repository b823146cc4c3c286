/*  schedule: see schedule.h. */
#include "schedule.h"

#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "oracle.h"
#include "sim_disk.h"
#include "sim_kafka.h"
#include "sim_network.h"
#include "sim_redis.h"
#include "world.h"

enum {
    CALM_STEPS_MAX = 12000, /* until all is quiet: beyond, it hangs */
    LOOK_STEPS = 12,
    QUIET_STEPS = 40, /* it must stay quiet */
    REDIS_COMMANDS_A_STEP = 12,
    START_MS_MAX = 1500,
    BUSY_IN_THOUSAND = 650,
    NOTHING_MS_MAX = 150, /* time goes on faster while nobody has anything to do */
};
#define PLAN_SEED UINT64_C (0x706c616e)

/*  ---- what a schedule has ---- */

static void make_world (chance_t *chance)
{
    static const int64_t intervals_ms[] = {10, 200, 1000, 5000};
    static const int64_t gather_ms[] = {500, 3000, 30000};
    world = (world_t){.shard_count = 1 + chance_least (chance, SIM_SHARDS_MAX),
                      .ingestor_count = 1 + chance_least (chance, WORLD_INGESTORS_MAX),
                      .worker_count = 1 + chance_below (chance, 3),
                      .sink_count = 1 + chance_least (chance, WORLD_SINKS_MAX),
                      .fixed_names = chance_is (chance, 500),
                      .commit_interval_ms = intervals_ms[chance_below (chance, 4)],
                      .gather_timeout_ms = gather_ms[chance_below (chance, 3)],
                      .max_skew_ms = chance_is (chance, 300) ? 20000 : 600000,
                      .redis_timeout_ms = chance_is (chance, 300) ? 1000 : 5000,
                      .revision = 1};
}

static void make (const schedule_t *self, faults_t *faults)
{
    chance_t chance = {self->seed ^ PLAN_SEED};
    make_world (&chance);
    oracle_begin (&chance, world.shard_count, chance_is (&chance, 400));
    faults_make (faults, &chance, self->kinds);
}

void schedule_faults (const schedule_t *self, faults_t *faults)
{
    make (self, faults);
}

static void begin (const schedule_t *self, faults_t *faults)
{
    sim_begin (self->seed);
    make (self, faults);
    sim_network_begin (&faults->network);
    sim_disk_begin (world.shard_count, self->seed | 1);
    sim_redis_begin ();
    sim_kafka_begin ();
    checks_begin ();
    world_begin ();
    sim_trace ("%u shards, %u ingestors, %u workers, %u sinks, %u partitions, %u events",
               world.shard_count, world.ingestor_count, world.worker_count, world.sink_count,
               oracle.partition_count, oracle.event_count);
}

static void end (void)
{
    for (uint32_t i = 0; i < sim.process_count; i++) {
        process_t *process = &sim.processes[i];
        bool failed = sim_failed ();
        process->dead = true; /* not a fault: not counted */
        sim_kill (process);
        if (!failed)
            sim.failure[0] = '\0';
    }
    sim_kafka_end ();
    sim_network_end ();
    sim_redis_end ();
    sim_disk_end ();
}

/*  ---- steps ---- */

static int64_t step_ms (void)
{
    uint32_t kind = chance_below (&sim.chance, 100);
    if (kind < 60)
        return chance_between (&sim.chance, 0, 4);
    return kind < 92 ? chance_between (&sim.chance, 5, 60) : chance_between (&sim.chance, 60, 500);
}

/*  Can it run: up and not frozen, or to be started by now? */
static bool is_able (const process_t *process)
{
    return process->up ? !process->frozen : process->wanted && sim.now_ms >= process->start_ms;
}

/*  Which process runs next: mostly one that something has come for; NULL: none can. */
static process_t *pick_process (void)
{
    process_t *any = NULL, *busy = NULL;
    uint32_t any_count = 0, busy_count = 0;
    for (uint32_t i = 0; i < sim.process_count; i++) {
        process_t *process = &sim.processes[i];
        if (!is_able (process))
            continue;
        if (chance_below (&sim.chance, ++any_count) == 0)
            any = process;
        bool has_work = process->attention || sim_network_waits (process);
        if (has_work && chance_below (&sim.chance, ++busy_count) == 0)
            busy = process;
    }
    if (!busy)
        sim.now_ms += chance_between (&sim.chance, 0, NOTHING_MS_MAX);
    return busy && chance_is (&sim.chance, BUSY_IN_THOUSAND) ? busy : any;
}

static void run_process (process_t *process)
{
    if (!process->up)
        sim_start (process);
    if (!process->attention && process->wake_ms > sim.now_ms)
        sim.now_ms = process->wake_ms;
    sim_run (process);
    if (process->up)
        checks_process (process);
    else
        process->start_ms = sim.now_ms + chance_between (&sim.chance, 2, START_MS_MAX);
}

static void step (void)
{
    sim.steps++;
    sim.now_ms += step_ms ();
    uint32_t actor = chance_below (&sim.chance, 100);
    if (actor < 6) {
        sim_kafka_step ();
    } else if (actor < 20 && sim_committers_wait ()) {
        sim_committers_step ();
    } else if (actor < 36 && sim_redis_waits ()) {
        uint32_t count = 1 + chance_below (&sim.chance, REDIS_COMMANDS_A_STEP);
        for (uint32_t i = 0; i < count && sim_redis_waits (); i++)
            sim_redis_step ();
    } else {
        process_t *process = pick_process ();
        if (process)
            run_process (process);
    }
}

static void calm (void)
{
    sim.calm_step = sim.steps;
    faults_end ();
    sim_network_calm ();
    sim_kafka_calm ();
    sim_trace ("no more faults");
}

/*  Until all is quiet, and some steps more. */
static void settle (schedule_result_t *result)
{
    const char *why = "";
    int64_t since_ms = sim.now_ms;
    uint32_t steps = 0;
    while (why && !sim_failed () && steps < CALM_STEPS_MAX) {
        for (uint32_t i = 0; i < LOOK_STEPS && !sim_failed (); i++, steps++)
            step ();
        why = checks_unquiet ();
    }
    result->calm_steps = steps;
    result->calm_ms = sim.now_ms - since_ms;
    if (why && !sim_failed ())
        checks_tell_state ();
    if (why)
        sim_fail ("it does not come to an end: %s", why);
    for (uint32_t i = 0; i < QUIET_STEPS && !sim_failed (); i++)
        step ();
    why = sim_failed () ? NULL : checks_unequal ();
    if (why)
        sim_fail ("it was quiet, and is no longer: %s", why);
}

bool schedule_run (const schedule_t *self, schedule_result_t *result)
{
    faults_t faults;
    begin (self, &faults);
    *result = (schedule_result_t){0};
    for (uint32_t i = 0; i < faults.steps && !sim_failed (); i++) {
        faults_step (&faults, i, self->without);
        step ();
    }
    if (!sim_failed ()) {
        calm ();
        settle (result);
    }
    result->steps = (uint32_t)sim.steps;
    end ();
    return !sim_failed ();
}
