/*  score_scenario: one scenario in one shard of the scorer: its cells, the shape they are cut by,
 * from when on its windows are exact, and its weights by action number.
 *
 *  Pure. Which windows are owed, and when, is scorer_stage's.
 */
#ifndef HOTPATH_SCORE_SCENARIO_H
#define HOTPATH_SCORE_SCENARIO_H

#include "common/live_scenario.h"
#include "common/revision_since.h"
#include "scorer/ranking.h"
#include "scorer/score_cells.h"

/*  What decides how events become cells. Where it changes, windows begun before may miss events or
 * be cut coarsely. */
typedef struct {
    int64_t size_ms, slide_ms, slice_ms; /* 0: never was enabled; while disabled: the last ones */
    bool counts_only;                    /* lambda is 0: cells have no moments */
    bool enabled;                        /* active, and hot_score enabled */
} score_shape_t;

typedef struct {
    uint64_t hash;               /* key_hash_scenario */
    const live_scenario_t *live; /* borrowed; NULL: not in the config of this process yet */
    char *tenant, *scenario;
    size_t tenant_size, scenario_size;
    score_shape_t shape;
    int64_t exact_from_ms; /* windows that begin before it are inexact; EVENT_TIME_NONE: none is */
    int64_t newest_ms;     /* the newest complete window that was owed, or EVENT_TIME_NONE */
    score_cells_t *cells;
    double *weights; /* by action number, of the revision below */
    uint32_t weight_count;
    uint64_t weights_era, weights_number;
    revision_since_t since; /* of the live revision */
    ranking_ahead_t *ahead; /* of its next window; or NULL */
    int64_t ahead_of_ms;    /* it waits to be looked ahead of this complete window; else EVENT_TIME_NONE */
    bool dirty; /* its record is not stored as it is */
} score_scenario_t;

score_scenario_t *score_scenario_new (span_t tenant, span_t scenario, uint64_t hash,
                                      const action_names_t *names);
void score_scenario_destroy (score_scenario_t **self_p);

/*  Does it have results now: live, active, with a config, enabled in it? */
bool score_scenario_enabled (const score_scenario_t *self);

/*  Compares its revision and its shape with the live config's and takes them over. Where they differ and events have
 *  been applied (greatest_ms, else EVENT_TIME_NONE), exact_from is the first slice after the
 * greatest. */
void score_scenario_take_shape (score_scenario_t *self, int64_t greatest_ms);

/*  Weights by action number, of all that its cells have, by its live config; borrowed until the
 * next call. It must have a config. */
const double *score_scenario_weights (score_scenario_t *self);
/*  The same by another config: fills `weights`, of cells->action_limit places. */
void score_scenario_weights_by (const score_scenario_t *self, const config_weights_t *by,
                                double *weights);
/*  Makes the next score_scenario_weights read the config again. */
void score_scenario_forget_weights (score_scenario_t *self);

/*  The value of its stored record: [tenant, scenario, size, slide, slice, counts_only, enabled,
 * exact_from, and of the revision: era, number, since]. Read: a new scenario, or NULL if it cannot be read. */
void score_scenario_write (const score_scenario_t *self, buffer_t *to);
score_scenario_t *score_scenario_read (const uint8_t *value, size_t value_size, uint64_t hash,
                                       const action_names_t *names);

#endif
