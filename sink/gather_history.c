/*  gather_history: see gather_history.h. */
#include "sink/gather_history.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum { WINDOWS_MIN = 16 };

void history_memory_init (history_memory_t *self, size_t bytes_max)
{
    *self = (history_memory_t){.bytes_max = bytes_max};
    TAILQ_INIT (&self->kept);
}

void gather_history_init (gather_history_t *self, history_memory_t *memory)
{
    *self = (gather_history_t){.memory = memory};
}

/*  ---- members ---- */

static void add_bytes (gather_history_t *self, size_t bytes)
{
    if (self->bytes > 0)
        TAILQ_REMOVE (&self->memory->kept, self, kept);
    self->bytes += bytes;
    self->memory->bytes += bytes;
    TAILQ_INSERT_TAIL (&self->memory->kept, self, kept); /* touched last */
}

static void drop_member (gather_history_t *self, gather_window_t *window)
{
    if (!window->member.bytes)
        return;
    self->bytes -= window->member.size;
    self->memory->bytes -= window->member.size;
    if (self->bytes == 0)
        TAILQ_REMOVE (&self->memory->kept, self, kept);
    free ((char *)window->member.bytes);
    window->member = (span_t){0};
}

/*  Makes room at the cost of the histories longest untouched. */
static void forget_beyond_bound (history_memory_t *memory, const gather_history_t *but)
{
    gather_history_t *oldest;
    while (memory->bytes > memory->bytes_max && (oldest = TAILQ_FIRST (&memory->kept)) &&
           oldest != but) {
        for (uint32_t i = 0; i < oldest->count; i++) {
            memory->forgotten += oldest->windows[i].member.bytes != NULL;
            drop_member (oldest, &oldest->windows[i]);
        }
    }
}

static void put_member (gather_history_t *self, gather_window_t *window, span_t member)
{
    drop_member (self, window);
    if (member.size == 0)
        return;
    window->member = (span_t){memory_copy_string (member.bytes, member.size), member.size};
    add_bytes (self, member.size);
    forget_beyond_bound (self->memory, self);
}

/*  ---- windows ---- */

static void empty_window (gather_history_t *self, gather_window_t *window)
{
    drop_member (self, window);
    free (window->hashes);
    *window = (gather_window_t){0};
}

void gather_history_free (gather_history_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        empty_window (self, &self->windows[i]);
    free (self->windows);
    self->windows = NULL;
    self->count = self->capacity = 0;
}

/*  Index of the first window at or behind a window end. */
static uint32_t index_of (const gather_history_t *self, int64_t window_end_ms)
{
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->windows[middle].order.window_end_ms < window_end_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

gather_window_t *gather_history_find (const gather_history_t *self, int64_t window_end_ms)
{
    uint32_t at = index_of (self, window_end_ms);
    bool found = at < self->count && self->windows[at].order.window_end_ms == window_end_ms;
    return found ? &self->windows[at] : NULL;
}

static void trim (gather_history_t *self)
{
    if (self->windows_max == 0 || self->count <= self->windows_max)
        return;
    uint32_t excess = self->count - self->windows_max;
    for (uint32_t i = 0; i < excess; i++)
        empty_window (self, &self->windows[i]);
    self->count -= excess;
    memmove (self->windows, self->windows + excess, self->count * sizeof *self->windows);
}

void gather_history_limit (gather_history_t *self, uint32_t windows_max)
{
    self->windows_max = windows_max;
    trim (self);
}

static gather_window_t *need_window (gather_history_t *self, int64_t window_end_ms)
{
    uint32_t at = index_of (self, window_end_ms);
    if (at < self->count && self->windows[at].order.window_end_ms == window_end_ms)
        return &self->windows[at];
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : WINDOWS_MIN;
        self->windows = memory_resize (self->windows, self->capacity * sizeof *self->windows);
    }
    memmove (self->windows + at + 1, self->windows + at,
             (self->count - at) * sizeof *self->windows);
    self->count++;
    self->windows[at] = (gather_window_t){0};
    return &self->windows[at];
}

void gather_history_set (gather_history_t *self, const result_order_t *order, bool empty)
{
    gather_window_t *window = need_window (self, order->window_end_ms);
    empty_window (self, window);
    window->order = *order;
    window->empty = empty;
    window->in_redis = true;
    trim (self);
}

void gather_history_keep (gather_history_t *self, int64_t window_end_ms, span_t member)
{
    gather_window_t *window = gather_history_find (self, window_end_ms);
    if (window)
        put_member (self, window, member);
}

bool gather_history_has_events (const gather_history_t *self, uint64_t lineage, int64_t from_ms,
                                int64_t before_ms)
{
    for (uint32_t i = index_of (self, before_ms); i-- > 0;) {
        const gather_window_t *window = &self->windows[i];
        if (window->order.window_end_ms < from_ms)
            return false;
        if (!window->empty && window->order.lineage == lineage)
            return true;
    }
    return false;
}

const gather_window_t *gather_history_newest (const gather_history_t *self)
{
    return self->count ? &self->windows[self->count - 1] : NULL;
}

/*  ---- what Redis has ---- */

/*  Keeps the windows that `wanted` says. */
static void keep_where (gather_history_t *self, bool (*wanted) (const gather_window_t *))
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (wanted (&self->windows[i]))
            self->windows[kept++] = self->windows[i];
        else
            empty_window (self, &self->windows[i]);
    }
    self->count = kept;
}

static bool has_member (const gather_window_t *window)
{
    return window->member.bytes != NULL;
}

void gather_history_asked (gather_history_t *self)
{
    keep_where (self, has_member);
    for (uint32_t i = 0; i < self->count; i++)
        self->windows[i].in_redis = false;
}

/*  Is the window known here to be written over what Redis has? */
static bool is_greater (const gather_window_t *ours, uint64_t lineage, const result_order_t *theirs,
                        span_t member)
{
    if (!ours->order.known)
        return false;
    if (ours->order.lineage != theirs->lineage)
        return ours->order.lineage == lineage;
    int order = result_order_compare (&ours->order, theirs);
    return order > 0 || (order == 0 && !span_equal (ours->member, member));
}

void gather_history_learn (gather_history_t *self, uint64_t lineage, const result_order_t *order,
                           bool empty, span_t member)
{
    gather_window_t *window = need_window (self, order->window_end_ms);
    if (is_greater (window, lineage, order, member))
        return;
    bool same = window->order.known && window->order.lineage == order->lineage &&
                result_order_compare (&window->order, order) == 0;
    window->in_redis = true;
    if (same)
        return; /* the hashes of its parts stay known */
    empty_window (self, window);
    window->order = *order;
    window->empty = empty;
    window->in_redis = window->looked_up = true;
    put_member (self, window, member);
}

void gather_history_learned (gather_history_t *self)
{
    trim (self);
}

uint32_t gather_history_missing (gather_history_t *self, history_member_t *members,
                                 uint32_t members_max, size_t bytes_max)
{
    uint32_t count = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < self->count && count < members_max && bytes < bytes_max; i++) {
        gather_window_t *window = &self->windows[i];
        if (window->in_redis || !window->member.bytes)
            continue;
        members[count++] = (history_member_t){window->order.window_end_ms, window->member};
        bytes += window->member.size;
        window->in_redis = true;
    }
    return count;
}
