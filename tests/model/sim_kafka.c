/*  sim_kafka: see sim_kafka.h. */
#include "sim_kafka.h"

#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "common/clock.h"
#include "common/memory.h"
#include "oracle.h"

enum {
    NOBODY = -1,
    RECORDS_A_POLL = 6,
    MEMBERS_MAX = SIM_PROCESSES_MAX,
    SESSION_MS = 6000,
    RETENTION_MS = 3000,
    LETTERS_MAX = 8, /* waiting to be acknowledged */
};

typedef struct {
    bool listed;
    uint32_t produced; /* of the oracle's records */
    int64_t oldest, committed;
    int64_t durable, durable_ms; /* of every shard, as it was then: retention comes later */
    int assigned;      /* slot of the process, or NOBODY */
    int last;          /* the last one that it was assigned to */
    uint32_t turn;     /* which of the members it goes to */
    uint32_t letters;  /* bit a record: its dead letter is acknowledged */
} topic_partition_t;

typedef struct {
    bool knows;   /* it believes that the partition is its own */
    bool started, paused, told_end;
    int64_t position;
    int64_t durable, committed; /* to be committed; accepted by the group */
} member_partition_t;

typedef struct {
    source_t base;
    source_events_t events;
    process_t *process;
    bool relist;
    member_partition_t partitions[SIM_PARTITIONS_MAX];
} member_t;

static struct {
    topic_partition_t partitions[SIM_PARTITIONS_MAX];
    member_t *members[MEMBERS_MAX]; /* by slot of the process */
    bool calm;
} kafka;

static bool is_member (int slot)
{
    const member_t *member = slot == NOBODY ? NULL : kafka.members[slot];
    return member && !(member->process->frozen &&
                       sim.now_ms - member->process->frozen_ms > SESSION_MS);
}

/*  Where the log ends now: only what is no record may lie behind the last one. */
static int64_t end_of (uint32_t number)
{
    const oracle_partition_t *log = &oracle.partitions[number];
    uint32_t produced = kafka.partitions[number].produced;
    return produced < log->count ? log->records[produced].offset : log->end;
}

/*  ---- source.h ---- */

static member_t *member_of (source_t *base)
{
    return (member_t *)(void *)base;
}

static void destroy (source_t **self_p)
{
    member_t *self = member_of (*self_p);
    if (!self)
        return;
    kafka.members[self->process - sim.processes] = NULL;
    free (self);
    *self_p = NULL;
}

static void revoke (member_t *self, uint32_t number)
{
    self->partitions[number].knows = self->partitions[number].started = false;
    self->events.revoked (self->events.arg, number);
}

/*  What the group tells this member, when it asks. */
static void follow_group (member_t *self)
{
    int slot = (int)(self->process - sim.processes);
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        topic_partition_t *topic = &kafka.partitions[i];
        member_partition_t *own = &self->partitions[i];
        if (own->knows && topic->assigned != slot && chance_is (&sim.chance, 500))
            revoke (self, i);
        else if (!own->knows && topic->assigned == slot) {
            *own = (member_partition_t){.knows = true, .durable = -1, .committed = -1};
            self->events.assigned (self->events.arg, i);
        }
    }
}

