/*  hotpath-configd: every parameter of every scenario, from a folder or from MongoDB, validated,
 *  with revisions that never go back, told to all processes within a second.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "common/beat.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/stop.h"
#include "configd/config_flow.h"
#include "configd/config_status.h"
#include "configd/dir_store.h"
#include "configd/mongo_store.h"

enum {
    WAIT_MS = 100,
    STANDBY_MS = 100,
    SOCKETS_MS = 5000,
    URL_BYTES_MAX = 4096,
};

typedef struct {
    char *scenarios_dir, *mongodb_url, *mongodb_url_file, *database, *collection;
    char *state, *publish, *tenant, *scenario, *unknown, *status_listen, *log_level, *log_format;
    settings_list_t except;
    int64_t poll_ms, beat_fd;
} configd_settings_t;

/*  All that this process is made of, in the order in which it is made. */
typedef struct {
    scenario_scope_t *scope;
    config_board_t *board;
    config_status_t told;
    status_t *status;
    beat_t beat;
    scenario_store_t *store;
    history_keeper_t *keeper;
} configd_t;

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
    {.name = "except",
     .type = SETTING_LIST,
     FIELD (except),
     .value = "TENANT/SCENARIO,...",
     .help = "scenarios that another pipeline serves: left out here; a star for all of a tenant; "
             "may be given again"},
    {.name = "unknown-scenarios",
     .type = SETTING_CHOICE,
     FIELD (unknown),
     .otherwise = "drop",
     .help = "scenarios that events come of, and no document: defaults runs them by all defaults, "
             "until there is one",
     .choices = "drop|defaults"},
    STATUS_SETTING (configd_settings_t, status_listen),
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

static int open_store (const configd_settings_t *settings, configd_t *self, char *error,
                       size_t error_size)
{
    char history[PATH_MAX];
    if (settings->mongodb_url)
        self->store = mongo_store_new (settings->mongodb_url, settings->database,
                                       settings->collection, error, error_size);
    else if (snprintf (history, sizeof history, "%s/configd/history", settings->state) <
             (int)sizeof history)
        self->store = dir_store_new (settings->scenarios_dir, history, error, error_size);
    if (!self->store)
        return -1;
    self->keeper =
        history_keeper_new (self->store, settings->mongodb_url ? mongo_store_prepare : NULL);
    return 0;
}

/*  Opens the flow; waits as a stand-by while another configd has the state folder. NULL where it
 *  was stopped meanwhile; ends the process where something is wrong. */
static config_flow_t *open_flow (const configd_settings_t *settings, configd_t *self)
{
    const config_flow_options_t options = {.state = settings->state,
                                           .publish = settings->publish,
                                           .scenarios_dir = settings->scenarios_dir,
                                           .mongodb_url = settings->mongodb_url,
                                           .database = settings->database,
                                           .collection = settings->collection,
                                           .poll_ms = settings->poll_ms,
                                           .scope = self->scope,
                                           .board = self->board,
                                           .begin_unknown =
                                               strcmp (settings->unknown, "defaults") == 0};
    char error[2048];
    int64_t until_ms = 0; /* a predecessor that has just died may still have its sockets */
    for (bool told = false; !stop_requested ();) {
        int code;
        config_flow_t *flow =
            config_flow_new (&options, clock_ms (), clock_wall_ms (), &code, error, sizeof error);
        if (flow)
            return flow;
        if (code == EX_TEMPFAIL)
            until_ms = clock_ms () + SOCKETS_MS;
        else if (code != EX_UNAVAILABLE || clock_ms () > until_ms)
            settings_fail (code, "%s", error);
        if (code == EX_TEMPFAIL && !told) {
            told = true;
            log_warning ("another hotpath-configd has the state folder: this one stands by and "
                         "takes over when it goes",
                         F_STR ("state", settings->state));
        }
        status_turn (self->status, clock_ms ());
        beat_tick (&self->beat, clock_ms ());
        usleep (STANDBY_MS * 1000);
    }
    return NULL;
}

static void run (configd_t *self, config_flow_t *flow)
{
    bool told = false;
    while (!stop_requested ()) {
        config_flow_wait (flow, WAIT_MS);
        if (stop_take_reload ())
            config_flow_reload (flow);
        config_flow_step (flow, clock_ms (), clock_wall_ms ());
        status_turn (self->status, clock_ms ());
        beat_tick (&self->beat, clock_ms ());
        if (!told && config_flow_ready (flow)) {
            beat_say (&self->beat, "ready");
            told = true;
        }
    }
}

static void serve (const configd_settings_t *settings, configd_t *self)
{
    char error[1024];
    config_flow_t *flow = open_flow (settings, self);
    if (!flow)
        return;
    if (open_store (settings, self, error, sizeof error) != 0) {
        config_flow_destroy (&flow);
        settings_fail (EX_CANTCREAT, "%s", error);
    }
    config_flow_keep (flow, self->keeper);
    self->told.flow = flow;
    run (self, flow);
    self->told.flow = NULL;
    config_board_close (self->board);
    history_keeper_destroy (&self->keeper);
    scenario_store_destroy (&self->store);
    config_flow_destroy (&flow);
}

int main (int argc, char **argv)
{
    configd_settings_t settings = {0};
    configd_t self = {0};
    char error[1024];
    refuse_passwords (argc, argv);
    settings_load (&program, argc, argv, &settings);
    check (&settings);
    log_level_t level = LOG_LEVEL_INFO;
    log_level_parse (settings.log_level, &level);
    log_start ("configd", level, strcmp (settings.log_format, "json") == 0);
    stop_install ();
    self.beat = beat_of (settings.beat_fd);
    self.scope = scenario_scope_new (settings.tenant, settings.scenario, settings.except.list,
                                     settings.except.count, error, sizeof error);
    if (!self.scope)
        settings_fail (EX_USAGE, "%s", error);
    self.board = config_board_new ();
    const status_source_t told = {&self.told, config_tell_readiness, config_tell_metrics};
    if (status_open (settings.status_listen, &told, &self.status, error, sizeof error) != 0)
        settings_fail (EX_UNAVAILABLE, "%s", error);
    serve (&settings, &self);
    status_close (&self.status);
    config_board_destroy (&self.board);
    scenario_scope_destroy (&self.scope);
    settings_free (&program, &settings);
    return EX_OK;
}
