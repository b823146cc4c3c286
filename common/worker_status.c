/*  worker_status: what a worker says of its progress, and its metrics. Reads the worker's state,
 * within its loop; changes nothing but its own marks of what it saw last. */
#include "common/worker_parts.h"

/*  A sink may wait 30 s for the parts of other shards before it writes what it has. */
enum { SINK_STALL_MS = READINESS_STALL_MS + 5000 };
/*  A shard that cannot be opened is tried again at least so often. */
enum { UNOPENED_MS = SHARD_OWNER_AGAIN_MOST_MS + 10000 };

/*  ---- readiness ---- */

static void tell_shards (worker_t *self, readiness_t *readiness, int64_t now_ms)
{
    const char *stage = self->stage->name;
    const char *reason = "";
    uint32_t owned = worker_owned (self), stuck = worker_stuck (self, &reason);
    if (stuck)
        readiness_say (readiness, false, "storage",
                       "the commits of %u %s shards fail: intake stands still: %s", stuck, stage, reason);
    if (self->unopened_ms && now_ms - self->unopened_ms < UNOPENED_MS)
        readiness_say (readiness, false, "storage", "%s shard %u cannot be opened: %s", stage,
                       self->unopened_shard, self->unopened_reason);
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        if (self->shards[i] && self->shards[i]->reach.count)
            readiness_say (readiness, true, "rebuild", "%s shard %u is computed anew from the source",
                           stage, i);
    }
    bool stands_by = shard_owner_stands_by (self->owner);
    readiness_say (readiness, owned > 0 || stands_by, "shards", "%u of %u are owned here%s", owned,
                   self->layout.shard_count,
                   stands_by ? ": there are more workers than shards" : "");
}

static void tell_ingestors (worker_t *self, readiness_t *readiness, int64_t now_ms)
{
    int64_t waits_ms = resolver_waits_ms (self->resolver, now_ms);
    if (self->ingestor_count)
        readiness_say (readiness, true, "ingestors", "%u addresses are known", self->ingestor_count);
    else /* at first they may not have been started: whoever starts in order does so after this one is ready */
        readiness_say (readiness, waits_ms < READINESS_STALL_MS, "ingestors",
                       "no address of --ingestors is known: DNS is asked for %lld s",
                       (long long)(waits_ms / 1000));
}

static bool is_readable (zsock_t *socket)
{
    return (zsock_events (socket) & ZMQ_POLLIN) != 0;
}

/*  Something has come, and none of it is applied. */
static void tell_intake (worker_t *self, readiness_t *readiness, int64_t now_ms)
{
    bool waits = self->has_held || self->rewind_count > 0 || is_readable (self->intake);
    bool moved = self->counts.sections + self->counts.repeats != self->seen_sections;
    self->seen_sections = self->counts.sections + self->counts.repeats;
    int64_t ms = stall_ms (&self->intake_stall, waits, moved, now_ms);
    const char *reason = self->has_held       ? "the config of the next events has not come"
                         : self->rewind_count ? "a rewind was asked for"
                                              : "it is not taken";
    bool ok = ms < READINESS_STALL_MS;
    if (ok)
        readiness_say (readiness, true, "intake", "%llu sections applied",
                       (unsigned long long)self->counts.sections);
    else
        readiness_say (readiness, false, "intake",
                       "events wait and none was applied for %lld s: %s", (long long)(ms / 1000),
                       reason);
}

/*  Shards with results that this sink has not acknowledged. */
static size_t owed_to (worker_t *self, uint32_t index)
{
    size_t count = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        owed_waiting_t waiting;
        if (self->shards[i] && !worker_shard_is_behind (self, self->shards[i]))
            count += owed_pipe_bytes (self->shards[i]->owed, index) > 0 ||
                     owed_waiting (self->shards[i]->owed, index, &waiting);
    }
    return count;
}

static void tell_sink (worker_t *self, uint32_t index, readiness_t *readiness, int64_t now_ms)
{
    worker_sink_t *sink = &self->sinks[index];
    size_t shards = owed_to (self, index);
    int64_t ms = stall_ms (&sink->stall, shards > 0, sink->acknowledged != sink->seen, now_ms);
    sink->seen = sink->acknowledged;
    if (sink->silence.silent)
        readiness_say (
            readiness, false, "sink",
            "%u at %s has acknowledged nothing for %lld s: Redis takes nothing (the sink says so), or it is "
            "frozen, cut off, gone or full", index,
            sink->endpoint, (long long)(sink->silence.quiet_ms / 1000));
    else if (ms < SINK_STALL_MS)
        readiness_say (readiness, true, "sink", "%u at %s, results of %zu shards are owed", index,
                       sink->endpoint, shards);
    else
        readiness_say (
            readiness, false, "sink",
            "%u at %s has acknowledged nothing for %lld s: results of %zu shards are owed", index,
            sink->endpoint, (long long)(ms / 1000), shards);
}

void worker_tell_readiness (void *arg, readiness_t *readiness, int64_t now_ms)
{
    worker_t *self = arg;
    status_config_readiness (self->config, self->settings->configd, readiness);
    tell_shards (self, readiness, now_ms);
    tell_ingestors (self, readiness, now_ms);
    tell_intake (self, readiness, now_ms);
    worker_tell_senders (self, readiness);
    for (uint32_t i = 0; i < self->sink_count; i++)
        tell_sink (self, i, readiness, now_ms);
}

/*  ---- metrics ---- */

typedef struct {
    uint32_t owned, failed;
    uint64_t owed, cells, bytes;
    int64_t watermark_ms; /* the least; EVENT_TIME_NONE: one has none */
} sums_t;

