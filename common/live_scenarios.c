/*  live_scenarios: see live_scenarios.h. */
#include "common/live_scenarios.h"

#include <stdlib.h>
#include "common/key_hash.h"
#include "common/log.h"
#include "common/memory.h"

enum { SLOTS_FIRST = 64 };

typedef struct {
    live_scenario_t live; /* first: what finders return */
    scenario_config_t *config, *previous;
    uint64_t snapshot; /* the last one that it was in */
} entry_t;

typedef struct {
    uint64_t hash;
    entry_t *entry; /* NULL: free */
} slot_t;

struct live_scenarios {
    live_config_change_t *on_change;
    void *arg;
    entry_t **entries; /* by index */
    uint32_t count, capacity;
    slot_t *slots; /* open addressing, a power of two, at most half full */
    size_t slot_count;
    uint64_t snapshot;
};

static void tell (live_scenarios_t *self, const entry_t *entry)
{
    if (self->on_change)
        self->on_change (self->arg, &entry->live);
}

live_scenarios_t *live_scenarios_new (live_config_change_t *on_change, void *arg)
{
    live_scenarios_t *self = memory_new (sizeof *self);
    self->on_change = on_change;
    self->arg = arg;
    self->slot_count = SLOTS_FIRST;
    self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
    return self;
}

void live_scenarios_destroy (live_scenarios_t **self_p)
{
    live_scenarios_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++) {
        entry_t *entry = self->entries[i];
        scenario_config_destroy (&entry->config);
        scenario_config_destroy (&entry->previous);
        free (entry->live.tenant);
        free (entry->live.scenario);
        free (entry);
    }
    free (self->entries);
    free (self->slots);
    free (self);
    *self_p = NULL;
}

static entry_t *find_hash (const live_scenarios_t *self, uint64_t hash)
{
    size_t mask = self->slot_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        const slot_t *slot = &self->slots[i];
        if (!slot->entry || slot->hash == hash)
            return slot->entry;
    }
}

static void put (live_scenarios_t *self, entry_t *entry)
{
    size_t mask = self->slot_count - 1, i = entry->live.hash & mask;
    while (self->slots[i].entry)
        i = (i + 1) & mask;
    self->slots[i] = (slot_t){entry->live.hash, entry};
}

static entry_t *add (live_scenarios_t *self, uint64_t hash, const config_entry_t *told)
{
    entry_t *entry = memory_new (sizeof *entry);
    live_scenario_t *live = &entry->live;
    live->index = self->count;
    live->hash = hash;
    live->tenant = memory_copy_string (told->tenant.bytes, told->tenant.size);
    live->tenant_size = told->tenant.size;
    live->scenario = memory_copy_string (told->scenario.bytes, told->scenario.size);
    live->scenario_size = told->scenario.size;
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->entries = memory_resize (self->entries, self->capacity * sizeof *self->entries);
    }
    self->entries[self->count++] = entry;
    if (self->count * 2 > self->slot_count) {
        free (self->slots);
        self->slot_count *= 2;
        self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
        for (uint32_t i = 0; i < self->count; i++)
            put (self, self->entries[i]);
    } else
        put (self, entry);
    return entry;
}

static bool is_of (const live_scenario_t *live, span_t tenant, span_t scenario)
{
    return span_equal (live_scenario_tenant (live), tenant) &&
           span_equal (live_scenario_id (live), scenario);
}

/*  Parses what configd wrote; false with a line in the log where this version cannot. */
static bool parse (const config_entry_t *told, scenario_config_t **config)
{
    *config = NULL;
    if (!told->json.size)
        return !told->active;
    config_errors_t *errors = memory_new (sizeof *errors);
    *config = scenario_config_parse (told->json, "config.realtime_compute", errors);
    if (!*config)
        log_error ("config of a scenario cannot be read here: kept as it was",
                   F_SPAN ("tenant", told->tenant), F_SPAN ("scenario", told->scenario),
                   F_INT ("number", told->number), F_STR ("path", errors->list[0].path),
                   F_STR ("reason", errors->list[0].reason));
    free (errors);
    return *config != NULL;
}

uint32_t live_scenarios_apply (live_scenarios_t *self, const config_entry_t *told)
{
    uint64_t hash = key_hash_scenario (told->tenant, told->scenario);
    entry_t *entry = find_hash (self, hash);
    if (entry && !is_of (&entry->live, told->tenant, told->scenario)) {
        log_error ("two scenarios have one hash: the second is left out",
                   F_SPAN ("tenant", told->tenant), F_SPAN ("scenario", told->scenario));
        return 0;
    }
    if (entry)
        entry->snapshot = self->snapshot;
    else if (self->count == CONFIG_SCENARIOS_MAX) {
        log_error ("too many scenarios: the rest is left out", F_INT ("most", self->count));
        return 0;
    }
    if (entry && entry->live.era == told->era && entry->live.number == told->number) {
        if (entry->live.active == told->active)
            return 0;
        entry->live.active = told->active;
        tell (self, entry);
        return 1;
    }
    scenario_config_t *config;
    if (!parse (told, &config))
        return 0;
    if (!entry) {
        entry = add (self, hash, told);
        entry->snapshot = self->snapshot;
    }
    if (config) { /* none: inactive, and the last one stays */
        scenario_config_destroy (&entry->previous);
        entry->previous = entry->config;
        entry->config = config;
        entry->live.config = config;
    }
    entry->live.era = told->era;
    entry->live.number = told->number;
    entry->live.active = told->active;
    tell (self, entry);
    return 1;
}

void live_scenarios_begin (live_scenarios_t *self)
{
    self->snapshot++;
}

uint32_t live_scenarios_end (live_scenarios_t *self)
{
    uint32_t changed = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        entry_t *entry = self->entries[i];
        if (entry->snapshot == self->snapshot || !entry->live.active)
            continue;
        entry->live.active = false;
        tell (self, entry);
        changed++;
    }
    return changed;
}

const live_scenario_t *live_scenarios_find (const live_scenarios_t *self, span_t tenant,
                                            span_t scenario)
{
    const entry_t *entry = find_hash (self, key_hash_scenario (tenant, scenario));
    return entry && is_of (&entry->live, tenant, scenario) ? &entry->live : NULL;
}

const live_scenario_t *live_scenarios_find_hash (const live_scenarios_t *self, uint64_t hash)
{
    const entry_t *entry = find_hash (self, hash);
    return entry ? &entry->live : NULL;
}

const live_scenario_t *live_scenarios_at (const live_scenarios_t *self, uint32_t index)
{
    return index < self->count ? &self->entries[index]->live : NULL;
}

uint32_t live_scenarios_count (const live_scenarios_t *self)
{
    return self->count;
}
