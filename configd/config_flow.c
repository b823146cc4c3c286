/*  config_flow: see config_flow.h. */
#include "configd/config_flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "common/json_text.h"
#include "common/log.h"
#include "common/memory.h"
#include "configd/config_publisher.h"
#include "configd/dir_watch.h"
#include "configd/mongo_watch.h"
#include "configd/registry.h"
#include "configd/revision_note.h"
#include "configd/revision_store.h"
#include "configd/source_table.h"

enum { REFUSED_SAY_MS = 10000, FLUSH_AGAIN_MS = 1000, LOOK_MS = 1000 };

struct config_flow {
    revision_store_t *store;
    registry_t *registry;
    source_table_t *table;
    config_publisher_t *publisher;
    config_board_t *board;
    history_keeper_t *keeper;
    dir_watch_t *folder; /* one of these two */
    mongo_watch_t *mongo;
    int64_t now_ms;
    bool begin_unknown;
    int64_t refused_ms; /* when a refusal was last logged */
    int64_t flush_ms;   /* no earlier than this: the last one failed */
    int64_t looked_ms;  /* at the store's place */
    uint64_t revisions;
    bool complete; /* all documents were read once */
    bool kept;     /* the keeper was told of all revisions once; from then on of each change */
    bool ready;
    bool refusing; /* at start: the first problem of a folder ends it */
    char refusal[1024];
};

/*  ---- what the documents mean ---- */

/*  The number that the note of a document tells of its config; 0 where it tells of another one. */
static uint64_t noted_number (span_t note_text, span_t stored)
{
    revision_note_t note;
    char hash[DIGEST_HEX_BYTES + 1];
    bool noted = note_text.bytes && revision_note_parse (note_text, &note);
    if (!noted)
        return 0;
    bool same = json_text_hash (stored.bytes ? stored : span_of ("{}"), hash) &&
                strcmp (hash, note.hash) == 0;
    uint64_t number = same ? note.number : 0;
    revision_note_free (&note);
    return number;
}

static void on_want (void *arg, const source_want_t *source)
{
    config_flow_t *self = arg;
    const registry_want_t want = {.tenant = source->tenant,
                                  .scenario = source->scenario,
                                  .active = source->active,
                                  .json = source->json,
                                  .by_default = source->by_default,
                                  .number = noted_number (source->note, source->stored),
                                  .stored = source->stored,
                                  .note = source->note};
    registry_want (self->registry, &want);
}

