/*  hotpath-ingestor: events in (Kafka or files), sections out to the workers. See ingestor.h. */
#include <stdlib.h>
#include <sysexits.h>
#include <czmq.h>

#include "common/clock.h"
#include "common/endpoint.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/settings.h"
#include "common/stage.h"
#include "common/state_clock.h"
#include "common/state_layout.h"
#include "common/status.h"
#include "common/stop.h"
#include "ingestor/file_dead_letters.h"
#include "ingestor/file_source.h"
#include "ingestor/ingestor.h"
#include "ingestor/kafka_dead_letters.h"
#include "ingestor/kafka_source.h"

enum { LIST_INTERVAL_MS = 5000, CONNECT_MS_MAX = 10000, PATH_BYTES_MAX = 4096 };

typedef struct {
    char *name, *listen, *configd, *state, *brokers, *topics, *group, *from, *dead_letters,
        *dead_letters_topic, *lost, *unknown, *tenant, *scenario, *log_level, *log_format;
    status_settings_t status;
    settings_list_t files, extras, stages, except;
    int64_t shards, reader_index, reader_count, out_of_orderness_ms, idle_timeout_ms, max_hold_ms,
        max_skew_ms, max_future_ms, lead_max_ms, beat_fd;
    bool follow, once, idle_advance, allow_plain_tcp;
    bool name_given; /* no setting itself */
} main_settings_t;

#define TEXT(n, field, o, v, h)                                                                    \
    {.name = (n), .type = SETTING_TEXT, .offset = offsetof (main_settings_t, field),               \
     .otherwise = (o), .value = (v), .help = (h)}
#define CHOICE(n, field, o, c, h)                                                                  \
    {.name = (n), .type = SETTING_CHOICE, .offset = offsetof (main_settings_t, field),             \
     .otherwise = (o), .choices = (c), .help = (h)}
#define FLAG(n, field, o, h)                                                                       \
    {.name = (n), .type = SETTING_FLAG, .offset = offsetof (main_settings_t, field),               \
     .otherwise = (o), .help = (h)}
#define INTEGER(n, field, o, l, m, h)                                                              \
    {.name = (n), .type = SETTING_INTEGER, .offset = offsetof (main_settings_t, field),            \
     .otherwise = (o), .value = "N", .help = (h), .least = (l), .most = (m)}
#define DURATION(n, field, o, h)                                                                   \
    {.name = (n), .type = SETTING_DURATION, .offset = offsetof (main_settings_t, field),           \
     .otherwise = (o), .value = "TIME", .help = (h), .least = 0, .most = 604800000}

