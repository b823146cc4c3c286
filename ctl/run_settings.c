#include "ctl/run_settings.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { WEEK_MS = 7 * 24 * 3600 * 1000, WORKERS_MAX = 64, PARTS = 6, SHARDS_MAX = 1024, SHARD_BYTES_LEAST = 1 << 20 };

#define AT(field) .offset = offsetof (run_settings_t, field)
#define TEXT(n, field, o, v, h)                                                                    \
    {                                                                                              \
        .name = (n), .type = SETTING_TEXT, AT (field), .otherwise = (o), .value = (v), .help = (h) \
    }
#define LINES(n, l, field, v, h)                                                                   \
    {                                                                                              \
        .name = (n), .letter = (l), .type = SETTING_LINES, AT (field), .value = (v), .help = (h)   \
    }
#define CHOICE(n, field, o, c, h)                                                                  \
    {                                                                                              \
        .name = (n), .type = SETTING_CHOICE, AT (field), .otherwise = (o), .choices = (c),         \
        .help = (h)                                                                                \
    }
#define FLAG(n, field, o, h)                                                                       \
    {                                                                                              \
        .name = (n), .type = SETTING_FLAG, AT (field), .otherwise = (o), .help = (h)               \
    }
#define COUNT(n, field, o, m, h)                                                                   \
    {                                                                                              \
        .name = (n), .type = SETTING_INTEGER, AT (field), .otherwise = (o), .value = "N",          \
        .help = (h), .least = 1, .most = (m)                                                       \
    }
#define TIME(n, field, o, l, m, h)                                                                 \
    {                                                                                              \
        .name = (n), .type = SETTING_DURATION, AT (field), .otherwise = (o), .value = "TIME",      \
        .help = (h), .least = (l), .most = (m)                                                     \
    }

