/*  registry: see registry.h. */
#include "configd/registry.h"

#include <stdlib.h>
#include <uthash.h>
#include "common/crash_point.h"
#include "common/key_hash.h"
#include "common/log.h"
#include "common/memory.h"

typedef struct {
    uint64_t hash;
    char *tenant, *scenario;
    uint64_t number; /* 0: never published */
    bool active, active_wanted;
    char *json, *json_wanted; /* json_wanted NULL: as json */
    bool by_default, by_default_wanted;
    uint64_t number_wanted;   /* at least this */
    char *stored, *note;      /* of what is wanted; or NULL */
    bool dirty;
    UT_hash_handle hh;
} entry_t;

struct registry {
    revision_store_t *store;
    entry_t *by_hash;
    entry_t **entries;
    uint32_t count, capacity;
    bool dirty;
};

static entry_t *look_up (const registry_t *self, uint64_t hash)
{
    entry_t *entry = NULL;
    HASH_FIND (hh, self->by_hash, &hash, sizeof hash, entry);
    return entry;
}

static bool is_of (const entry_t *entry, span_t tenant, span_t scenario)
{
    return span_equal (span_of (entry->tenant), tenant) &&
           span_equal (span_of (entry->scenario), scenario);
}

static entry_t *find_or_add (registry_t *self, span_t tenant, span_t scenario)
{
    uint64_t hash = key_hash_scenario (tenant, scenario);
    entry_t *entry = look_up (self, hash);
    if (entry && !is_of (entry, tenant, scenario)) {
        log_error ("two scenarios have one hash: the second is left out", F_SPAN ("tenant", tenant),
                   F_SPAN ("scenario", scenario));
        return NULL;
    }
    if (entry)
        return entry;
    if (self->count == CONFIG_SCENARIOS_MAX) {
        log_error ("too many scenarios: the rest is left out", F_INT ("most", self->count));
        return NULL;
    }
    entry = memory_new (sizeof *entry);
    entry->hash = hash;
    entry->tenant = memory_copy_string (tenant.bytes, tenant.size);
    entry->scenario = memory_copy_string (scenario.bytes, scenario.size);
    HASH_ADD (hh, self->by_hash, hash, sizeof hash, entry);
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->entries = memory_resize (self->entries, self->capacity * sizeof *self->entries);
    }
    self->entries[self->count++] = entry;
    return entry;
}

static void load (void *arg, const revision_t *revision)
{
    entry_t *entry = find_or_add (arg, revision->tenant, revision->scenario);
    if (!entry)
        return;
    entry->number = revision->number;
    entry->active = entry->active_wanted = revision->active;
    entry->by_default = entry->by_default_wanted = revision->by_default;
    free (entry->json);
    entry->json = memory_copy_string (revision->json.bytes, revision->json.size);
}

registry_t *registry_new (revision_store_t *store)
{
    registry_t *self = memory_new (sizeof *self);
    self->store = store;
    revision_store_load (store, load, self);
    return self;
}

void registry_destroy (registry_t **self_p)
{
    registry_t *self = *self_p;
    if (!self)
        return;
    HASH_CLEAR (hh, self->by_hash);
    for (uint32_t i = 0; i < self->count; i++) {
        entry_t *entry = self->entries[i];
        free (entry->tenant);
        free (entry->scenario);
        free (entry->json);
        free (entry->json_wanted);
        free (entry->stored);
        free (entry->note);
        free (entry);
    }
    free (self->entries);
    free (self);
    *self_p = NULL;
}

/*  The number that what is wanted will have. */
static uint64_t next_number (const entry_t *entry)
{
    uint64_t number = entry->number + (entry->json_wanted ? 1 : 0);
    return number < entry->number_wanted ? entry->number_wanted : number;
}

/*  Is what is wanted another thing to whoever follows? */
static bool shows (const entry_t *entry)
{
    return entry->active != entry->active_wanted || next_number (entry) != entry->number;
}

static void replace_text (char **text, span_t with)
{
    free (*text);
    *text = with.bytes ? memory_copy_string (with.bytes, with.size) : NULL;
}

static void mark_dirty (registry_t *self, entry_t *entry)
{
    entry->dirty = shows (entry) || entry->by_default != entry->by_default_wanted;
    self->dirty |= entry->dirty;
}

