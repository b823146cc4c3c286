/*  checks: see checks.h: the disk, Kafka's offsets, and what processes hold. Redis is
 *  checks_redis.c's. */
#include "checks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/pack.h"
#include "common/worker_parts.h"
#include "ingestor/ingestor_parts.h"
#include "checks_redis.h"
#include "model_stage.h"
#include "oracle.h"
#include "sim_kafka.h"
#include "sink/result_chain.h"
#include "world.h"

enum {
    HEAD_INTEGERS = 7,    /* of a head record before its vector; see write_head of common/shard.c */
    EPOCH_AT = 8,         /* in the record of shard_store: behind its format */
    REWINDS_A_CAUSE = 2, /* a frame that is lost may hold sections of two workers' shards … */
    REWINDS_SPARE = 2,
};

/*  A vector by the oracle's numbers of partitions; -1: absent. */
typedef struct {
    int64_t next[SIM_PARTITIONS_MAX];
} next_t;

static const next_t nowhere = {{-1, -1, -1, -1}};
_Static_assert (SIM_PARTITIONS_MAX == 4, "nowhere names each partition");

/*  What was seen of a life of a process. */
typedef struct {
    uint32_t life;
    struct {
        uint64_t epoch;
        next_t applied;
    } shards[SIM_SHARDS_MAX];
    uint64_t gaps, repeats; /* of a worker */
    uint64_t rewinds;       /* of an ingestor, all partitions */
    uint64_t births;        /* of owners and workers, when it began */
} seen_t;

static seen_t seen[SIM_PROCESSES_MAX];

/*  Of each sink's life and each shard: the greatest epoch that it took a result of. */
static struct {
    uint32_t life;
    uint64_t epochs[SIM_SHARDS_MAX];
} chains[SIM_PROCESSES_MAX];

void checks_begin (void)
{
    memset (seen, 0, sizeof seen);
    memset (chains, 0, sizeof chains);
    checks_redis_begin ();
}

void checks_folder_lost (uint32_t shard)
{
    (void)shard;
    checks_redis_folder_lost ();
}

/*  ---- the disk ---- */

static next_t read_vector (const store_version_t *version)
{
    next_t vector = nowhere;
    span_t head = sim_store_find (version, (span_t){"h", 1});
    cursor_t cursor = cursor_of (head.bytes, head.size);
    for (int i = 0; i < HEAD_INTEGERS && head.bytes; i++)
        cursor_int (&cursor);
    uint64_t count = head.bytes ? cursor_uint (&cursor) : 0;
    for (uint64_t i = 0; i < count && !cursor.failed; i++) {
        span_t name = cursor_span (&cursor, SIZE_MAX);
        int64_t next = cursor_int (&cursor);
        cursor_int (&cursor);
        int partition = cursor.failed ? -1 : oracle_find_partition (name.bytes, name.size);
        if (partition >= 0)
            vector.next[partition] = next;
    }
    if (cursor.failed)
        sim_fail ("the model cannot read the head of a shard: has its form changed?");
    return vector;
}

static uint64_t read_epoch (const store_version_t *version)
{
    uint64_t epoch = 0;
    span_t stored = sim_store_find (version, (span_t){"epoch", 6});
    if (stored.size >= EPOCH_AT + sizeof epoch)
        memcpy (&epoch, stored.bytes + EPOCH_AT, sizeof epoch);
    return epoch;
}

static uint32_t read_events (const store_version_t *version)
{
    uint32_t events = 0;
    span_t key, value;
    for (uint32_t i = 0; sim_store_record (version, i, &key, &value); i++) {
        int event = model_stage_record (key);
        events |= event >= 0 ? UINT32_C (1) << event : 0;
    }
    return events;
}

static uint32_t events_below (uint32_t shard, const next_t *vector)
{
    uint32_t events = 0;
    for (uint32_t i = 0; i < oracle.partition_count; i++)
        events |= oracle_below (i, vector->next[i]);
    return events & oracle_shard (shard);
}