/*  Gives some records of a partition, and what is behind the last. */
static void read_on (member_t *self, uint32_t number)
{
    const oracle_partition_t *log = &oracle.partitions[number];
    member_partition_t *own = &self->partitions[number];
    uint32_t produced = kafka.partitions[number].produced, given = 0;
    uint32_t most = 1 + chance_below (&sim.chance, RECORDS_A_POLL);
    if (own->started && own->position < kafka.partitions[number].oldest) {
        own->started = false;
        self->events.lost (self->events.arg, number, own->position, kafka.partitions[number].oldest,
                           end_of (number));
    }
    for (uint32_t i = 0; i < produced && given < most && own->started && !own->paused; i++) {
        const oracle_record_t *record = &log->records[i];
        if (record->offset < own->position)
            continue;
        own->position = record->offset + 1;
        own->told_end = false;
        given++;
        const source_record_t told = {.partition = number,
                                      .offset = record->offset,
                                      .next = record->offset + 1,
                                      .record_time_ms = record->time_ms,
                                      .value = {record->text, record->size},
                                      .value_bytes = record->size};
        self->events.record (self->events.arg, &told);
    }
    if (given && kafka.partitions[number].assigned != (int)(self->process - sim.processes))
        sim_event (EVENT_FORMER_INGESTORS);
    produced = kafka.partitions[number].produced; /* time may have passed within a record */
    bool at_end = !produced || own->position > log->records[produced - 1].offset;
    if (!at_end || !own->started || own->told_end)
        return;
    int64_t end = end_of (number);
    if (end > own->position) {
        own->position = end;
        self->events.position (self->events.arg, number, end);
    }
    own->told_end = true;
    self->events.end (self->events.arg, number, own->position);
}

/*  As the real source it tries again what the group has refused, as long as it holds the
 *  partition. */
static void try_commit (member_t *self, uint32_t number)
{
    topic_partition_t *topic = &kafka.partitions[number];
    member_partition_t *own = &self->partitions[number];
    if (!own->knows || own->durable <= own->committed || !sim_call ("source commit"))
        return;
    if (topic->assigned != (int)(self->process - sim.processes)) {
        sim_event (EVENT_KAFKA_REFUSED);
        return;
    }
    sim_event (EVENT_KAFKA_COMMITS);
    own->committed = topic->committed = own->durable;
    checks_kafka_committed (number, own->durable);
}

static void poll_source (source_t *base, int timeout_ms)
{
    member_t *self = member_of (base);
    if (!sim_call ("source poll"))
        return;
    sim_wait (timeout_ms);
    if (sim_is_dead ())
        return;
    if (self->relist) {
        self->relist = false;
        self->events.listed (self->events.arg);
    }
    follow_group (self);
    for (uint32_t i = 0; i < oracle.partition_count; i++)
        try_commit (self, i);
    uint32_t first = chance_below (&sim.chance, oracle.partition_count);
    for (uint32_t i = 0; i < oracle.partition_count; i++)
        read_on (self, (first + i) % oracle.partition_count);
}

static uint32_t partition_count (const source_t *base)
{
    (void)base;
    return oracle.partition_count;
}

static const char *partition_name (const source_t *base, uint32_t number)
{
    (void)base;
    return oracle.partitions[number].name;
}

static bool partition_listed (const source_t *base, uint32_t number)
{
    (void)base;
    return kafka.partitions[number].listed;
}

static outcome_t start (source_t *base, uint32_t number, int64_t offset, int64_t most,
                        int64_t *kept, bool *lost)
{
    (void)most;
    member_t *self = member_of (base);
    const topic_partition_t *topic = &kafka.partitions[number];
    member_partition_t *own = &self->partitions[number];
    if (!sim_call ("source start") || (!kafka.calm && chance_is (&sim.chance, 100)))
        return OUTCOME_RETRY;
    if (offset != SOURCE_OLDEST && (offset < topic->oldest || offset > end_of (number))) {
        self->events.lost (self->events.arg, number, offset, topic->oldest, end_of (number));
        return OUTCOME_OK;
    }
    own->started = true;
    own->told_end = false;
    own->position = offset == SOURCE_OLDEST ? topic->oldest : offset;
    if (offset == SOURCE_OLDEST) {
        *kept = topic->oldest;
        *lost = topic->oldest > 0;
    }
    return OUTCOME_OK;
}

static void pause_partition (source_t *base, uint32_t number, bool paused)
{
    member_of (base)->partitions[number].paused = paused;
}

static void commit (source_t *base, uint32_t number, int64_t next)
{
    member_of (base)->partitions[number].durable = next;
    try_commit (member_of (base), number);
}

static int64_t heard_ms (const source_t *base)
{
    (void)base;
    return clock_ms ();
}

static bool partition_gone (const source_t *base, uint32_t number)
{
    (void)base, (void)number;
    return false;
}

