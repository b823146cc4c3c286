/*  metrics_stage: the metrics of each scenario's windows, as this shard's part of them (stage.h).
 *
 *  A part is computed once, when its window is complete, and owed with its body, for the cells go:
 * those are kept that the newest complete window and later ones need. A shard owes a part for each
 * enabled scenario and window that became complete, empty or not, since the sink waits for all shards;
 * of a jump the newest history_windows. Only those before its first event of a scenario it owes
 * none of: each part says until when there was nothing (empty_until_ms), and the sink takes that for
 * them. Ten thousand scenarios would else owe a history of empty windows each, in each shard, at once.
 *
 *  It does not evaluate ratios (common/report.h, in the sink), for they cannot be put together.
 */
#include "common/stage.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/event.h"
#include "common/results.h"
#include "common/windows.h"
#include "metrics/metric_owed.h"
#include "metrics/metric_scenarios.h"

/*  One window of one scenario that is to be owed. */
typedef struct {
    int64_t window_ms;
    metric_scenario_t *scenario;
} due_t;

typedef struct {
    stage_context_t context;
    metric_scenarios_t scenarios;
    change_set_t deletions; /* since the last collect () */
    int64_t quiet_until_ms; /* below that watermark nothing becomes complete or too old */
    int64_t finished_ms;    /* greatest event time of the last finish (); NONE: there was none */

    /*  Scratch, kept for its memory. */
    due_t *dues;
    size_t due_count, due_capacity;
    distinct_t *users, *items;
    metric_cell_t sum;
    result_action_t *actions;
    uint32_t action_capacity;
    buffer_t body;
} shard_t;

static void *open_shard (const stage_context_t *context)
{
    shard_t *self = memory_new (sizeof *self);
    self->context = *context;
    self->quiet_until_ms = EVENT_TIME_NONE;
    self->finished_ms = EVENT_TIME_NONE;
    self->users = distinct_new (DISTINCT_METRICS);
    self->items = distinct_new (DISTINCT_METRICS);
    return self;
}

static void close_shard (void **shard_p)
{
    shard_t *self = *shard_p;
    if (!self)
        return;
    metric_scenarios_free (&self->scenarios);
    change_set_free (&self->deletions);
    free (self->dues);
    self->sum.users = self->sum.items = NULL; /* borrowed from those below */
    metric_cell_free (&self->sum);
    distinct_destroy (&self->users);
    distinct_destroy (&self->items);
    free (self->actions);
    buffer_free (&self->body);
    free (self);
    *shard_p = NULL;
}

/*  ---- which scenarios there are ---- */

/*  Takes over the live configuration of a scenario: one that runs is known from now on. */
static metric_scenario_t *adopt (shard_t *self, const live_scenario_t *live,
                                 const stage_time_t *time)
{
    metric_scenario_t *scenario = metric_scenarios_meet (&self->scenarios, live);
    if (!scenario) {
        scenario =
            metric_scenario_new (live->hash, live_scenario_tenant (live), live_scenario_id (live));
        scenario->live = live;
        if (!metric_scenario_runs (scenario)) {
            metric_scenario_destroy (&scenario);
            return NULL;
        }
        metric_scenarios_add (&self->scenarios, scenario);
    }
    metric_scenario_adopt (scenario, time);
    self->quiet_until_ms = EVENT_TIME_NONE;
    return scenario;
}

/*  Forgets the i-th scenario if it is gone for so long that Redis has nothing of it any more. */
static bool forget (shard_t *self, size_t i, const stage_time_t *time)
{
    metric_scenario_t *scenario = self->scenarios.list[i];
    if (metric_scenario_runs (scenario) || metric_cells_count (scenario->cells))
        return false;
    if (scenario->computed_ms != EVENT_TIME_NONE &&
        time->watermark_ms - METRIC_SCENARIO_FORGET_MS < scenario->computed_ms)
        return false;
    metric_scenario_delete (scenario, &self->deletions);
    metric_scenarios_remove (&self->scenarios, i);
    return true;
}

/*  ---- owing ---- */

static void write_part (shard_t *self, metric_scenario_t *scenario)
{
    metric_cell_t *sum = &self->sum;
    uint32_t room = metric_cell_actions_max (sum);
    if (self->action_capacity < room) {
        self->actions = memory_resize (self->actions, room * sizeof *self->actions);
        self->action_capacity = room;
    }
    uint32_t action_count = metric_cell_actions (sum, self->context.actions, self->actions);
    result_metrics_t part = {.metrics_json = metric_scenario_json (scenario),
                             .total_actions = sum->total,
                             .actions = self->actions,
                             .action_count = action_count,
                             .watched_ms = sum->watched_ms,
                             .watched_count = sum->watched_count,
                             .rate_known = sum->rate_known,
                             .rate_done = sum->rate_done,
                             .users = sum->users,
                             .items = sum->items,
                             .empty_until_ms = scenario->empty_until_ms};
    results_write_metrics (&self->body, &part);
}

