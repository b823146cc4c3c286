#include "ctl/scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <yyjson.h>
#include "common/buffer.h"
#include "common/check.h"
#include "common/percent.h"
#include "common/settings.h"
#include "ctl/admin_client.h"
#include "ctl/scenario_patch.h"
#include "ctl/scenario_print.h"

enum { FILE_BYTES_MAX = 1 << 20, PAGES_MAX = 10000 };

typedef struct {
    char *admin, *token, *tenant, *file, *reason, *if_match, *key, *from, *to, *status, *type;
    int64_t timeout_ms, items, limit, revision;
    bool json, replace, dry_run, wait;
} scenario_settings_t;

#define AT(field) .offset = offsetof (scenario_settings_t, field)
#define TEXT(n, field, v, h)                                                                       \
    {                                                                                              \
        .name = (n), .type = SETTING_TEXT, AT (field), .value = (v), .help = (h)                   \
    }
#define FLAG(n, field, h)                                                                          \
    {                                                                                              \
        .name = (n), .type = SETTING_FLAG, AT (field), .help = (h)                                 \
    }
#define INTEGER(n, field, o, l, m, h)                                                              \
    {                                                                                              \
        .name = (n), .type = SETTING_INTEGER, AT (field), .otherwise = (o), .value = "N",          \
        .help = (h), .least = (l), .most = (m)                                                     \
    }

/* clang-format off: a table */
static const setting_t table[] = {
    {.name = "admin", .type = SETTING_TEXT, AT (admin), .otherwise = "http://127.0.0.1:7700",
     .value = "URL", .help = "where configd serves the admin API (its --admin-listen)"},
    {.name = "admin-token", .type = SETTING_TEXT, AT (token), .secret = true,
     .help = "bearer token"},
    TEXT ("tenant", tenant, "ID", "the tenant, where the token is good for several"),
    FLAG ("json", json, "print the answer as JSON"),
    TEXT ("config-file", file, "PATH",
          "set, create, validate, preview: the config from a file; - is standard input"),
    FLAG ("replace", replace, "set: the config given is the whole of it"),
    FLAG ("dry-run", dry_run, "say what would change, and change nothing"),
    FLAG ("wait", wait, "until every process runs it and Redis has its first result"),
    {.name = "timeout", .type = SETTING_DURATION, AT (timeout_ms), .otherwise = "10s",
     .value = "TIME", .help = "how long to wait", .least = 1, .most = 60000},
    TEXT ("reason", reason, "TEXT", "kept with the change"),
    TEXT ("if-match", if_match, "ETAG",
          "change only what still is as it was read (etag of get --json)"),
    TEXT ("idempotency-key", key, "KEY", "the same key again changes nothing again"),
    INTEGER ("items", items, "20", 1, 100, "preview: items to show"),
    INTEGER ("limit", limit, "50", 1, 200, "history: newest revisions to show"),
    INTEGER ("revision", revision, "0", 0, INT64_MAX, "applied: of this one; 0: the present one"),
    TEXT ("from-revision", from, "N",
          "diff: a revision, current, or defaults; by default the one before"),
    TEXT ("to-revision", to, "N", "diff: a revision, or current"),
    TEXT ("status", status, "STATUS", "list: only these; create: its status"),
    TEXT ("type", type, "TYPE", "create: its scenario_type"),
    {.name = NULL},
};
/* clang-format on */

static const settings_program_t program = {
    "hotpath scenario",
    "list | get ID | set ID [PATH=VALUE…] | create ID [PATH=VALUE…] | reset ID | validate ID "
    "[PATH=VALUE…] |\npreview ID [PATH=VALUE…] | history ID | show ID REVISION | diff ID | "
    "rollback ID REVISION |\npause ID | resume ID | applied ID: scenarios through configd's admin "
    "API.\nPATH=VALUE as hot_score.action_weights.purchase=15; null takes away.",
    table, "COMMAND [ID] [ARGUMENT...]"};

/*  One command on its way. */
typedef struct {
    const scenario_settings_t *settings;
    char **operands; /* behind the id */
    int operand_count;
    char *id; /* percent-encoded; NULL: none */
} command_t;

/*  ---- one request ---- */

