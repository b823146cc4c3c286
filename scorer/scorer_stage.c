#include "scorer/scorer_stage.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/config_wire.h"
#include "common/memory.h"
#include "common/windows.h"
#include "scorer/ranking.h"
#include "scorer/score_records.h"
#include "scorer/score_scenario.h"

enum { RESULT_KEY_BYTES = 9, PREFETCH_MAX = 32 };

typedef struct {
    stage_context_t context;
    score_scenario_t **list; /* sorted by hash: stored ones and live ones */
    uint32_t count, capacity;
    score_scenario_t **by_index; /* by live_scenario_t.index; NULL: not met yet */
    uint32_t index_count;
    int64_t watermark_ms;      /* of the last advance; EVENT_TIME_NONE before */
    int64_t final_greatest_ms; /* input has ended here, until more is applied; or EVENT_TIME_NONE */
    uint64_t *to_prepare;      /* hashes of scenarios that wait to be looked ahead of */
    uint32_t to_prepare_count, to_prepare_capacity;
    change_set_t deletes;      /* for the next collect, before all puts */
    buffer_t scratch;
    ranking_t *ranking;
} scorer_t;

static void *open_shard (const stage_context_t *context)
{
    scorer_t *self = memory_new (sizeof *self);
    self->context = *context;
    self->watermark_ms = EVENT_TIME_NONE;
    self->final_greatest_ms = EVENT_TIME_NONE;
    self->ranking = ranking_new ();
    return self;
}

static void close_shard (void **shard_p)
{
    scorer_t *self = *shard_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++)
        score_scenario_destroy (&self->list[i]);
    free (self->list);
    free (self->by_index);
    free (self->to_prepare);
    change_set_free (&self->deletes);
    buffer_free (&self->scratch);
    ranking_destroy (&self->ranking);
    free (self);
    *shard_p = NULL;
}

/*  ---- which scenario ---- */

/*  Index of the first scenario whose hash is not below. */
static uint32_t lower_bound (const scorer_t *self, uint64_t hash)
{
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->list[middle]->hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static score_scenario_t *find_by_hash (const scorer_t *self, uint64_t hash)
{
    uint32_t at = lower_bound (self, hash);
    return at < self->count && self->list[at]->hash == hash ? self->list[at] : NULL;
}

static void insert (scorer_t *self, score_scenario_t *scenario)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 16;
        self->list = memory_resize (self->list, self->capacity * sizeof *self->list);
    }
    uint32_t at = lower_bound (self, scenario->hash);
    memmove (self->list + at + 1, self->list + at, (self->count - at) * sizeof *self->list);
    self->list[at] = scenario;
    self->count++;
}

static void reserve_index (scorer_t *self, uint32_t index)
{
    if (index < self->index_count)
        return;
    uint32_t count = self->index_count ? self->index_count : 16;
    while (count <= index)
        count *= 2;
    self->by_index = memory_resize (self->by_index, count * sizeof *self->by_index);
    memset (self->by_index + self->index_count, 0,
            (count - self->index_count) * sizeof *self->by_index);
    self->index_count = count;
}

/*  This shard's scenario of a live one, made where it is new. */
static score_scenario_t *scenario_of (scorer_t *self, const live_scenario_t *live)
{
    if (live->index < self->index_count && self->by_index[live->index])
        return self->by_index[live->index];
    reserve_index (self, live->index);
    score_scenario_t *scenario = find_by_hash (self, live->hash);
    if (!scenario) {
        scenario = score_scenario_new (live_scenario_tenant (live), live_scenario_id (live),
                                       live->hash, self->context.actions);
        insert (self, scenario);
    }
    scenario->live = live;
    self->by_index[live->index] = scenario;
    return scenario;
}

/*  ---- which window ---- */

/*  T of the newest window of this slide that has a result: complete, or the last one where input
 *  has ended. */
static int64_t newest_of_slide (const scorer_t *self, int64_t slide_ms, int64_t watermark_ms)
{
    int64_t newest_ms = windows_newest (watermark_ms, slide_ms);
    int64_t final_ms = windows_final (self->final_greatest_ms, slide_ms);
    return final_ms > newest_ms ? final_ms : newest_ms;
}

static int64_t newest_window (const scorer_t *self, const score_scenario_t *scenario,
                              int64_t watermark_ms)
{
    return newest_of_slide (self, scenario->live->config->hot_score.slide_ms, watermark_ms);
}

static void owe (scorer_t *self, const score_scenario_t *scenario, const stage_time_t *time)
{
    if (newest_window (self, scenario, time->watermark_ms) == EVENT_TIME_NONE)
        return;
    uint8_t key[RESULT_KEY_BYTES] = {'r'};
    for (int i = 0; i < 8; i++)
        key[1 + i] = (uint8_t)(scenario->hash >> 8 * (7 - i));
    owed_put (self->context.owed, key, sizeof key, scenario->hash, NULL, 0);
}

