/*  profile_scenarios: an array, found by hash at load and by the live scenario's index afterwards.
 */
#include "profiler/profile_scenarios.h"

#include <stdlib.h>

#include "common/memory.h"

void profile_scenarios_free (profile_scenarios_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        profile_weights_free (&self->list[i]->weights);
        free (self->list[i]);
    }
    free (self->list);
    free (self->by_live);
    *self = (profile_scenarios_t){0};
}

uint32_t profile_scenarios_find (const profile_scenarios_t *self, uint64_t hash)
{
    for (uint32_t i = self->count; i-- > 0;) /* stored keys come in order: the last one fits */
        if (self->list[i]->hash == hash)
            return i;
    return PROFILE_SCENARIO_NONE;
}

uint32_t profile_scenarios_take (profile_scenarios_t *self, uint64_t hash,
                                 const action_names_t *names)
{
    uint32_t number = profile_scenarios_find (self, hash);
    if (number != PROFILE_SCENARIO_NONE)
        return number;
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->list = memory_resize (self->list, self->capacity * sizeof *self->list);
    }
    profile_scenario_t *scenario = memory_new (sizeof *scenario);
    scenario->hash = hash;
    scenario->rules.weights = &scenario->weights;
    profile_weights_set (&scenario->weights, names, NULL);
    self->list[self->count] = scenario;
    return self->count++;
}

uint32_t profile_scenarios_of (profile_scenarios_t *self, const live_scenario_t *live,
                               const action_names_t *names)
{
    if (live->index >= self->by_live_count) {
        uint32_t count = (live->index + 1) * 2;
        self->by_live = memory_resize (self->by_live, count * sizeof *self->by_live);
        for (uint32_t i = self->by_live_count; i < count; i++)
            self->by_live[i] = PROFILE_SCENARIO_NONE;
        self->by_live_count = count;
    }
    if (self->by_live[live->index] == PROFILE_SCENARIO_NONE)
        self->by_live[live->index] = profile_scenarios_take (self, live->hash, names);
    return self->by_live[live->index];
}

bool profile_scenarios_follow (profile_scenarios_t *self, uint32_t number,
                               const live_scenario_t *live)
{
    profile_scenario_t *scenario = self->list[number];
    scenario->live = live;
    if (!live || !live->config ||
        (scenario->config == live->config && scenario->era == live->era &&
         scenario->number == live->number))
        return false;
    const config_profile_t *profile = &live->config->profile;
    int64_t update_ms = scenario->update_ms;
    scenario->config = live->config;
    scenario->era = live->era;
    scenario->number = live->number;
    scenario->update_ms = profile->update_ms;
    scenario->rules.period_ms = profile->decay_period_ms;
    scenario->rules.recent_items = profile->recent_items;
    profile_weights_set (&scenario->weights, scenario->weights.names, &profile->weights);
    return scenario->user_count && update_ms != scenario->update_ms;
}