static void check_letters (uint32_t shard, uint32_t partition, int64_t next)
{
    const oracle_partition_t *log = &oracle.partitions[partition];
    for (uint32_t i = 0; i < log->count; i++) {
        const oracle_record_t *record = &log->records[i];
        if (record->letter && record->offset < next &&
            !sim_kafka_has_letter (partition, record->offset))
            sim_fail ("shard %u is past offset %" PRId64 " of %s, whose dead letter is not safe",
                      shard, record->offset, log->name);
    }
}

void checks_stored (inode_t *inode, const store_version_t *next)
{
    uint64_t old_epoch = read_epoch (inode->store), epoch = read_epoch (next);
    next_t old_vector = read_vector (inode->store), vector = read_vector (next);
    if (epoch > old_epoch)
        sim_event (EVENT_MOVES);
    if (epoch < old_epoch)
        sim_fail ("shard %u: a commit of epoch %" PRIu64 " was accepted after %" PRIu64,
                  inode->shard, epoch, old_epoch);
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        if (vector.next[i] < old_vector.next[i])
            sim_fail ("shard %u: what is durable of %s went back from %" PRId64 " to %" PRId64,
                      inode->shard, oracle.partitions[i].name, old_vector.next[i], vector.next[i]);
        check_letters (inode->shard, i, vector.next[i]);
    }
    uint32_t events = read_events (next), expected = events_below (inode->shard, &vector);
    if (events != expected)
        sim_fail ("shard %u: events %#x are durable, but the vector says %#x", inode->shard, events,
                  expected);
    sim_trace ("shard %u: epoch %" PRIu64 " durable at %" PRId64 " %" PRId64 " %" PRId64,
               inode->shard, epoch, vector.next[0], vector.next[1], vector.next[2]);
}

void checks_committed (const process_t *process, const commit_job_t *job)
{
    (void)process;
    switch (job->fault) {
    case SHARD_FAULT_NONE:
        sim_event (EVENT_COMMITS);
        break;
    case SHARD_FAULT_ROOM:
        sim_event (EVENT_COMMITS_FAILED);
        break;
    case SHARD_FAULT_OWNER:
        sim_event (EVENT_COMMITS_REFUSED);
        break;
    case SHARD_FAULT_GONE:
        sim_event (EVENT_COMMITS_GONE);
        break;
    default:
        sim_fail ("a commit failed for good: %s", job->error);
    }
}

static inode_t *store_of (uint32_t shard)
{
    char path[SIM_STATE_BYTES];
    snprintf (path, sizeof path, SIM_STATE "/%s/%u/data.mdb", model_stage.name, shard);
    return sim_files_find (path);
}

int64_t checks_durable (uint32_t partition)
{
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < world.shard_count; i++) {
        const inode_t *inode = store_of (i);
        int64_t next = inode ? read_vector (inode->store).next[partition] : -1;
        least = next < least ? next : least;
    }
    return least;
}

void checks_kafka_committed (uint32_t partition, int64_t next)
{
    int64_t durable = checks_durable (partition);
    if (next > durable && !checks_redis_is_folder_lost ())
        sim_fail ("offset %" PRId64 " of %s is committed to Kafka, and durable is %" PRId64, next,
                  oracle.partitions[partition].name, durable);
}

/*  ---- processes ---- */

static next_t by_oracle (const vector_t *vector, partition_names_t *names)
{
    next_t next = nowhere;
    for (uint32_t i = 0; i < vector->count; i++) {
        span_t name = partition_names_get (names, i);
        int partition = oracle_find_partition (name.bytes, name.size);
        if (partition >= 0 && vector->entries[i].next != VECTOR_ABSENT)
            next.next[partition] = vector->entries[i].next;
    }
    return next;
}

static void check_shard (seen_t *was, uint32_t number, const shard_t *shard)
{
    next_t applied = by_oracle (&shard->applied, shard->partitions);
    next_t durable = by_oracle (&shard->durable, shard->partitions);
    bool same = was->shards[number].epoch == shard->epoch;
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        if (same && applied.next[i] < was->shards[number].applied.next[i])
            sim_fail ("shard %u: what is applied of %s went back to %" PRId64, number,
                      oracle.partitions[i].name, applied.next[i]);
        if (durable.next[i] > applied.next[i])
            sim_fail ("shard %u: %s is durable up to %" PRId64 ", beyond what is applied", number,
                      oracle.partitions[i].name, durable.next[i]);
    }
    was->shards[number].epoch = shard->epoch;
    was->shards[number].applied = applied;
}

