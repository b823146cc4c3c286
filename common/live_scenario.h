/*  live_scenario: one scenario as this process runs it now. Owned by live_config; its address is
 *  stable for the life of the process, its fields change only between two batches (live_config_step).
 */
#ifndef HOTPATH_LIVE_SCENARIO_H
#define HOTPATH_LIVE_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include "common/scenario_config.h"

typedef struct live_scenario {
    uint32_t index; /* dense, never reused in this process */
    uint64_t hash;  /* key_hash_scenario: names the scenario in stored state and in frames */
    char *tenant, *scenario;
    size_t tenant_size, scenario_size;
    bool active;                     /* false: paused, disabled, removed: no more events count */
    uint64_t era, number;            /* revision */
    const scenario_config_t *config; /* the last one it had; NULL if it never was active */
} live_scenario_t;

static inline span_t live_scenario_tenant (const live_scenario_t *self)
{
    return (span_t){self->tenant, self->tenant_size};
}
static inline span_t live_scenario_id (const live_scenario_t *self)
{
    return (span_t){self->scenario, self->scenario_size};
}

#endif
