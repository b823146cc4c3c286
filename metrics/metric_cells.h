/*  metric_cells: the cells of one scenario in one shard, by slice, length and mark, and which of
 * them changed since they were last stored. It computes no window's fields and knows no
 * configuration.
 */
#ifndef HOTPATH_METRIC_CELLS_H
#define HOTPATH_METRIC_CELLS_H

#include <stddef.h>
#include <stdint.h>
#include "metrics/metric_cell.h"

typedef struct metric_cells metric_cells_t;

metric_cells_t *metric_cells_new (void);
void metric_cells_destroy (metric_cells_t **self_p);

/*  The cell of that slice, length and mark (ms), made where there is none; it counts as changed.
 * Borrowed until the next call. */
metric_cell_t *metric_cells_change (metric_cells_t *self, int64_t slice_ms, int64_t length_ms,
                                    int64_t mark_ms);
/*  Asks the processor for what an event will touch, if it falls into the cell that was changed last. */
void metric_cells_prefetch (const metric_cells_t *self, const stage_event_t *event);
/*  Adds to `sum` what counts in the window [start, end): the cells whose slice begins in it, and
 * whose mark is at most `end`. (Slices of an earlier slide may reach beyond the window's end.) */
void metric_cells_sum (const metric_cells_t *self, int64_t start_ms, int64_t end_ms,
                       metric_cell_t *sum);
/*  Forgets the cells whose slice begins before `before_ms`; returns their number. */
size_t metric_cells_expire (metric_cells_t *self, int64_t before_ms);
/*  A cell that changed since it was last taken here, or NULL. Borrowed until the next call. */
const metric_cell_t *metric_cells_take_changed (metric_cells_t *self);
/*  All count as stored: they were just read. */
void metric_cells_forget_changes (metric_cells_t *self);

/*  Where the oldest slice begins (ms), or EVENT_TIME_NONE: there is no cell. */
int64_t metric_cells_oldest_ms (const metric_cells_t *self);
size_t metric_cells_count (const metric_cells_t *self);
size_t metric_cells_memory_bytes (const metric_cells_t *self);

#endif
