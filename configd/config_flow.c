/*  config_flow: see config_flow.h. */
#include "configd/config_flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "common/log.h"
#include "common/memory.h"
#include "configd/config_publisher.h"
#include "configd/dir_watch.h"
#include "configd/mongo_watch.h"
#include "configd/registry.h"
#include "configd/revision_store.h"
#include "configd/source_table.h"

enum { REFUSED_SAY_MS = 10000, FLUSH_AGAIN_MS = 1000, LOOK_MS = 1000 };

struct config_flow {
    revision_store_t *store;
    registry_t *registry;
    source_table_t *table;
    config_publisher_t *publisher;
    dir_watch_t *folder; /* one of these two */
    mongo_watch_t *mongo;
    int64_t now_ms;
    bool begin_unknown;
    int64_t refused_ms; /* when a refusal was last logged */
    int64_t flush_ms;   /* no earlier than this: the last one failed */
    int64_t looked_ms;  /* at the store's place */
    uint64_t revisions;
    bool complete; /* all documents were read once */
    bool ready;
    bool refusing; /* at start: the first problem of a folder ends it */
    char refusal[1024];
};

/*  ---- what the documents mean ---- */

static void on_want (void *arg, span_t tenant, span_t scenario, bool active, span_t json,
                     bool by_default)
{
    config_flow_t *self = arg;
    registry_want (self->registry, tenant, scenario, active, json, by_default);
}

static void on_problem (void *arg, const char *source, const char *tenant, const char *scenario,
                        const char *path, const char *reason)
{
    config_flow_t *self = arg;
    if (self->refusing) {
        if (!*self->refusal)
            snprintf (self->refusal, sizeof self->refusal, "%s: %s: %s", source, path, reason);
        return;
    }
    log_error ("scenario document is not valid: the last good config stays",
               F_STR ("source", source), F_STR ("tenant", tenant ? tenant : ""),
               F_STR ("scenario", scenario ? scenario : ""), F_STR ("path", path),
               F_STR ("reason", reason));
}

/*  ---- what the sources tell ---- */

static void on_document (void *arg, const char *name, span_t text)
{
    source_table_put (((config_flow_t *)arg)->table, name, text);
}

static void on_unreadable (void *arg, const char *name, const char *reason)
{
    source_table_fail (((config_flow_t *)arg)->table, name, reason);
}

static void on_left (void *arg, const char *name)
{
    config_flow_t *self = arg;
    source_table_leave (self->table, name, self->now_ms);
}

static void on_removed (void *arg, const char *name)
{
    source_table_remove (((config_flow_t *)arg)->table, name);
}

static void on_begin (void *arg)
{
    source_table_begin (((config_flow_t *)arg)->table);
}

/*  Scenarios of an earlier life: those that ran by default go on so (unless a document is valid by
 *  now); others that no document names any more do not run. */
static void settle_earlier (config_flow_t *self)
{
    config_entry_t entry;
    for (uint32_t i = 0; registry_at (self->registry, i, &entry); i++) {
        if (!entry.tenant.size)
            continue;
        if (self->begin_unknown && registry_is_default (self->registry, i) &&
            source_table_begin_default (self->table, entry.tenant, entry.scenario))
            continue;
        if (!source_table_names (self->table, entry.tenant, entry.scenario))
            registry_want (self->registry, entry.tenant, entry.scenario, false, (span_t){0}, false);
    }
}

static void on_end (void *arg)
{
    config_flow_t *self = arg;
    source_table_end (self->table);
    if (!self->complete)
        settle_earlier (self);
    self->complete = true;
}

/*  ---- what is told ---- */

static void on_revision (void *arg, const config_entry_t *entry)
{
    config_flow_t *self = arg;
    log_info ("revision", F_SPAN ("tenant", entry->tenant), F_SPAN ("scenario", entry->scenario),
              F_INT ("number", entry->number), F_STR ("active", entry->active ? "true" : "false"));
    self->revisions++;
    config_publisher_update (self->publisher, entry);
}

static bool on_snapshot (void *arg, uint32_t index, config_entry_t *entry)
{
    return registry_at (((config_flow_t *)arg)->registry, index, entry);
}

static void on_asked (void *arg, span_t process, span_t tenant, span_t scenario)
{
    config_flow_t *self = arg;
    if (registry_publishes (self->registry, tenant, scenario)) /* it is on its way to them */
        return;
    const char *reason = NULL;
    if (!self->begin_unknown)
        reason = "start configd with --unknown-scenarios=defaults, or write its document";
    else if (registry_count (self->registry) >= CONFIG_SCENARIOS_MAX)
        reason = "there are too many scenarios";
    else if (!source_table_begin_default (self->table, tenant, scenario))
        reason = "configd is dedicated to another";
    if (!reason || (self->refused_ms && self->now_ms - self->refused_ms < REFUSED_SAY_MS))
        return;
    self->refused_ms = self->now_ms;
    log_warning ("a scenario without a document is asked for, and is not begun",
                 F_SPAN ("asked_by", process), F_SPAN ("tenant", tenant),
                 F_SPAN ("scenario", scenario), F_STR ("reason", reason));
}

