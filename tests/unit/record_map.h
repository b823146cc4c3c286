/*  record_map: stored records in memory, for tests of what stages collect and load: applies change
 * sets as shard_store would, and keeps keys in bytewise order. */
#ifndef HOTPATH_TEST_RECORD_MAP_H
#define HOTPATH_TEST_RECORD_MAP_H

#include <stdlib.h>
#include "common/change_set.h"
#include "common/memory.h"
#include "common/span.h"

typedef struct {
    span_t key, value; /* owned */
} record_t;

typedef struct {
    record_t *list;
    size_t count;
} record_map_t;

static inline size_t record_map_lower_bound (const record_map_t *self, span_t key)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_compare (self->list[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline void record_map_remove (record_map_t *self, size_t from, size_t to)
{
    if (from == to)
        return;
    for (size_t i = from; i < to; i++) {
        free ((void *)self->list[i].key.bytes);
        free ((void *)self->list[i].value.bytes);
    }
    memmove (self->list + from, self->list + to, (self->count - to) * sizeof *self->list);
    self->count -= to - from;
}

static inline void record_map_put (record_map_t *self, span_t key, span_t value)
{
    size_t at = record_map_lower_bound (self, key);
    if (at < self->count && span_equal (self->list[at].key, key))
        record_map_remove (self, at, at + 1);
    self->list = memory_resize (self->list, (self->count + 1) * sizeof *self->list);
    memmove (self->list + at + 1, self->list + at, (self->count - at) * sizeof *self->list);
    self->list[at].key = (span_t){memory_copy_string (key.bytes, key.size), key.size};
    self->list[at].value = (span_t){memory_copy_string (value.bytes, value.size), value.size};
    self->count++;
}

/*  Does what a commit would do, and empties the set. Returns how many puts there were. */
static inline size_t record_map_apply (record_map_t *self, change_set_t *changes)
{
    size_t at = 0, puts = 0;
    change_t change;
    while (change_set_next (changes, &at, &change)) {
        span_t key = {change.key, change.key_size}, value = {change.value, change.value_size};
        size_t from = record_map_lower_bound (self, key);
        if (change.kind == CHANGE_PUT) {
            record_map_put (self, key, value);
            puts++;
        } else if (change.kind == CHANGE_DELETE_RANGE) {
            record_map_remove (self, from, record_map_lower_bound (self, value));
        } else if (from < self->count && span_equal (self->list[from].key, key)) {
            record_map_remove (self, from, from + 1);
        }
    }
    change_set_clear (changes);
    return puts;
}

static inline void record_map_free (record_map_t *self)
{
    record_map_remove (self, 0, self->count);
    free (self->list);
    self->list = NULL;
}

#endif
