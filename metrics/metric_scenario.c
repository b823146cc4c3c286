/*  metric_scenario: see metric_scenario.h. */
#include "metrics/metric_scenario.h"

#include <stdlib.h>

#include "common/event.h"
#include "common/pack.h"
#include "common/windows.h"

enum {
    NUMBER_BYTES = 8,
    SCENARIO_KEY_BYTES = 2 + NUMBER_BYTES,
    RANGE_KEY_BYTES = SCENARIO_KEY_BYTES + NUMBER_BYTES,
    CELL_KEY_BYTES = SCENARIO_KEY_BYTES + 3 * NUMBER_BYTES,
    SCENARIO_FIELDS_FIRST = 9,                                              /* without the revision */
    SCENARIO_FIELDS_BEFORE = SCENARIO_FIELDS_FIRST + REVISION_SINCE_FIELDS, /* without empty_until_ms */
    SCENARIO_FIELDS = SCENARIO_FIELDS_BEFORE + 1,
};

static void put_number (uint8_t *to, uint64_t value)
{
    for (int i = 0; i < NUMBER_BYTES; i++)
        to[i] = (uint8_t)(value >> 8 * (NUMBER_BYTES - 1 - i));
}

static uint64_t get_number (const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 0; i < NUMBER_BYTES; i++)
        value = value << 8 | from[i];
    return value;
}

static void put_prefix (uint8_t *key, metric_record_t record, uint64_t hash)
{
    key[0] = 'c';
    key[1] = (uint8_t)record;
    put_number (key + 2, hash);
}

metric_scenario_t *metric_scenario_new (uint64_t hash, span_t tenant, span_t scenario)
{
    metric_scenario_t *self = memory_new (sizeof *self);
    self->hash = hash;
    self->tenant = memory_copy_string (tenant.bytes, tenant.size);
    self->tenant_size = tenant.size;
    self->scenario = memory_copy_string (scenario.bytes, scenario.size);
    self->scenario_size = scenario.size;
    self->exact_from_ms = EVENT_TIME_NONE;
    self->computed_ms = EVENT_TIME_NONE;
    self->filled_ms = EVENT_TIME_NONE;
    self->since.since_ms = EVENT_TIME_NONE;
    self->cells = metric_cells_new ();
    self->changed = true;
    return self;
}

void metric_scenario_destroy (metric_scenario_t **self_p)
{
    metric_scenario_t *self = *self_p;
    if (!self)
        return;
    metric_cells_destroy (&self->cells);
    free (self->owed_ms);
    buffer_free (&self->json);
    free (self->tenant);
    free (self->scenario);
    free (self);
    *self_p = NULL;
}

/*  Windows that begin at or before the greatest event time may miss some of their events. */
static void lose_exactness (metric_scenario_t *self, const stage_time_t *time)
{
    if (time->greatest_ms != EVENT_TIME_NONE && self->exact_from_ms <= time->greatest_ms)
        self->exact_from_ms = time->greatest_ms + 1;
}

/*  A scenario that was away, or whose windows lie elsewhere now, has only its newest complete
 * window computed: older ones would be computed without the events that had expired, and replace
 * better. */
static void skip_to_newest (metric_scenario_t *self, const stage_time_t *time)
{
    int64_t newest_ms = windows_newest (time->watermark_ms, self->slide_ms);
    if (self->computed_ms == EVENT_TIME_NONE || newest_ms == EVENT_TIME_NONE)
        return;
    if (self->computed_ms < newest_ms - self->slide_ms)
        self->computed_ms = newest_ms - self->slide_ms;
}