static void flush (config_flow_t *self)
{
    if (!self->complete || self->now_ms < self->flush_ms)
        return;
    if (registry_flush (self->registry, on_revision, self) < 0) {
        self->flush_ms = self->now_ms + FLUSH_AGAIN_MS;
        return;
    }
    if (self->ready)
        return;
    uint32_t documents, invalid;
    source_table_count (self->table, &documents, &invalid);
    log_info ("config is complete", F_INT ("documents", documents), F_INT ("invalid", invalid),
              F_INT ("scenarios", registry_count (self->registry)));
    config_publisher_start (self->publisher);
    self->ready = true;
}

/*  ---- life ---- */

static int open_folder (config_flow_t *self, const char *folder, char *error, size_t error_size)
{
    const dir_listener_t listener = {.arg = self,
                                     .file = on_document,
                                     .unreadable = on_unreadable,
                                     .left = on_left,
                                     .begin = on_begin,
                                     .end = on_end};
    self->folder = dir_watch_new (folder, &listener);
    self->refusing = true;
    if (!self->folder || dir_watch_read_all (self->folder) != 0) {
        snprintf (error, error_size, "cannot watch the scenarios folder %s: %s", folder,
                  strerror (errno));
        return EX_NOINPUT;
    }
    self->refusing = false;
    if (!*self->refusal)
        return 0;
    snprintf (error, error_size, "%s/%s", folder, self->refusal);
    return EX_CONFIG;
}

static int open_mongo (config_flow_t *self, const config_flow_options_t *options, char *error,
                       size_t error_size)
{
    const mongo_listener_t listener = {.arg = self,
                                       .begin = on_begin,
                                       .document = on_document,
                                       .removed = on_removed,
                                       .end = on_end};
    self->mongo = mongo_watch_new (options->mongodb_url, options->database, options->collection,
                                   options->poll_ms, &listener, error, error_size);
    return self->mongo ? 0 : EX_USAGE;
}

static int open_all (config_flow_t *self, const config_flow_options_t *options, int64_t wall_ms,
                     char *error, size_t error_size)
{
    int code;
    self->store = revision_store_open (options->state, wall_ms, &code, error, error_size);
    if (!self->store)
        return code;
    self->registry = registry_new (self->store);
    self->publisher =
        config_publisher_new (options->publish, revision_store_incarnation (self->store),
                              on_snapshot, on_asked, self, error, error_size);
    if (!self->publisher)
        return EX_UNAVAILABLE;
    const source_listener_t listener = {.arg = self, .want = on_want, .problem = on_problem};
    self->table = source_table_new (&listener, options->tenant, options->scenario);
    return options->scenarios_dir ? open_folder (self, options->scenarios_dir, error, error_size)
                                  : open_mongo (self, options, error, error_size);
}

config_flow_t *config_flow_new (const config_flow_options_t *options, int64_t now_ms,
                                int64_t wall_ms, int *code, char *error, size_t error_size)
{
    config_flow_t *self = memory_new (sizeof *self);
    self->now_ms = now_ms;
    self->begin_unknown = options->begin_unknown;
    *code = open_all (self, options, wall_ms, error, error_size);
    if (*code)
        config_flow_destroy (&self);
    return self;
}

void config_flow_destroy (config_flow_t **self_p)
{
    config_flow_t *self = *self_p;
    if (!self)
        return;
    mongo_watch_destroy (&self->mongo);
    dir_watch_destroy (&self->folder);
    source_table_destroy (&self->table);
    config_publisher_destroy (&self->publisher);
    registry_destroy (&self->registry);
    revision_store_close (&self->store);
    free (self);
    *self_p = NULL;
}

void config_flow_wait (config_flow_t *self, long timeout_ms)
{
    int fd = self->mongo ? mongo_watch_fd (self->mongo) : dir_watch_fd (self->folder);
    config_publisher_wait (self->publisher, fd, timeout_ms);
}

void config_flow_step (config_flow_t *self, int64_t now_ms, int64_t wall_ms)
{
    self->now_ms = now_ms;
    if (self->mongo)
        mongo_watch_step (self->mongo);
    else
        dir_watch_step (self->folder, now_ms);
    source_table_step (self->table, now_ms);
    flush (self);
    config_publisher_step (self->publisher, now_ms, wall_ms);
    flush (self); /* what was asked for: the partitions of those who ask stand still */
}

bool config_flow_ready (const config_flow_t *self)
{
    return self->ready;
}

int config_flow_check (config_flow_t *self, int64_t now_ms, char *error, size_t error_size)
{
    if (now_ms - self->looked_ms < LOOK_MS)
        return 0;
    self->looked_ms = now_ms;
    return revision_store_check (self->store, error, error_size);
}

void config_flow_view (const config_flow_t *self, int64_t now_ms, config_view_t *view)
{
    *view = (config_view_t){.ready = self->ready,
                            .is_mongo = self->mongo != NULL,
                            .is_away = self->mongo && mongo_watch_is_away (self->mongo),
                            .scenarios = registry_count (self->registry),
                            .revisions = self->revisions,
                            .trouble = revision_store_trouble (self->store)};
    source_table_count (self->table, &view->documents, &view->invalid);
    config_publisher_applied (self->publisher, now_ms, &view->applied);
}

void config_flow_reload (config_flow_t *self)
{
    if (self->folder && dir_watch_read_all (self->folder) != 0)
        log_error ("cannot list the scenarios folder", F_STR ("reason", strerror (errno)));
}
