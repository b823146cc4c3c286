/*  report: the fields of one metrics window, from the parts of its shards: sums are added, sets
 * united, then the ratios are taken, as the scenario's metrics block asks. Pure; the sink uses it.
 */
#ifndef HOTPATH_REPORT_H
#define HOTPATH_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/results.h"
#include "common/scenario_config.h"

typedef struct report report_t;

/*  One field: an integer or a double. The name is borrowed for the call. */
typedef struct {
    span_t name;
    bool is_integer;
    uint64_t integer;
    double number; /* finite */
} report_field_t;

report_t *report_new (void);
void report_destroy (report_t **self_p);
/*  As new. */
void report_clear (report_t *self);
/*  Adds one shard's part; all is copied. */
void report_add (report_t *self, const result_metrics_t *part);
/*  Events in the window: 0 is an empty window. */
uint64_t report_total_actions (const report_t *self);

/*  Calls back with each field that `config` asks for (metrics_to_calculate), in this order:
 * total_actions (always), ctr, cvr, watch_time_seconds, avg_watch_time_seconds, completion_rate,
 * engagement_rate, active_users, exposed_items, `<action>_count` by name, definitions by name.
 * Formulas: the design, 5, Metrics; a ratio with a denominator of 0 is left out, and a set that no
 * part collected. */
void report_fields (const report_t *self, const config_metrics_t *config,
                    void (*visit) (void *arg, const report_field_t *field), void *arg);

#endif