void metric_scenario_adopt (metric_scenario_t *self, const stage_time_t *time)
{
    if (!metric_scenario_runs (self)) {
        self->changed |= self->enabled;
        self->enabled = false; /* its shape stays, so that its cells go by age */
        return;
    }
    const config_metrics_t *config = &self->live->config->metrics;
    self->changed |= revision_since_take (&self->since, self->live, time->greatest_ms);
    bool returned = !self->enabled;
    bool moved = self->slide_ms != config->slide_ms;
    bool resized = self->size_ms != config->size_ms;
    bool collects_more =
        (config->active_users && !self->users) || (config->exposed_items && !self->items);
    bool collects_less =
        (!config->active_users && self->users) || (!config->exposed_items && self->items);
    self->changed |= returned || moved || resized || collects_more || collects_less;
    self->enabled = true;
    self->size_ms = config->size_ms;
    self->slide_ms = config->slide_ms;
    self->users = config->active_users;
    self->items = config->exposed_items;
    if (returned || moved || resized || collects_more)
        lose_exactness (self, time);
    if (returned || moved)
        skip_to_newest (self, time);
}

int64_t metric_scenario_begin (metric_scenario_t *self, const stage_time_t *time, int64_t newest_ms)
{
    int64_t oldest_ms = metric_cells_oldest_ms (self->cells);
    if (self->exact_from_ms != EVENT_TIME_NONE || time->exact_from_ms != EVENT_TIME_NONE)
        return EVENT_TIME_NONE;
    bool empty = oldest_ms == EVENT_TIME_NONE || oldest_ms >= newest_ms;
    self->empty_until_ms = empty ? newest_ms : oldest_ms;
    /*  The newest is owed in any case: it is what says so. */
    return empty ? newest_ms - self->slide_ms : oldest_ms;
}

void metric_scenario_expire (metric_scenario_t *self, int64_t newest_ms, change_set_t *changes)
{
    if (newest_ms == EVENT_TIME_NONE || newest_ms <= self->size_ms)
        return; /* no event is that old */
    int64_t before_ms = newest_ms - self->size_ms;
    if (!metric_cells_expire (self->cells, before_ms))
        return;
    uint8_t from[SCENARIO_KEY_BYTES], to[RANGE_KEY_BYTES];
    put_prefix (from, METRIC_RECORD_CELL, self->hash);
    put_prefix (to, METRIC_RECORD_CELL, self->hash);
    put_number (to + SCENARIO_KEY_BYTES, (uint64_t)before_ms);
    change_set_delete_range (changes, from, sizeof from, to, sizeof to);
}

span_t metric_scenario_json (metric_scenario_t *self)
{
    const live_scenario_t *live = self->live;
    if (!self->json.size || self->json_era != live->era || self->json_number != live->number) {
        buffer_clear (&self->json);
        scenario_config_write_metrics (live->config, &self->json);
        self->json_era = live->era;
        self->json_number = live->number;
    }
    return (span_t){(const char *)self->json.bytes, self->json.size};
}

static void put_scenario (metric_scenario_t *self, buffer_t *value, change_set_t *changes)
{
    uint8_t key[SCENARIO_KEY_BYTES];
    put_prefix (key, METRIC_RECORD_SCENARIO, self->hash);
    buffer_clear (value);
    pack_array (value, SCENARIO_FIELDS);
    pack_span (value, (span_t){self->tenant, self->tenant_size});
    pack_span (value, (span_t){self->scenario, self->scenario_size});
    pack_bool (value, self->enabled);
    pack_int (value, self->size_ms);
    pack_int (value, self->slide_ms);
    pack_bool (value, self->users);
    pack_bool (value, self->items);
    pack_int (value, self->exact_from_ms);
    pack_int (value, self->computed_ms);
    revision_since_write (&self->since, value);
    pack_int (value, self->empty_until_ms);
    change_set_put (changes, key, sizeof key, value->bytes, value->size);
    self->changed = false;
}

