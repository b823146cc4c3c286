/*  hotpath-configd: every parameter of every scenario, from a folder or from MongoDB, validated,
 *  with revisions that never go back, told to all processes within a second.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "common/beat.h"
#include "common/clock.h"
#include "common/crash_mark.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/stop.h"
#include "configd/config_flow.h"
#include "configd/config_status.h"

enum { WAIT_MS = 100, URL_BYTES_MAX = 4096, OPEN_AGAIN_MS = 500, OPEN_SAY_MS = 10000 };

typedef struct {
    char *scenarios_dir, *mongodb_url, *mongodb_url_file, *database, *collection;
    char *state, *publish, *tenant, *scenario, *unknown, *log_level, *log_format;
    status_settings_t status;
    int64_t poll_ms, beat_fd;
} configd_settings_t;

#define FIELD(name) .offset = offsetof (configd_settings_t, name)

/* clang-format off: a table */
static const setting_t table[] = {
    {.name = "scenarios-dir",
     .type = SETTING_TEXT,
     FIELD (scenarios_dir),
     .value = "DIR",
     .help = "folder with one scenario document a file (*.json), followed as they change"},
    {.name = "mongodb-url",
     .type = SETTING_TEXT,
     FIELD (mongodb_url),
     .value = "URL",
     .help =
         "MongoDB with the scenario documents; one with a password only from the environment or "
         "from --mongodb-url-file"},
    {.name = "mongodb-url-file",
     .type = SETTING_TEXT,
     FIELD (mongodb_url_file),
     .value = "PATH",
     .help = "file that holds the MongoDB URL"},
    {.name = "database",
     .type = SETTING_TEXT,
     FIELD (database),
     .otherwise = "hotpath",
     .value = "NAME",
     .help = "MongoDB database"},
    {.name = "collection",
     .type = SETTING_TEXT,
     FIELD (collection),
     .otherwise = "scenarios",
     .value = "NAME",
     .help = "MongoDB collection"},
    {.name = "poll-interval",
     .type = SETTING_DURATION,
     FIELD (poll_ms),
     .otherwise = "500ms",
     .value = "TIME",
     .help = "how often a MongoDB without change streams is read",
     .least = 50,
     .most = 600000},
    {.name = "state",
     .type = SETTING_TEXT,
     FIELD (state),
     .value = "DIR",
     .help = "state folder, shared by all processes of the pipeline on this host"},
    {.name = "publish",
     .type = SETTING_TEXT,
     FIELD (publish),
     .value = "ENDPOINT",
     .help = "where to publish; requests are taken at the next port, or the path with .requests"},
    {.name = "tenant-id",
     .type = SETTING_TEXT,
     FIELD (tenant),
     .value = "ID",
     .help = "dedicated mode: only this tenant"},
    {.name = "scenario-id",
     .type = SETTING_TEXT,
     FIELD (scenario),
     .value = "ID",
     .help = "dedicated mode: only this scenario of the tenant"},
    {.name = "unknown-scenarios",
     .type = SETTING_CHOICE,
     FIELD (unknown),
     .otherwise = "drop",
     .help = "scenarios that events come of, and no document: defaults runs them by all defaults, "
             "until there is one",
     .choices = "drop|defaults"},
    STATUS_SETTINGS (configd_settings_t, status),
    {.name = "log-level",
     .type = SETTING_CHOICE,
     FIELD (log_level),
     .otherwise = "info",
     .help = "least level logged",
     .choices = "debug|info|warning|error"},
    {.name = "log-format",
     .type = SETTING_CHOICE,
     FIELD (log_format),
     .otherwise = "logfmt",
     .help = "form of log lines",
     .choices = "logfmt|json"},
    {.name = "beat-fd",
     .type = SETTING_INTEGER,
     FIELD (beat_fd),
     .otherwise = "-1",
     .value = "FD",
     .help = "pipe to a supervisor (hotpath run sets it)",
     .least = -1,
     .most = 1 << 20},
    {.name = NULL},
};
/* clang-format on */

static const settings_program_t program = {
    .program = "hotpath-configd",
    .summary = "Follows the scenarios' config and publishes its revisions to all processes.",
    .table = table};

/*  A password on the command line is seen by every user of the machine. */
static void refuse_passwords (int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *scheme = strstr (argv[i], "mongodb");
        const char *user = scheme ? strstr (scheme, "://") : NULL;
        if (!user)
            continue;
        user += 3;
        const char *at = memchr (user, '@', strcspn (user, "/?"));
        if (at && memchr (user, ':', (size_t)(at - user)))
            settings_fail (EX_USAGE, "a MongoDB URL with a password is not taken from the command "
                                     "line: use HOTPATH_MONGODB_URL or --mongodb-url-file");
    }
}

