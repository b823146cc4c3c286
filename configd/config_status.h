/*  config_status: what configd says of its progress, and its metrics. Reads, and changes nothing.
 */
#ifndef HOTPATH_CONFIGD_CONFIG_STATUS_H
#define HOTPATH_CONFIGD_CONFIG_STATUS_H

#include "common/counters.h"
#include "common/readiness.h"

#include "configd/admin_api.h"
#include "configd/config_flow.h"

/*  flow NULL: it cannot begin yet, `waits` says why (another configd has the state folder: this one stands by; or
 *  there is no room); api NULL: there is no admin API. */
typedef struct {
    config_flow_t *flow;
    admin_api_t *api;
    const char *waits;
} config_status_t;

/*  arg is a config_status_t. */
void config_tell_readiness (void *arg, readiness_t *readiness, int64_t now_ms);
void config_tell_metrics (void *arg, counters_t *counters, int64_t now_ms);

#endif