static outcome_t renew (source_t *base, uint32_t number)
{
    (void)base, (void)number;
    return OUTCOME_RETRY;
}

static void learn (source_t *base, span_t name)
{
    (void)base, (void)name;
}

static int64_t end_known_ms (const source_t *base, uint32_t number)
{
    const member_partition_t *own = &((const member_t *)(const void *)base)->partitions[number];
    return own->told_end && own->position == end_of (number) ? clock_ms () : 0;
}

static int64_t lag (const source_t *base, uint32_t number, int64_t next)
{
    (void)base, (void)number, (void)next;
    return -1;
}

static const source_ops_t source_ops = {
    .destroy = destroy,
    .poll = poll_source,
    .heard_ms = heard_ms,
    .partition_gone = partition_gone,
    .renew = renew,
    .learn = learn,
    .end_known_ms = end_known_ms,
    .partition_count = partition_count,
    .partition_name = partition_name,
    .partition_listed = partition_listed,
    .start = start,
    .pause = pause_partition,
    .commit = commit,
    .lag = lag,
};

source_t *sim_kafka_source_new (const source_events_t *events)
{
    member_t *self = memory_new (sizeof *self);
    self->base.ops = &source_ops;
    self->events = *events;
    self->process = sim.current;
    self->relist = true;
    if (!sim_is_dead ())
        kafka.members[self->process - sim.processes] = self;
    return &self->base;
}

/*  ---- dead_letters.h ---- */

typedef struct {
    dead_letters_t base;
    struct {
        uint32_t partition;
        int64_t offset;
    } waiting[LETTERS_MAX];
    uint32_t count;
} letters_t;

static letters_t *letters_of (dead_letters_t *base)
{
    return (letters_t *)(void *)base;
}

static void destroy_letters (dead_letters_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

static outcome_t add_letter (dead_letters_t *base, const source_record_t *record, const char *name,
                             event_reason_t reason, int64_t now_ms)
{
    (void)name, (void)reason, (void)now_ms;
    letters_t *self = letters_of (base);
    if (!sim_call ("dead letter"))
        return OUTCOME_OK;
    if (self->count == LETTERS_MAX)
        return OUTCOME_RETRY;
    self->waiting[self->count].partition = record->partition;
    self->waiting[self->count++].offset = record->offset;
    sim_event (EVENT_LETTERS);
    return OUTCOME_OK;
}

/*  The oldest is acknowledged, or not yet. */
static void poll_letters (dead_letters_t *base)
{
    letters_t *self = letters_of (base);
    if (!self->count || !sim_call ("dead letters poll") || chance_is (&sim.chance, 600))
        return;
    const oracle_partition_t *log = &oracle.partitions[self->waiting[0].partition];
    for (uint32_t i = 0; i < log->count; i++) {
        if (log->records[i].offset == self->waiting[0].offset)
            kafka.partitions[self->waiting[0].partition].letters |= UINT32_C (1) << i;
    }
    self->count--;
    memmove (&self->waiting[0], &self->waiting[1], self->count * sizeof self->waiting[0]);
}

static bool letters_pending (const dead_letters_t *base, uint32_t number)
{
    const letters_t *self = (const letters_t *)(const void *)base;
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->waiting[i].partition == number)
            return true;
    }
    return false;
}

static const dead_letters_ops_t letters_ops = {
    .destroy = destroy_letters,
    .add = add_letter,
    .poll = poll_letters,
    .pending = letters_pending,
};

dead_letters_t *sim_kafka_letters_new (void)
{
    letters_t *self = memory_new (sizeof *self);
    self->base.ops = &letters_ops;
    return &self->base;
}

bool sim_kafka_has_letter (uint32_t number, int64_t offset)
{
    const oracle_partition_t *log = &oracle.partitions[number];
    for (uint32_t i = 0; i < log->count; i++) {
        if (log->records[i].offset == offset)
            return kafka.partitions[number].letters >> i & 1;
    }
    return false;
}

/*  ---- the topic and the group ---- */

static void list_again (void)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        if (kafka.members[i])
            kafka.members[i]->relist = true;
    }
}

