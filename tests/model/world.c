/*  world: see world.h. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/worker.h"
#include "ingestor/ingestor.h"
#include "model_stage.h"
#include "oracle.h"
#include "sim_disk.h"
#include "sim_kafka.h"
#include "sink/sink.h"

enum { ENDPOINT_BYTES = 64, ERROR_BYTES = 512, NEVER_MS = 1 << 30 };

world_t world;

double world_weight (uint64_t revision)
{
    return (double)(1 + revision % 5);
}

/*  Endpoints that others are told of in their settings. */
static char ingestor_endpoints[WORLD_INGESTORS_MAX][ENDPOINT_BYTES];
static char sink_endpoints[WORLD_SINKS_MAX][ENDPOINT_BYTES];
static char *ingestor_list[WORLD_INGESTORS_MAX], *sink_list[WORLD_SINKS_MAX];

static void name_life (const process_t *process, char *name, size_t name_size, char *endpoint,
                       size_t endpoint_size)
{
    if (world.fixed_names) {
        snprintf (name, name_size, "%s", process->name);
        snprintf (endpoint, endpoint_size, "ipc:///sim/%s", process->name);
        return;
    }
    snprintf (name, name_size, "%s.%u", process->name, process->lives);
    snprintf (endpoint, endpoint_size, "tcp://127.0.0.1:*");
}

static void note_refusal (const process_t *process, const char *error)
{
    if (!process->dead)
        sim_trace ("cannot start: %s", error);
}

static void live_worker (process_t *process)
{
    char name[32], listen[ENDPOINT_BYTES], error[ERROR_BYTES] = "";
    char state[] = SIM_STATE, configd[] = "ipc:///sim/configd";
    name_life (process, name, sizeof name, listen, sizeof listen);
    const worker_settings_t settings = {
        .name = name,
        .state = state,
        .listen = listen,
        .configd = configd,
        .ingestors = {.list = ingestor_list, .count = world.ingestor_count},
        .sinks = {.list = sink_list, .count = world.sink_count},
        .shards = world.shard_count,
        .shard_bytes_max = 1 << 30,
        .retire_ms = NEVER_MS,
        .commit_interval_ms = world.commit_interval_ms,
        .out_of_orderness_ms = oracle.out_of_orderness_ms,
        .beat_fd = -1};
    int code = 0;
    worker_t *worker = worker_new (&settings, &model_stage, error, sizeof error, &code);
    if (!worker) {
        note_refusal (process, error);
        return;
    }
    process->object = worker;
    if (worker_run (worker, error, sizeof error) != 0)
        note_refusal (process, error);
    else if (!process->dead)
        worker_drain (worker);
    process->object = NULL;
    worker_destroy (&worker);
}

static void live_ingestor (process_t *process)
{
    char error[ERROR_BYTES] = "";
    const status_settings_t status = {.listen = NULL};
    const ingestor_settings_t settings = {.name = process->name,
                                          .listen = ingestor_endpoints[process->number],
                                          .configd = "ipc:///sim/configd",
                                          .stages = 1u << STAGE_METRICS,
                                          .shard_count = world.shard_count,
                                          .out_of_orderness_ms = oracle.out_of_orderness_ms,
                                          .idle_timeout_ms = NEVER_MS,
                                          .max_hold_ms = NEVER_MS,
                                          .max_skew_ms = world.max_skew_ms,
                                          .max_future_ms = 300000,
                                          .lead_max_ms = 60000,
                                          .status = &status,
                                          .beat_fd = -1};
    int code = 0;
    ingestor_t *ingestor = ingestor_new (&settings, error, sizeof error, &code);
    if (!ingestor) {
        note_refusal (process, error);
        return;
    }
    const source_events_t events = ingestor_source_events (ingestor);
    source_t *source = sim_kafka_source_new (&events);
    dead_letters_t *letters = sim_kafka_letters_new ();
    ingestor_use (ingestor, source, letters);
    process->object = ingestor;
    ingestor_run (ingestor);
    process->object = NULL;
    letters->ops->destroy (&letters);
    source->ops->destroy (&source);
    ingestor_destroy (&ingestor);
}

static void live_sink (process_t *process)
{
    char error[ERROR_BYTES] = "", host[] = "redis", place[] = "redis:6379";
    const redis_url_t url = {.host = host, .port = 6379, .place = place};
    const status_settings_t status = {.listen = NULL};
    const sink_options_t options = {.listen = sink_endpoints[process->number],
                                    .name = process->name,
                                    .redis = &url,
                                    .status = &status,
                                    .redis_timeout_ms = world.redis_timeout_ms,
                                    .redis_wait_ms = 2000,
                                    .gather_timeout_ms = world.gather_timeout_ms,
                                    .key_prefix = "",
                                    .beat = {.fd = -1}};
    int code = 0;
    sink_t *sink = sink_new (&options, error, sizeof error, &code);
    if (!sink) {
        note_refusal (process, error);
        return;
    }
    process->object = sink;
    sink_run (sink);
    if (!process->dead)
        sink_drain (sink);
    process->object = NULL;
    sink_destroy (&sink);
}

process_t *world_process (process_kind_t kind, uint32_t number)
{
    for (uint32_t i = 0; i < sim.process_count; i++) {
        process_t *process = &sim.processes[i];
        if (process->kind == kind && process->number == number)
            return process;
    }
    return NULL;
}

void world_begin (void)
{
    for (uint32_t i = 0; i < world.ingestor_count; i++) {
        snprintf (ingestor_endpoints[i], ENDPOINT_BYTES, "ipc:///sim/ingestor-%u", i);
        ingestor_list[i] = ingestor_endpoints[i];
        sim_add_process (PROCESS_INGESTOR, i, live_ingestor);
    }
    for (uint32_t i = 0; i < world.sink_count; i++) {
        snprintf (sink_endpoints[i], ENDPOINT_BYTES, "ipc:///sim/sink-%u", i);
        sink_list[i] = sink_endpoints[i];
        sim_add_process (PROCESS_SINK, i, live_sink);
    }
    for (uint32_t i = 0; i < WORLD_WORKERS_MAX; i++)
        sim_add_process (PROCESS_WORKER, i, live_worker)->wanted = i < world.worker_count;
    for (uint32_t i = 0; i < sim.process_count; i++) {
        process_t *process = &sim.processes[i];
        process->start_ms = sim.now_ms + chance_between (&sim.chance, 0, 300);
        process->offset_ms = chance_between (&sim.chance, 0, 100000);
    }
}
