#include "configd/config_status.h"

#include <inttypes.h>

void config_tell_readiness (void *arg, readiness_t *readiness, int64_t now_ms)
{
    config_view_t view;
    const config_status_t *self = arg;
    if (!self->flow) {
        readiness_say (readiness, false, "standby", "waits: %s", self->waits);
        return;
    }
    config_flow_view (self->flow, now_ms, &view);
    if (view.is_stored)
        readiness_say (readiness, true, "config",
                       "as stored, %u scenarios: MongoDB has not answered since the start",
                       view.scenarios);
    else
        readiness_say (readiness, view.ready, "config",
                       view.ready ? "complete: %u documents, %u of them invalid"
                                  : "not complete yet: %u documents, %u of them invalid",
                       view.documents, view.invalid);
    if (*view.trouble)
        readiness_say (readiness, false, "storage", "changes are not told: %s", view.trouble);
    readiness_say (readiness, true, "history", "%u revisions are still to be kept%s",
                   view.keeper.waiting, view.keeper.failing ? ": the last one failed" : "");
    /* Who follows runs on with what it has: that the source is away holds back changes only. */
    if (view.is_mongo)
        readiness_say (readiness, true, "mongodb", "%s",
                       view.is_away ? "cannot be reached: changes do not come through" : "answers");
    readiness_say (readiness, true, "processes", "%u follow, %u of them behind sequence %" PRIu64,
                   view.applied.processes, view.applied.behind, view.applied.sequence);
}

static void tell_admin (const config_status_t *self, counters_t *counters)
{
    static const char requests[] = "hotpath_admin_requests_total";
    static const char *const classes[6] = {NULL, NULL, "2xx", "3xx", "4xx", "5xx"};
    if (!self->api)
        return;
    admin_view_t view = admin_api_view (self->api);
    counters_family (counters, COUNTERS_COUNTER, requests,
                     "Requests to the admin API, by the class of their status.");
    for (int i = 2; i < 6; i++)
        counters_put (counters, requests, (double)view.requests[i], L_STR ("status", classes[i]));
    counters_single (counters, COUNTERS_COUNTER, "hotpath_admin_changes_total",
                     "Changes that the admin API has made.", (double)view.changes);
    counters_single (counters, COUNTERS_COUNTER, "hotpath_admin_audit_failures_total",
                     "Audit records that could not be written.", (double)view.audit_failures);
}

void config_tell_metrics (void *arg, counters_t *counters, int64_t now_ms)
{
    config_view_t view = {0};
    const config_status_t *self = arg;
    counters_single (counters, COUNTERS_GAUGE, "hotpath_config_standby",
                     "Whether another configd has the state folder.", !self->flow);
    if (!self->flow)
        return;
    config_flow_view (self->flow, now_ms, &view);
    const struct {
        counters_type_t type;
        const char *name, *help;
        double value;
    } rows[] = {
        {COUNTERS_GAUGE, "hotpath_config_complete", "Whether all documents were read once.",
         view.ready},
        {COUNTERS_GAUGE, "hotpath_config_documents", "Scenario documents.", view.documents},
        {COUNTERS_GAUGE, "hotpath_config_invalid_documents",
         "Documents that are not valid or in conflict: their last good config stays.",
         view.invalid},
        {COUNTERS_GAUGE, "hotpath_config_scenarios", "Scenarios known, active or not.",
         view.scenarios},
        {COUNTERS_COUNTER, "hotpath_config_revisions_total",
         "Revisions published in this life of configd.", (double)view.revisions},
        {COUNTERS_GAUGE, "hotpath_config_sequence", "Changes published in this life of configd.",
         (double)view.applied.sequence},
        {COUNTERS_GAUGE, "hotpath_config_processes", "Processes that follow this config.",
         view.applied.processes},
        {COUNTERS_GAUGE, "hotpath_config_processes_behind",
         "Processes that have not applied the newest change.", view.applied.behind},
        {COUNTERS_GAUGE, "hotpath_config_applied_lag_seconds",
         "How long the newest change has not been applied by all; 0 where it is.",
         (double)view.applied.behind_ms / 1000},
        {COUNTERS_GAUGE, "hotpath_config_history_waiting",
         "Revisions that are published and not yet in the history.", view.keeper.waiting},
        {COUNTERS_GAUGE, "hotpath_config_stored",
         "Whether configs run as they were stored: MongoDB has not answered since the start.",
         view.is_stored},
        {COUNTERS_GAUGE, "hotpath_mongodb_reachable", "Whether MongoDB answered last.",
         !view.is_away},
    };
    /* Of a folder nothing can be away. */
    size_t count = sizeof rows / sizeof *rows - !view.is_mongo;
    for (size_t i = 0; i < count; i++)
        counters_single (counters, rows[i].type, rows[i].name, rows[i].help, rows[i].value);
    tell_admin (self, counters);
}
