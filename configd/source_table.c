/*  source_table: see source_table.h. */
#include "configd/source_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <xxhash.h>
#include "common/buffer.h"
#include "common/check.h"
#include "common/key_hash.h"
#include "common/memory.h"
#include "common/scenario_config.h"
#include "common/scenario_outline.h"

#define NEVER INT64_MAX

typedef struct owner owner_t;

typedef struct source {
    char *name;
    uint64_t text_hash;      /* of the text it was read from: the same text again changes nothing */
    char *tenant, *scenario; /* NULL: not known */
    bool valid, active;
    char *json;          /* effective; NULL where not valid */
    char *status, *stored, *note; /* as the document has them; or NULL */
    char *path, *reason; /* the first of what is wrong, where not valid */
    uint32_t errors;
    int64_t leave_ms;    /* when it left, or NEVER */
    uint64_t round;      /* the last full read that it was in */
    owner_t *owner;      /* where ids are known */
    struct source *next; /* of the same scenario */
    UT_hash_handle hh;
} source_t;

struct owner {
    uint64_t hash;
    source_t *sources; /* all that name it; may be empty */
    bool conflict;     /* told already */
    bool by_default;   /* begun without a document, and none was valid since */
    UT_hash_handle hh;
};

struct source_table {
    source_listener_t listener;
    const scenario_scope_t *scope;
    buffer_t defaults; /* effective config of an empty document */
    source_t *sources;
    owner_t *owners;
    uint64_t round;
    uint32_t leaving_count;
};

source_table_t *source_table_new (const source_listener_t *listener, const scenario_scope_t *scope)
{
    source_table_t *self = memory_new (sizeof *self);
    self->listener = *listener;
    self->scope = scope;
    config_errors_t *errors = memory_new (sizeof *errors);
    scenario_config_t *config = scenario_config_parse (span_of ("{}"), "", errors);
    CHECK (config);
    scenario_config_write (config, &self->defaults);
    scenario_config_destroy (&config);
    free (errors);
    return self;
}

/*  What the text of it said, but for its ids. */
static void forget_text (source_t *source)
{
    char **texts[] = {&source->json, &source->status, &source->stored,
                      &source->note, &source->path,   &source->reason};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free (*texts[i]);
        *texts[i] = NULL;
    }
}

static void free_source (source_t *source)
{
    forget_text (source);
    free (source->name);
    free (source->tenant);
    free (source->scenario);
    free (source);
}

void source_table_destroy (source_table_t **self_p)
{
    source_table_t *self = *self_p;
    if (!self)
        return;
    source_t *source, *next_source;
    HASH_ITER (hh, self->sources, source, next_source)
    {
        HASH_DEL (self->sources, source);
        free_source (source);
    }
    owner_t *owner, *next_owner;
    HASH_ITER (hh, self->owners, owner, next_owner)
    {
        HASH_DEL (self->owners, owner);
        free (owner);
    }
    buffer_free (&self->defaults);
    free (self);
    *self_p = NULL;
}

static owner_t *find_owner (const source_table_t *self, uint64_t hash)
{
    owner_t *owner = NULL;
    HASH_FIND (hh, self->owners, &hash, sizeof hash, owner);
    return owner;
}

static uint64_t hash_of (const source_t *source)
{
    return key_hash_scenario (span_of (source->tenant), span_of (source->scenario));
}

static void detach (source_t *source)
{
    if (!source->owner)
        return;
    source_t **link = &source->owner->sources;
    while (*link != source)
        link = &(*link)->next;
    *link = source->next;
    source->next = NULL;
    source->owner = NULL;
}

static owner_t *find_or_add_owner (source_table_t *self, uint64_t hash)
{
    owner_t *owner = find_owner (self, hash);
    if (!owner) {
        owner = memory_new (sizeof *owner);
        owner->hash = hash;
        HASH_ADD (hh, self->owners, hash, sizeof hash, owner);
    }
    return owner;
}

static void attach (source_table_t *self, source_t *source)
{
    if (!source->tenant || !source->scenario)
        return;
    owner_t *owner = find_or_add_owner (self, hash_of (source));
    source->next = owner->sources;
    source->owner = owner;
    owner->sources = source;
}

static void want_default (const source_table_t *self, span_t tenant, span_t scenario)
{
    const source_want_t want = {.tenant = tenant,
                                .scenario = scenario,
                                .active = true,
                                .json = {(const char *)self->defaults.bytes, self->defaults.size},
                                .by_default = true};
    self->listener.want (self->listener.arg, &want);
}

/*  The document that rules, and one that contradicts it (or NULL); true: another is leaving. */
static bool look (const owner_t *owner, const source_t **only, const source_t **other)
{
    bool leaving = false;
    *only = *other = NULL;
    for (const source_t *source = owner ? owner->sources : NULL; source; source = source->next) {
        if (source->leave_ms != NEVER)
            leaving = true;
        else if (!*only)
            *only = source;
        else
            *other = source;
    }
    return leaving;
}