/*  Owes the newest complete window if that has moved. */
static void advance_scenario (scorer_t *self, score_scenario_t *scenario, const stage_time_t *time)
{
    int64_t newest_ms =
        windows_newest (time->watermark_ms, scenario->live->config->hot_score.slide_ms);
    if (newest_ms == scenario->newest_ms)
        return;
    scenario->newest_ms = newest_ms;
    owe (self, scenario, time);
}

/*  ---- stored records ---- */

static int load (void *shard, const uint8_t *key, size_t key_size, const uint8_t *value,
                 size_t value_size)
{
    scorer_t *self = shard;
    record_key_t parsed;
    if (score_records_parse_key (key, key_size, &parsed) < 0)
        return -1;
    score_scenario_t *scenario = find_by_hash (self, parsed.hash);
    if (parsed.type == RECORD_SCENARIO) {
        score_scenario_t *read =
            scenario ? NULL
                     : score_scenario_read (value, value_size, parsed.hash, self->context.actions);
        if (read)
            insert (self, read);
        return read ? 0 : -1;
    }
    if (!scenario)
        return -1;
    if (parsed.type == RECORD_ITEM)
        return score_records_load_item (
            scenario->cells, &parsed, (span_t){scenario->tenant, scenario->tenant_size},
            (span_t){scenario->scenario, scenario->scenario_size}, value, value_size);
    return score_records_load_cell (scenario->cells, self->context.actions, &parsed, value,
                                    value_size);
}

static void loaded (void *shard, const stage_time_t *time)
{
    scorer_t *self = shard;
    for (uint32_t i = 0; i < self->count; i++)
        item_table_loaded (&self->list[i]->cells->items);
    const live_scenario_t *live;
    for (uint32_t i = 0; (live = self->context.at (self->context.find_arg, i)); i++)
        scenario_of (self, live);
    for (uint32_t i = 0; i < self->count; i++)
        score_scenario_take_shape (self->list[i], time->greatest_ms);
}

static void collect (void *shard, change_set_t *changes)
{
    scorer_t *self = shard;
    change_set_append (changes, &self->deletes);
    for (uint32_t i = 0; i < self->count; i++) {
        score_scenario_t *scenario = self->list[i];
        if (scenario->dirty) {
            uint8_t key[RECORD_SCENARIO_KEY_BYTES];
            score_records_scenario_key (key, scenario->hash);
            buffer_clear (&self->scratch);
            score_scenario_write (scenario, &self->scratch);
            change_set_put (changes, key, sizeof key, self->scratch.bytes, self->scratch.size);
            scenario->dirty = false;
        }
        score_records_collect (scenario->cells, changes, &self->scratch);
    }
}

/*  ---- events and time ---- */

static apply_t apply (void *shard, const stage_event_t *event)
{
    scorer_t *self = shard;
    const config_hot_score_t *config = &event->scenario->config->hot_score;
    int64_t mark_ms =
        windows_mark (event->time_ms, event->complete_ms, config->size_ms, config->slide_ms);
    if (mark_ms == WINDOWS_LATE)
        return APPLY_LATE;
    score_event_t counted = {.item = event->item,
                             .item_hash = event->key_hash,
                             .time_ms = event->time_ms,
                             .slice_ms = config->slice_ms,
                             .mark_ms = mark_ms,
                             .user_hash = event->user_hash,
                             .watched_ms = event->watched_ms,
                             .action = event->action,
                             .counts_only = config->lambda_per_ms <= 0,
                             .with_stats = event->has_stats && config->item_stats};
    score_cells_add (scenario_of (self, event->scenario)->cells, &counted);
    self->final_greatest_ms = EVENT_TIME_NONE;
    return APPLY_COUNTED;
}

static void prefetch (const void *shard, const stage_event_t *events, uint32_t count)
{
    const scorer_t *self = shard;
    score_ask_t asks[PREFETCH_MAX] = {0};
    count = count < PREFETCH_MAX ? count : PREFETCH_MAX;
    for (int step = 0; step < SCORE_ASK_STEPS; step++)
        for (uint32_t i = 0; i < count; i++) {
            const live_scenario_t *live = events[i].scenario;
            if (live && live->index < self->index_count && self->by_index[live->index])
                score_cells_ask (self->by_index[live->index]->cells, step, events[i].key_hash,
                                 events[i].action, &asks[i]);
        }
}

