/*  history_keeper: a thread that brings the history up to each revision that is published, and
 *  makes the indexes at its start; so that neither a slow nor an absent store holds up what is
 *  published. What cannot be stored now is tried again, for ever. Nothing else.
 *
 *  Jobs are done in their order, at most KEEPER_JOBS_MAX wait: what is beyond is left out, and
 *  told again at the next start if it still runs then.
 */
#ifndef HOTPATH_HISTORY_KEEPER_H
#define HOTPATH_HISTORY_KEEPER_H

#include "common/config_wire.h"
#include "configd/scenario_store.h"

enum {
    KEEPER_JOBS_MAX = CONFIG_SCENARIOS_MAX,
    KEEPER_RETRY_MS = 2000,    /* where the store is away */
    KEEPER_REFUSED_MS = 10000, /* where it does not let us */
};

typedef struct {
    span_t tenant, scenario;
    uint64_t number;     /* as published */
    span_t effective;
    span_t stored, note; /* JSON texts of the document, or absent */
    bool by_default;
} keeper_job_t;

/*  The history knows a config that was put by a greater number. */
typedef struct {
    char *tenant, *scenario, *effective;
    uint64_t number;
} keeper_result_t;

typedef struct {
    uint32_t waiting;
    bool failing;   /* the last attempt failed */
    uint64_t kept;  /* jobs done */
} keeper_view_t;

typedef struct history_keeper history_keeper_t;

/*  Borrows `store`. `prepare` (may be NULL) is called in the thread before anything else, until it
 *  returns other than AWAY. */
history_keeper_t *history_keeper_new (scenario_store_t *store,
                                      store_outcome_t (*prepare) (scenario_store_t *store,
                                                                  char *error));
/*  Ends it after the job that it is at; what waits is told again at the next start. */
void history_keeper_destroy (history_keeper_t **self_p);

/*  Never waits; copies. */
void history_keeper_put (history_keeper_t *self, const keeper_job_t *job);
/*  The next result, or false; free its texts. */
bool history_keeper_take (history_keeper_t *self, keeper_result_t *result);
keeper_view_t history_keeper_view (history_keeper_t *self);

#endif
