/*  scenario_config: the effective parameters of one scenario, from a `realtime_compute` document.
 *
 *  Parses, validates (everything wrong at once, each with its path), fills in defaults, and writes
 *  the canonical effective form. One table describes every parameter; it is what validates and what
 *  documentation is made from. Pure: no file, socket or clock.
 */
#ifndef HOTPATH_SCENARIO_CONFIG_H
#define HOTPATH_SCENARIO_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/span.h"

enum {
    CONFIG_ACTIONS_MAX = 256,    /* names in one map, and in one list of a definition */
    CONFIG_DEFINITIONS_MAX = 64,
    CONFIG_NAME_BYTES_MAX = 64,  /* of an action or a definition */
    CONFIG_ERRORS_MAX = 32,
    CONFIG_TTL_SLACK_MS = 600000,
};

typedef struct {
    char *name; /* folded to lower case, trimmed */
    double weight;
} config_weight_t;

typedef struct {
    config_weight_t *list; /* sorted by name (bytewise), distinct */
    uint32_t count;
    double otherwise; /* default_weight: of every action that the map does not name */
} config_weights_t;

typedef struct {
    char *name;
    char **numerator; /* action names, sorted, distinct */
    uint32_t numerator_count;
    char **denominator;
    uint32_t denominator_count;
} config_definition_t;

typedef struct {
    bool enabled;
    config_weights_t weights;
    double lambda_per_ms; /* decay_lambda / decay_unit in ms */
    double lambda;        /* as given, per decay_unit */
    int64_t decay_unit_ms;
    int64_t size_ms, slide_ms; /* size a multiple of slide */
    int64_t slice_ms;          /* longest of whole ms that divides slide and keeps
                                * (lambda * slice / 2)^3 / 6 <= 1e-7; slide where lambda is 0 */
    uint32_t top_k;
    int64_t ttl_ms; /* already raised to 2 slides + 10 min where it was shorter */
    bool item_stats;
} config_hot_score_t;

typedef struct {
    bool enabled;
    int64_t update_ms;      /* update_frequency */
    double interest_decay_days; /* as given */
    double decay_period_ms;     /* the same in ms */
    config_weights_t weights;
    uint32_t top_categories, top_tags, recent_items;
    int64_t ttl_ms; /* already raised to 2 update periods + 10 min where it was shorter */
} config_profile_t;

typedef struct {
    bool enabled;
    int64_t size_ms, slide_ms; /* the slice of metrics is the slide */
    bool ctr, cvr, watch_time, completion_rate, engagement_rate, active_users, exposed_items,
        action_counts;
    char *ctr_denominator; /* an action name */
    config_definition_t *definitions; /* those named in metrics_to_calculate, sorted by name */
    uint32_t definition_count;
    uint32_t unused_count; /* behind these in the list: named by nothing, but they name actions */
    uint32_t history_windows;
    int64_t ttl_ms; /* already raised to 2 slides + 10 min where it was shorter */
} config_metrics_t;

typedef struct {
    config_hot_score_t hot_score;
    config_profile_t profile;
    config_metrics_t metrics;
    char **actions; /* every action name that the scenario's config names, sorted, distinct */
    uint32_t action_count;
} scenario_config_t;

typedef struct {
    char path[256];   /* as config.realtime_compute.hot_score.top_k */
    char reason[256]; /* what is wrong and what would be right */
} config_error_t;

typedef struct {
    config_error_t list[CONFIG_ERRORS_MAX];
    uint32_t count; /* of all errors; the list holds the first CONFIG_ERRORS_MAX */
} config_errors_t;

/*  A parsed scenario document {tenant_id, scenario_id, scenario_type, status, config}. */
typedef struct {
    char *tenant, *scenario; /* trimmed, 1 .. 256 bytes */
    bool active;             /* status == "active" */
    scenario_config_t *config;
} scenario_document_t;

/*  Parses the JSON text of a `realtime_compute` object ({} or null: all defaults); paths in errors
 *  begin with `prefix` (as "config.realtime_compute"). Returns the config (the caller's), or NULL with
 *  at least one error. `errors` is emptied first. */
scenario_config_t *scenario_config_parse (span_t json, const char *prefix, config_errors_t *errors);
void scenario_config_destroy (scenario_config_t **self_p);

/*  Appends the canonical effective JSON of it: every parameter in a fixed order, in the units of the
 *  design's table (seconds where minutes would not be whole), so that equal configs give equal bytes and
 *  parsing it again gives an equal config. Not NUL-terminated. */
void scenario_config_write (const scenario_config_t *self, buffer_t *json);
/*  The same of the metrics block alone: what a sink needs to evaluate a part. */
void scenario_config_write_metrics (const scenario_config_t *self, buffer_t *json);
/*  Reads what scenario_config_write_metrics wrote: a config whose other blocks are defaults. NULL if it
 *  cannot be read. */
scenario_config_t *scenario_config_parse_metrics (span_t json);

/*  Parses a whole document (JSON). NULL with errors where it is invalid; ids that could be read are then
 *  in *tenant, *scenario if these are not NULL (the caller frees them; else NULL). A document whose status
 *  is not "active" is still validated. Unknown keys outside config.realtime_compute belong to others and
 *  are ignored; a missing or null realtime_compute means all defaults. */
scenario_document_t *scenario_document_parse (span_t json, config_errors_t *errors, char **tenant,
                                              char **scenario);
void scenario_document_destroy (scenario_document_t **self_p);

/*  Weight of an action by name. */
double config_weights_get (const config_weights_t *self, span_t action);

/*  Is this an action name that the config names? */
bool scenario_config_names_action (const scenario_config_t *self, span_t action);

#endif
