/*  stage: what scorer, profiler and metrics differ in: their cells and their results. The worker (the
 *  loop that they share) owns sockets, vectors, watermarks, commits and ownership; a stage is pure: it
 *  is told events, watermarks and configs, and answers with owed results and changed records.
 *
 *  One `shard` (void *) is the state of one shard. All calls come from one thread.
 *
 *  Life of a shard: open, load (each stored record), loaded, then any of apply / advance / configure /
 *  render / collect, at last close.
 */
#ifndef HOTPATH_STAGE_H
#define HOTPATH_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/action_names.h"
#include "common/buffer.h"
#include "common/change_set.h"
#include "common/event.h"
#include "common/live_scenario.h"
#include "common/owed.h"
#include "common/results.h"

typedef enum { STAGE_SCORER, STAGE_PROFILER, STAGE_METRICS, STAGE_COUNT } stage_id_t;

/*  One event as a section carries it to a stage; spans hold for the call. Fields that the stage does
 *  not read are zero. */
typedef struct {
    const live_scenario_t *scenario; /* active, with a config, and this stage enabled in it */
    int64_t time_ms;
    int64_t complete_ms; /* max (wm (o), the shard's watermark): windows T <= this are complete */
    uint16_t action;     /* number, see action_names */
    uint64_t key_hash;   /* of the item (scorer), of the user (profiler, metrics) */
    span_t user;         /* profiler */
    span_t item;         /* scorer, profiler */
    bool has_stats;      /* scorer: user_hash and watched_ms are given (item_stats) */
    uint64_t user_hash;  /* scorer: key_hash of the user, for unique users */
    uint64_t item_hash;  /* metrics: key_hash of the item */
    int64_t watched_ms;  /* scorer, metrics; EVENT_MS_NONE: not known */
    event_rate_t rate;   /* metrics */
    span_t category;     /* profiler; bytes NULL: none */
    const span_t *tags;  /* profiler; distinct */
    uint32_t tag_count;
} stage_event_t;

typedef struct {
    uint32_t shard, shard_count;
    action_names_t *actions; /* borrowed, for the process life */
    owed_t *owed;            /* borrowed: results are put here */
    /*  Finds a scenario by key_hash_scenario, or NULL (not in the config now). */
    const live_scenario_t *(*find) (void *arg, uint64_t hash);
    /*  The i-th scenario (dense indices from 0), or NULL at the end. */
    const live_scenario_t *(*at) (void *arg, uint32_t index);
    void *find_arg;
} stage_context_t;

/*  Where time stands for a shard. */
typedef struct {
    int64_t watermark_ms;  /* never goes back; EVENT_TIME_NONE: before everything */
    int64_t greatest_ms;   /* greatest event time applied, of all partitions and stages; or NONE */
    int64_t exact_from_ms; /* of the whole shard: windows that begin before it may miss events;
                            * EVENT_TIME_NONE: none does */
    int64_t now_ms;        /* monotonic clock, for limits of rate only */
    int64_t past_ms;       /* the shard is rebuilt, and windows that end by then were written before
                            * (stage_revision); EVENT_TIME_NONE: it is not */
} stage_time_t;

/*  The revision that a window bears. One that a rebuilt shard computes again bears none: beside the parts of
 *  other shards it counts as any, and alone it never replaces what all wrote together, by a config of any age. */
static inline revision_t stage_revision (const stage_time_t *time, const live_scenario_t *scenario,
                                         int64_t window_end_ms)
{
    return window_end_ms <= time->past_ms ? (revision_t){0}
                                          : (revision_t){scenario->era, scenario->number};
}

/*  Which results are to be owed again: those that one sink writes, or all. */
typedef struct {
    bool everything;     /* also what is not the newest: every live profile */
    uint32_t sink;       /* the sink that their route picks … */
    uint32_t sink_count; /* … of so many; 0: whatever sink */
} stage_refresh_t;