/*  Forgets what no window from the newest complete one on can use. */
static void expire (scorer_t *self, score_scenario_t *scenario, int64_t watermark_ms)
{
    const score_shape_t *shape = &scenario->shape;
    if (!shape->size_ms || watermark_ms == EVENT_TIME_NONE)
        return;
    int64_t newest_ms = windows_newest (watermark_ms, shape->slide_ms);
    score_cells_expire (scenario->cells, newest_ms - shape->size_ms, &self->deletes);
}

/*  A scenario that is in the config of this process no more, and has nothing left, is forgotten. */
static void forget_ended (scorer_t *self)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        score_scenario_t *scenario = self->list[i];
        if (scenario->live || scenario->cells->bucket_count) {
            self->list[kept++] = scenario;
            continue;
        }
        score_records_delete_scenario (&self->deletes, scenario->hash);
        score_scenario_destroy (&scenario);
    }
    self->count = kept;
}

static void advance (void *shard, const stage_time_t *time)
{
    scorer_t *self = shard;
    if (time->watermark_ms == self->watermark_ms)
        return;
    self->watermark_ms = time->watermark_ms;
    for (uint32_t i = 0; i < self->count; i++) {
        score_scenario_t *scenario = self->list[i];
        if (score_scenario_enabled (scenario))
            advance_scenario (self, scenario, time);
        expire (self, scenario, time->watermark_ms);
    }
    forget_ended (self);
}

/*  `everything` or not is the same here: a ranking has no more than its newest window. */
static void refresh (void *shard, const stage_time_t *time, stage_refresh_t what)
{
    scorer_t *self = shard;
    for (uint32_t i = 0; i < self->count; i++)
        if (score_scenario_enabled (self->list[i]) &&
            stage_refresh_wants (what, self->list[i]->hash))
            owe (self, self->list[i], time);
}

static void finish (void *shard, const stage_time_t *time)
{
    scorer_t *self = shard;
    advance (shard, time);
    self->final_greatest_ms = time->greatest_ms;
    refresh (shard, time, (stage_refresh_t){0});
}

static void configure (void *shard, const live_scenario_t *live, const stage_time_t *time)
{
    scorer_t *self = shard;
    score_scenario_t *scenario = scenario_of (self, live);
    score_scenario_forget_weights (scenario);
    score_scenario_take_shape (scenario, time->greatest_ms);
    ranking_ahead_destroy (&scenario->ahead); /* of another revision; perhaps there is no next window */
    if (!score_scenario_enabled (scenario))
        return;
    scenario->newest_ms = windows_newest (time->watermark_ms, live->config->hot_score.slide_ms);
    owe (self, scenario, time);
}

/*  ---- results ---- */

static score_scenario_t *find_owed (const scorer_t *self, const uint8_t *key, size_t key_size)
{
    if (key_size != RESULT_KEY_BYTES || key[0] != 'r')
        return NULL;
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | key[1 + i];
    score_scenario_t *scenario = find_by_hash (self, hash);
    return scenario && score_scenario_enabled (scenario) ? scenario : NULL;
}

static ranking_query_t query_by (const config_hot_score_t *config, const double *weights,
                                 int64_t end_ms)
{
    return (ranking_query_t){.start_ms = end_ms - config->size_ms,
                             .end_ms = end_ms,
                             .lambda_per_ms = config->lambda_per_ms,
                             .weights = weights,
                             .top_k = config->top_k};
}

/*  By its live config. */
static ranking_query_t query_of (score_scenario_t *scenario, int64_t end_ms)
{
    const live_scenario_t *live = scenario->live;
    ranking_query_t query =
        query_by (&live->config->hot_score, score_scenario_weights (scenario), end_ms);
    query.weights_of = (revision_t){live->era, live->number};
    return query;
}

/*  The window `end_ms` was rendered: what was known of it ahead is used up. The one after a complete window
 * waits to be looked ahead of. */
static void want_ahead (scorer_t *self, score_scenario_t *scenario, int64_t end_ms,
                        int64_t watermark_ms)
{
    if (scenario->ahead && scenario->ahead->query.end_ms <= end_ms)
        ranking_ahead_destroy (&scenario->ahead);
    if (scenario->ahead || watermark_ms == EVENT_TIME_NONE || end_ms > watermark_ms)
        return;
    bool waits = scenario->ahead_of_ms != EVENT_TIME_NONE;
    scenario->ahead_of_ms = end_ms;
    if (waits)
        return;
    if (self->to_prepare_count == self->to_prepare_capacity) {
        self->to_prepare_capacity = self->to_prepare_capacity ? 2 * self->to_prepare_capacity : 16;
        self->to_prepare = memory_resize (self->to_prepare,
                                          self->to_prepare_capacity * sizeof *self->to_prepare);
    }
    self->to_prepare[self->to_prepare_count++] = scenario->hash;
}

