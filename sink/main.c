/*  hotpath-sink: results in, Redis out (the loop: sink/sink.h).
 */
#include <ctype.h>
#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "common/beat.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/stop.h"
#include "sink/redis_url.h"
#include "sink/sink.h"

enum { URL_BYTES_MAX = 4096, NAME_BYTES_MAX = 128 };

typedef struct {
    char *listen, *name, *redis, *redis_file, *key_prefix, *key_style, *log_level, *log_format;
    status_settings_t status;
    int64_t redis_timeout_ms, redis_wait_ms, gather_timeout_ms, beat_fd;
    bool allow_plain_tcp;
} sink_settings_t;

#define FIELD(name) .offset = offsetof (sink_settings_t, name)

/* clang-format off: a table */
static const setting_t table[] = {
    {.name = "listen", .type = SETTING_TEXT, FIELD (listen), .value = "ENDPOINT",
     .help = "where to take results from workers (tcp://127.0.0.1:PORT, ipc://PATH)"},
    {.name = "name", .type = SETTING_TEXT, FIELD (name), .value = "NAME",
     .help = "name of this sink in Redis and in logs; by default from the endpoint"},
    {.name = "redis", .type = SETTING_TEXT, FIELD (redis), .value = "URL",
     .help = "redis://[:PASSWORD@]HOST:PORT[/DB]; with a password rather as HOTPATH_REDIS or in "
             "--redis-file"},
    {.name = "redis-file", .type = SETTING_TEXT, FIELD (redis_file), .value = "PATH",
     .help = "file that holds the Redis URL"},
    {.name = "redis-timeout", .type = SETTING_DURATION, FIELD (redis_timeout_ms), .otherwise = "5s",
     .value = "TIME", .help = "without an answer for so long, the connection is made anew",
     .least = 100, .most = 600000},
    {.name = "redis-wait", .type = SETTING_DURATION, FIELD (redis_wait_ms), .otherwise = "0s",
     .value = "TIME", .help = "how long to wait at start for a Redis that cannot be reached",
     .least = 0, .most = 3600000},
    {.name = "gather-timeout", .type = SETTING_DURATION, FIELD (gather_timeout_ms),
     .otherwise = "30s", .value = "TIME",
     .help = "a result that shards are missing from is published after this, as incomplete",
     .least = 100, .most = 3600000},
    {.name = "key-prefix", .type = SETTING_TEXT, FIELD (key_prefix), .value = "TEXT",
     .help = "put before every key, to write beside another pipeline"},
    {.name = "key-style", .type = SETTING_CHOICE, FIELD (key_style), .otherwise = "plain",
     .help = "cluster adds hash tags for Redis Cluster", .choices = "plain|cluster"},
    {.name = "allow-plain-tcp", .type = SETTING_FLAG, FIELD (allow_plain_tcp),
     .help = "listen on tcp beyond loopback without encryption"},
    STATUS_SETTINGS (sink_settings_t, status),
    {.name = "log-level", .type = SETTING_CHOICE, FIELD (log_level), .otherwise = "info",
     .help = "least level logged", .choices = "debug|info|warning|error"},
    {.name = "log-format", .type = SETTING_CHOICE, FIELD (log_format), .otherwise = "logfmt",
     .help = "form of log lines", .choices = "logfmt|json"},
    {.name = "beat-fd", .type = SETTING_INTEGER, FIELD (beat_fd), .otherwise = "-1", .value = "FD",
     .help = "pipe to a supervisor (hotpath run sets it)", .least = -1, .most = 1 << 20},
    {.name = NULL},
};
/* clang-format on */

static const settings_program_t program = {
    .program = "hotpath-sink",
    .summary = "Gathers the shards' results and writes them to Redis.",
    .table = table};

static void read_url_file (sink_settings_t *settings)
{
    char text[URL_BYTES_MAX] = "";
    FILE *file = fopen (settings->redis_file, "re");
    if (!file)
        settings_fail (EX_NOINPUT, "--redis-file: %s: %s", settings->redis_file, strerror (errno));
    size_t size = fread (text, 1, sizeof text - 1, file);
    fclose (file);
    size_t line = strcspn (text, "\r\n");
    free (settings->redis);
    settings->redis = memory_copy_string (text, line < size ? line : size);
}

/*  The endpoint with everything but letters, digits, dots and dashes made a dash. */
static char *make_name (const sink_settings_t *settings)
{
    const char *from = settings->name ? settings->name : strstr (settings->listen, "://");
    if (!from)
        from = settings->listen;
    if (!settings->name)
        from += strspn (from, ":/");
    size_t size = strlen (from);
    if (size > NAME_BYTES_MAX)
        from += size - NAME_BYTES_MAX;
    char *name = memory_copy_string (from, strlen (from));
    for (char *c = name; *c; c++)
        *c = isalnum ((unsigned char)*c) || *c == '.' || *c == '_' ? *c : '-';
    return name;
}

static void check (sink_settings_t *settings, redis_url_t *url)
{
    const char *reason;
    if (settings->redis_file)
        read_url_file (settings);
    if (!settings->listen || !settings->redis)
        settings_fail (EX_USAGE, "--%s is required", settings->listen ? "redis" : "listen");
    if (redis_url_parse (settings->redis, url, &reason) != 0)
        settings_fail (EX_USAGE, "--redis is not redis://[:PASSWORD@]HOST:PORT[/DB]: %s", reason);
    const char *prefix = settings->key_prefix ? settings->key_prefix : "";
    if (strcmp (settings->key_style, "cluster") == 0 && strpbrk (prefix, "{}"))
        settings_fail (EX_USAGE, "--key-prefix must hold no braces with --key-style=cluster");
}

int main (int argc, char **argv)
{
    sink_settings_t settings = {0};
    sink_options_t options = {0};
    log_level_t level = LOG_LEVEL_INFO;
    char error[1024];
    int code = EX_OK;

    settings_load (&program, argc, argv, &settings);
    check (&settings, &options.redis);
    char *name = make_name (&settings);
    log_level_parse (settings.log_level, &level);
    log_start (name, level, strcmp (settings.log_format, "json") == 0);
    zsys_handler_set (NULL);
    stop_install ();

    options.listen = settings.listen;
    options.name = name;
    options.redis_timeout_ms = settings.redis_timeout_ms;
    options.redis_wait_ms = settings.redis_wait_ms;
    options.gather_timeout_ms = settings.gather_timeout_ms;
    options.key_prefix = settings.key_prefix ? settings.key_prefix : "";
    options.cluster_keys = strcmp (settings.key_style, "cluster") == 0;
    options.allow_plain_tcp = settings.allow_plain_tcp;
    options.status = &settings.status;
    options.name_given = settings.name != NULL;
    options.beat = beat_of (settings.beat_fd);

    sink_t *sink = sink_new (&options, error, sizeof error, &code);
    if (!sink) {
        fprintf (stderr, "hotpath-sink: %s\n", error);
    } else {
        code = EX_OK;
        sink_run (sink);
        sink_drain (sink);
    }
    sink_destroy (&sink);
    redis_url_free (&options.redis);
    free (name);
    settings_free (&program, &settings);
    return code;
}