static void check_worker (process_t *process, seen_t *was)
{
    const worker_t *worker = process->object;
    for (uint32_t i = 0; i < world.shard_count; i++) {
        if (worker->shards[i])
            check_shard (was, i, worker->shards[i]);
    }
    for (; was->gaps < worker->counts.gaps; was->gaps++)
        sim_event (EVENT_SECTION_GAPS);
    for (; was->repeats < worker->counts.repeats; was->repeats++)
        sim_event (EVENT_SECTION_REPEATS);
}

/*  Owners and lives of workers so far: each may make a partition be read again from where it
 *  stands. */
static uint64_t count_births (void)
{
    uint64_t births = sim.events[EVENT_MOVES];
    for (uint32_t i = 0; i < sim.process_count; i++)
        births += sim.processes[i].kind != PROCESS_SINK ? sim.processes[i].lives : 0;
    return births;
}

static void check_ingestor (process_t *process, seen_t *was)
{
    const ingestor_t *ingestor = process->object;
    uint64_t rewinds = 0, most = 0;
    for (uint32_t i = 0; i < ingestor->ledger.count; i++) {
        const ledger_partition_t *partition = ingestor->ledger.partitions[i];
        uint64_t count = partition ? partition->rewinds : 0;
        rewinds += count;
        most = count > most ? count : most;
    }
    for (; was->rewinds < rewinds; was->rewinds++)
        sim_event (EVENT_REWINDS);
    uint64_t causes = process->frames_lost + count_births () - was->births;
    if (most > REWINDS_A_CAUSE * causes + REWINDS_SPARE)
        sim_fail ("%s has rewound a partition %" PRIu64 " times for %" PRIu64 " causes",
                  process->name, most, causes);
}

void checks_process (process_t *process)
{
    seen_t *was = &seen[process - sim.processes];
    if (was->life != process->lives)
        *was = (seen_t){.life = process->lives, .births = count_births ()};
    if (!process->object || process->dead)
        return;
    if (process->kind == PROCESS_WORKER)
        check_worker (process, was);
    else if (process->kind == PROCESS_INGESTOR)
        check_ingestor (process, was);
}

/*  ---- the sink's chain: by the linker's --wrap ---- */

chain_verdict_t __real_result_chain_take (result_chain_t *self, uint32_t peer,
                                          const wire_results_t *frame, const wire_result_t *result,
                                          bool room, int64_t now_ms, chain_token_t *token,
                                          span_t *body);
chain_verdict_t __wrap_result_chain_take (result_chain_t *self, uint32_t peer,
                                          const wire_results_t *frame, const wire_result_t *result,
                                          bool room, int64_t now_ms, chain_token_t *token,
                                          span_t *body);

chain_verdict_t __wrap_result_chain_take (result_chain_t *self, uint32_t peer,
                                          const wire_results_t *frame, const wire_result_t *result,
                                          bool room, int64_t now_ms, chain_token_t *token,
                                          span_t *body)
{
    chain_verdict_t verdict =
        __real_result_chain_take (self, peer, frame, result, room, now_ms, token, body);
    if (sim_is_dead ())
        return verdict;
    uint32_t slot = (uint32_t)(sim.current - sim.processes);
    if (chains[slot].life != sim.current->lives) {
        memset (&chains[slot], 0, sizeof chains[slot]);
        chains[slot].life = sim.current->lives;
    }
    uint64_t *epoch = &chains[slot].epochs[result->shard];
    bool taken = verdict == CHAIN_ACCEPT || verdict == CHAIN_PART;
    if (taken && result->epoch < *epoch)
        sim_fail ("the sink takes a result of shard %u's epoch %" PRIu64 " after one of %" PRIu64,
                  result->shard, result->epoch, *epoch);
    if (result->epoch > *epoch)
        *epoch = result->epoch;
    if (verdict == CHAIN_OLD_EPOCH)
        sim_event (EVENT_RESULTS_REFUSED);
    else if (verdict == CHAIN_GAP)
        sim_event (EVENT_RESULT_GAPS);
    else if (verdict == CHAIN_REPEAT)
        sim_event (EVENT_RESULT_REPEATS);
    return verdict;
}

