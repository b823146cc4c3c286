#include "sink/sink_status.h"

static bool is_writable (const redis_writer_t *writer)
{
    return redis_writer_state (writer) == WRITER_READY && !redis_writer_failing (writer);
}

void sink_tell_readiness (void *arg, readiness_t *readiness, int64_t now_ms)
{
    const sink_view_t *view = arg;
    const redis_writer_t *writer = view->writer;
    size_t jobs, bytes;
    (void)now_ms;
    redis_writer_waiting (writer, &jobs, &bytes);
    if (is_writable (writer))
        readiness_say (readiness, true, "redis", "connected to %s, %zu writes wait",
                       view->redis->place, jobs);
    else
        readiness_say (readiness, false, "redis", "%s cannot be written: %s; %zu writes wait",
                       view->redis->place, redis_writer_error (writer), jobs);
}

static void put_pair (counters_t *counters, const char *name, const char *kind,
                      const uint64_t *pair)
{
    counters_put (counters, name, (double)pair[0], L_STR ("kind", kind), L_STR ("outcome", "ok"));
    counters_put (counters, name, (double)pair[1], L_STR ("kind", kind),
                  L_STR ("outcome", "error"));
}

static void put_results (const sink_counts_t *counts, counters_t *counters)
{
    static const char *const verdicts[SINK_VERDICTS] = {
        [CHAIN_ACCEPT] = "accepted",    [CHAIN_PART] = "part", [CHAIN_BAD] = "bad",
        [CHAIN_REPEAT] = "repeat",      [CHAIN_GAP] = "gap",   [CHAIN_OLD_EPOCH] = "former_owner",
        [CHAIN_OTHER_SINK] = "resumed", [CHAIN_FULL] = "full",
        [CHAIN_MARK] = "mark",
    };
    static const char came[] = "hotpath_results_received_total";
    static const char written[] = "hotpath_results_written_total";
    counters_family (counters, COUNTERS_COUNTER, came,
                     "Chunks of results from workers, by verdict; those refused come again.");
    for (int i = 0; i < SINK_VERDICTS; i++)
        counters_put (counters, came, (double)counts->results[i], L_STR ("outcome", verdicts[i]));
    counters_family (counters, COUNTERS_COUNTER, written,
                     "Results that Redis executed, or refused for good (a key of another type).");
    put_pair (counters, written, "ranking", counts->rankings);
    put_pair (counters, written, "metrics", counts->metrics);
    put_pair (counters, written, "profile", counts->profiles);
}

void sink_tell_metrics (void *arg, counters_t *counters, int64_t now_ms)
{
    const sink_view_t *view = arg;
    size_t jobs, bytes;
    (void)now_ms;
    put_results (view->counts, counters);
    redis_writer_waiting (view->writer, &jobs, &bytes);
    const gather_history_count_t history = gather_history_count (view->gather);
    const struct {
        counters_type_t type;
        const char *name, *help;
        double value;
    } rows[] = {
        {COUNTERS_COUNTER, "hotpath_results_unreadable_total", "Results that are not valid.",
         (double)view->counts->unreadable},
        {COUNTERS_COUNTER, "hotpath_gathers_incomplete_total",
         "Results published without some shards' parts, since these were late.",
         (double)view->counts->incomplete},
        {COUNTERS_COUNTER, "hotpath_results_lesser_total",
         "Results not written since Redis has a greater one.",
         (double)gather_lesser_count (view->gather)},
        {COUNTERS_COUNTER, "hotpath_gathers_given_up_total",
         "Windows given up before they were written: their parts had no room in memory.",
         (double)gather_given_up_count (view->gather)},
        {COUNTERS_COUNTER, "hotpath_redis_retries_total",
         "Times that the connection to Redis failed or was refused and was tried again.",
         (double)redis_writer_retries (view->writer)},
        {COUNTERS_COUNTER, "hotpath_history_restored_total",
         "Members of metrics histories written again since Redis had lost them.",
         (double)history.restored},
        {COUNTERS_COUNTER, "hotpath_history_forgotten_total",
         "Members of metrics histories that could not be written again: there was no memory for them.",
         (double)history.forgotten},
        {COUNTERS_GAUGE, "hotpath_history_bytes",
         "Bytes of the members of metrics histories that are kept to be written again.",
         (double)history.bytes},
        {COUNTERS_GAUGE, "hotpath_redis_connected", "Whether Redis takes commands.",
         is_writable (view->writer)},
        {COUNTERS_GAUGE, "hotpath_redis_writes_waiting", "Writes that Redis has not executed yet.",
         (double)jobs},
        {COUNTERS_GAUGE, "hotpath_redis_waiting_bytes", "Bytes of the writes that wait.",
         (double)bytes},
        {COUNTERS_GAUGE, "hotpath_gather_keys", "Rankings and metrics that are put together here.",
         gather_key_count (view->gather)},
        {COUNTERS_GAUGE, "hotpath_gather_bytes", "Bytes of parts that are kept.",
         (double)gather_bytes (view->gather)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        counters_single (counters, rows[i].type, rows[i].name, rows[i].help, rows[i].value);
}