void registry_want (registry_t *self, const registry_want_t *want)
{
    entry_t *entry = find_or_add (self, want->tenant, want->scenario);
    if (!entry)
        return;
    if (want->json.bytes) {
        bool same = entry->json && span_equal (span_of (entry->json), want->json);
        replace_text (&entry->json_wanted, same ? (span_t){0} : want->json);
        replace_text (&entry->stored, want->stored);
        replace_text (&entry->note, want->note);
        entry->by_default_wanted = want->by_default;
        entry->number_wanted = want->number;
    }
    if (!entry->json && !entry->json_wanted)
        return;
    entry->active_wanted = want->active;
    mark_dirty (self, entry);
}

void registry_renumber (registry_t *self, span_t tenant, span_t scenario, span_t json,
                        uint64_t number)
{
    entry_t *entry = look_up (self, key_hash_scenario (tenant, scenario));
    if (!entry || !is_of (entry, tenant, scenario) || !entry->json || entry->json_wanted ||
        !span_equal (span_of (entry->json), json) || number <= entry->number)
        return;
    entry->number_wanted = number;
    mark_dirty (self, entry);
}

static revision_t wanted (const entry_t *entry)
{
    const char *json = entry->json_wanted ? entry->json_wanted : entry->json;
    return (revision_t){.tenant = span_of (entry->tenant),
                        .scenario = span_of (entry->scenario),
                        .number = next_number (entry),
                        .active = entry->active_wanted,
                        .json = span_of (json),
                        .by_default = entry->by_default_wanted};
}

static int store_all (registry_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (!self->entries[i]->dirty)
            continue;
        revision_t revision = wanted (self->entries[i]);
        revision_store_put (self->store, &revision);
    }
    return revision_store_commit (self->store);
}

static config_entry_t as_entry (const registry_t *self, const entry_t *entry)
{
    return (config_entry_t){.tenant = span_of (entry->tenant),
                            .scenario = span_of (entry->scenario),
                            .active = entry->active,
                            .era = revision_store_era (self->store),
                            .number = entry->number,
                            .json = span_of (entry->json)};
}

/*  What is wanted is stored: it is what is. */
static void take_wanted (entry_t *entry)
{
    entry->number = next_number (entry);
    entry->active = entry->active_wanted;
    entry->by_default = entry->by_default_wanted;
    if (entry->json_wanted) {
        free (entry->json);
        entry->json = entry->json_wanted;
        entry->json_wanted = NULL;
    }
    entry->dirty = false;
}

int registry_flush (registry_t *self, void (*told) (void *arg, const registry_change_t *change),
                    void *arg)
{
    if (!self->dirty)
        return 0;
    CRASH_POINT (REVISION_BEFORE);
    if (store_all (self) != 0)
        return -1;
    CRASH_POINT (REVISION_STORED);
    int changes = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        entry_t *entry = self->entries[i];
        if (!entry->dirty)
            continue;
        bool tells = shows (entry), numbered = next_number (entry) != entry->number;
        take_wanted (entry);
        if (!tells)
            continue;
        registry_change_t change = {.entry = as_entry (self, entry),
                                    .numbered = numbered,
                                    .by_default = entry->by_default,
                                    .stored = span_of (entry->stored),
                                    .note = span_of (entry->note)};
        told (arg, &change);
        CRASH_POINT (REVISION_PUBLISHED);
        changes++;
    }
    self->dirty = false;
    return changes;
}

bool registry_at (const registry_t *self, uint32_t index, config_entry_t *entry)
{
    if (index >= self->count)
        return false;
    *entry = (config_entry_t){0};
    if (self->entries[index]->number) /* else wanted, and not yet durable */
        *entry = as_entry (self, self->entries[index]);
    return true;
}

bool registry_change_at (const registry_t *self, uint32_t index, registry_change_t *change)
{
    *change = (registry_change_t){0};
    if (!registry_at (self, index, &change->entry))
        return false;
    change->by_default = self->entries[index]->by_default;
    change->stored = span_of (self->entries[index]->stored);
    change->note = span_of (self->entries[index]->note);
    return true;
}

uint32_t registry_count (const registry_t *self)
{
    return self->count;
}

bool registry_is_default (const registry_t *self, uint32_t index)
{
    return index < self->count && self->entries[index]->by_default;
}

bool registry_publishes (const registry_t *self, span_t tenant, span_t scenario)
{
    const entry_t *entry = look_up (self, key_hash_scenario (tenant, scenario));
    return entry && entry->number && is_of (entry, tenant, scenario);
}
