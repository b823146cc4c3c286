/*  sim_config: instead of live_config.c: one scenario, whose revision every process learns of
 *  at a time of its own. What a revision changes is the weight of an item (world_weight);
 *  windows stay.
 */
#include "common/live_config.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/key_hash.h"
#include "common/memory.h"
#include "oracle.h"
#include "sim.h"
#include "world.h"

enum { LEARNS_IN_THOUSAND = 300, ERA = 7 };

struct live_config {
    live_config_change_t *on_change;
    void *arg;
    live_scenario_t scenario;
    char tenant[8], id[8];
};

/*  Parsed once for each size of windows: it is the slowest part of a schedule. */
static scenario_config_t *configs[8];

static const scenario_config_t *config_now (void)
{
    uint32_t i = (uint32_t)(oracle.size_ms / oracle.slide_ms);
    if (configs[i])
        return configs[i];
    char json[512];
    config_errors_t errors;
    int size = snprintf (json, sizeof json,
                         "{\"hot_score\":{\"enabled\":false},\"user_profile\":{\"enabled\":false},"
                         "\"metrics\":{\"window_size_seconds\":%d,\"window_slide_seconds\":%d,"
                         "\"metrics_to_calculate\":[\"watch_time\"],\"history_windows\":%u}}",
                         (int)(oracle.size_ms / 1000), (int)(oracle.slide_ms / 1000),
                         oracle.history_windows);
    configs[i] = scenario_config_parse ((span_t){json, (size_t)size}, "config", &errors);
    if (!configs[i])
        sim_fail ("the model's config is not valid: %s", errors.list[0].reason);
    return configs[i];
}

live_config_t *live_config_new (void *context, const char *endpoint, const char *process,
                                uint64_t incarnation, live_config_change_t *on_change, void *arg)
{
    (void)context, (void)endpoint, (void)process, (void)incarnation;
    live_config_t *self = memory_new (sizeof *self);
    self->on_change = on_change;
    self->arg = arg;
    snprintf (self->tenant, sizeof self->tenant, "%s", ORACLE_TENANT);
    snprintf (self->id, sizeof self->id, "%s", ORACLE_SCENARIO);
    self->scenario = (live_scenario_t){
        .hash = key_hash_scenario (span_of (ORACLE_TENANT), span_of (ORACLE_SCENARIO)),
        .tenant = self->tenant,
        .scenario = self->id,
        .tenant_size = sizeof ORACLE_TENANT - 1,
        .scenario_size = sizeof ORACLE_SCENARIO - 1,
        .active = true,
        .era = ERA,
        .config = config_now ()};
    return self;
}

void live_config_destroy (live_config_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

void *live_config_socket (live_config_t *self)
{
    (void)self;
    return NULL;
}

uint32_t live_config_step (live_config_t *self, int64_t now_ms)
{
    (void)now_ms;
    if (self->scenario.number == world.revision || !sim_call ("config") ||
        !chance_is (&sim.chance, LEARNS_IN_THOUSAND))
        return 0;
    self->scenario.number = world.revision;
    if (self->on_change)
        self->on_change (self->arg, &self->scenario);
    return 1;
}

bool live_config_want (live_config_t *self, span_t tenant, span_t scenario)
{
    (void)self, (void)tenant, (void)scenario;
    return true;
}

bool live_config_ready (const live_config_t *self)
{
    return self->scenario.number > 0;
}

void live_config_position (const live_config_t *self, uint64_t *incarnation, uint64_t *sequence)
{
    *incarnation = live_config_ready (self) ? 1 : 0;
    *sequence = self->scenario.number;
}

const live_scenario_t *live_config_find (const live_config_t *self, span_t tenant, span_t scenario)
{
    bool is_it = span_equal (tenant, span_of (self->tenant)) &&
                 span_equal (scenario, span_of (self->id)) && live_config_ready (self);
    return is_it ? &self->scenario : NULL;
}

const live_scenario_t *live_config_find_hash (const live_config_t *self, uint64_t hash)
{
    return hash == self->scenario.hash && live_config_ready (self) ? &self->scenario : NULL;
}

const live_scenario_t *live_config_at (const live_config_t *self, uint32_t index)
{
    return index == 0 && live_config_ready (self) ? &self->scenario : NULL;
}

uint32_t live_config_count (const live_config_t *self)
{
    return live_config_ready (self);
}

int64_t live_config_silent_ms (const live_config_t *self)
{
    (void)self;
    return 0;
}

/*  What configd is told and asks is not modelled. */

void live_config_describe (live_config_t *self, config_role_t role, uint32_t shards_owned,
                           uint32_t shard_count)
{
    (void)self, (void)role, (void)shards_owned, (void)shard_count;
}

void live_config_wrote (live_config_t *self, const live_scenario_t *scenario)
{
    (void)self, (void)scenario;
}

void live_config_take_questions (live_config_t *self, live_config_question_t *on_question, void *arg)
{
    (void)self, (void)on_question, (void)arg;
}

bool live_config_answer (live_config_t *self, const config_answer_t *answer, const buffer_t *rankings)
{
    (void)self, (void)answer, (void)rankings;
    return true;
}