static int ask (const command_t *self, const char *method, const char *path, yyjson_mut_doc *body,
                yyjson_doc **answer)
{
    const scenario_settings_t *settings = self->settings;
    const admin_client_t client = {.url = settings->admin,
                                   .token = settings->token,
                                   .tenant = settings->tenant,
                                   .if_match = settings->if_match,
                                   .key = settings->key,
                                   .timeout_ms = settings->wait ? settings->timeout_ms : 0};
    return admin_client_ask (&client, method, path, body, answer);
}

static void append (buffer_t *to, const char *text)
{
    buffer_append (to, text, strlen (text));
}

/*  Asks, prints, and returns the exit code. */
static int run (const command_t *self, const char *method, const char *path, yyjson_mut_doc *body,
                void (*print) (yyjson_val *body))
{
    yyjson_doc *answer;
    int status = ask (self, method, path, body, &answer);
    yyjson_val *root = yyjson_doc_get_root (answer);
    if (self->settings->json) {
        char *text = yyjson_write (answer, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);
        puts (text ? text : "null");
        free (text);
    } else if (status < 300)
        print (root);
    if (status >= 300)
        scenario_print_problem (root, status);
    int code = admin_client_code (status);
    if (status == 200 && yyjson_is_false (yyjson_obj_get (root, "valid")))
        code = EX_DATAERR;
    yyjson_doc_free (answer);
    return code;
}

/*  ---- paths and bodies ---- */

/*  /api/v1/scenarios[/ID]REST and the parameters of a change; the caller's. */
static char *path_of (const command_t *self, const char *rest, bool changes)
{
    const scenario_settings_t *settings = self->settings;
    buffer_t path = {0};
    char text[64];
    append (&path, "/api/v1/scenarios");
    if (self->id) {
        append (&path, "/");
        append (&path, self->id);
    }
    append (&path, rest);
    char mark = strchr (rest, '?') ? '&' : '?';
    if (changes && settings->dry_run) {
        snprintf (text, sizeof text, "%cdry_run=true", mark);
        append (&path, text);
        mark = '&';
    } else if (changes && settings->wait) {
        snprintf (text, sizeof text, "%cwait=applied&timeout=%lldms", mark,
                  (long long)settings->timeout_ms);
        append (&path, text);
    }
    buffer_append (&path, "", 1);
    return (char *)path.bytes;
}

static void read_file (const char *path, buffer_t *text)
{
    FILE *file = strcmp (path, "-") == 0 ? stdin : fopen (path, "re");
    if (!file)
        settings_fail (EX_NOINPUT, "--config-file: cannot read %s: %s", path, strerror (errno));
    for (size_t got = 1; got && text->size <= FILE_BYTES_MAX; text->size += got) {
        buffer_reserve (text, 64 << 10);
        got = fread (text->bytes + text->size, 1, 64 << 10, file);
    }
    if (ferror (file) || text->size > FILE_BYTES_MAX)
        settings_fail (EX_NOINPUT, "--config-file: %s cannot be read, or is larger than 1 MiB",
                       path);
    if (file != stdin)
        fclose (file);
}

static yyjson_mut_doc *new_body (yyjson_mut_val **root, const scenario_settings_t *settings)
{
    yyjson_mut_doc *body = yyjson_mut_doc_new (NULL);
    CHECK (body);
    *root = yyjson_mut_obj (body);
    yyjson_mut_doc_set_root (body, *root);
    if (settings->reason)
        CHECK (yyjson_mut_obj_add_strcpy (body, *root, "reason", settings->reason));
    return body;
}

/*  The body of a change: from the file, with the assignments over it. */
static yyjson_mut_doc *config_body (const command_t *self, yyjson_mut_val **root, bool needed)
{
    char error[512];
    const char *path = self->settings->file;
    yyjson_mut_doc *body = new_body (root, self->settings);
    if (!path && !self->operand_count) {
        if (needed)
            settings_fail (EX_USAGE, "give PATH=VALUE or --config-file (see --help)");
        return body;
    }
    yyjson_mut_val *compute = yyjson_mut_obj (body), *config = yyjson_mut_obj (body);
    if (path) {
        buffer_t text = {0};
        read_file (path, &text);
        compute = scenario_patch_of_file (body, (span_t){(const char *)text.bytes, text.size},
                                          error, sizeof error);
        buffer_free (&text);
        if (!compute)
            settings_fail (EX_DATAERR, "--config-file: %s %s", path, error);
    }
    for (int i = 0; i < self->operand_count; i++)
        if (scenario_patch_assign (body, compute, self->operands[i], error, sizeof error) != 0)
            settings_fail (EX_USAGE, "%s", error);
    CHECK (yyjson_mut_obj_add_val (body, config, "realtime_compute", compute));
    CHECK (yyjson_mut_obj_add_val (body, *root, "config", config));
    return body;
}

