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
#include "common/crash_mark.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/stop.h"
#include "configd/admin_server.h"
#include "configd/config_flow.h"
#include "configd/config_status.h"
#include "configd/dir_store.h"
#include "configd/mongo_link.h"
#include "configd/mongo_store.h"

enum {
    WAIT_MS = 100,
    STANDBY_MS = 100,
    SOCKETS_MS = 5000,
    URL_BYTES_MAX = 4096,
    OPEN_SAY_MS = 10000,
};

typedef struct {
    char *scenarios_dir, *mongodb_url, *mongodb_url_file, *database, *collection;
    char *state, *publish, *tenant, *scenario, *unknown, *log_level, *log_format;
    char *admin_listen, *admin_tokens, *admin_anonymous;
    bool allow_plain_tcp;
    settings_list_t except;
    status_settings_t status;
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
    audit_log_t *audit;
    admin_api_t *api;
    admin_server_t *server;
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
    {.name = "admin-listen",
     .type = SETTING_TEXT,
     FIELD (admin_listen),
     .value = "HOST:PORT",
     .help = "serve the admin API there; by default nowhere"},
    {.name = "admin-tokens",
     .type = SETTING_TEXT,
     FIELD (admin_tokens),
     .value = "PATH",
     .help = "file with who may use the admin API: NAME ROLE TENANTS TOKEN a line; read again on "
             "SIGHUP"},
    {.name = "admin-anonymous",
     .type = SETTING_CHOICE,
     FIELD (admin_anonymous),
     .otherwise = "none",
     .help = "what requests without a token may do, of all tenants",
     .choices = "none|read|write|admin"},
    {.name = "allow-plain-tcp",
     .type = SETTING_FLAG,
     FIELD (allow_plain_tcp),
     .help = "serve the admin API beyond loopback unencrypted"},
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
    if (settings->admin_listen && !settings->admin_tokens &&
        strcmp (settings->admin_anonymous, "none") == 0)
        settings_fail (EX_USAGE, "--admin-listen needs --admin-tokens (or --admin-anonymous)");
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

/*  Opens the flow; waits, alive, while another configd has the state folder (this one stands by, and takes over
 *  when it goes) or there is no room: the others run on with what they have. NULL where it was stopped meanwhile;
 *  ends the process where something is wrong. */
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
    static char error[2048]; /* read by the status */
    int64_t until_ms = 0; /* a predecessor that has just died may still have its sockets */
    int64_t said_ms = INT64_MIN / 2;
    self->told.waits = error;
    while (!stop_requested ()) {
        int code;
        config_flow_t *flow =
            config_flow_new (&options, clock_ms (), clock_wall_ms (), &code, error, sizeof error);
        if (flow)
            return flow;
        if (code == EX_TEMPFAIL)
            until_ms = clock_ms () + SOCKETS_MS;
        else if (code != EX_UNAVAILABLE || clock_ms () > until_ms)
            settings_fail (code, "%s", error);
        if (code == EX_TEMPFAIL && clock_ms () - said_ms > OPEN_SAY_MS) {
            said_ms = clock_ms ();
            log_warning ("cannot begin yet: this one stands by, and tries again", F_STR ("reason", error));
        }
        status_turn (self->status, clock_ms ());
        beat_tick (&self->beat, clock_ms ());
        usleep (STANDBY_MS * 1000);
    }
    return NULL;
}