static void owe_window (shard_t *self, const due_t *due, const stage_time_t *time)
{
    metric_scenario_t *scenario = due->scenario;
    const live_scenario_t *live = scenario->live;
    int64_t start_ms = due->window_ms - scenario->size_ms;
    self->sum.users = scenario->users ? self->users : NULL;
    self->sum.items = scenario->items ? self->items : NULL;
    metric_cell_clear (&self->sum);
    metric_cells_sum (scenario->cells, start_ms, due->window_ms, &self->sum);

    result_header_t header = {
        .kind = RESULT_METRICS,
        .tenant = live_scenario_tenant (live),
        .scenario = live_scenario_id (live),
        .revision = stage_revision (time, live, due->window_ms),
        .window_start_ms = start_ms,
        .window_end_ms = due->window_ms,
        .exact = start_ms >= scenario->exact_from_ms && start_ms >= time->exact_from_ms,
        .ttl_ms = live->config->metrics.ttl_ms,
        .since_ms = scenario->since.since_ms,
    };
    buffer_clear (&self->body);
    results_write_header (&self->body, &header);
    write_part (self, scenario);

    uint8_t key[METRIC_OWED_KEY_BYTES];
    metric_owed_key (key, due->window_ms, scenario->hash);
    owed_put (self->context.owed, key, sizeof key, scenario->hash, self->body.bytes,
              self->body.size);
    metric_owed_note (scenario, due->window_ms);
    metric_owed_trim (self->context.owed, scenario, due->window_ms, self->sum.total > 0);
}

static void add_due (shard_t *self, metric_scenario_t *scenario, int64_t window_ms)
{
    if (window_ms <= 0)
        return; /* no event is that old */
    if (self->due_count == self->due_capacity) {
        self->due_capacity = self->due_capacity ? 2 * self->due_capacity : 64;
        self->dues = memory_resize (self->dues, self->due_capacity * sizeof *self->dues);
    }
    self->dues[self->due_count++] = (due_t){window_ms, scenario};
}

/*  Adds the windows T with after < T <= last, at most the newest history_windows of them. `after`
 * may be NONE or lie between two windows. */
static void add_dues (shard_t *self, metric_scenario_t *scenario, int64_t after_ms, int64_t last_ms)
{
    int64_t slide_ms = scenario->slide_ms;
    if (last_ms == EVENT_TIME_NONE)
        return;
    int64_t first_ms = last_ms - (scenario->live->config->metrics.history_windows - 1) * slide_ms;
    if (after_ms != EVENT_TIME_NONE) {
        int64_t next_ms = windows_floor (after_ms, slide_ms) + slide_ms;
        first_ms = first_ms > next_ms ? first_ms : next_ms;
    }
    for (int64_t at_ms = first_ms; at_ms <= last_ms; at_ms += slide_ms)
        add_due (self, scenario, at_ms);
}

static int compare_dues (const void *a, const void *b)
{
    const due_t *x = a, *y = b;
    if (x->window_ms != y->window_ms)
        return x->window_ms < y->window_ms ? -1 : 1;
    int order = span_compare (live_scenario_tenant (x->scenario->live),
                              live_scenario_tenant (y->scenario->live));
    return order ? order
                 : span_compare (live_scenario_id (x->scenario->live),
                                 live_scenario_id (y->scenario->live));
}

/*  Owes all dues once each, in the order that all shards have: window, tenant, scenario. */
static void owe_dues (shard_t *self, const stage_time_t *time)
{
    if (!self->due_count)
        return;
    qsort (self->dues, self->due_count, sizeof *self->dues, compare_dues);
    for (size_t i = 0; i < self->due_count; i++)
        if (i == 0 || compare_dues (&self->dues[i - 1], &self->dues[i]) != 0)
            owe_window (self, &self->dues[i], time);
    self->due_count = 0;
}