static sums_t sum_shards (const worker_t *self)
{
    sums_t sums = {.watermark_ms = INT64_MAX};
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        const shard_t *shard = self->shards[i];
        uint64_t cells = 0, bytes = 0;
        if (!shard)
            continue;
        shard->stage->measure (shard->state, &cells, &bytes);
        sums.owned++;
        sums.failed += shard_is_stuck (shard);
        sums.owed += owed_count (shard->owed);
        sums.cells += cells;
        sums.bytes += bytes;
        if (shard->watermark_ms < sums.watermark_ms)
            sums.watermark_ms = shard->watermark_ms;
    }
    return sums;
}

typedef struct {
    counters_type_t type;
    const char *name, *help, *label; /* a second label, or NULL */
    const char *value;
    double number;
} row_t;

static void put_rows (const worker_t *self, counters_t *counters, const row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const row_t *row = &rows[i];
        counters_family (counters, row->type, row->name, row->help);
        counters_put (counters, row->name, row->number, L_STR ("stage", self->stage->name),
                      {.name = row->label, .value = span_of (row->value)});
    }
}

static void put_counts (const worker_t *self, counters_t *counters)
{
    const worker_counts_t *counts = &self->counts;
    static const char events[] = "hotpath_stage_events_total";
    static const char events_help[] = "Events of applied sections, by what became of them in this "
                                      "stage; one that is read again counts again.";
    static const char sections[] = "hotpath_sections_total";
    static const char sections_help[] =
        "Sections that came: a gap is refused and asked for again, a "
        "repeat was applied before.";
    static const char commits[] = "hotpath_commits_total";
    static const char commits_help[] = "Commits of shards; one that failed is tried again.";
    const row_t rows[] = {
        {COUNTERS_COUNTER, events, events_help, "outcome", "applied", (double)counts->applied},
        {COUNTERS_COUNTER, events, events_help, "outcome", "late", (double)counts->late},
        {COUNTERS_COUNTER, events, events_help, "outcome", "skipped", (double)counts->skipped},
        {COUNTERS_COUNTER, sections, sections_help, "outcome", "applied", (double)counts->sections},
        {COUNTERS_COUNTER, sections, sections_help, "outcome", "invalid", (double)counts->invalid},
        {COUNTERS_COUNTER, "hotpath_gaps_total", "Sections refused for a gap before them.", NULL,
         NULL, (double)counts->gaps},
        {COUNTERS_COUNTER, "hotpath_repeats_total", "Sections skipped: applied before.", NULL, NULL,
         (double)counts->repeats},
        {COUNTERS_COUNTER, commits, commits_help, "outcome", "ok", (double)counts->commits},
        {COUNTERS_COUNTER, commits, commits_help, "outcome", "error",
         (double)counts->failed_commits},
        {COUNTERS_COUNTER, "hotpath_commit_seconds_total", "Time that commits took.", NULL, NULL,
         (double)counts->commit_ms / 1000},
        {COUNTERS_COUNTER, "hotpath_result_chunks_sent_total",
         "Chunks of results handed to sinks, those sent again included.", NULL, NULL,
         (double)counts->results},
    };
    put_rows (self, counters, rows, sizeof rows / sizeof *rows);
}

static void put_state (const worker_t *self, counters_t *counters)
{
    sums_t sums = sum_shards (self);
    const row_t rows[] = {
        {COUNTERS_GAUGE, "hotpath_shards_owned", "Shards of the stage that this process owns.",
         NULL, NULL, sums.owned},
        {COUNTERS_GAUGE, "hotpath_shards", "Shards of the stage, over all its processes.", NULL,
         NULL, self->layout.shard_count},
        {COUNTERS_GAUGE, "hotpath_shards_failed", "Owned shards whose commits fail.", NULL, NULL,
         sums.failed},
        {COUNTERS_GAUGE, "hotpath_owed_results", "Results that Redis does not have yet.", NULL,
         NULL, (double)sums.owed},
        {COUNTERS_GAUGE, "hotpath_applied_pause_seconds",
         "Longest time between two sections with events in the last minute, also where none came.",
         NULL, NULL, (double)worker_pause_longest_ms (&self->pause.gap) / 1000},
        {COUNTERS_GAUGE, "hotpath_intake_stall_seconds",
         "Longest time for which events had come and none were applied, in the last minute.", NULL,
         NULL, (double)worker_pause_longest_ms (&self->pause.stall) / 1000},
        {COUNTERS_GAUGE, "hotpath_rewinds_wanted", "Gaps that wait for a rewind.", NULL, NULL,
         self->rewind_count},
        {COUNTERS_GAUGE, "hotpath_cells", "Cells (profiler: users) in memory.", NULL, NULL,
         (double)sums.cells},
        {COUNTERS_GAUGE, "hotpath_cells_bytes", "Memory of the stage's cells, as it counts them.",
         NULL, NULL, (double)sums.bytes},
        {COUNTERS_GAUGE, "hotpath_watermark_timestamp_seconds",
         "Least event time that is complete in the owned shards, since the epoch.", NULL, NULL,
         (double)sums.watermark_ms / 1000},
    };
    /* The watermark is the last: without any it is left out. */
    bool known = sums.owned && sums.watermark_ms != EVENT_TIME_NONE;
    put_rows (self, counters, rows, sizeof rows / sizeof *rows - !known);
}

void worker_tell_metrics (void *arg, counters_t *counters, int64_t now_ms)
{
    const worker_t *self = arg;
    (void)now_ms;
    put_counts (self, counters);
    put_state (self, counters);
    status_config_metrics (self->config, counters);
}