static int open_admin (const configd_settings_t *settings, configd_t *self, char *error,
                       size_t error_size)
{
    char path[PATH_MAX];
    if (!settings->admin_listen)
        return 0;
    snprintf (path, sizeof path, "%s/configd/audit.jsonl", settings->state);
    self->audit = audit_log_open (path, error, error_size);
    if (!self->audit)
        return EX_CANTCREAT;
    const admin_api_options_t options = {
        .store = self->store,
        .board = self->board,
        .audit = self->audit,
        .scope = self->scope,
        .tokens_path = settings->admin_tokens,
        .anonymous = admin_role_parse (span_of (settings->admin_anonymous))};
    self->api = admin_api_new (&options, error, error_size);
    if (!self->api)
        return EX_CONFIG;
    self->server = admin_server_new (self->api, settings->admin_listen, settings->allow_plain_tcp,
                                     error, error_size);
    if (!self->server)
        return EX_UNAVAILABLE;
    self->told.api = self->api;
    log_info ("the admin API is served", F_STR ("listen", settings->admin_listen),
              F_INT ("port", admin_server_port (self->server)));
    return 0;
}

static void close_all (configd_t *self, config_flow_t **flow)
{
    config_board_close (self->board);
    admin_server_destroy (&self->server);
    admin_api_destroy (&self->api);
    audit_log_close (&self->audit);
    history_keeper_destroy (&self->keeper);
    scenario_store_destroy (&self->store);
    config_flow_destroy (flow);
}

/*  Works until SIGTERM: 0; 75 where what it stores is not in its place any more. */
static int run (configd_t *self, config_flow_t *flow, char *error, size_t error_size)
{
    bool told = false;
    while (!stop_requested ()) {
        if (config_flow_check (flow, clock_ms (), error, error_size) != 0)
            return EX_TEMPFAIL;
        config_flow_wait (flow, WAIT_MS);
        if (stop_take_reload ()) {
            config_flow_reload (flow);
            if (self->api)
                admin_api_reload (self->api);
        }
        config_flow_step (flow, clock_ms (), clock_wall_ms ());
        status_turn (self->status, clock_ms ());
        beat_tick (&self->beat, clock_ms ());
        if (!told && config_flow_ready (flow)) {
            beat_say (&self->beat, "ready");
            told = true;
        }
    }
    return EX_OK;
}

/*  0, or a sysexits code with a line in `error`: it cannot go on. */
static int serve (const configd_settings_t *settings, configd_t *self, char *error,
                  size_t error_size)
{
    config_flow_t *flow = open_flow (settings, self);
    if (!flow)
        return EX_OK;
    int code = open_store (settings, self, error, error_size) == 0 ? 0 : EX_CANTCREAT;
    if (!code)
        code = open_admin (settings, self, error, error_size);
    if (!code) {
        config_flow_keep (flow, self->keeper);
        self->told.flow = flow;
        code = run (self, flow, error, error_size);
    }
    self->told.flow = NULL;
    self->told.api = NULL;
    close_all (self, &flow);
    return code;
}

int main (int argc, char **argv)
{
    configd_settings_t settings = {0};
    configd_t self = {0};
    char error[1024];
    mongo_link_forget_counters ();
    refuse_passwords (argc, argv);
    settings_load (&program, argc, argv, &settings);
    check (&settings);
    log_level_t level = LOG_LEVEL_INFO;
    log_level_parse (settings.log_level, &level);
    log_start ("configd", level, strcmp (settings.log_format, "json") == 0);
    stop_install ();
    crash_mark_install ();
    self.beat = beat_of (settings.beat_fd);
    self.scope = scenario_scope_new (settings.tenant, settings.scenario, settings.except.list,
                                     settings.except.count, error, sizeof error);
    if (!self.scope)
        settings_fail (EX_USAGE, "%s", error);
    self.board = config_board_new ();
    const status_source_t told = {&self.told, config_tell_readiness, config_tell_metrics};
    const status_process_t process = {"configd", "configd", true, settings.state};
    if (status_open (&settings.status, &process, &told, &self.status, error, sizeof error) != 0)
        settings_fail (EX_UNAVAILABLE, "%s", error);
    int code = serve (&settings, &self, error, sizeof error);
    status_close (&self.status);
    config_board_destroy (&self.board);
    scenario_scope_destroy (&self.scope);
    settings_free (&program, &settings);
    if (code)
        settings_fail (code, "%s", error);
    return EX_OK;
}