static void tell_standing (const source_table_t *self, const span_t *ids, source_state_t state,
                           const source_t *source, const char *reason)
{
    source_standing_t standing = {.tenant = ids[0], .scenario = ids[1], .state = state};
    if (source) {
        standing.source = source->name;
        standing.status = source->status;
        standing.path = source->path;
        standing.reason = source->reason;
        standing.errors = source->errors;
    }
    if (reason) {
        standing.path = "scenario_id";
        standing.reason = reason;
        standing.errors = 1;
    }
    if (self->listener.standing)
        self->listener.standing (self->listener.arg, &standing);
}

static void tell_conflict (source_table_t *self, const span_t *ids, owner_t *owner,
                           const source_t *only, const source_t *other)
{
    char reason[600];
    snprintf (reason, sizeof reason,
              "%s and %s are both of this scenario; the last good config stays", other->name,
              only->name);
    if (!owner->conflict)
        self->listener.problem (self->listener.arg, other->name, ids[0].bytes, ids[1].bytes,
                                "scenario_id", reason);
    owner->conflict = true;
    tell_standing (self, ids, SOURCE_CONFLICT, only, reason);
}

/*  Tells what a scenario should be, from all documents that name it. */
static void settle (source_table_t *self, const char *tenant, const char *scenario)
{
    if (!tenant || !scenario)
        return;
    span_t ids[] = {span_of (tenant), span_of (scenario)};
    owner_t *owner = find_owner (self, key_hash_scenario (ids[0], ids[1]));
    const source_t *only, *other;
    bool leaving = look (owner, &only, &other);
    if (other) {
        tell_conflict (self, ids, owner, only, other);
        return;
    }
    if (owner) {
        owner->conflict = false;
        owner->by_default &= !only || !only->valid;
    }
    bool by_default = owner && owner->by_default;
    source_want_t want = {.tenant = ids[0], .scenario = ids[1]};
    if (only && only->valid) {
        want.active = only->active;
        want.json = span_of (only->json);
        want.stored = span_of (only->stored);
        want.note = span_of (only->note);
        self->listener.want (self->listener.arg, &want);
    } else if (!only && !leaving && by_default)
        want_default (self, ids[0], ids[1]);
    else if (!only && !leaving)
        self->listener.want (self->listener.arg, &want);
    if (only || !leaving)
        tell_standing (self, ids,
                       !only         ? SOURCE_NONE
                       : only->valid ? SOURCE_VALID
                                     : SOURCE_INVALID,
                       only, NULL);
    if (owner && !owner->sources && !by_default) {
        HASH_DEL (self->owners, owner);
        free (owner);
    }
}

static source_t *find_or_add (source_table_t *self, const char *name)
{
    source_t *source = NULL;
    HASH_FIND_STR (self->sources, name, source);
    if (source)
        return source;
    if (HASH_COUNT (self->sources) >= SOURCE_TABLE_MAX) {
        self->listener.problem (self->listener.arg, name, NULL, NULL, "document",
                                "there are too many documents: this one is left out");
        return NULL;
    }
    source = memory_new (sizeof *source);
    source->name = memory_copy_string (name, strlen (name));
    source->leave_ms = NEVER;
    HASH_ADD_KEYPTR (hh, self->sources, source->name, strlen (source->name), source);
    return source;
}

static void come_back (source_table_t *self, source_t *source)
{
    if (source->leave_ms != NEVER)
        self->leaving_count--;
    source->leave_ms = NEVER;
    source->round = self->round;
}

static bool is_left_out (const source_table_t *self, const source_t *source)
{
    return source->tenant &&
           !scenario_scope_has (self->scope, span_of (source->tenant), span_of (source->scenario));
}

static void tell_problems (source_table_t *self, const source_t *source,
                           const config_errors_t *errors)
{
    for (uint32_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++)
        self->listener.problem (self->listener.arg, source->name, source->tenant, source->scenario,
                                errors->list[i].path, errors->list[i].reason);
}

static void keep_wrong (source_t *source, const char *path, const char *reason, uint32_t errors)
{
    source->valid = false;
    source->path = memory_copy_string (path, strlen (path));
    source->reason = memory_copy_string (reason, strlen (reason));
    source->errors = errors;
}

/*  Ids that a text names replace those that an earlier one named; takes them. */
static void take_ids (source_t *source, char *tenant, char *scenario)
{
    if (tenant && scenario) {
        free (source->tenant);
        free (source->scenario);
        source->tenant = tenant;
        source->scenario = scenario;
        return;
    }
    free (tenant);
    free (scenario);
}

