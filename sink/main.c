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
     .help = "redis://[[USER]:PASSWORD@]HOST:PORT[/DB] or unix:///PATH[?db=DB]; with a password "
             "rather as HOTPATH_REDIS or in --redis-file"},
    {.name = "redis-file", .type = SETTING_TEXT, FIELD (redis_file), .value = "PATH",
     .help = "file that holds the Redis URL; read again on SIGHUP and when the password is refused"},
    {.name = "redis-timeout", .type = SETTING_DURATION, FIELD (redis_timeout_ms), .otherwise = "5s",
     .value = "TIME", .help = "without a byte of an answer for so long, the connection is made anew",
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

/*  The first line of the file, or NULL with errno. The caller frees it. */
static char *read_url_file (const char *path)
{
    char text[URL_BYTES_MAX] = "";
    FILE *file = fopen (path, "re");
    if (!file)
        return NULL;
    size_t size = fread (text, 1, sizeof text - 1, file);
    int failed = ferror (file);
    fclose (file);
    size_t line = strcspn (text, "\r\n");
    return failed ? NULL : memory_copy_string (text, line < size ? line : size);
}

/*  What reload_url needs. */
typedef struct {
    const char *path; /* NULL: the URL is not from a file */
    redis_url_t url;
} redis_place_t;

/*  Reads the file again, on SIGHUP or a refused password: true where the URL is another by now. */
static bool reload_url (void *arg)
{
    redis_place_t *self = arg;
    redis_url_t url;
    const char *reason = NULL;
    char *text = self->path ? read_url_file (self->path) : NULL;
    if (!self->path)
        return false;
    if (!text)
        reason = strerror (errno);
    else if (redis_url_parse (text, &url, &reason) == 0)
        reason = NULL;
    free (text);
    if (reason) {
        log_warning ("the file of --redis-file cannot be used: the URL stays as it is",
                     F_STR ("file", self->path), F_STR ("reason", reason));
        return false;
    }
    bool changed = !redis_url_equal (&url, &self->url);
    if (changed)
        redis_url_free (&self->url);
    else
        redis_url_free (&url);
    if (changed)
        self->url = url;
    return changed;
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
    if (settings->redis_file) {
        free (settings->redis);
        settings->redis = read_url_file (settings->redis_file);
        if (!settings->redis)
            settings_fail (EX_NOINPUT, "--redis-file: %s: %s", settings->redis_file,
                           strerror (errno));
    }
    if (!settings->listen || !settings->redis)
        settings_fail (EX_USAGE, "--%s is required", settings->listen ? "redis" : "listen");
    if (redis_url_parse (settings->redis, url, &reason) != 0)
        settings_fail (EX_USAGE,
                       "--redis is not redis://[:PASSWORD@]HOST:PORT[/DB] or unix:///PATH: %s",
                       reason);
    const char *prefix = settings->key_prefix ? settings->key_prefix : "";
    if (strcmp (settings->key_style, "cluster") == 0 && strpbrk (prefix, "{}"))
        settings_fail (EX_USAGE, "--key-prefix must hold no braces with --key-style=cluster");
}

int main (int argc, char **argv)
{
    sink_settings_t settings = {0};
    sink_options_t options = {0};
    redis_place_t place = {0};
    log_level_t level = LOG_LEVEL_INFO;
    char error[1024];
    int code = EX_OK;

    settings_load (&program, argc, argv, &settings);
    check (&settings, &place.url);
    char *name = make_name (&settings);
    log_level_parse (settings.log_level, &level);
    log_start (name, level, strcmp (settings.log_format, "json") == 0);
    zsys_handler_set (NULL);
    stop_install ();

    options.listen = settings.listen;
    options.name = name;
    place.path = settings.redis_file;
    options.redis = &place.url;
    options.reload = reload_url;
    options.reload_arg = &place;
    options.can_reload = place.path != NULL;
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
        code = sink_run (sink);
        sink_drain (sink);
    }
    sink_destroy (&sink);
    redis_url_free (&place.url);
    free (name);
    settings_free (&program, &settings);
    return code;
}
