/*  metric_scenario: what one shard knows of one scenario: its cells, how far its windows are
 * computed, from when on they are exact, and the shape of its configuration that this holds for.
 * And the stored records of it:
 *
 *      'c' 1 scenario                        -> this state
 *      'c' 2 scenario slice length mark      -> a cell
 *
 *  (numbers of 8 bytes, big endian: records of one scenario go by slice, and a scenario comes
 * before its cells). It computes no windows.
 */
#ifndef HOTPATH_METRIC_SCENARIO_H
#define HOTPATH_METRIC_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include "common/change_set.h"
#include "common/live_scenario.h"
#include "common/revision_since.h"
#include "common/stage.h"
#include "metrics/metric_cells.h"

/*  A scenario that is away for that long has left nothing in Redis (the longest TTL is 30 days). */
#define METRIC_SCENARIO_FORGET_MS (INT64_C (31) * 86400 * 1000)

typedef struct {
    uint64_t hash; /* key_hash_scenario */
    char *tenant, *scenario;
    size_t tenant_size, scenario_size;

    bool enabled;              /* active, with metrics */
    int64_t size_ms, slide_ms; /* 0 until it is first adopted */
    bool users, items;         /* are these sets collected? */

    int64_t exact_from_ms; /* windows that begin before it may miss events; NONE: none does */
    int64_t computed_ms;   /* the newest window computed as complete; NONE: none yet */
    int64_t empty_until_ms; /* no event counted in a window that ends by then (result_metrics_t); 0: not known */
    revision_since_t since; /* of the live revision */
    bool changed;          /* the above, since it was last stored */
    int64_t filled_ms;     /* the newest window with events owed in this life; NONE: none */
    int64_t *owed_ms; /* windows that may be owed, ascending (metric_owed.h) */
    uint32_t owed_count, owed_capacity;
    metric_cells_t *cells;
    UT_hash_handle hh; /* of its shard, by `hash` */

    const live_scenario_t *live; /* NULL: not in the configuration now */
    buffer_t json;               /* the metrics block of the revision below, once it was needed */
    uint64_t json_era, json_number;
} metric_scenario_t;

metric_scenario_t *metric_scenario_new (uint64_t hash, span_t tenant, span_t scenario);
void metric_scenario_destroy (metric_scenario_t **self_p);

static inline bool metric_scenario_runs (const metric_scenario_t *self)
{
    return self->live && self->live->active && self->live->config &&
           self->live->config->metrics.enabled;
}

/*  Takes over the shape of the live configuration, and with it what it means for windows: whether
 * they miss events from now on, and which were not computed while the scenario was away. */
void metric_scenario_adopt (metric_scenario_t *self, const stage_time_t *time);
/*  The first windows become complete, `newest_ms` the newest of them: from which on they are to be owed is the
 * window behind the one that is returned (NONE: as many as the history has). What was empty until then goes without
 * saying (empty_until_ms), where no event can have been missed. */
int64_t metric_scenario_begin (metric_scenario_t *self, const stage_time_t *time, int64_t newest_ms);
/*  Forgets the cells that no window from `newest_ms` on needs; their deletion is put in `changes`.
 */
void metric_scenario_expire (metric_scenario_t *self, int64_t newest_ms, change_set_t *changes);
/*  The metrics block of the live configuration, as results carry it; borrowed until the next call.
 */
span_t metric_scenario_json (metric_scenario_t *self);

/*  Puts all that changed. */
void metric_scenario_collect (metric_scenario_t *self, const action_names_t *names,
                              change_set_t *changes);
/*  Deletes its record; its cells have expired. */
void metric_scenario_delete (const metric_scenario_t *self, change_set_t *changes);

/*  Which record is it? */
typedef enum { METRIC_RECORD_BAD, METRIC_RECORD_SCENARIO, METRIC_RECORD_CELL } metric_record_t;
metric_record_t metric_scenario_record (const uint8_t *key, size_t key_size, uint64_t *hash);
/*  A stored scenario, or NULL where it is not readable. */
metric_scenario_t *metric_scenario_load (uint64_t hash, cursor_t value);
/*  A stored cell of it; -1 where it is not readable. */
int metric_scenario_load_cell (metric_scenario_t *self, const uint8_t *key, action_names_t *names,
                               cursor_t value);

#endif