static void on_standing (void *arg, const source_standing_t *standing)
{
    config_board_stand (((config_flow_t *)arg)->board, standing);
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
        const registry_want_t none = {.tenant = entry.tenant, .scenario = entry.scenario};
        if (!source_table_names (self->table, entry.tenant, entry.scenario))
            registry_want (self->registry, &none);
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

static void put_on_board (config_flow_t *self, const config_entry_t *entry)
{
    config_board_publish (self->board, entry, revision_store_incarnation (self->store),
                          config_publisher_sequence (self->publisher), self->now_ms);
}

static void keep (config_flow_t *self, const registry_change_t *change, bool by_default)
{
    const keeper_job_t job = {.tenant = change->entry.tenant,
                              .scenario = change->entry.scenario,
                              .number = change->entry.number,
                              .effective = change->entry.json,
                              .stored = change->stored,
                              .note = change->note,
                              .by_default = by_default};
    if (self->keeper)
        history_keeper_put (self->keeper, &job);
}

static void on_revision (void *arg, const registry_change_t *change)
{
    config_flow_t *self = arg;
    const config_entry_t *entry = &change->entry;
    log_info ("revision", F_SPAN ("tenant", entry->tenant), F_SPAN ("scenario", entry->scenario),
              F_INT ("number", entry->number), F_STR ("active", entry->active ? "true" : "false"));
    self->revisions++;
    config_publisher_update (self->publisher, entry);
    put_on_board (self, entry);
    if (change->numbered && self->kept)
        keep (self, change, change->by_default);
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

static void on_applied (void *arg, config_request_t *report, int64_t now_ms)
{
    config_board_report (((config_flow_t *)arg)->board, report, now_ms);
}

static void on_answer (void *arg, const config_request_t *request, span_t frame)
{
    config_board_answer (((config_flow_t *)arg)->board, frame, &request->answer);
}

/*  From now on the config is told: all that the registry has. */
static void start (config_flow_t *self)
{
    registry_change_t change;
    for (uint32_t i = 0; registry_change_at (self->registry, i, &change); i++)
        if (change.entry.tenant.size)
            put_on_board (self, &change.entry);
    config_publisher_start (self->publisher);
    self->ready = true;
}

/*  Tells the keeper of every revision once: what it does not know yet is what came while there was
 *  no configd, or was not stored before one died. */
static void keep_all (config_flow_t *self)
{
    registry_change_t change;
    for (uint32_t i = 0; registry_change_at (self->registry, i, &change); i++)
        if (change.entry.tenant.size)
            keep (self, &change, change.by_default);
    self->kept = true;
}

static void flush (config_flow_t *self)
{
    if (!self->complete || self->now_ms < self->flush_ms)
        return;
    if (registry_flush (self->registry, on_revision, self) < 0) {
        self->flush_ms = self->now_ms + FLUSH_AGAIN_MS;
        return;
    }
    if (self->kept)
        return;
    uint32_t documents, invalid;
    source_table_count (self->table, &documents, &invalid);
    log_info ("config is complete", F_INT ("documents", documents), F_INT ("invalid", invalid),
              F_INT ("scenarios", registry_count (self->registry)));
    if (!self->ready)
        start (self);
    keep_all (self);
}

/*  Where MongoDB does not answer at the start, what was stored holds. */
static void start_from_store (config_flow_t *self)
{
    if (self->ready || self->complete || !self->mongo || !mongo_watch_has_failed (self->mongo) ||
        !registry_count (self->registry))
        return;
    log_warning ("MongoDB does not answer: the last good configs run on, as they were stored",
                 F_INT ("scenarios", registry_count (self->registry)));
    start (self);
}

/*  What the keeper found out: a config has a greater number in the history. */
static void take_numbers (config_flow_t *self)
{
    keeper_result_t result;
    while (self->keeper && history_keeper_take (self->keeper, &result)) {
        registry_renumber (self->registry, span_of (result.tenant), span_of (result.scenario),
                           span_of (result.effective), result.number);
        free (result.tenant);
        free (result.scenario);
        free (result.effective);
    }
}

static void ask_questions (config_flow_t *self)
{
    buffer_t frame = {0};
    while (config_board_ask (self->board, &frame)) {
        config_publisher_send (self->publisher, &frame);
        buffer_clear (&frame);
    }
    buffer_free (&frame);
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
    const config_publisher_events_t events = {.arg = self,
                                              .snapshot = on_snapshot,
                                              .asked = on_asked,
                                              .applied = on_applied,
                                              .answer = on_answer};
    self->publisher = config_publisher_new (
        options->publish, revision_store_incarnation (self->store), &events, error, error_size);
    if (!self->publisher)
        return EX_UNAVAILABLE;
    const source_listener_t listener = {
        .arg = self, .want = on_want, .problem = on_problem, .standing = on_standing};
    self->table = source_table_new (&listener, options->scope);
    return options->scenarios_dir ? open_folder (self, options->scenarios_dir, error, error_size)
                                  : open_mongo (self, options, error, error_size);
}

config_flow_t *config_flow_new (const config_flow_options_t *options, int64_t now_ms,
                                int64_t wall_ms, int *code, char *error, size_t error_size)
{
    config_flow_t *self = memory_new (sizeof *self);
    self->now_ms = now_ms;
    self->begin_unknown = options->begin_unknown;
    self->board = options->board;
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

void config_flow_keep (config_flow_t *self, history_keeper_t *keeper)
{
    self->keeper = keeper;
}

void config_flow_wait (config_flow_t *self, long timeout_ms)
{
    const int fds[] = {self->mongo ? mongo_watch_fd (self->mongo) : dir_watch_fd (self->folder),
                       config_board_fd (self->board)};
    config_publisher_wait (self->publisher, fds, 2, timeout_ms);
}

/*  Says once that every process heard of lately runs the newest config. */
static void tell_applied (config_flow_t *self)
{
    config_applied_t applied;
    int64_t took_ms;
    if (!config_board_step (self->board, self->now_ms, &took_ms))
        return;
    config_board_count (self->board, self->now_ms, &applied);
    log_info ("config applied by all", F_INT ("sequence", applied.sequence),
              F_INT ("processes", applied.processes), F_INT ("ms", took_ms));
}

void config_flow_step (config_flow_t *self, int64_t now_ms, int64_t wall_ms)
{
    self->now_ms = now_ms;
    if (self->mongo)
        mongo_watch_step (self->mongo);
    else
        dir_watch_step (self->folder, now_ms);
    source_table_step (self->table, now_ms);
    take_numbers (self);
    flush (self);
    start_from_store (self);
    ask_questions (self);
    config_publisher_step (self->publisher, now_ms, wall_ms);
    flush (self); /* what was asked for: the partitions of those who ask stand still */
    tell_applied (self);
    config_board_tell (self->board, self->ready, self->mongo && mongo_watch_is_away (self->mongo));
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
                            .is_stored = self->ready && !self->complete,
                            .scenarios = registry_count (self->registry),
                            .revisions = self->revisions,
                            .trouble = revision_store_trouble (self->store)};
    source_table_count (self->table, &view->documents, &view->invalid);
    config_board_count (self->board, now_ms, &view->applied);
    if (self->keeper)
        view->keeper = history_keeper_view (self->keeper);
}

void config_flow_reload (config_flow_t *self)
{
    if (self->folder && dir_watch_read_all (self->folder) != 0)
        log_error ("cannot list the scenarios folder", F_STR ("reason", strerror (errno)));
}