static int send_body (const command_t *self, const char *method, const char *rest, bool changes,
                      yyjson_mut_doc *body, void (*print) (yyjson_val *body))
{
    char *path = path_of (self, rest, changes);
    int code = run (self, method, path, body, print);
    free (path);
    yyjson_mut_doc_free (body);
    return code;
}

static uint64_t revision_operand (const command_t *self)
{
    const char *text = self->operand_count == 1 ? self->operands[0] : "";
    if (!*text || strspn (text, "0123456789") != strlen (text) || strlen (text) > 15)
        settings_fail (EX_USAGE, "give the number of one revision");
    return strtoull (text, NULL, 10);
}

static void no_operands (const command_t *self)
{
    if (self->operand_count)
        settings_fail (EX_USAGE, "unexpected '%s' (see --help)", self->operands[0]);
}

/*  ---- commands ---- */

static int list (const command_t *self)
{
    const scenario_settings_t *settings = self->settings;
    buffer_t next = {0}, path = {0};
    int code = EX_OK;
    no_operands (self);
    for (int page = 0; page < PAGES_MAX; page++) {
        yyjson_doc *answer;
        buffer_clear (&path);
        append (&path, "/api/v1/scenarios?limit=200");
        if (settings->status) {
            append (&path, "&status=");
            percent_encode (span_of (settings->status), &path);
        }
        buffer_append (&path, next.bytes, next.size);
        buffer_append (&path, "", 1);
        int status = ask (self, "GET", (const char *)path.bytes, NULL, &answer);
        yyjson_val *root = yyjson_doc_get_root (answer);
        code = admin_client_code (status);
        if (status >= 300)
            scenario_print_problem (root, status);
        else if (settings->json) {
            char *text = yyjson_write (answer, YYJSON_WRITE_NOFLAG, NULL);
            puts (text ? text : "null");
            free (text);
        } else
            scenario_print_list (root, page);
        const char *after = yyjson_get_str (yyjson_obj_get (root, "next"));
        buffer_clear (&next);
        if (after) {
            append (&next, "&after=");
            percent_encode (span_of (after), &next);
        }
        yyjson_doc_free (answer);
        if (!next.size)
            break;
    }
    buffer_free (&next);
    buffer_free (&path);
    return code;
}

static int get (const command_t *self)
{
    no_operands (self);
    return send_body (self, "GET", "", false, NULL, scenario_print_one);
}

static int set (const command_t *self)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *body = config_body (self, &root, true);
    return send_body (self, self->settings->replace ? "PUT" : "POST", "", true, body,
                      scenario_print_change);
}

static int create (const command_t *self)
{
    const scenario_settings_t *settings = self->settings;
    char id[1024];
    yyjson_mut_val *root;
    yyjson_mut_doc *body = config_body (self, &root, false);
    if (percent_decode (span_of (self->id), id, sizeof id) < 1)
        settings_fail (EX_USAGE, "the scenario's id is not UTF-8");
    CHECK (yyjson_mut_obj_add_strcpy (body, root, "scenario_id", id));
    if (settings->status)
        CHECK (yyjson_mut_obj_add_strcpy (body, root, "status", settings->status));
    if (settings->type)
        CHECK (yyjson_mut_obj_add_strcpy (body, root, "scenario_type", settings->type));
    command_t all = *self;
    all.id = NULL;
    return send_body (&all, "POST", "", true, body, scenario_print_change);
}

static int reset (const command_t *self)
{
    buffer_t rest = {0};
    no_operands (self);
    if (self->settings->reason) {
        append (&rest, "?reason=");
        percent_encode (span_of (self->settings->reason), &rest);
    }
    buffer_append (&rest, "", 1);
    int code = send_body (self, "DELETE", (const char *)rest.bytes, true, NULL,
                          scenario_print_change);
    buffer_free (&rest);
    return code;
}

static int validate (const command_t *self)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *body = config_body (self, &root, true);
    return send_body (self, "POST", "/validate", false, body, scenario_print_validation);
}

