/*  metric_scenarios: the scenarios that one shard knows, by hash, and by the index of their live
 * configuration. It owns them, and knows nothing of their windows.
 */
#ifndef HOTPATH_METRIC_SCENARIOS_H
#define HOTPATH_METRIC_SCENARIOS_H

#include <stddef.h>
#include <stdint.h>
#include "metrics/metric_scenario.h"

/*  Zeroed: empty. `list` and `count` may be read; one that is removed changes the order. */
typedef struct {
    metric_scenario_t **list;
    size_t count, capacity;
    metric_scenario_t *by_hash;
    metric_scenario_t **by_index; /* by live_scenario_t.index; NULL: not met yet */
    uint32_t index_count;
} metric_scenarios_t;

/*  Destroys all of them. */
void metric_scenarios_free (metric_scenarios_t *self);
/*  One of a hash that is not there. Takes it over. */
void metric_scenarios_add (metric_scenarios_t *self, metric_scenario_t *scenario);
/*  Destroys the i-th; the last one takes its place. */
void metric_scenarios_remove (metric_scenarios_t *self, size_t i);

/*  NULL: there is none. */
metric_scenario_t *metric_scenarios_find (const metric_scenarios_t *self, uint64_t hash);
/*  What was met before with this index, or NULL. */
static inline metric_scenario_t *metric_scenarios_met (const metric_scenarios_t *self,
                                                       const live_scenario_t *live)
{
    return live->index < self->index_count ? self->by_index[live->index] : NULL;
}
/*  The scenario of a live configuration, which it has from now on; or NULL. */
metric_scenario_t *metric_scenarios_meet (metric_scenarios_t *self, const live_scenario_t *live);

#endif
