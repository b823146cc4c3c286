#include "metrics/metric_scenarios.h"

#include <stdlib.h>

#include "common/memory.h"

void metric_scenarios_free (metric_scenarios_t *self)
{
    HASH_CLEAR (hh, self->by_hash);
    for (size_t i = 0; i < self->count; i++)
        metric_scenario_destroy (&self->list[i]);
    free (self->list);
    free (self->by_index);
    *self = (metric_scenarios_t){0};
}

static void put_index (metric_scenarios_t *self, uint32_t index, metric_scenario_t *scenario)
{
    if (index >= self->index_count) {
        uint32_t count = self->index_count ? self->index_count : 16;
        while (count <= index)
            count *= 2;
        self->by_index = memory_resize (self->by_index, count * sizeof *self->by_index);
        for (uint32_t i = self->index_count; i < count; i++)
            self->by_index[i] = NULL;
        self->index_count = count;
    }
    self->by_index[index] = scenario;
}

void metric_scenarios_add (metric_scenarios_t *self, metric_scenario_t *scenario)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 16;
        self->list = memory_resize (self->list, self->capacity * sizeof *self->list);
    }
    self->list[self->count++] = scenario;
    HASH_ADD (hh, self->by_hash, hash, sizeof scenario->hash, scenario);
    if (scenario->live)
        put_index (self, scenario->live->index, scenario);
}

void metric_scenarios_remove (metric_scenarios_t *self, size_t i)
{
    metric_scenario_t *scenario = self->list[i];
    if (scenario->live)
        self->by_index[scenario->live->index] = NULL;
    HASH_DEL (self->by_hash, scenario);
    metric_scenario_destroy (&self->list[i]);
    self->list[i] = self->list[--self->count];
}

metric_scenario_t *metric_scenarios_find (const metric_scenarios_t *self, uint64_t hash)
{
    metric_scenario_t *scenario = NULL;
    HASH_FIND (hh, self->by_hash, &hash, sizeof hash, scenario);
    return scenario;
}

metric_scenario_t *metric_scenarios_meet (metric_scenarios_t *self, const live_scenario_t *live)
{
    metric_scenario_t *scenario = metric_scenarios_met (self, live);
    if (scenario)
        return scenario;
    scenario = metric_scenarios_find (self, live->hash);
    if (!scenario)
        return NULL;
    scenario->live = live;
    put_index (self, live->index, scenario);
    return scenario;
}
