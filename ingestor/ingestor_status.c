/*  ingestor_status: what the ingestor says of its progress, and its metrics. Reads the ingestor's
 * state, within its loop; changes nothing but its own marks of what it saw last. */
#include "ingestor/ingestor_parts.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/memory.h"

enum { LINES_MAX = 16, PARTITIONS_SHOWN_MAX = 1024, NAME_BYTES_MAX = 300 };

static const char *const stage_names[STAGE_COUNT] = {
    [STAGE_SCORER] = "scorer", [STAGE_PROFILER] = "profiler", [STAGE_METRICS] = "metrics"};

static const struct {
    uint32_t bit;
    const char *name, *text;
} pauses[] = {
    {PAUSE_BLOCKED, "blocked", "a worker takes nothing"},
    {PAUSE_SKEW, "skew", "others are behind in event time"},
    {PAUSE_LEAD, "lead", "a shard has not applied what it was handed"},
    {PAUSE_OWNERS, "owners", "a shard has no owner"},
    {PAUSE_LETTERS, "dead_letters", "dead letters are not safe yet"},
    {PAUSE_SCENARIO, "scenario", "configd has not begun a scenario"},
};
enum { PAUSE_COUNT = sizeof pauses / sizeof *pauses };

static ledger_partition_t *partition_at (const ingestor_t *self, uint32_t number)
{
    ledger_partition_t *partition =
        number < self->ledger.count ? self->ledger.partitions[number] : NULL;
    return partition && partition->owned ? partition : NULL;
}

static const char *name_partition (const ingestor_t *self, uint32_t number,
                                   char name[NAME_BYTES_MAX])
{
    span_t span = partition_names_get (self->partitions, number);
    size_t cut = span.size >= NAME_BYTES_MAX ? span.size - NAME_BYTES_MAX + 1 : 0;
    snprintf (name, NAME_BYTES_MAX, "%.*s", (int)(span.size - cut), span.bytes + cut);
    return name;
}

/*  ---- readiness ---- */

static void tell_owners (ingestor_t *self, readiness_t *readiness)
{
    uint32_t missing = 0, first = 0, shard_count = self->settings.shard_count;
    for (uint32_t i = owners_slot_count (self->owners); i-- > 0;) {
        if (!owners_takes_part (self->owners, i) ||
            owners_slot (self->owners, i)->worker != OWNERS_NOBODY)
            continue;
        missing++;
        first = i;
    }
    if (!missing)
        readiness_say (readiness, true, "owners", "every shard has one");
    else
        readiness_say (readiness, false, "owners", "%s shard %u has none; %u shards in all",
                       stage_names[first / shard_count], first % shard_count, missing);
}

/*  The shard that has applied least of a partition, with its worker: "scorer shard 3 of scorer-0".
 */
static void name_slowest (ingestor_t *self, uint32_t number, char *text, size_t size)
{
    uint32_t slowest = 0, shard_count = self->settings.shard_count;
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < owners_slot_count (self->owners); i++) {
        int64_t next = vector_get (&owners_slot (self->owners, i)->applied, number).next;
        if (!owners_takes_part (self->owners, i) || next >= least)
            continue;
        least = next;
        slowest = i;
    }
    int32_t worker = owners_slot (self->owners, slowest)->worker;
    snprintf (
        text, size, "%s shard %u of %s", stage_names[slowest / shard_count], slowest % shard_count,
        worker == OWNERS_NOBODY ? "nobody" : owners_worker (self->owners, (uint32_t)worker)->name);
}

static ingestor_mark_t *mark_of (ingestor_t *self, uint32_t number)
{
    if (number >= self->mark_count) {
        uint32_t count = number + 16;
        self->marks = memory_resize (self->marks, count * sizeof *self->marks);
        memset (self->marks + self->mark_count, 0,
                (count - self->mark_count) * sizeof *self->marks);
        self->mark_count = count;
    }
    return &self->marks[number];
}

/*  What was handed out, and some shard does not apply. */
static bool tell_applied (ingestor_t *self, uint32_t number, readiness_t *readiness, int64_t now_ms)
{
    const ledger_partition_t *partition = partition_at (self, number);
    ingestor_mark_t *mark = mark_of (self, number);
    int64_t applied = owners_applied (self->owners, number);
    bool waits = partition->started && applied < partition->position;
    int64_t ms = stall_ms (&mark->stall, waits, applied != mark->applied, now_ms);
    char name[NAME_BYTES_MAX], slowest[NAME_BYTES_MAX];
    mark->applied = applied;
    if (ms < READINESS_STALL_MS)
        return true;
    name_slowest (self, number, slowest, sizeof slowest);
    readiness_say (readiness, false, "worker",
                   "%s has not moved for %lld s: %s is read to %lld, applied to %lld", slowest,
                   (long long)(ms / 1000), name_partition (self, number, name),
                   (long long)partition->position, (long long)applied);
    return false;
}

