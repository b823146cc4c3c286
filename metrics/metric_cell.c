/*  metric_cell: see metric_cell.h. */
#include "metrics/metric_cell.h"

#include <stdlib.h>

#include "common/event.h"
#include "common/pack.h"

enum {
    VALUE_FIELDS = 8,
    CUSTOMS_MAX = ACTION_NUMBER_MAX + 1 - ACTION_CUSTOM, /* every number that there can be */
};

void metric_cell_free (metric_cell_t *self)
{
    free (self->customs);
    distinct_destroy (&self->users);
    distinct_destroy (&self->items);
    self->customs = NULL;
    self->custom_count = 0;
}

void metric_cell_clear (metric_cell_t *self)
{
    distinct_t *users = self->users, *items = self->items;
    free (self->customs);
    *self = (metric_cell_t){.users = users, .items = items};
    if (users)
        distinct_clear (users);
    if (items)
        distinct_clear (items);
}

static void add_custom (metric_cell_t *self, uint16_t action, uint64_t count)
{
    for (uint32_t i = 0; i < self->custom_count; i++)
        if (self->customs[i].action == action) {
            self->customs[i].count += count;
            return;
        }
    /*  Room grows by doubling: at 4, 8, 16 ... entries. */
    uint32_t have = self->custom_count;
    if (have == 0 || (have >= 4 && (have & (have - 1)) == 0))
        self->customs =
            memory_resize (self->customs, (have ? 2 * (size_t)have : 4) * sizeof *self->customs);
    self->customs[self->custom_count++] = (metric_custom_t){action, count};
}

static void add_action (metric_cell_t *self, uint16_t action, uint64_t count)
{
    if (action < ACTION_KNOWN_COUNT)
        self->known[action] += count;
    else if (action >= ACTION_CUSTOM)
        add_custom (self, action, count);
    else
        self->known[ACTION_OTHER] += count; /* a number that a later version may know */
}

static void collect_hash (distinct_t **set_p, uint64_t hash)
{
    if (!*set_p)
        *set_p = distinct_new (DISTINCT_METRICS);
    distinct_add (*set_p, hash);
}

void metric_cell_count (metric_cell_t *self, const stage_event_t *event, bool users, bool items)
{
    add_action (self, event->action, 1);
    self->total++;
    if (event->watched_ms != EVENT_MS_NONE) {
        self->watched_ms += (uint64_t)event->watched_ms;
        self->watched_count++;
    }
    self->rate_known += event->rate != EVENT_RATE_UNKNOWN;
    self->rate_done += event->rate == EVENT_RATE_DONE;
    if (users)
        collect_hash (&self->users, event->key_hash);
    if (items)
        collect_hash (&self->items, event->item_hash);
}

void metric_cell_prefetch (const metric_cell_t *self, const stage_event_t *event)
{
    if (self->users)
        distinct_prefetch (self->users, event->key_hash);
    if (self->items)
        distinct_prefetch (self->items, event->item_hash);
}

void metric_cell_merge (metric_cell_t *self, const metric_cell_t *other)
{
    for (uint32_t i = 0; i < ACTION_KNOWN_COUNT; i++)
        self->known[i] += other->known[i];
    for (uint32_t i = 0; i < other->custom_count; i++)
        add_custom (self, other->customs[i].action, other->customs[i].count);
    self->total += other->total;
    self->watched_ms += other->watched_ms;
    self->watched_count += other->watched_count;
    self->rate_known += other->rate_known;
    self->rate_done += other->rate_done;
    if (self->users && other->users)
        distinct_merge (self->users, other->users);
    if (self->items && other->items)
        distinct_merge (self->items, other->items);
}

size_t metric_cell_memory_bytes (const metric_cell_t *self)
{
    return sizeof *self + self->custom_count * sizeof *self->customs +
           (self->users ? distinct_memory_bytes (self->users) : 0) +
           (self->items ? distinct_memory_bytes (self->items) : 0);
}

static int compare_names (const void *a, const void *b)
{
    return span_compare (((const result_action_t *)a)->name, ((const result_action_t *)b)->name);
}

uint32_t metric_cell_actions (const metric_cell_t *self, const action_names_t *names,
                              result_action_t *list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ACTION_KNOWN_COUNT; i++)
        if (self->known[i])
            list[count++] = (result_action_t){span_of (actions_name ((int)i)), self->known[i]};
    for (uint32_t i = 0; i < self->custom_count; i++)
        list[count++] = (result_action_t){action_names_get (names, self->customs[i].action),
                                          self->customs[i].count};
    qsort (list, count, sizeof *list, compare_names);
    return count;
}

static void write_set (const distinct_t *set, buffer_t *value)
{
    if (set)
        distinct_write (set, value);
    else
        pack_nil (value);
}

void metric_cell_write (const metric_cell_t *self, const action_names_t *names, buffer_t *value)
{
    uint32_t known_count = 0;
    for (uint32_t i = 0; i < ACTION_KNOWN_COUNT; i++)
        known_count += self->known[i] != 0;
    pack_array (value, VALUE_FIELDS);
    pack_uint (value, self->total);
    pack_uint (value, self->watched_ms);
    pack_uint (value, self->watched_count);
    pack_uint (value, self->rate_known);
    pack_uint (value, self->rate_done);
    pack_array (value, 2 * ((size_t)known_count + self->custom_count));
    for (uint32_t i = 0; i < ACTION_KNOWN_COUNT; i++)
        if (self->known[i]) {
            pack_uint (value, i);
            pack_uint (value, self->known[i]);
        }
    for (uint32_t i = 0; i < self->custom_count; i++) {
        pack_span (value, action_names_get (names, self->customs[i].action));
        pack_uint (value, self->customs[i].count);
    }
    write_set (self->users, value);
    write_set (self->items, value);
}

static void read_action (metric_cell_t *self, action_names_t *names, cursor_t *cursor)
{
    uint16_t action;
    if (cursor->at < cursor->end && *cursor->at < 0x80) /* a number; known ones are below 64 */
        action = (uint16_t)cursor_uint_max (cursor, ACTION_CUSTOM - 1);
    else {
        span_t name = cursor_span (cursor, EVENT_ACTION_BYTES_MAX);
        if (!name.size)
            cursor->failed = true;
        int known = cursor->failed ? ACTION_OTHER : actions_find (name);
        action = known >= 0 ? (uint16_t)known : action_names_intern (names, name);
    }
    uint64_t count = cursor_uint (cursor);
    if (!cursor->failed)
        add_action (self, action, count);
}

static void read_set (distinct_t **set_p, cursor_t *cursor)
{
    if (cursor_take_nil (cursor))
        return;
    *set_p = distinct_new (DISTINCT_METRICS);
    distinct_read (*set_p, cursor);
}

void metric_cell_read (metric_cell_t *self, action_names_t *names, cursor_t *cursor)
{
    if (cursor_array (cursor, VALUE_FIELDS) != VALUE_FIELDS)
        cursor->failed = true;
    self->total = cursor_uint (cursor);
    self->watched_ms = cursor_uint (cursor);
    self->watched_count = cursor_uint (cursor);
    self->rate_known = cursor_uint (cursor);
    self->rate_done = cursor_uint (cursor);
    size_t count = cursor_array (cursor, 2 * (size_t)(ACTION_KNOWN_COUNT + CUSTOMS_MAX));
    if (count % 2)
        cursor->failed = true;
    for (size_t i = 0; i < count / 2 && !cursor->failed; i++)
        read_action (self, names, cursor);
    read_set (&self->users, cursor);
    read_set (&self->items, cursor);
}