static bool prepare (void *shard)
{
    scorer_t *self = shard;
    if (!self->to_prepare_count)
        return false;
    score_scenario_t *scenario = find_by_hash (self, self->to_prepare[--self->to_prepare_count]);
    if (!scenario)
        return true;
    int64_t complete_ms = scenario->ahead_of_ms;
    scenario->ahead_of_ms = EVENT_TIME_NONE;
    if (complete_ms == EVENT_TIME_NONE || !score_scenario_enabled (scenario))
        return true;
    ranking_query_t query =
        query_of (scenario, complete_ms + scenario->live->config->hot_score.slide_ms);
    scenario->ahead = ranking_look_ahead (self->ranking, scenario->cells, &query, complete_ms);
    return true;
}

static int render (void *shard, const uint8_t *key, size_t key_size, const stage_time_t *time,
                   buffer_t *body)
{
    scorer_t *self = shard;
    score_scenario_t *scenario = find_owed (self, key, key_size);
    if (!scenario)
        return -1;
    int64_t end_ms = newest_window (self, scenario, time->watermark_ms);
    if (end_ms == EVENT_TIME_NONE)
        return -1;
    const live_scenario_t *live = scenario->live;
    const config_hot_score_t *config = &live->config->hot_score;
    ranking_query_t query = query_of (scenario, end_ms);
    ranking_compute (self->ranking, scenario->cells, &query, scenario->ahead);
    want_ahead (self, scenario, end_ms, time->watermark_ms);
    result_ranking_t ranking = {.top_k = config->top_k, .item_stats = config->item_stats};
    ranking_list (self->ranking, &ranking.item_count);
    result_header_t header = {.kind = RESULT_RANKING,
                              .tenant = live_scenario_tenant (live),
                              .scenario = live_scenario_id (live),
                              .revision = stage_revision (time, live, end_ms),
                              .window_start_ms = query.start_ms,
                              .window_end_ms = end_ms,
                              .exact = query.start_ms >= scenario->exact_from_ms &&
                                       query.start_ms >= time->exact_from_ms,
                              .ttl_ms = config->ttl_ms,
                              .since_ms = scenario->since.since_ms};
    results_write_header (body, &header);
    results_write_ranking (body, &ranking);
    ranking_write_items (self->ranking, scenario->cells, &query, config->item_stats, body);
    return 0;
}

/*  As render, by any config; nothing of the scenario is changed. */
static void preview (void *shard, const live_scenario_t *live, const scenario_config_t *by,
                     uint32_t limit, const stage_time_t *time, buffer_t *ranking)
{
    scorer_t *self = shard;
    const config_hot_score_t *config = &by->hot_score;
    score_scenario_t *scenario = find_by_hash (self, live->hash);
    int64_t end_ms = newest_of_slide (self, config->slide_ms, time->watermark_ms);
    config_ranking_t head = {0};
    if (!scenario || !live->active || !config->enabled || end_ms == EVENT_TIME_NONE) {
        config_wire_write_ranking (ranking, &head);
        return;
    }
    uint32_t actions = scenario->cells->action_limit;
    double *weights = memory_new_array (actions ? actions : 1, sizeof *weights);
    score_scenario_weights_by (scenario, &config->weights, weights);
    ranking_query_t query = query_by (config, weights, end_ms);
    if (query.top_k > limit)
        query.top_k = limit;
    ranking_compute (self->ranking, scenario->cells, &query, NULL);
    const ranked_t *list = ranking_list (self->ranking, &head.item_count);
    head.has = true;
    head.start_ms = query.start_ms;
    head.end_ms = end_ms;
    config_wire_write_ranking (ranking, &head);
    for (uint32_t i = 0; i < head.item_count; i++) {
        const config_ranked_t ranked = {list[i].id, list[i].score};
        config_wire_write_ranked (ranking, &ranked);
    }
    free (weights);
}

static void measure (const void *shard, uint64_t *cells, uint64_t *bytes)
{
    const scorer_t *self = shard;
    *cells = 0;
    *bytes = sizeof *self;
    for (uint32_t i = 0; i < self->count; i++) {
        *cells += self->list[i]->cells->cell_count;
        *bytes += sizeof *self->list[i] + score_cells_memory_bytes (self->list[i]->cells) +
                  ranking_ahead_bytes (self->list[i]->ahead);
    }
}

const stage_t scorer_stage = {.id = STAGE_SCORER,
                              .name = "scorer",
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
                              .preview = preview,
                              .collect = collect,
                              .prepare = prepare,
                              .measure = measure};