static const setting_t table[] = {
    {.name = "file", .type = SETTING_LINES, .offset = offsetof (main_settings_t, files),
     .value = "FILE", .help = "JSON lines to read; - is standard input; may be given again"},
    FLAG ("follow", follow, NULL, "go on as the files grow and rotate, like tail -F"),
    TEXT ("brokers", brokers, NULL, "HOST:PORT,...", "Kafka brokers"),
    TEXT ("topics", topics, "^user-behaviors(-.*)?$", "REGEX", "topics to read"),
    TEXT ("group", group, "hotpath", "NAME", "consumer group"),
    TEXT ("from", from, "earliest", "earliest|latest|TIME", "where a group without commits begins"),
    {.name = "kafka", .letter = 'X', .type = SETTING_LINES,
     .offset = offsetof (main_settings_t, extras), .value = "NAME=VALUE",
     .help = "a librdkafka setting, handed through; may be given again"},
    FLAG ("once", once, NULL, "read what is there, wait until Redis has it all, exit"),
    TEXT ("dead-letters", dead_letters, NULL, "PATH",
          "file source: where invalid messages go, as JSON lines; by default "
          "STATE/dead-letters.jsonl"),
    TEXT ("dead-letters-topic", dead_letters_topic, "hotpath.dlq", "TOPIC",
          "Kafka source: where invalid messages go"),
    CHOICE ("on-lost-offsets", lost, "stop", "stop|skip",
            "what a partition does whose next offset is gone"),
    CHOICE ("unknown-scenarios", unknown, "drop", "drop|defaults",
            "events of scenarios without a config: count and skip them, or wait until configd (with "
            "the same setting) runs their scenario by all defaults"),
    TEXT ("tenant-id", tenant, NULL, "T", "dedicated mode: only this tenant's events count"),
    TEXT ("scenario-id", scenario, NULL, "S", "dedicated mode: only this scenario's events count"),
    {.name = "except", .type = SETTING_LIST, .offset = offsetof (main_settings_t, except),
     .value = "TENANT/SCENARIO,...",
     .help = "scenarios that another pipeline serves: their events are left out; a star for all of a "
             "tenant; may be given again"},
    TEXT ("state", state, NULL, "DIR", "state folder (spool of standard input, dead letters)"),
    INTEGER ("shards", shards, "16", 1, 1024, "fixed fractions of the keys, as the workers have it"),
    {.name = "stages", .type = SETTING_LIST, .offset = offsetof (main_settings_t, stages),
     .otherwise = "scorer,profiler,metrics", .value = "STAGE,...", .help = "stages to hand out to"},
    TEXT ("listen", listen, "tcp://127.0.0.1:*", "ENDPOINT", "where workers announce themselves"),
    TEXT ("configd", configd, NULL, "ENDPOINT", "where configd publishes"),
    TEXT ("name", name, NULL, "NAME",
          "name of this process, unique among the ingestors; by default ingestor, host and pid"),
    INTEGER ("reader-index", reader_index, "0", 0, 1023, "files: which of the ingestors this is"),
    INTEGER ("reader-count", reader_count, "1", 1, 1024, "files: how many ingestors there are"),
    DURATION ("max-out-of-orderness", out_of_orderness_ms, "5s",
              "how far the watermark stays behind the greatest event time"),
    DURATION ("idle-timeout", idle_timeout_ms, "10s",
              "a partition at its end without events for so long holds nothing back"),
    FLAG ("idle-advance", idle_advance, "on", "let event time go on while all partitions are idle"),
    DURATION ("max-hold", max_hold_ms, "10m",
              "a partition at its end, behind the others by more, holds nothing back"),
    DURATION ("max-skew", max_skew_ms, "10m",
              "a partition ahead of the least one by more event time waits"),
    DURATION ("max-future", max_future_ms, "5m", "events further ahead of their record are invalid"),
    DURATION ("lead-max", lead_max_ms, "60s", "how far reading runs ahead of the slowest shard"),
    FLAG ("allow-plain-tcp", allow_plain_tcp, NULL, "listen on tcp beyond loopback unencrypted"),
    STATUS_SETTINGS (main_settings_t, status),
    CHOICE ("log-level", log_level, "info", "debug|info|warning|error", "least level logged"),
    CHOICE ("log-format", log_format, "logfmt", "logfmt|json", "form of log lines"),
    INTEGER ("beat-fd", beat_fd, "-1", -1, 1 << 20, "pipe to a supervisor (hotpath run sets it)"),
    {.name = NULL},
};

static const settings_program_t program = {
    "hotpath-ingestor", "Reads events, parses each once, hands them to the workers by key.", table,
    NULL};

static uint32_t stage_bits (const settings_list_t *names)
{
    static const char *const known[] = {"scorer", "profiler", "metrics"};
    uint32_t bits = 0;
    for (size_t i = 0; i < names->count; i++) {
        uint32_t found = 0;
        for (uint32_t at = 0; at < STAGE_COUNT; at++)
            found |= strcmp (names->list[i], known[at]) == 0 ? 1u << at : 0;
        if (!found)
            settings_fail (EX_USAGE, "--stages: '%s' is none of scorer, profiler, metrics",
                           names->list[i]);
        bits |= found;
    }
    return bits;
}

static void check (const main_settings_t *settings)
{
    if (!settings->state || !settings->configd)
        settings_fail (EX_USAGE, "--%s is needed (see --help)", settings->state ? "configd" : "state");
    if ((settings->files.count > 0) == (settings->brokers != NULL))
        settings_fail (EX_USAGE, "either --file or --brokers is needed, and not both (see --help)");
    if (settings->scenario && !settings->tenant)
        settings_fail (EX_USAGE, "--scenario-id needs --tenant-id");
}

/*  Two of one name would take each other for an older life: their lists, idleness and rewinds would mix. */
static void name_process (main_settings_t *settings)
{
    char name[256];
    settings->name_given = settings->name != NULL;
    if (settings->name_given)
        return;
    endpoint_process_name ("ingestor", name, sizeof name);
    settings->name = memory_copy_string (name, strlen (name));
}

