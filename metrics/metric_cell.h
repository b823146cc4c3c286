/*  metric_cell: what the users of one shard did in one scenario in one slice: counts and sums, and
 * the sets of users and items where the scenario wants them. The sum over a window is such a cell
 * too. It knows no windows, and nothing of when it is stored (metric_cells).
 */
#ifndef HOTPATH_METRIC_CELL_H
#define HOTPATH_METRIC_CELL_H

#include <stdbool.h>
#include <stdint.h>
#include "common/action_names.h"
#include "common/buffer.h"
#include "common/distinct.h"
#include "common/results.h"
#include "common/stage.h"

typedef struct {
    uint16_t action;
    uint64_t count;
} metric_custom_t;

typedef struct {
    int64_t slice_ms, length_ms; /* [slice, slice + length) */
    int64_t mark_ms; /* the first window that it counts in; 0: every one that covers it */
    bool changed;    /* since it was last stored: of metric_cells */

    uint64_t known[ACTION_KNOWN_COUNT];
    metric_custom_t *customs; /* of actions from ACTION_CUSTOM up, in no order */
    uint32_t custom_count;
    uint64_t total, watched_ms, watched_count, rate_known, rate_done;
    distinct_t *users, *items; /* NULL: not collected */
} metric_cell_t;

/*  Frees what it holds, and its sets; not itself. */
void metric_cell_free (metric_cell_t *self);
/*  Zero counts and empty sets (kept where they were). */
void metric_cell_clear (metric_cell_t *self);
/*  Counts one event; collects its user and its item where told. */
void metric_cell_count (metric_cell_t *self, const stage_event_t *event, bool users, bool items);
/*  Asks the processor for what counting it will touch. */
void metric_cell_prefetch (const metric_cell_t *self, const stage_event_t *event);
/*  self += other; sets are merged where self has them. */
void metric_cell_merge (metric_cell_t *self, const metric_cell_t *other);
size_t metric_cell_memory_bytes (const metric_cell_t *self);

/*  The actions with a count, sorted by name. `list` has room for metric_cell_actions_max. */
uint32_t metric_cell_actions (const metric_cell_t *self, const action_names_t *names,
                              result_action_t *list);
static inline uint32_t metric_cell_actions_max (const metric_cell_t *self)
{
    return ACTION_KNOWN_COUNT + self->custom_count;
}

/*  As stored: msgpack; known actions by number, the scenarios' own by name. */
void metric_cell_write (const metric_cell_t *self, const action_names_t *names, buffer_t *value);
/*  Reads into an empty cell; cursor->failed on bad bytes. */
void metric_cell_read (metric_cell_t *self, action_names_t *names, cursor_t *cursor);

#endif