static bool has_input (const ingestor_t *self, const ledger_partition_t *partition)
{
    return !partition->started || !partition->at_end ||
           self->source->ops->lag (self->source, partition->source_index, partition->position) > 0;
}

static void name_blocked (ingestor_t *self, char *text, size_t size)
{
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++) {
        if (self->workers[i].blocked_since_ms)
            snprintf (text, size, " (%s)", owners_worker (self->owners, i)->name);
    }
}

static void tell_standstill (ingestor_t *self, uint32_t number, readiness_t *readiness, int64_t ms)
{
    const ledger_partition_t *partition = partition_at (self, number);
    char name[NAME_BYTES_MAX], blocked[NAME_BYTES_MAX] = "";
    const char *reason = partition->started ? "nothing comes" : "it cannot be started";
    for (int i = PAUSE_COUNT; i-- > 0;) {
        if (partition->started && partition->paused & pauses[i].bit)
            reason = pauses[i].text;
    }
    if (partition->paused & PAUSE_BLOCKED)
        name_blocked (self, blocked, sizeof blocked);
    readiness_say (readiness, false, "input", "%s stands still at %lld for %lld s: %s%s",
                   name_partition (self, number, name), (long long)partition->position,
                   (long long)(ms / 1000), reason, blocked);
}

/*  Is there input, and none of it was read for long? One partition that waits for others is in
 * order. */
static void tell_input (ingestor_t *self, readiness_t *readiness, int64_t now_ms)
{
    uint64_t positions = 0;
    uint32_t owned = 0, waiting = 0, lines = 0;
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        const ledger_partition_t *partition = partition_at (self, i);
        if (!partition)
            continue;
        owned++;
        positions += (uint64_t)partition->position;
        waiting += !partition->stopped && has_input (self, partition);
    }
    int64_t ms = stall_ms (&self->stall, waiting > 0, positions != self->seen_positions, now_ms);
    self->seen_positions = positions;
    if (ms < READINESS_STALL_MS)
        readiness_say (readiness, true, "input", "%u partitions are read here, %u have more", owned,
                       waiting);
    for (uint32_t i = 0; ms >= READINESS_STALL_MS && i < self->ledger.count && lines < LINES_MAX;
         i++) {
        const ledger_partition_t *partition = partition_at (self, i);
        if (!partition || partition->stopped || !has_input (self, partition))
            continue;
        tell_standstill (self, i, readiness, ms);
        lines++;
    }
}

/*  It stood at its end when that was last known, long ago: nothing comes, but for another reason. */
static bool tell_end (ingestor_t *self, uint32_t number, readiness_t *readiness, int64_t now_ms)
{
    const ledger_partition_t *partition = partition_at (self, number);
    char name[NAME_BYTES_MAX];
    bool stands = partition->started && partition->at_end && !partition->paused;
    int64_t since_ms = partition->run.last_ms > partition->valid_clock_ms
                           ? partition->run.last_ms
                           : partition->valid_clock_ms;
    if (self->settings.once || !stands || now_ms - since_ms < READINESS_STALL_MS)
        return true;
    readiness_say (readiness, false, "input",
                   "%s: nothing is known of what comes behind %lld for %lld s: its broker does not answer, or "
                   "a transaction stays open",
                   name_partition (self, number, name), (long long)partition->position,
                   (long long)((now_ms - since_ms) / 1000));
    return false;
}

/*  Others go on, but it will not by itself: its dead letters are refused, or cannot be written. */
static bool tell_letters (ingestor_t *self, uint32_t number, readiness_t *readiness, int64_t now_ms)
{
    const ledger_partition_t *partition = partition_at (self, number);
    char name[NAME_BYTES_MAX];
    if (!partition->started || !partition->letters_ms ||
        now_ms - partition->letters_ms < READINESS_STALL_MS)
        return true;
    readiness_say (readiness, false, "dead_letters",
                   "%s stands still at %lld for %lld s: its dead letters cannot be kept (see the log)",
                   name_partition (self, number, name), (long long)partition->position,
                   (long long)((now_ms - partition->letters_ms) / 1000));
    return false;
}

static void tell_heard (const ingestor_t *self, readiness_t *readiness, int64_t now_ms)
{
    int64_t heard_ms = self->source->ops->heard_ms (self->source);
    if (heard_ms && now_ms - heard_ms >= READINESS_STALL_MS)
        readiness_say (readiness, false, "source", "Kafka has not answered for %lld s",
                       (long long)((now_ms - heard_ms) / 1000));
}

