/*  live_scenarios: the scenarios of live_config: found by hash in a few ns, swapped in one by one
 *  or all at once. Pure.
 */
#ifndef HOTPATH_LIVE_SCENARIOS_H
#define HOTPATH_LIVE_SCENARIOS_H

#include "common/config_wire.h"
#include "common/live_config.h"

typedef struct live_scenarios live_scenarios_t;

live_scenarios_t *live_scenarios_new (live_config_change_t *on_change, void *arg);
void live_scenarios_destroy (live_scenarios_t **self_p);

/*  Applies one entry; tells of it if anything changed. Returns 1 if so, else 0. An entry that
 *  cannot be read here (its config is of another version) leaves the scenario as it was, and is
 *  logged. */
uint32_t live_scenarios_apply (live_scenarios_t *self, const config_entry_t *entry);

/*  A snapshot: begin, apply each entry, end: what was not in it becomes inactive. `end` returns
 *  how many did. */
void live_scenarios_begin (live_scenarios_t *self);
uint32_t live_scenarios_end (live_scenarios_t *self);

const live_scenario_t *live_scenarios_find (const live_scenarios_t *self, span_t tenant,
                                            span_t scenario);
const live_scenario_t *live_scenarios_find_hash (const live_scenarios_t *self, uint64_t hash);
const live_scenario_t *live_scenarios_at (const live_scenarios_t *self, uint32_t index);
uint32_t live_scenarios_count (const live_scenarios_t *self);

#endif