void sim_kafka_begin (void)
{
    memset (&kafka, 0, sizeof kafka);
    for (uint32_t i = 0; i < SIM_PARTITIONS_MAX; i++) {
        kafka.partitions[i].assigned = kafka.partitions[i].last = NOBODY;
        kafka.partitions[i].oldest = i < oracle.partition_count ? oracle.partitions[i].oldest : 0;
        kafka.partitions[i].committed = -1;
        kafka.partitions[i].turn = i;
        kafka.partitions[i].produced = 1;
        kafka.partitions[i].listed = i < oracle.partition_count && !oracle.partitions[i].is_added;
    }
}

void sim_kafka_end (void)
{
    memset (&kafka, 0, sizeof kafka);
}

static void produce (void)
{
    uint32_t number = chance_below (&sim.chance, oracle.partition_count);
    topic_partition_t *topic = &kafka.partitions[number];
    if (topic->listed && topic->produced < oracle.partitions[number].count)
        topic->produced++;
}

/*  The member that a partition belongs to by the group's rule; NOBODY: there is none. */
static int pick_member (uint32_t turn)
{
    int found = NOBODY;
    uint32_t count = 0;
    for (int slot = 0; slot < MEMBERS_MAX; slot++)
        count += is_member (slot);
    uint32_t at = count ? turn % count : 0;
    for (int slot = 0; slot < MEMBERS_MAX && found == NOBODY; slot++) {
        if (is_member (slot) && at-- == 0)
            found = slot;
    }
    return found;
}

/*  Does a member that is there, and not the one it goes to, still hold it? */
static bool is_held (uint32_t number, int target)
{
    for (int slot = 0; slot < MEMBERS_MAX; slot++) {
        if (slot != target && is_member (slot) && kafka.members[slot]->partitions[number].knows)
            return true;
    }
    return false;
}

/*  A member that is there gives a partition back before another gets it; one that is not is not
 *  asked. */
static void coordinate (void)
{
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        topic_partition_t *topic = &kafka.partitions[i];
        int target = topic->listed ? pick_member (topic->turn) : NOBODY;
        if (topic->assigned == target)
            continue;
        topic->assigned = is_held (i, target) ? NOBODY : target;
        if (topic->assigned == NOBODY)
            continue;
        if (topic->last != NOBODY && topic->last != target)
            sim_event (EVENT_REBALANCES);
        topic->last = target;
    }
}

void sim_kafka_step (void)
{
    produce ();
    coordinate ();
}

void sim_kafka_calm (void)
{
    kafka.calm = true;
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        kafka.partitions[i].listed = true;
        kafka.partitions[i].produced = oracle.partitions[i].count;
    }
    list_again ();
}

bool sim_kafka_add_partition (void)
{
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        if (kafka.partitions[i].listed)
            continue;
        kafka.partitions[i].listed = true;
        list_again ();
        sim_event (EVENT_PARTITIONS_ADDED);
        return true;
    }
    return false;
}

void sim_kafka_expire (void)
{
    uint32_t number = chance_below (&sim.chance, oracle.partition_count);
    topic_partition_t *topic = &kafka.partitions[number];
    bool aged = sim.now_ms - topic->durable_ms > RETENTION_MS;
    if (aged && topic->durable > topic->oldest) {
        topic->oldest = topic->durable;
        sim_event (EVENT_RETENTIONS);
    }
    if (aged) {
        topic->durable = checks_durable (number);
        topic->durable_ms = sim.now_ms;
    }
}

void sim_kafka_rebalance (void)
{
    kafka.partitions[chance_below (&sim.chance, oracle.partition_count)].turn++;
}

int64_t sim_kafka_committed (uint32_t number)
{
    return kafka.partitions[number].committed;
}

int64_t sim_kafka_oldest (uint32_t number)
{
    return kafka.partitions[number].oldest;
}

bool sim_kafka_all_produced (void)
{
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        if (kafka.partitions[i].produced < oracle.partitions[i].count)
            return false;
    }
    return true;
}
