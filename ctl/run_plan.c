#include "ctl/run_plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/check.h"
#include "common/memory.h"

static const struct {
    const char *program, *name;
    uint32_t start_stage, stop_stage;
} parts[PART_COUNT] = {
    [PART_CONFIGD] = {"hotpath-configd", "configd", 0, 3},
    [PART_SINK] = {"hotpath-sink", "sink", 1, 2},
    [PART_SCORER] = {"hotpath-scorer", "scorer", 2, 1},
    [PART_PROFILER] = {"hotpath-profiler", "profiler", 2, 1},
    [PART_METRICS] = {"hotpath-metrics", "metrics", 2, 1},
    [PART_INGESTOR] = {"hotpath-ingestor", "ingestor", 2, 0},
};

enum {
    C = 1 << PART_CONFIGD,
    K = 1 << PART_SINK,
    W = 1 << PART_SCORER | 1 << PART_PROFILER | 1 << PART_METRICS,
    I = 1 << PART_INGESTOR,
    OWN = 0,
};

/* clang-format off: a table */
/*  Every setting of run_settings_table, and who gets it with the value that it has here, so that
 * the defaults that --help shows are those that hold. Secrets go through the environment. */
static const struct {
    const char *setting;
    int takers;
} handed_on[] = {
    {"file", I},
    {"follow", I},
    {"brokers", I},
    {"topics", I},
    {"group", OWN},
    {"from", I},
    {"kafka", I},
    {"dead-letters", I},
    {"dead-letters-topic", I},
    {"on-lost-offsets", I},
    {"unknown-scenarios", C | I},
    {"scenarios-dir", C},
    {"mongodb-url", OWN},
    {"mongodb-url-file", C},
    {"database", C},
    {"collection", C},
    {"poll-interval", C},
    {"redis", OWN},
    {"redis-file", K},
    {"redis-timeout", K},
    {"redis-wait", K},
    {"gather-timeout", K},
    {"key-prefix", K},
    {"key-style", K},
    {"state", C | W | I},
    {"once", I},
    {"tenant-id", C | I},
    {"scenario-id", C | I},
    {"except", C | I},
    {"admin-listen", C},
    {"admin-tokens", C},
    {"admin-anonymous", C},
    {"allow-plain-tcp", C},
    {"ingestors", OWN},
    {"scorers", OWN},
    {"profilers", OWN},
    {"metrics", OWN},
    {"sinks", OWN},
    {"shards", W | I},
    {"commit-interval", W},
    {"shard-bytes-max", W},
    {"max-out-of-orderness", W | I},
    {"retire-partitions", W},
    {"idle-timeout", I},
    {"idle-advance", I},
    {"max-hold", I},
    {"max-skew", I},
    {"max-future", I},
    {"lead-max", I},
    {"status", OWN},
    {"status-port", OWN},
    {"log-level", C | K | W | I},
    {"log-format", C | K | W | I},
};
/* clang-format on */

uint32_t run_plan_start_stage (part_t part)
{
    return parts[part].start_stage;
}

uint32_t run_plan_stop_stage (part_t part)
{
    return parts[part].stop_stage;
}

const char *run_plan_program (part_t part)
{
    return parts[part].program;
}

int run_plan_takers (const char *setting)
{
    for (size_t i = 0; i < sizeof handed_on / sizeof *handed_on; i++) {
        if (strcmp (handed_on[i].setting, setting) == 0)
            return handed_on[i].takers;
    }
    return -1;
}

bool run_plan_sockets_fit (const char *folder)
{
    return strlen (folder) + RUN_SOCKET_NAME_BYTES <
               sizeof ((struct sockaddr_un *)NULL)->sun_path &&
           !strchr (folder, ',');
}

/*  ---- one command line ---- */

__attribute__ ((format (printf, 1, 2))) static char *make_text (const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start (args, format);
    int size = vasprintf (&text, format, args);
    va_end (args);
    CHECK (size >= 0);
    return text;
}

/*  Takes the text. */
static void add (run_child_t *child, char *text)
{
    child->arguments =
        memory_resize (child->arguments, (child->argument_count + 2) * sizeof *child->arguments);
    child->arguments[child->argument_count++] = text;
    child->arguments[child->argument_count] = NULL;
}

static void add_setting (run_child_t *child, const setting_t *setting, const void *settings)
{
    const void *field = (const char *)settings + setting->offset;
    const settings_list_t *list = field;
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_CHOICE:
        if (*(char *const *)field)
            add (child, make_text ("--%s=%s", setting->name, *(char *const *)field));
        break;
    case SETTING_LIST:
    case SETTING_LINES:
        for (size_t i = 0; i < list->count; i++)
            add (child, make_text ("--%s=%s", setting->name, list->list[i]));
        break;
    case SETTING_FLAG:
        add (child, make_text ("--%s=%s", setting->name, *(const bool *)field ? "true" : "false"));
        break;
    case SETTING_INTEGER:
    case SETTING_BYTES:
    case SETTING_DURATION:
        add (child, make_text ("--%s=%" PRId64 "%s", setting->name, *(const int64_t *)field,
                               setting->type == SETTING_DURATION ? "ms" : ""));
        break;
    }
}

/*  "--ingestors=ipc://…/ingestor-0,ipc://…/ingestor-1" */
static char *endpoints (const char *setting, part_t part, int64_t count, const char *sockets)
{
    char *text = make_text ("--%s=", setting);
    for (int64_t i = 0; i < count; i++) {
        char *longer = make_text ("%s%sipc://%s/%s-%" PRId64, text, i ? "," : "", sockets,
                                  parts[part].name, i);
        free (text);
        text = longer;
    }
    return text;
}