/*  Adds the windows of a scenario that became complete, and counts them as computed. */
static void add_complete (shard_t *self, metric_scenario_t *scenario, const stage_time_t *time)
{
    int64_t newest_ms = windows_newest (time->watermark_ms, scenario->slide_ms);
    if (newest_ms == EVENT_TIME_NONE || newest_ms <= scenario->computed_ms)
        return;
    int64_t after_ms = scenario->computed_ms;
    if (after_ms == EVENT_TIME_NONE)
        after_ms = metric_scenario_begin (scenario, time, newest_ms);
    add_dues (self, scenario, after_ms, newest_ms);
    scenario->computed_ms = newest_ms;
    scenario->changed = true;
}

/*  Adds the windows that are not complete, up to the one that holds the greatest event time. */
static void add_final (shard_t *self, metric_scenario_t *scenario, int64_t greatest_ms,
                       const stage_time_t *time)
{
    add_dues (self, scenario, windows_newest (time->watermark_ms, scenario->slide_ms),
              windows_final (greatest_ms, scenario->slide_ms));
}

/*  Adds what a scenario shows now: its newest complete window, and after a finish () the final
 * ones. */
static void add_newest (shard_t *self, metric_scenario_t *scenario, const stage_time_t *time)
{
    int64_t newest_ms = windows_newest (time->watermark_ms, scenario->slide_ms);
    if (newest_ms != EVENT_TIME_NONE)
        add_due (self, scenario, newest_ms);
    add_final (self, scenario, self->finished_ms, time);
}

/*  Adds the owed windows of a scenario whose cells are all there: older ones keep their body. */
static void add_owed (shard_t *self, metric_scenario_t *scenario, const stage_time_t *time)
{
    int64_t newest_ms = windows_newest (time->watermark_ms, scenario->slide_ms);
    for (uint32_t i = scenario->owed_count; i-- > 0 && scenario->owed_ms[i] > newest_ms;) {
        int64_t window_ms = scenario->owed_ms[i];
        if (window_ms % scenario->slide_ms == 0 &&
            metric_owed_has (self->context.owed, scenario, window_ms))
            add_due (self, scenario, window_ms);
    }
}

/*  What was owed when the shard was stored. */
static void note_owed (void *arg, const void *key, size_t key_size)
{
    const shard_t *self = arg;
    uint64_t hash;
    int64_t window_ms;
    if (!metric_owed_read (key, key_size, &hash, &window_ms))
        return;
    metric_scenario_t *scenario = metric_scenarios_find (&self->scenarios, hash);
    if (scenario)
        metric_owed_note (scenario, window_ms);
}

/*  ---- the stage ---- */

static int load (void *shard, const uint8_t *key, size_t key_size, const uint8_t *value,
                 size_t value_size)
{
    shard_t *self = shard;
    uint64_t hash = 0;
    metric_record_t record = metric_scenario_record (key, key_size, &hash);
    if (record == METRIC_RECORD_BAD)
        return -1;
    metric_scenario_t *scenario = metric_scenarios_find (&self->scenarios, hash);
    if (record == METRIC_RECORD_CELL)
        return scenario ? metric_scenario_load_cell (scenario, key, self->context.actions,
                                                     cursor_of (value, value_size))
                        : -1;
    if (scenario)
        return -1;
    scenario = metric_scenario_load (hash, cursor_of (value, value_size));
    if (!scenario)
        return -1;
    metric_scenarios_add (&self->scenarios, scenario);
    return 0;
}

static void loaded (void *shard, const stage_time_t *time)
{
    shard_t *self = shard;
    const live_scenario_t *live;
    owed_each_with_body (self->context.owed, note_owed, self);
    for (uint32_t i = 0; (live = self->context.at (self->context.find_arg, i)); i++)
        adopt (self, live, time);
    for (size_t i = 0; i < self->scenarios.count; i++)
        if (!self->scenarios.list[i]->live)
            metric_scenario_adopt (self->scenarios.list[i], time); /* it left the configuration */
}

static void prefetch (const void *shard, const stage_event_t *events, uint32_t count)
{
    const shard_t *self = shard;
    for (uint32_t i = 0; i < count; i++) {
        const live_scenario_t *live = events[i].scenario;
        const metric_scenario_t *scenario = live ? metric_scenarios_met (&self->scenarios, live) : NULL;
        if (scenario)
            metric_cells_prefetch (scenario->cells, &events[i]);
    }
}