/*  Somebody deleted it: that is in order, but worth a line. */
static void tell_gone (const ingestor_t *self, readiness_t *readiness)
{
    const source_ops_t *ops = self->source->ops;
    for (uint32_t i = 0, lines = 0; i < ops->partition_count (self->source) && lines < LINES_MAX; i++) {
        if (!ops->partition_gone (self->source, i))
            continue;
        readiness_say (readiness, true, "input", "%s is gone: its topic was deleted",
                       ops->partition_name (self->source, i));
        lines++;
    }
}

void ingestor_tell_readiness (void *arg, readiness_t *readiness, int64_t now_ms)
{
    ingestor_t *self = arg;
    char name[NAME_BYTES_MAX];
    uint32_t lines = 0;
    status_config_readiness (self->config, self->settings.configd, readiness);
    tell_owners (self, readiness);
    ingestor_tell_workers (self, readiness);
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        const ledger_partition_t *partition = partition_at (self, i);
        if (!partition || lines >= LINES_MAX)
            continue;
        if (partition->stopped)
            readiness_say (readiness, false, "input",
                           "%s has lost offsets: %lld is wanted, %lld to %lld are there; to go on: "
                           "--on-lost-offsets=skip",
                           name_partition (self, i, name), (long long)partition->lost_wanted,
                           (long long)partition->lost_oldest, (long long)partition->lost_end);
        lines += partition->stopped || !tell_applied (self, i, readiness, now_ms);
        lines += !tell_end (self, i, readiness, now_ms);
        lines += !tell_letters (self, i, readiness, now_ms);
    }
    tell_heard (self, readiness, now_ms);
    tell_gone (self, readiness);
    tell_input (self, readiness, now_ms);
}

/*  ---- metrics ---- */

static void put_events (const ingestor_t *self, counters_t *counters)
{
    static const char events[] = "hotpath_events_total";
    const ingestor_counts_t *counts = &self->counts;
    uint64_t routed = counts->in - counts->unknown - counts->inactive - counts->other;
    counters_family (
        counters, COUNTERS_COUNTER, events,
        "Messages read, each counted once however often it is read again, by outcome.");
    const struct {
        const char *reason;
        uint64_t count;
    } skipped[] = {{"unknown_scenario", counts->unknown},
                   {"inactive", counts->inactive},
                   {"dedicated_to_another", counts->other}};
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        counters_put (counters, events, (double)skipped[i].count, L_STR ("outcome", "skipped"),
                      L_STR ("reason", skipped[i].reason));
    for (int i = EVENT_REASON_NONE + 1; i < EVENT_REASON_COUNT; i++) {
        counters_put (counters, events, (double)counts->dead[i], L_STR ("outcome", "dead"),
                      L_STR ("reason", event_reason_name ((event_reason_t)i)));
        routed -= counts->dead[i];
    }
    counters_put (counters, events, (double)routed, L_STR ("outcome", "routed"),
                  L_STR ("reason", ""));
    counters_single (counters, COUNTERS_COUNTER, "hotpath_wrong_type_fields_total",
                     "Optional fields of a wrong type, taken as absent.",
                     (double)counts->wrong_types);
    counters_single (counters, COUNTERS_COUNTER, "hotpath_dead_letters_total",
                     "Dead letters kept, those of messages that were read again included.",
                     (double)self->letters);
}

typedef struct {
    double lag, behind_s;
    bool lag_known, behind_known;
} lag_t;

static lag_t lag_of (const ingestor_t *self, uint32_t number, const ledger_partition_t *partition)
{
    int64_t applied = owners_applied (self->owners, number);
    int64_t from = applied >= 0 ? applied : partition->base >= 0 ? partition->base : 0;
    int64_t lag = self->source->ops->lag (self->source, partition->source_index, from);
    int64_t greatest_ms = owners_greatest_ms (self->owners, number);
    int64_t behind_ms = greatest_ms == EVENT_TIME_NONE ? 0 : clock_wall_ms () - greatest_ms;
    bool caught_up = lag == 0 || (partition->at_end && applied >= partition->position);
    return (lag_t){.lag = (double)lag,
                   .behind_s = caught_up || behind_ms < 0 ? 0 : (double)behind_ms / 1000,
                   .lag_known = partition->started && lag >= 0,
                   .behind_known = partition->started && greatest_ms != EVENT_TIME_NONE};
}

static void put_lag_sample (counters_t *counters, const char *lag, span_t name, const lag_t *of)
{
    static const char behind[] = "hotpath_event_time_lag_seconds";
    if (of->lag_known)
        counters_put (counters, lag, of->lag, L_SPAN ("partition", name));
    if (of->behind_known)
        counters_put (counters, behind, of->behind_s, L_SPAN ("partition", name));
}