void metric_scenario_collect (metric_scenario_t *self, const action_names_t *names,
                              change_set_t *changes)
{
    buffer_t value = {0};
    if (self->changed)
        put_scenario (self, &value, changes);
    const metric_cell_t *cell;
    while ((cell = metric_cells_take_changed (self->cells))) {
        uint8_t key[CELL_KEY_BYTES];
        put_prefix (key, METRIC_RECORD_CELL, self->hash);
        put_number (key + SCENARIO_KEY_BYTES, (uint64_t)cell->slice_ms);
        put_number (key + SCENARIO_KEY_BYTES + NUMBER_BYTES, (uint64_t)cell->length_ms);
        put_number (key + SCENARIO_KEY_BYTES + 2 * NUMBER_BYTES, (uint64_t)cell->mark_ms);
        buffer_clear (&value);
        metric_cell_write (cell, names, &value);
        change_set_put (changes, key, sizeof key, value.bytes, value.size);
    }
    buffer_free (&value);
}

void metric_scenario_delete (const metric_scenario_t *self, change_set_t *changes)
{
    uint8_t key[SCENARIO_KEY_BYTES];
    put_prefix (key, METRIC_RECORD_SCENARIO, self->hash);
    change_set_delete (changes, key, sizeof key);
}

metric_record_t metric_scenario_record (const uint8_t *key, size_t key_size, uint64_t *hash)
{
    if (key_size < SCENARIO_KEY_BYTES || key[0] != 'c')
        return METRIC_RECORD_BAD;
    *hash = get_number (key + 2);
    if (key[1] == METRIC_RECORD_SCENARIO && key_size == SCENARIO_KEY_BYTES)
        return METRIC_RECORD_SCENARIO;
    if (key[1] == METRIC_RECORD_CELL && key_size == CELL_KEY_BYTES)
        return METRIC_RECORD_CELL;
    return METRIC_RECORD_BAD;
}

metric_scenario_t *metric_scenario_load (uint64_t hash, cursor_t value)
{
    size_t fields = cursor_array (&value, SCENARIO_FIELDS);
    if (fields != SCENARIO_FIELDS && fields != SCENARIO_FIELDS_BEFORE && fields != SCENARIO_FIELDS_FIRST)
        return NULL;
    span_t tenant = cursor_span (&value, EVENT_ID_BYTES_MAX);
    span_t scenario = cursor_span (&value, EVENT_ID_BYTES_MAX);
    metric_scenario_t *self = metric_scenario_new (hash, tenant, scenario);
    self->enabled = cursor_bool (&value);
    self->size_ms = cursor_int (&value);
    self->slide_ms = cursor_int (&value);
    self->users = cursor_bool (&value);
    self->items = cursor_bool (&value);
    self->exact_from_ms = cursor_int (&value);
    self->computed_ms = cursor_int (&value);
    if (fields >= SCENARIO_FIELDS_BEFORE)
        self->since = revision_since_read (&value);
    if (fields == SCENARIO_FIELDS)
        self->empty_until_ms = cursor_int (&value);
    self->changed = false;
    if (!cursor_finished (&value) || self->slide_ms <= 0 || self->size_ms < self->slide_ms)
        metric_scenario_destroy (&self);
    return self;
}

int metric_scenario_load_cell (metric_scenario_t *self, const uint8_t *key, action_names_t *names,
                               cursor_t value)
{
    int64_t slice_ms = (int64_t)get_number (key + SCENARIO_KEY_BYTES);
    int64_t length_ms = (int64_t)get_number (key + SCENARIO_KEY_BYTES + NUMBER_BYTES);
    int64_t mark_ms = (int64_t)get_number (key + SCENARIO_KEY_BYTES + 2 * NUMBER_BYTES);
    if (slice_ms < 0 || length_ms <= 0 || mark_ms < 0)
        return -1;
    metric_cell_t *cell = metric_cells_change (self->cells, slice_ms, length_ms, mark_ms);
    metric_cell_read (cell, names, &value);
    metric_cells_forget_changes (self->cells);
    return cursor_finished (&value) ? 0 : -1;
}