static void read_url (configd_settings_t *settings)
{
    char text[URL_BYTES_MAX] = "";
    const char *path = settings->mongodb_url_file;
    FILE *file = fopen (path, "re");
    if (!file)
        settings_fail (EX_NOINPUT, "--mongodb-url-file: %s: %s", path, strerror (errno));
    size_t size = fread (text, 1, sizeof text - 1, file);
    fclose (file);
    size = strcspn (text, "\r\n") < size ? strcspn (text, "\r\n") : size;
    free (settings->mongodb_url);
    settings->mongodb_url = memory_copy_string (text, size);
}

static void check (configd_settings_t *settings)
{
    if (settings->mongodb_url_file)
        read_url (settings);
    if (!settings->scenarios_dir == !settings->mongodb_url)
        settings_fail (EX_USAGE, "give either --scenarios-dir or --mongodb-url");
    if (!settings->state || !settings->publish)
        settings_fail (EX_USAGE, "--%s is required", settings->state ? "publish" : "state");
    if (settings->scenario && !settings->tenant)
        settings_fail (EX_USAGE, "--scenario-id is given without --tenant-id");
}

/*  Works until SIGTERM: 0; 75 where what it stores is not in its place any more. */
static int run (config_flow_t *flow, status_t *status, beat_t *beat, char *error, size_t error_size)
{
    bool told = false;
    while (!stop_requested ()) {
        if (config_flow_check (flow, clock_ms (), error, error_size) != 0)
            return EX_TEMPFAIL;
        config_flow_wait (flow, WAIT_MS);
        if (stop_take_reload ())
            config_flow_reload (flow);
        config_flow_step (flow, clock_ms (), clock_wall_ms ());
        status_turn (status, clock_ms ());
        beat_tick (beat, clock_ms ());
        if (!told && config_flow_ready (flow)) {
            beat_say (beat, "ready");
            told = true;
        }
    }
    return EX_OK;
}

/*  A full disk passes: until then it waits here, alive, and the others run on with what they have. */
static config_flow_t *open_flow (const config_flow_options_t *options, beat_t *beat, int *code,
                                 char *error, size_t error_size)
{
    int64_t said_ms = INT64_MIN / 2;
    for (;;) {
        config_flow_t *flow =
            config_flow_new (options, clock_ms (), clock_wall_ms (), code, error, error_size);
        if (flow || *code != EX_TEMPFAIL || stop_requested ())
            return flow;
        if (clock_ms () - said_ms > OPEN_SAY_MS) {
            said_ms = clock_ms ();
            log_error ("cannot begin yet, trying again", F_STR ("reason", error));
        }
        beat_tick (beat, clock_ms ());
        usleep (OPEN_AGAIN_MS * 1000);
    }
}

int main (int argc, char **argv)
{
    configd_settings_t settings = {0};
    refuse_passwords (argc, argv);
    settings_load (&program, argc, argv, &settings);
    check (&settings);
    log_level_t level = LOG_LEVEL_INFO;
    log_level_parse (settings.log_level, &level);
    log_start ("configd", level, strcmp (settings.log_format, "json") == 0);
    stop_install ();
    crash_mark_install ();
    beat_t beat = beat_of (settings.beat_fd);
    const config_flow_options_t options = {.state = settings.state,
                                           .publish = settings.publish,
                                           .scenarios_dir = settings.scenarios_dir,
                                           .mongodb_url = settings.mongodb_url,
                                           .database = settings.database,
                                           .collection = settings.collection,
                                           .poll_ms = settings.poll_ms,
                                           .tenant = settings.tenant,
                                           .scenario = settings.scenario,
                                           .begin_unknown =
                                               strcmp (settings.unknown, "defaults") == 0};
    char error[2048];
    int code;
    config_flow_t *flow = open_flow (&options, &beat, &code, error, sizeof error);
    if (!flow) {
        settings_free (&program, &settings);
        settings_fail (code, "%s", error);
    }
    status_t *status = NULL;
    const status_process_t process = {"configd", "configd", true, settings.state};
    const status_source_t told = {flow, config_tell_readiness, config_tell_metrics};
    if (status_open (&settings.status, &process, &told, &status, error, sizeof error) != 0) {
        config_flow_destroy (&flow);
        settings_free (&program, &settings);
        settings_fail (EX_UNAVAILABLE, "%s", error);
    }
    code = run (flow, status, &beat, error, sizeof error);
    status_close (&status);
    config_flow_destroy (&flow);
    settings_free (&program, &settings);
    if (code)
        settings_fail (code, "%s", error);
    return EX_OK;
}
