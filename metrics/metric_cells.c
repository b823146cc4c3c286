/*  metric_cells: see metric_cells.h. A sorted array of pointers: there are few cells (slices in a
 * window, times the marks of stragglers), and nearly every event falls into the one that was used
 * last.
 */
#include "metrics/metric_cells.h"

#include <stdlib.h>
#include <string.h>

#include "common/event.h"

typedef struct {
    metric_cell_t **list;
    size_t count, capacity;
} cell_list_t;

struct metric_cells {
    cell_list_t cells;   /* by slice, length, mark */
    cell_list_t changed; /* borrows from cells */
    metric_cell_t *recent;
};

metric_cells_t *metric_cells_new (void)
{
    return memory_new (sizeof (metric_cells_t));
}

static void destroy_cell (metric_cell_t *cell)
{
    metric_cell_free (cell);
    free (cell);
}

void metric_cells_destroy (metric_cells_t **self_p)
{
    metric_cells_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->cells.count; i++)
        destroy_cell (self->cells.list[i]);
    free (self->cells.list);
    free (self->changed.list);
    free (self);
    *self_p = NULL;
}

static void insert (cell_list_t *to, size_t at, metric_cell_t *cell)
{
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? 2 * to->capacity : 8;
        to->list = memory_resize (to->list, to->capacity * sizeof *to->list);
    }
    memmove (to->list + at + 1, to->list + at, (to->count - at) * sizeof *to->list);
    to->list[at] = cell;
    to->count++;
}

static int compare (const metric_cell_t *cell, int64_t slice_ms, int64_t length_ms, int64_t mark_ms)
{
    if (cell->slice_ms != slice_ms)
        return cell->slice_ms < slice_ms ? -1 : 1;
    if (cell->length_ms != length_ms)
        return cell->length_ms < length_ms ? -1 : 1;
    return (cell->mark_ms > mark_ms) - (cell->mark_ms < mark_ms);
}

/*  Index of the first cell that is not before that place. */
static size_t find (const metric_cells_t *self, int64_t slice_ms, int64_t length_ms,
                    int64_t mark_ms)
{
    size_t low = 0, high = self->cells.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare (self->cells.list[middle], slice_ms, length_ms, mark_ms) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static metric_cell_t *find_or_make (metric_cells_t *self, int64_t slice_ms, int64_t length_ms,
                                    int64_t mark_ms)
{
    metric_cell_t *recent = self->recent;
    if (recent && compare (recent, slice_ms, length_ms, mark_ms) == 0)
        return recent;
    size_t at = find (self, slice_ms, length_ms, mark_ms);
    if (at < self->cells.count && compare (self->cells.list[at], slice_ms, length_ms, mark_ms) == 0)
        return self->cells.list[at];
    metric_cell_t *cell = memory_new (sizeof *cell);
    cell->slice_ms = slice_ms;
    cell->length_ms = length_ms;
    cell->mark_ms = mark_ms;
    insert (&self->cells, at, cell);
    return cell;
}

metric_cell_t *metric_cells_change (metric_cells_t *self, int64_t slice_ms, int64_t length_ms,
                                    int64_t mark_ms)
{
    metric_cell_t *cell = find_or_make (self, slice_ms, length_ms, mark_ms);
    self->recent = cell;
    if (!cell->changed) {
        cell->changed = true;
        insert (&self->changed, self->changed.count, cell);
    }
    return cell;
}

void metric_cells_prefetch (const metric_cells_t *self, const stage_event_t *event)
{
    if (self->recent)
        metric_cell_prefetch (self->recent, event);
}

void metric_cells_sum (const metric_cells_t *self, int64_t start_ms, int64_t end_ms,
                       metric_cell_t *sum)
{
    for (size_t i = find (self, start_ms, 0, 0); i < self->cells.count; i++) {
        const metric_cell_t *cell = self->cells.list[i];
        if (cell->slice_ms >= end_ms)
            break;
        if (cell->mark_ms <= end_ms)
            metric_cell_merge (sum, cell);
    }
}

size_t metric_cells_expire (metric_cells_t *self, int64_t before_ms)
{
    size_t expired = find (self, before_ms, 0, 0);
    if (!expired)
        return 0;
    size_t kept = 0;
    for (size_t i = 0; i < self->changed.count; i++)
        if (self->changed.list[i]->slice_ms >= before_ms)
            self->changed.list[kept++] = self->changed.list[i];
    self->changed.count = kept;
    self->recent = NULL;
    for (size_t i = 0; i < expired; i++)
        destroy_cell (self->cells.list[i]);
    self->cells.count -= expired;
    memmove (self->cells.list, self->cells.list + expired,
             self->cells.count * sizeof *self->cells.list);
    return expired;
}

const metric_cell_t *metric_cells_take_changed (metric_cells_t *self)
{
    if (!self->changed.count)
        return NULL;
    metric_cell_t *cell = self->changed.list[--self->changed.count];
    cell->changed = false;
    return cell;
}

void metric_cells_forget_changes (metric_cells_t *self)
{
    while (metric_cells_take_changed (self))
        ;
}

int64_t metric_cells_oldest_ms (const metric_cells_t *self)
{
    return self->cells.count ? self->cells.list[0]->slice_ms : EVENT_TIME_NONE;
}

size_t metric_cells_count (const metric_cells_t *self)
{
    return self->cells.count;
}

size_t metric_cells_memory_bytes (const metric_cells_t *self)
{
    size_t bytes =
        sizeof *self + (self->cells.capacity + self->changed.capacity) * sizeof *self->cells.list;
    for (size_t i = 0; i < self->cells.count; i++)
        bytes += metric_cell_memory_bytes (self->cells.list[i]);
    return bytes;
}