static apply_t apply (void *shard, const stage_event_t *event)
{
    static const stage_time_t unknown = {.watermark_ms = EVENT_TIME_NONE,
                                         .greatest_ms = EVENT_TIME_NONE,
                                         .exact_from_ms = EVENT_TIME_NONE};
    shard_t *self = shard;
    const config_metrics_t *config = &event->scenario->config->metrics;
    int64_t mark_ms =
        windows_mark (event->time_ms, event->complete_ms, config->size_ms, config->slide_ms);
    if (mark_ms == WINDOWS_LATE)
        return APPLY_LATE;
    metric_scenario_t *scenario = metric_scenarios_meet (&self->scenarios, event->scenario);
    if (!scenario)
        scenario = adopt (self, event->scenario, &unknown);
    CHECK (scenario); /* it runs: or the event would not be here */
    int64_t slice_ms = windows_floor (event->time_ms, config->slide_ms);
    metric_cell_t *cell =
        metric_cells_change (scenario->cells, slice_ms, config->slide_ms, mark_ms);
    metric_cell_count (cell, event, config->active_users, config->exposed_items);
    return APPLY_COUNTED;
}

static void advance (void *shard, const stage_time_t *time)
{
    shard_t *self = shard;
    if (time->watermark_ms == EVENT_TIME_NONE || time->watermark_ms < self->quiet_until_ms)
        return;
    for (size_t i = 0; i < self->scenarios.count; i++)
        if (metric_scenario_runs (self->scenarios.list[i]))
            add_complete (self, self->scenarios.list[i], time);
    owe_dues (self, time);

    self->quiet_until_ms = INT64_MAX;
    for (size_t i = 0; i < self->scenarios.count;) {
        metric_scenario_t *scenario = self->scenarios.list[i];
        int64_t newest_ms = windows_newest (time->watermark_ms, scenario->slide_ms);
        metric_scenario_expire (scenario, newest_ms, &self->deletions);
        if (self->quiet_until_ms > newest_ms + scenario->slide_ms)
            self->quiet_until_ms = newest_ms + scenario->slide_ms;
        if (!forget (self, i, time))
            i++;
    }
}

static void finish (void *shard, const stage_time_t *time)
{
    shard_t *self = shard;
    advance (self, time);
    self->finished_ms = time->greatest_ms;
    for (size_t i = 0; i < self->scenarios.count; i++)
        if (metric_scenario_runs (self->scenarios.list[i]))
            add_final (self, self->scenarios.list[i], time->greatest_ms, time);
    owe_dues (self, time);
}

static void configure (void *shard, const live_scenario_t *live, const stage_time_t *time)
{
    shard_t *self = shard;
    metric_scenario_t *scenario = adopt (self, live, time);
    if (!scenario || !metric_scenario_runs (scenario))
        return;
    add_complete (self, scenario, time);
    add_newest (self, scenario, time);
    add_owed (self, scenario, time);
    owe_dues (self, time);
}

/*  `everything` or not is the same here: of older windows the cells are gone. */
static void refresh (void *shard, const stage_time_t *time, stage_refresh_t what)
{
    shard_t *self = shard;
    advance (self, time);
    for (size_t i = 0; i < self->scenarios.count; i++)
        if (metric_scenario_runs (self->scenarios.list[i]) &&
            stage_refresh_wants (what, self->scenarios.list[i]->hash))
            add_newest (self, self->scenarios.list[i], time);
    owe_dues (self, time);
}

/*  Metrics are owed with their body: there is nothing to render. */
static int render (void *shard, const uint8_t *key, size_t key_size, const stage_time_t *time,
                   buffer_t *body)
{
    (void)shard, (void)key, (void)key_size, (void)time, (void)body;
    return -1;
}

static void collect (void *shard, change_set_t *changes)
{
    shard_t *self = shard;
    change_set_append (changes, &self->deletions);
    for (size_t i = 0; i < self->scenarios.count; i++)
        metric_scenario_collect (self->scenarios.list[i], self->context.actions, changes);
}

static void measure (const void *shard, uint64_t *cells, uint64_t *bytes)
{
    const shard_t *self = shard;
    *cells = 0;
    *bytes = sizeof *self;
    for (size_t i = 0; i < self->scenarios.count; i++) {
        *cells += metric_cells_count (self->scenarios.list[i]->cells);
        *bytes +=
            sizeof *self->scenarios.list[i] + metric_cells_memory_bytes (self->scenarios.list[i]->cells);
    }
}

const stage_t metrics_stage = {
    .id = STAGE_METRICS,
    .name = "metrics",
    .open = open_shard,
    .close = close_shard,
    .load = load,
    .loaded = loaded,
    .prefetch = prefetch,
    .apply = apply,
    .advance = advance,
    .finish = finish,
    .configure = configure,
    .refresh = refresh,
    .render = render,
    .collect = collect,
    .measure = measure,
};
