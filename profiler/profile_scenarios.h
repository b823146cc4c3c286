/*  profile_scenarios: the scenarios of a shard's users, as the profiles are counted now: copies of
 * what matters of a config, since an old one may go at any revision. It knows no users.
 */
#ifndef HOTPATH_PROFILE_SCENARIOS_H
#define HOTPATH_PROFILE_SCENARIOS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/live_scenario.h"
#include "profiler/profile.h"

#define PROFILE_SCENARIO_NONE UINT32_MAX

typedef struct {
    uint64_t hash;
    const live_scenario_t *live;     /* NULL: not configured now */
    const scenario_config_t *config; /* told apart only, beside the weights */
    uint64_t era, number;
    int64_t update_ms; /* 0: it never had a config */
    uint32_t user_count;
    profile_rules_t rules;
    profile_weights_t weights;
} profile_scenario_t;

/*  Zeroed: empty. Scenarios are numbered from 0, for good; their addresses are stable. */
typedef struct {
    profile_scenario_t **list;
    uint32_t count, capacity;
    uint32_t *by_live; /* number by live_scenario's index, or PROFILE_SCENARIO_NONE */
    uint32_t by_live_count;
} profile_scenarios_t;

void profile_scenarios_free (profile_scenarios_t *self);
/*  Number of a scenario by its hash, or PROFILE_SCENARIO_NONE. */
uint32_t profile_scenarios_find (const profile_scenarios_t *self, uint64_t hash);
/*  The same, made where it is new; `names` is borrowed for the life of the scenarios. */
uint32_t profile_scenarios_take (profile_scenarios_t *self, uint64_t hash,
                                 const action_names_t *names);
/*  The same of a live scenario: one look at an array. */
uint32_t profile_scenarios_of (profile_scenarios_t *self, const live_scenario_t *live,
                               const action_names_t *names);
/*  Takes over what is new in its config (live may be NULL). True: it has users, and another
 * update_ms. */
bool profile_scenarios_follow (profile_scenarios_t *self, uint32_t number,
                               const live_scenario_t *live);

#endif