static void put_lag (const ingestor_t *self, counters_t *counters)
{
    bool bytes = self->source->ops->offsets_are_bytes;
    const char *lag = bytes ? "hotpath_lag_bytes" : "hotpath_lag_messages";
    lag_t others = {0};
    uint32_t shown = 0;
    counters_family (counters, COUNTERS_GAUGE, lag,
                     bytes ? "Bytes of the file that some shard has not applied."
                           : "Messages of the partition that some shard has not applied.");
    counters_family (counters, COUNTERS_GAUGE, "hotpath_event_time_lag_seconds",
                     "Wall clock less the greatest event time applied; 0 where all is applied.");
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        const ledger_partition_t *partition = partition_at (self, i);
        if (!partition)
            continue;
        lag_t one = lag_of (self, i, partition);
        if (shown < PARTITIONS_SHOWN_MAX) {
            put_lag_sample (counters, lag, partition_names_get (self->partitions, i), &one);
            shown++;
            continue;
        }
        others.lag += one.lag_known ? one.lag : 0;
        others.lag_known |= one.lag_known;
        others.behind_known |= one.behind_known;
        if (one.behind_known && one.behind_s > others.behind_s)
            others.behind_s = one.behind_s;
    }
    put_lag_sample (counters, lag, span_of ("(others)"), &others);
}

static void put_partitions (const ingestor_t *self, counters_t *counters)
{
    static const char paused[] = "hotpath_paused_partitions";
    uint32_t owned = 0, stopped = 0, gone = 0, by_reason[PAUSE_COUNT] = {0};
    uint64_t rewinds = 0;
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        const ledger_partition_t *partition = self->ledger.partitions[i];
        if (!partition)
            continue;
        rewinds += partition->rewinds;
        owned += partition->owned;
        stopped += partition->owned && partition->stopped;
        for (int at = 0; partition->owned && partition->started && at < PAUSE_COUNT; at++)
            by_reason[at] += (partition->paused & pauses[at].bit) != 0;
    }
    counters_family (counters, COUNTERS_GAUGE, paused,
                     "Partitions that are not read now, by each reason that holds.");
    for (int at = 0; at < PAUSE_COUNT; at++)
        counters_put (counters, paused, by_reason[at], L_STR ("reason", pauses[at].name));
    counters_single (counters, COUNTERS_GAUGE, "hotpath_partitions", "Partitions read here.",
                     owned);
    counters_single (counters, COUNTERS_GAUGE, "hotpath_partitions_lost_offsets",
                     "Partitions that stand still since offsets are gone.", stopped);
    for (uint32_t i = 0; i < self->source->ops->partition_count (self->source); i++)
        gone += self->source->ops->partition_gone (self->source, i);
    counters_single (counters, COUNTERS_GAUGE, "hotpath_partitions_gone",
                     "Partitions that left the list since their topic was deleted.", gone);
    counters_single (counters, COUNTERS_COUNTER, "hotpath_rewinds_total",
                     "Times that a partition was read again from a shard's vector.",
                     (double)rewinds);
}

static void put_workers (ingestor_t *self, counters_t *counters)
{
    static const char workers[] = "hotpath_workers_heard";
    uint32_t live[STAGE_COUNT] = {0}, blocked = 0, missing = 0;
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++) {
        const owners_worker_t *worker = owners_worker (self->owners, i);
        if (worker->live && worker->stage < STAGE_COUNT)
            live[worker->stage]++;
        blocked += self->workers[i].blocked_since_ms != 0;
    }
    for (uint32_t i = 0; i < owners_slot_count (self->owners); i++)
        missing += owners_takes_part (self->owners, i) &&
                   owners_slot (self->owners, i)->worker == OWNERS_NOBODY;
    counters_family (counters, COUNTERS_GAUGE, workers, "Workers that announce themselves here.");
    for (int i = 0; i < STAGE_COUNT; i++)
        counters_put (counters, workers, live[i], L_STR ("stage", stage_names[i]));
    counters_single (counters, COUNTERS_GAUGE, "hotpath_shards_unowned",
                     "Shards of all stages without an owner, as heard here.", missing);
    counters_single (counters, COUNTERS_GAUGE, "hotpath_workers_blocked",
                     "Workers that take nothing just now.", blocked);
    counters_single (counters, COUNTERS_COUNTER, "hotpath_frames_sent_total",
                     "Frames handed to workers.", (double)self->frames);
    counters_single (counters, COUNTERS_COUNTER, "hotpath_frames_blocked_total",
                     "Times that a worker began to take nothing.", (double)self->blocks);
}

void ingestor_tell_metrics (void *arg, counters_t *counters, int64_t now_ms)
{
    ingestor_t *self = arg;
    (void)now_ms;
    put_events (self, counters);
    put_lag (self, counters);
    put_partitions (self, counters);
    put_workers (self, counters);
    status_config_metrics (self->config, counters);
}