/* clang-format off: a table */
const setting_t run_settings_table[] = {
    LINES ("file", 0, files, "FILE", "JSON lines to read; - is standard input; may be given again"),
    FLAG ("follow", follow, NULL, "go on as the files grow and rotate, like tail -F"),
    TEXT ("brokers", brokers, NULL, "HOST:PORT,...", "Kafka brokers, instead of --file"),
    TEXT ("topics", topics, "^user-behaviors(-.*)?$", "REGEX", "topics to read"),
    TEXT ("group", group, "hotpath", "NAME",
          "consumer group; the dedicated mode appends -TENANT[-SCENARIO]"),
    TEXT ("from", from, "earliest", "earliest|latest|TIME", "where a group without commits begins"),
    LINES ("kafka", 'X', extras, "NAME=VALUE",
           "a librdkafka setting, handed through; may be given again"),
    TEXT ("dead-letters", dead_letters, NULL, "PATH",
          "files: where invalid messages go, as JSON lines; by default STATE/dead-letters.jsonl"),
    TEXT ("dead-letters-topic", dead_letters_topic, "hotpath.dlq", "TOPIC",
          "Kafka: where invalid messages go"),
    CHOICE ("on-lost-offsets", lost, "stop", "stop|skip",
            "what a partition does whose next offset is gone"),
    CHOICE ("unknown-scenarios", unknown, "drop", "drop|defaults",
            "events of scenarios without a document: count and skip them, or run their scenario by "
            "all defaults until there is one"),
    TEXT ("scenarios-dir", scenarios_dir, NULL, "DIR",
          "folder with one scenario document a file (*.json), followed as they change"),
    TEXT ("mongodb-url", mongodb_url, NULL, "URL",
          "MongoDB with the scenario documents, instead of --scenarios-dir; a password rather from "
          "HOTPATH_MONGODB_URL or --mongodb-url-file"),
    TEXT ("mongodb-url-file", mongodb_url_file, NULL, "PATH", "file that holds the MongoDB URL"),
    TEXT ("database", database, "hotpath", "NAME", "MongoDB database"),
    TEXT ("collection", collection, "scenarios", "NAME", "MongoDB collection"),
    TIME ("poll-interval", poll_interval_ms, "500ms", 50, 600000,
          "how often a MongoDB without change streams is read"),
    TEXT (
        "redis", redis, NULL, "URL",
        "redis://[[USER]:PASSWORD@]HOST:PORT[/DB] or unix:///PATH[?db=DB]; a password rather from "
        "HOTPATH_REDIS or --redis-file"),
    TEXT ("redis-file", redis_file, NULL, "PATH",
          "file that holds the Redis URL; read again on SIGHUP and when the password is refused"),
    TIME ("redis-timeout", redis_timeout_ms, "5s", 100, 600000,
          "without a byte of an answer for so long, the connection is made anew"),
    TIME ("redis-wait", redis_wait_ms, "0s", 0, 3600000,
          "how long to wait at start for a Redis that cannot be reached"),
    TIME ("gather-timeout", gather_timeout_ms, "30s", 100, 3600000,
          "a result that shards are missing from is published after this, as incomplete"),
    TEXT ("key-prefix", key_prefix, NULL, "TEXT",
          "put before every key, to write beside another pipeline"),
    CHOICE ("key-style", key_style, "plain", "plain|cluster",
            "cluster adds hash tags for Redis Cluster"),
    TEXT ("state", state, NULL, "DIR", "state folder; one run at a time"),
    FLAG ("once", once, NULL,
          "read what is there, wait until Redis has it all, print the sum, exit"),
    TEXT ("tenant-id", tenant, NULL, "T", "dedicated mode: only this tenant's events count"),
    TEXT ("scenario-id", scenario, NULL, "S", "dedicated mode: only this scenario of the tenant"),
    {.name = "except", .type = SETTING_LIST, AT (except), .value = "TENANT/SCENARIO,...",
     .help = "scenarios that another pipeline serves: left out here; a star for all of a tenant; "
             "may be given again"},
    COUNT ("ingestors", ingestors, "1", WORKERS_MAX, "processes that read"),
    COUNT ("scorers", scorers, "1", WORKERS_MAX, "processes that compute rankings"),
    COUNT ("profilers", profilers, "1", WORKERS_MAX, "processes that compute profiles"),
    COUNT ("metrics", metrics, "1", WORKERS_MAX, "processes that compute metrics"),
    COUNT ("sinks", sinks, "1", WORKERS_MAX, "processes that write to Redis"),
    COUNT ("shards", shards, "16", SHARDS_MAX,
           "fixed fractions of the keys; kept in the state folder"),
    TIME ("commit-interval", commit_interval_ms, "5s", 10, 600000,
          "least time between two commits of a shard"),
    {.name = "shard-bytes-max", .type = SETTING_BYTES, AT (shard_bytes_max), .otherwise = "1T",
     .value = "SIZE", .least = SHARD_BYTES_LEAST, .most = (int64_t)1 << 46,
     .help = "bound of one shard's stored state, up to which it grows by itself"},
    TIME ("max-out-of-orderness", out_of_orderness_ms, "5s", 0, 24 * 3600 * 1000,
          "how far the watermark stays behind a partition's greatest event time"),
    TIME ("retire-partitions", retire_ms, "10m", 0, 24 * 3600 * 1000,
          "what is known of a partition that no ingestor lists for so long is kept apart"),
    TIME ("idle-timeout", idle_timeout_ms, "10s", 0, WEEK_MS,
          "a partition at its end without events for so long holds nothing back"),
    FLAG ("idle-advance", idle_advance, "on", "let event time go on while all partitions are idle"),
    TIME ("max-hold", max_hold_ms, "10m", 0, WEEK_MS,
          "a partition at its end, behind the others by more, holds nothing back"),
    TIME ("max-skew", max_skew_ms, "10m", 0, WEEK_MS,
          "a partition ahead of the least one by more event time waits"),
    TIME ("max-future", max_future_ms, "5m", 0, WEEK_MS,
          "events further ahead of their record are invalid"),
    TIME ("lead-max", lead_max_ms, "60s", 0, WEEK_MS,
          "how far reading runs ahead of the slowest shard"),
    FLAG ("status", status, "on",
          "each part serves /livez, /readyz and /metrics on 127.0.0.1, for `hotpath status` and others"),
    {.name = "status-port", .type = SETTING_INTEGER, AT (status_port), .otherwise = "0",
     .value = "PORT", .most = 65535 - PARTS * WORKERS_MAX,
     .help = "they serve it from this port on, in the order configd, sinks, scorers, profilers, "
             "metrics, ingestors; 0: each on a free one"},
    TEXT ("admin-listen", admin_listen, NULL, "HOST:PORT",
          "configd serves the admin API there; by default nowhere"),
    TEXT ("admin-tokens", admin_tokens, NULL, "PATH",
          "file with who may use the admin API: NAME ROLE TENANTS TOKEN a line"),
    CHOICE ("admin-anonymous", admin_anonymous, "none", "none|read|write|admin",
            "what requests to the admin API without a token may do, of all tenants"),
    FLAG ("allow-plain-tcp", allow_plain_tcp, NULL,
          "serve the admin API beyond loopback unencrypted"),
    CHOICE ("log-level", log_level, "info", "debug|info|warning|error", "least level logged"),
    CHOICE ("log-format", log_format, "logfmt", "logfmt|json", "form of log lines"),
    {.name = NULL},
};
/* clang-format on */