/*  A sink is known in Redis by its name: in the dedicated mode, beside those of other tenants. */
static void add_name (run_child_t *child, const run_settings_t *settings)
{
    bool dedicated = child->part == PART_SINK && settings->tenant;
    bool scenario = dedicated && settings->scenario;
    add (child, make_text ("--name=%s%s%s%s%s", child->name, dedicated ? "-" : "",
                           dedicated ? settings->tenant : "", scenario ? "-" : "",
                           scenario ? settings->scenario : ""));
}

static void add_wiring (run_child_t *child, const run_settings_t *settings, const char *sockets)
{
    const char *own = child->part == PART_CONFIGD ? "publish" : "listen";
    add (child, make_text ("--%s=ipc://%s/%s", own, sockets, child->name));
    if (child->part != PART_CONFIGD)
        add_name (child, settings);
    if (child->part != PART_CONFIGD && child->part != PART_SINK)
        add (child, make_text ("--configd=ipc://%s/configd", sockets));
    if (1 << child->part & W) {
        add (child, endpoints ("ingestors", PART_INGESTOR, settings->ingestors, sockets));
        add (child, endpoints ("sinks", PART_SINK, settings->sinks, sockets));
    }
    add (child, make_text ("--beat-fd=%d", RUN_BEAT_FD));
}

static void add_ingestors_own (run_child_t *child, const run_settings_t *settings)
{
    bool tenant = settings->tenant != NULL, scenario = settings->scenario != NULL;
    add (child, make_text ("--group=%s%s%s%s%s", settings->group, tenant ? "-" : "",
                           tenant ? settings->tenant : "", scenario ? "-" : "",
                           scenario ? settings->scenario : ""));
    add (child, make_text ("--reader-index=%" PRIu32, child->index));
    add (child, make_text ("--reader-count=%" PRId64, settings->ingestors));
    add (child, make_text ("--stages=scorer,profiler,metrics"));
    for (size_t i = 0; i < settings->files.count; i++)
        child->reads_input |= strcmp (settings->files.list[i], "-") == 0;
}

static run_child_t plan_child (const run_settings_t *settings, part_t part, uint32_t index,
                               const char *programs, const char *sockets)
{
    run_child_t child = {.part = part, .index = index, .first_beat_ms = RUN_FIRST_BEAT_MS};
    if (part == PART_CONFIGD)
        snprintf (child.name, sizeof child.name, "%s", parts[part].name);
    else
        snprintf (child.name, sizeof child.name, "%s-%" PRIu32, parts[part].name, index);
    add (&child, make_text ("%s/%s", programs, parts[part].program));
    for (const setting_t *setting = run_settings_table; setting->name; setting++) {
        if (run_plan_takers (setting->name) & 1 << part)
            add_setting (&child, setting, settings);
    }
    add_wiring (&child, settings, sockets);
    if (part == PART_INGESTOR)
        add_ingestors_own (&child, settings);
    if (part == PART_CONFIGD && settings->mongodb_url)
        child.secret = make_text ("HOTPATH_MONGODB_URL=%s", settings->mongodb_url);
    if (part == PART_SINK) {
        /* At the first start an absent Redis is a mistake to tell at once; later it is an outage.
         */
        int64_t wait_ms = settings->redis_wait_ms;
        child.first_beat_ms += wait_ms;
        child.again = make_text ("--redis-wait=%" PRId64 "ms",
                                 wait_ms > RUN_REDIS_AGAIN_MS ? wait_ms : RUN_REDIS_AGAIN_MS);
        if (settings->redis)
            child.secret = make_text ("HOTPATH_REDIS=%s", settings->redis);
    }
    return child;
}

/*  Its place in the plan is its place among the ports, so that a given port is known before anything
 * runs; another is found by its note. */
static void add_status (run_plan_t *self, uint32_t index, const run_settings_t *settings)
{
    int64_t port = settings->status_port ? settings->status_port + (int64_t)index : 0;
    run_child_t *child = &self->children[index];
    add (child, make_text ("--status-listen=127.0.0.1:%" PRId64, port));
    add (child, make_text ("--status-notes=%s/status", settings->state));
}

run_plan_t *run_plan_new (const run_settings_t *settings, const char *programs, const char *sockets)
{
    const int64_t counts[PART_COUNT] = {
        [PART_CONFIGD] = 1,
        [PART_SINK] = settings->sinks,
        [PART_SCORER] = settings->scorers,
        [PART_PROFILER] = settings->profilers,
        [PART_METRICS] = settings->metrics,
        [PART_INGESTOR] = settings->ingestors,
    };
    run_plan_t *self = memory_new (sizeof *self);
    int64_t count = 0;
    for (int part = 0; part < PART_COUNT; part++)
        count += counts[part];
    self->children = memory_new_array ((size_t)count, sizeof *self->children);
    for (int part = 0; part < PART_COUNT; part++) {
        for (int64_t i = 0; i < counts[part]; i++)
            self->children[self->count++] =
                plan_child (settings, (part_t)part, (uint32_t)i, programs, sockets);
    }
    for (uint32_t i = 0; settings->status && i < self->count; i++)
        add_status (self, i, settings);
    return self;
}

void run_plan_destroy (run_plan_t **self_p)
{
    run_plan_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++) {
        run_child_t *child = &self->children[i];
        for (size_t at = 0; at < child->argument_count; at++)
            free (child->arguments[at]);
        free (child->arguments);
        free (child->again);
        free (child->secret);
    }
    free (self->children);
    free (self);
    *self_p = NULL;
}