/*  Takes over what the text says; ids that cannot be read stay what they were. */
static void read_text (source_table_t *self, source_t *source, span_t text)
{
    config_errors_t *errors = memory_new (sizeof *errors);
    char *tenant = NULL, *scenario = NULL;
    scenario_outline_t outline;
    scenario_document_t *document = scenario_document_parse (text, errors, &tenant, &scenario);
    forget_text (source);
    scenario_outline_of (text, &outline);
    source->status = outline.status;
    source->stored = outline.stored;
    source->note = outline.note;
    outline.status = outline.stored = outline.note = NULL;
    scenario_outline_free (&outline);
    source->valid = document != NULL;
    source->errors = 0;
    if (document) {
        buffer_t json = {0};
        scenario_config_write (document->config, &json);
        source->json = memory_copy_string ((const char *)json.bytes, json.size);
        buffer_free (&json);
        source->active = document->active;
        tenant = document->tenant;
        scenario = document->scenario;
        document->tenant = document->scenario = NULL;
    } else
        keep_wrong (source, errors->list[0].path, errors->list[0].reason, errors->count);
    take_ids (source, tenant, scenario);
    if (!document && !is_left_out (self, source))
        tell_problems (self, source, errors);
    free (errors);
    scenario_document_destroy (&document);
}

void source_table_put (source_table_t *self, const char *name, span_t text)
{
    uint64_t text_hash = XXH3_64bits (text.bytes, text.size);
    source_t *source = find_or_add (self, name);
    if (!source)
        return;
    bool was_leaving = source->leave_ms != NEVER;
    come_back (self, source);
    if (source->text_hash == text_hash && !was_leaving)
        return;
    source->text_hash = text_hash;
    detach (source);
    char *tenant = source->tenant, *scenario = source->scenario;
    source->tenant = tenant ? memory_copy_string (tenant, strlen (tenant)) : NULL;
    source->scenario = scenario ? memory_copy_string (scenario, strlen (scenario)) : NULL;
    read_text (self, source, text);
    if (is_left_out (self, source)) {
        free (source->tenant);
        free (source->scenario);
        source->tenant = source->scenario = NULL;
        source->valid = true; /* somebody else's: nothing to complain about */
    }
    attach (self, source);
    bool moved = tenant && scenario &&
                 (!source->tenant || !source->scenario || strcmp (tenant, source->tenant) != 0 ||
                  strcmp (scenario, source->scenario) != 0);
    settle (self, source->tenant, source->scenario);
    if (moved)
        settle (self, tenant, scenario);
    free (tenant);
    free (scenario);
}

void source_table_fail (source_table_t *self, const char *name, const char *reason)
{
    source_t *source = find_or_add (self, name);
    if (!source)
        return;
    come_back (self, source);
    source->text_hash = 0;
    forget_text (source);
    keep_wrong (source, "document", reason, 1);
    self->listener.problem (self->listener.arg, name, source->tenant, source->scenario, "document",
                            reason);
    settle (self, source->tenant, source->scenario);
}

static void drop (source_table_t *self, source_t *source)
{
    come_back (self, source);
    detach (source);
    HASH_DEL (self->sources, source);
    settle (self, source->tenant, source->scenario);
    free_source (source);
}

void source_table_remove (source_table_t *self, const char *name)
{
    source_t *source = NULL;
    HASH_FIND_STR (self->sources, name, source);
    if (source)
        drop (self, source);
}

void source_table_leave (source_table_t *self, const char *name, int64_t now_ms)
{
    source_t *source = NULL;
    HASH_FIND_STR (self->sources, name, source);
    if (!source || source->leave_ms != NEVER)
        return;
    source->leave_ms = now_ms;
    self->leaving_count++;
    settle (self, source->tenant, source->scenario);
}

void source_table_step (source_table_t *self, int64_t now_ms)
{
    if (!self->leaving_count)
        return;
    source_t *source, *next;
    HASH_ITER (hh, self->sources, source, next)
    {
        if (source->leave_ms != NEVER && now_ms - source->leave_ms >= SOURCE_LEAVE_MS)
            drop (self, source);
    }
}

void source_table_begin (source_table_t *self)
{
    self->round++;
}

void source_table_end (source_table_t *self)
{
    source_t *source, *next;
    HASH_ITER (hh, self->sources, source, next)
    {
        if (source->round != self->round && source->leave_ms == NEVER)
            drop (self, source);
    }
}

bool source_table_begin_default (source_table_t *self, span_t tenant, span_t scenario)
{
    if (!scenario_scope_has (self->scope, tenant, scenario))
        return false;
    owner_t *owner = find_or_add_owner (self, key_hash_scenario (tenant, scenario));
    const source_t *only, *other;
    look (owner, &only, &other);
    if (only && !other && only->valid)
        return true;
    owner->by_default = true;
    want_default (self, tenant, scenario);
    return true;
}

bool source_table_names (const source_table_t *self, span_t tenant, span_t scenario)
{
    const owner_t *owner = find_owner (self, key_hash_scenario (tenant, scenario));
    return owner && owner->sources;
}

void source_table_count (const source_table_t *self, uint32_t *all, uint32_t *invalid)
{
    *all = HASH_COUNT (self->sources);
    *invalid = 0;
    for (const source_t *source = self->sources; source; source = source->hh.next)
        *invalid += !source->valid || (source->owner && source->owner->conflict);
}