const settings_program_t run_settings_program = {
    "hotpath run",
    "Starts every part of the pipeline on this machine, restarts what dies, stops it in order.",
    run_settings_table, NULL};

/*  A command line is seen by every user of the machine: what is between :// and @ becomes x. */
static void hide_passwords (int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *from = strstr (argv[i], "://");
        char *to = from ? strrchr (from, '@') : NULL;
        for (char *at = from ? from + 3 : NULL; to && at < to; at++)
            *at = 'x';
    }
}

static void check_usage (const run_settings_t *settings)
{
    bool files = settings->files.count > 0;
    bool mongodb = settings->mongodb_url || settings->mongodb_url_file;
    if (files == (settings->brokers != NULL))
        settings_fail (EX_USAGE, "either --file or --brokers is needed%s (see --help)",
                       files ? ", not both" : "");
    if ((settings->scenarios_dir != NULL) == mongodb)
        settings_fail (EX_USAGE, "either --scenarios-dir or --mongodb-url is needed%s (see --help)",
                       mongodb ? ", not both" : "");
    if (!settings->redis && !settings->redis_file)
        settings_fail (EX_USAGE, "--redis is needed (see --help)");
    if (!settings->state || !*settings->state)
        settings_fail (EX_USAGE, "--state is needed (see --help)");
    if (settings->follow && (settings->once || !files))
        settings_fail (EX_USAGE, settings->once ? "--follow and --once exclude each other"
                                                : "--follow is for --file");
    if (settings->scenario && !settings->tenant)
        settings_fail (EX_USAGE, "--scenario-id needs --tenant-id");
    if (settings->admin_listen && !settings->admin_tokens &&
        strcmp (settings->admin_anonymous, "none") == 0)
        settings_fail (EX_USAGE, "--admin-listen needs --admin-tokens (or --admin-anonymous)");
}

static void check_readable (const char *setting, const char *path)
{
    if (path && access (path, R_OK) != 0)
        settings_fail (EX_NOINPUT, "--%s: cannot read %s: %s", setting, path, strerror (errno));
}

static void check_inputs (const run_settings_t *settings)
{
    struct stat found;
    for (size_t i = 0; i < settings->files.count && !settings->follow; i++) {
        if (strcmp (settings->files.list[i], "-") != 0)
            check_readable ("file", settings->files.list[i]);
    }
    check_readable ("redis-file", settings->redis_file);
    check_readable ("mongodb-url-file", settings->mongodb_url_file);
    check_readable ("admin-tokens", settings->admin_tokens);
    check_readable ("scenarios-dir", settings->scenarios_dir);
    if (settings->scenarios_dir && stat (settings->scenarios_dir, &found) == 0 &&
        !S_ISDIR (found.st_mode))
        settings_fail (EX_NOINPUT, "--scenarios-dir: %s is not a folder", settings->scenarios_dir);
}

void run_settings_load (int argc, char **argv, run_settings_t *settings)
{
    settings_load (&run_settings_program, argc, argv, settings);
    hide_passwords (argc, argv);
    check_usage (settings);
    check_inputs (settings);
}