static int preview (const command_t *self)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *body = config_body (self, &root, true);
    CHECK (yyjson_mut_obj_add_uint (body, root, "items", (uint64_t)self->settings->items));
    return send_body (self, "POST", "/preview", false, body, scenario_print_preview);
}

static int history (const command_t *self)
{
    char rest[64];
    no_operands (self);
    snprintf (rest, sizeof rest, "/revisions?limit=%lld", (long long)self->settings->limit);
    return send_body (self, "GET", rest, false, NULL, scenario_print_history);
}

static void print_record (yyjson_val *body)
{
    char *text = yyjson_val_write (body, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);
    puts (text ? text : "null");
    free (text);
}

static int show (const command_t *self)
{
    char rest[64];
    snprintf (rest, sizeof rest, "/revisions/%llu", (unsigned long long)revision_operand (self));
    return send_body (self, "GET", rest, false, NULL, print_record);
}

static int diff (const command_t *self)
{
    const scenario_settings_t *settings = self->settings;
    buffer_t rest = {0};
    no_operands (self);
    append (&rest, "/diff");
    if (settings->from) {
        append (&rest, "?from=");
        percent_encode (span_of (settings->from), &rest);
    }
    if (settings->to) {
        append (&rest, settings->from ? "&to=" : "?to=");
        percent_encode (span_of (settings->to), &rest);
    }
    buffer_append (&rest, "", 1);
    int code =
        send_body (self, "GET", (const char *)rest.bytes, false, NULL, scenario_print_diff);
    buffer_free (&rest);
    return code;
}

static int rollback (const command_t *self)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *body = new_body (&root, self->settings);
    CHECK (yyjson_mut_obj_add_uint (body, root, "revision", revision_operand (self)));
    return send_body (self, "POST", "/rollback", true, body, scenario_print_change);
}

static int set_status (const command_t *self, const char *status)
{
    yyjson_mut_val *root;
    no_operands (self);
    yyjson_mut_doc *body = new_body (&root, self->settings);
    CHECK (yyjson_mut_obj_add_strcpy (body, root, "status", status));
    return send_body (self, "POST", "/status", true, body, scenario_print_change);
}

static int pause_it (const command_t *self)
{
    return set_status (self, "paused");
}

static int resume (const command_t *self)
{
    return set_status (self, "active");
}

static int applied (const command_t *self)
{
    char rest[64] = "/applied";
    no_operands (self);
    if (self->settings->revision)
        snprintf (rest, sizeof rest, "/applied?revision=%lld",
                  (long long)self->settings->revision);
    command_t asking = *self;
    scenario_settings_t settings = *self->settings;
    settings.dry_run = false;
    asking.settings = &settings;
    return send_body (&asking, "GET", rest, true, NULL, scenario_print_applied);
}

static const struct {
    const char *name;
    bool of_one; /* needs an id */
    int (*run) (const command_t *self);
} commands[] = {
    {"list", false, list},        {"get", true, get},           {"set", true, set},
    {"create", true, create},     {"reset", true, reset},       {"validate", true, validate},
    {"preview", true, preview},   {"history", true, history},   {"show", true, show},
    {"diff", true, diff},         {"rollback", true, rollback}, {"pause", true, pause_it},
    {"resume", true, resume},     {"applied", true, applied},
};

int scenario_main (int argc, char **argv)
{
    scenario_settings_t settings = {0};
    int first = settings_load (&program, argc, argv, &settings);
    command_t command = {.settings = &settings};
    size_t i = 0, count = sizeof commands / sizeof *commands;
    if (first == argc)
        settings_fail (EX_USAGE, "a command is needed, such as list (see --help)");
    while (i < count && strcmp (argv[first], commands[i].name) != 0)
        i++;
    if (i == count)
        settings_fail (EX_USAGE, "unknown command '%s' (see --help)", argv[first]);
    int operand = first + 1;
    buffer_t id = {0};
    if (commands[i].of_one) {
        if (operand == argc)
            settings_fail (EX_USAGE, "%s needs the id of a scenario", commands[i].name);
        percent_encode (span_of (argv[operand++]), &id);
        buffer_append (&id, "", 1);
        command.id = (char *)id.bytes;
    }
    command.operands = argv + operand;
    command.operand_count = argc - operand;
    int code = commands[i].run (&command);
    if (fflush (stdout) != 0)
        code = EX_IOERR;
    buffer_free (&id);
    settings_free (&program, &settings);
    return code;
}