/*  ---- is all quiet? ---- */

void checks_tell_state (void)
{
    for (uint32_t i = 0; i < sim.process_count; i++) {
        const process_t *process = &sim.processes[i];
        const worker_t *worker = process->kind == PROCESS_WORKER ? process->object : NULL;
        for (uint32_t j = 0; worker && j < world.shard_count; j++) {
            const shard_t *shard = worker->shards[j];
            if (!shard)
                continue;
            next_t at = by_oracle (&shard->applied, shard->partitions);
            sim_trace ("%s shard %u: applied %" PRId64 " %" PRId64 " %" PRId64 " watermark %" PRId64
                       " owed %zu committing %d changed %d failed %d rewinds %u rebuilt to %u %" PRId64,
                       process->name, j, at.next[0], at.next[1], at.next[2], shard->watermark_ms,
                       owed_count (shard->owed), shard->committing, shard->changed,
                       (int)shard->fault, worker->rewind_count, shard->reach.count, shard->past_ms);
        }
    }
}

static char reason[256];

#define BECAUSE(...) (snprintf (reason, sizeof reason, __VA_ARGS__), reason)

static const char *unquiet_owner (uint32_t shard)
{
    uint32_t owners = 0;
    for (uint32_t i = 0; i < sim.process_count; i++) {
        const process_t *process = &sim.processes[i];
        const worker_t *worker = process->kind == PROCESS_WORKER ? process->object : NULL;
        const shard_t *own = worker ? worker->shards[shard] : NULL;
        owners += own != NULL;
        if (own && (owed_count (own->owed) || own->committing || own->closing))
            return BECAUSE ("shard %u owes %zu results", shard, owed_count (own->owed));
    }
    return owners == 1 ? NULL : BECAUSE ("shard %u has %u owners", shard, owners);
}

static const char *unquiet_shares (void)
{
    uint32_t workers = 0;
    for (uint32_t i = 0; i < sim.process_count; i++)
        workers += sim.processes[i].kind == PROCESS_WORKER && sim.processes[i].up;
    for (uint32_t i = 0; i < sim.process_count; i++) {
        const process_t *process = &sim.processes[i];
        const worker_t *worker = process->kind == PROCESS_WORKER ? process->object : NULL;
        uint32_t held = 0;
        for (uint32_t j = 0; worker && j < world.shard_count; j++)
            held += worker->shards[j] != NULL;
        bool fair = held >= world.shard_count / workers &&
                    held <= (world.shard_count + workers - 1) / workers;
        if (worker && !fair)
            return BECAUSE ("%s holds %u shards of %u workers", process->name, held, workers);
    }
    return NULL;
}

static const char *unquiet_partition (uint32_t number)
{
    const oracle_partition_t *partition = &oracle.partitions[number];
    int64_t durable = checks_durable (number), committed = sim_kafka_committed (number);
    if (durable != partition->end)
        return BECAUSE ("%s is durable up to %" PRId64 " of %" PRId64, partition->name, durable,
                        partition->end);
    if (committed != partition->end)
        return BECAUSE ("%s is committed to Kafka up to %" PRId64 " of %" PRId64, partition->name,
                        committed, partition->end);
    return NULL;
}

const char *checks_unequal (void)
{
    const char *why = NULL;
    for (uint32_t i = 0; i < oracle.partition_count && !why; i++)
        why = unquiet_partition (i);
    return why ? why : checks_redis_unquiet ();
}

const char *checks_unquiet (void)
{
    const char *why = NULL;
    for (uint32_t i = 0; i < sim.process_count && !why; i++) {
        const process_t *process = &sim.processes[i];
        if (process->wanted != (process->object != NULL))
            why = BECAUSE ("%s is %s", process->name, process->wanted ? "down" : "still there");
    }
    why = why ? why : checks_unequal ();
    for (uint32_t i = 0; i < world.shard_count && !why; i++)
        why = unquiet_owner (i);
    return why ? why : unquiet_shares ();
}
