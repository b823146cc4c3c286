#include "scorer/score_scenario.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/event.h"
#include "common/memory.h"
#include "common/pack.h"
#include "common/windows.h"

enum { RECORD_FIELDS_BEFORE = 8, RECORD_FIELDS = RECORD_FIELDS_BEFORE + REVISION_SINCE_FIELDS };
#define LENGTH_MS_MAX UINT32_MAX /* of a slice: its length has 4 bytes in keys */

score_scenario_t *score_scenario_new (span_t tenant, span_t scenario, uint64_t hash,
                                      const action_names_t *names)
{
    score_scenario_t *self = memory_new (sizeof *self);
    self->hash = hash;
    self->tenant = memory_copy_string (tenant.bytes, tenant.size);
    self->tenant_size = tenant.size;
    self->scenario = memory_copy_string (scenario.bytes, scenario.size);
    self->scenario_size = scenario.size;
    self->exact_from_ms = EVENT_TIME_NONE;
    self->newest_ms = EVENT_TIME_NONE;
    self->since.since_ms = EVENT_TIME_NONE;
    self->ahead_of_ms = EVENT_TIME_NONE;
    self->cells = score_cells_new (hash, names);
    return self;
}

void score_scenario_destroy (score_scenario_t **self_p)
{
    score_scenario_t *self = *self_p;
    if (!self)
        return;
    ranking_ahead_destroy (&self->ahead);
    score_cells_destroy (&self->cells);
    free (self->weights);
    free (self->tenant);
    free (self->scenario);
    free (self);
    *self_p = NULL;
}

bool score_scenario_enabled (const score_scenario_t *self)
{
    return self->live && self->live->active && self->live->config &&
           self->live->config->hot_score.enabled;
}

static bool same_shape (const score_shape_t *a, const score_shape_t *b)
{
    return a->size_ms == b->size_ms && a->slide_ms == b->slide_ms && a->slice_ms == b->slice_ms &&
           a->counts_only == b->counts_only && a->enabled == b->enabled;
}

void score_scenario_take_shape (score_scenario_t *self, int64_t greatest_ms)
{
    if (self->live && revision_since_take (&self->since, self->live, greatest_ms))
        self->dirty = true;
    score_shape_t shape =
        self->shape; /* sizes stay while disabled, so that its cells age by them */
    shape.enabled = score_scenario_enabled (self);
    if (shape.enabled) {
        const config_hot_score_t *config = &self->live->config->hot_score;
        CHECK (config->slice_ms >= 1 && config->slice_ms <= LENGTH_MS_MAX);
        shape.size_ms = config->size_ms;
        shape.slide_ms = config->slide_ms;
        shape.slice_ms = config->slice_ms;
        shape.counts_only = config->lambda_per_ms <= 0;
    }
    if (same_shape (&shape, &self->shape))
        return;
    self->shape = shape;
    self->dirty = true;
    if (shape.enabled && greatest_ms != EVENT_TIME_NONE)
        self->exact_from_ms = windows_floor (greatest_ms, shape.slice_ms) + shape.slice_ms;
}

void score_scenario_forget_weights (score_scenario_t *self)
{
    self->weight_count = 0;
}

/*  Weight of the action of this number; actions without a name have none. */
static double weight_of (const score_scenario_t *self, const config_weights_t *by, uint32_t action)
{
    bool named = action < ACTION_KNOWN_COUNT || action >= ACTION_CUSTOM;
    return named ? config_weights_get (by, action_names_get (self->cells->names, (uint16_t)action))
                 : 0;
}

void score_scenario_weights_by (const score_scenario_t *self, const config_weights_t *by,
                                double *weights)
{
    for (uint32_t i = 0; i < self->cells->action_limit; i++)
        weights[i] = weight_of (self, by, i);
}

const double *score_scenario_weights (score_scenario_t *self)
{
    const live_scenario_t *live = self->live;
    if (live->era != self->weights_era || live->number != self->weights_number)
        self->weight_count = 0;
    self->weights_era = live->era;
    self->weights_number = live->number;
    uint32_t count = self->cells->action_limit;
    if (self->weight_count >= count)
        return self->weights;
    self->weights = memory_resize (self->weights, count * sizeof *self->weights);
    for (uint32_t i = self->weight_count; i < count; i++)
        self->weights[i] = weight_of (self, &live->config->hot_score.weights, i);
    self->weight_count = count;
    return self->weights;
}

void score_scenario_write (const score_scenario_t *self, buffer_t *to)
{
    pack_array (to, RECORD_FIELDS);
    pack_span (to, (span_t){self->tenant, self->tenant_size});
    pack_span (to, (span_t){self->scenario, self->scenario_size});
    pack_int (to, self->shape.size_ms);
    pack_int (to, self->shape.slide_ms);
    pack_int (to, self->shape.slice_ms);
    pack_bool (to, self->shape.counts_only);
    pack_bool (to, self->shape.enabled);
    pack_int (to, self->exact_from_ms);
    revision_since_write (&self->since, to);
}

/*  Lengths are all given, or all 0 (never enabled). */
static bool valid_shape (const score_shape_t *shape)
{
    if (!shape->size_ms && !shape->slide_ms && !shape->slice_ms)
        return !shape->enabled;
    return shape->slice_ms >= 1 && shape->slice_ms <= LENGTH_MS_MAX && shape->slide_ms >= 1 &&
           shape->size_ms >= shape->slide_ms && shape->size_ms <= LENGTH_MS_MAX;
}

score_scenario_t *score_scenario_read (const uint8_t *value, size_t value_size, uint64_t hash,
                                       const action_names_t *names)
{
    cursor_t cursor = cursor_of (value, value_size);
    size_t fields = cursor_array (&cursor, RECORD_FIELDS);
    if (fields != RECORD_FIELDS && fields != RECORD_FIELDS_BEFORE)
        return NULL;
    span_t tenant = cursor_span (&cursor, EVENT_ID_BYTES_MAX);
    span_t scenario = cursor_span (&cursor, EVENT_ID_BYTES_MAX);
    score_shape_t shape = {0};
    shape.size_ms = cursor_int (&cursor);
    shape.slide_ms = cursor_int (&cursor);
    shape.slice_ms = cursor_int (&cursor);
    shape.counts_only = cursor_bool (&cursor);
    shape.enabled = cursor_bool (&cursor);
    int64_t exact_from_ms = cursor_int (&cursor);
    revision_since_t since = {.since_ms = EVENT_TIME_NONE};
    if (fields == RECORD_FIELDS)
        since = revision_since_read (&cursor);
    if (!cursor_finished (&cursor) || !valid_shape (&shape))
        return NULL;
    score_scenario_t *self = score_scenario_new (tenant, scenario, hash, names);
    self->shape = shape;
    self->exact_from_ms = exact_from_ms;
    self->since = since;
    return self;
}