static inline bool stage_refresh_wants (stage_refresh_t what, uint64_t route)
{
    return !what.sink_count || route % what.sink_count == what.sink;
}

typedef enum { APPLY_COUNTED, APPLY_LATE } apply_t;

typedef struct {
    stage_id_t id;
    const char *name; /* "scorer": also the folder of its state */

    void *(*open) (const stage_context_t *context);
    void (*close) (void **shard_p);

    /*  One stored record, keys in order; they are those that collect () put (first byte 'c'). -1: not
     *  readable (then the shard is not opened, and says so). */
    int (*load) (void *shard, const uint8_t *key, size_t key_size, const uint8_t *value,
                 size_t value_size);
    /*  All records are there; compares each scenario's stored shape with the live one, as configure. */
    void (*loaded) (void *shard, const stage_time_t *time);

    /*  Events that will be applied next, in this order: asks the processor for the memory that they
     *  will touch, so that its latencies overlap. Changes nothing. Their scenario may be any or NULL,
     *  and complete_ms is not set yet. NULL: nothing to ask for. */
    void (*prefetch) (const void *shard, const stage_event_t *events, uint32_t count);
    /*  Counts one event. LATE: no window of this stage is left for it (never of profiles). */
    apply_t (*apply) (void *shard, const stage_event_t *event);

    /*  The watermark may have moved, or some time has passed: windows that became complete are owed,
     *  what is too old is forgotten. */
    void (*advance) (void *shard, const stage_time_t *time);
    /*  End of all input (--once): owes every window up to the first T above greatest_ms without counting
     *  them as complete, and every changed profile. May be called again after more input. */
    void (*finish) (void *shard, const stage_time_t *time);
    /*  A scenario has a new revision, or became active or inactive: owes its newest complete window and
     *  those not yet acknowledged, with the new revision. Where size, slide, slice or enabled changed, or
     *  the scenario is new while greatest_ms is not NONE, its windows that begin before greatest_ms are
     *  inexact. */
    void (*configure) (void *shard, const live_scenario_t *scenario, const stage_time_t *time);
    /*  A sink or Redis started anew: owes the newest result of every active scenario (everything: also
     *  every profile that has not expired, newest first), as far as `what` wants it. */
    void (*refresh) (void *shard, const stage_time_t *time, stage_refresh_t what);

    /*  Renders the body (results.h) of an owed result that was put without one. -1: it has no content any
     *  more (the scenario or user is gone): it is then no longer owed. */
    int (*render) (void *shard, const uint8_t *key, size_t key_size, const stage_time_t *time,
                   buffer_t *body);

    /*  Owed results of which those without a body will be rendered next, in this order: as prefetch. NULL: nothing
     *  to ask for. */
    void (*foresee) (const void *shard, const owed_waiting_t *list, uint32_t count);

    /*  What the newest complete window of a scenario would be by `config` (its own or another one):
     *  appends a ranking of at most `limit` items as config_wire_write_ranking has it. Changes
     *  nothing. NULL: this stage has no rankings. */
    void (*preview) (void *shard, const live_scenario_t *scenario, const scenario_config_t *config,
                     uint32_t limit, const stage_time_t *time, buffer_t *ranking);

    /*  Appends every record that changed since the last call. */
    void (*collect) (void *shard, change_set_t *changes);
    /*  NULL: collect () appends them all. Else it may leave some to this, which appends a few at each call until there
     *  are no more (false). They are as they were when collect () was called, whatever is called in between: what
     *  changes then belongs to the next collect (), before which this has returned false. */
    bool (*collect_more) (void *shard, change_set_t *changes);

    /*  There is time, as no event waits: does one piece of the work of later calls ahead. It changes no result.
     *  False: there is none. NULL: never. */
    bool (*prepare) (void *shard);

    /*  Number of cells (or profiles) held and their bytes, for gauges. */
    void (*measure) (const void *shard, uint64_t *cells, uint64_t *bytes);
} stage_t;

extern const stage_t scorer_stage, profiler_stage, metrics_stage;

#endif