static ingestor_settings_t ingestor_part (const main_settings_t *settings,
                                          const scenario_scope_t *scope)
{
    return (ingestor_settings_t){
        .name = settings->name,
        .incarnation = state_clock_next (settings->state, 0, clock_wall_ms ()),
        .listen = settings->listen,
        .configd = settings->configd,
        .stages = stage_bits (&settings->stages),
        .shard_count = (uint32_t)settings->shards,
        .scope = scope,
        .out_of_orderness_ms = settings->out_of_orderness_ms,
        .idle_timeout_ms = settings->idle_timeout_ms,
        .max_hold_ms = settings->max_hold_ms,
        .max_skew_ms = settings->max_skew_ms,
        .max_future_ms = settings->max_future_ms,
        .lead_max_ms = settings->lead_max_ms,
        .idle_advance = settings->idle_advance,
        .once = settings->once,
        .begin_unknown = strcmp (settings->unknown, "defaults") == 0,
        .skip_lost_offsets = strcmp (settings->lost, "skip") == 0,
        .allow_plain_tcp = settings->allow_plain_tcp,
        .beat_fd = settings->beat_fd,
        .status = &settings->status,
        .name_given = settings->name_given,
        .state = settings->state,
    };
}

/*  Source and dead letters. 0, or a sysexits code with a sentence in error where one cannot be had. */
static int open_source (const main_settings_t *settings, const source_events_t *events,
                        source_t **source, dead_letters_t **letters, char *error, size_t error_size)
{
    char path[PATH_BYTES_MAX], spool[PATH_BYTES_MAX];
    int code = EX_UNAVAILABLE;
    snprintf (path, sizeof path, "%s/dead-letters.jsonl", settings->state);
    snprintf (spool, sizeof spool, "%s/ingestor/spool", settings->state);
    const kafka_settings_t kafka = {settings->brokers, (const char *const *) settings->extras.list,
                                    settings->extras.count};
    if (settings->brokers) {
        const kafka_source_settings_t part = {.kafka = kafka,
                                              .topics = settings->topics,
                                              .group = settings->group,
                                              .from = settings->from,
                                              .dead_letters_topic = settings->dead_letters_topic,
                                              .once = settings->once,
                                              .list_interval_ms = LIST_INTERVAL_MS,
                                              .connect_ms_max = CONNECT_MS_MAX};
        *source = kafka_source_new (&part, events, error, error_size, &code);
        if (*source)
            *letters = kafka_dead_letters_new (&kafka, settings->dead_letters_topic, error,
                                               error_size);
    } else {
        const file_source_settings_t part = {
            .paths = (const char *const *) settings->files.list,
            .path_count = settings->files.count,
            .follow = settings->follow,
            .once = settings->once,
            .spool_folder = spool,
            .input = STDIN_FILENO,
            .reader_index = (uint32_t)(settings->reader_index % settings->reader_count),
            .reader_count = (uint32_t)settings->reader_count};
        *source = file_source_new (&part, events, error, error_size, &code);
        if (*source)
            *letters = file_dead_letters_new (settings->dead_letters ? settings->dead_letters : path,
                                              error, error_size);
    }
    if (!*source)
        return code;
    return *letters ? 0 : EX_CANTCREAT;
}

int main (int argc, char **argv)
{
    char error[512];
    int code = 0;
    main_settings_t settings = {0};
    settings_load (&program, argc, argv, &settings);
    check (&settings);
    name_process (&settings);
    log_level_t level;
    log_level_parse (settings.log_level, &level);
    log_start (settings.name, level, strcmp (settings.log_format, "json") == 0);
    stop_install ();
    zsys_handler_set (NULL);
    if (state_layout_make_folder (settings.state) != 0)
        settings_fail (EX_CANTCREAT, "cannot make the state folder %s: %s", settings.state,
                       strerror (errno));

    scenario_scope_t *scope =
        scenario_scope_new (settings.tenant, settings.scenario, settings.except.list,
                            settings.except.count, error, sizeof error);
    if (!scope)
        settings_fail (EX_USAGE, "%s", error);
    ingestor_settings_t part = ingestor_part (&settings, scope);
    ingestor_t *ingestor = ingestor_new (&part, error, sizeof error, &code);
    if (!ingestor)
        settings_fail (code, "%s", error);
    source_t *source = NULL;
    dead_letters_t *letters = NULL;
    source_events_t events = ingestor_source_events (ingestor);
    code = open_source (&settings, &events, &source, &letters, error, sizeof error);
    ingestor_use (ingestor, source, letters);
    bool opened = code == 0;
    if (opened)
        code = ingestor_run (ingestor);

    if (letters)
        letters->ops->destroy (&letters);
    if (source)
        source->ops->destroy (&source);
    ingestor_destroy (&ingestor);
    scenario_scope_destroy (&scope);
    if (!opened)
        settings_fail (code, "%s", error);
    settings_free (&program, &settings);
    return code;
}
