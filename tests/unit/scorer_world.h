/*  scorer_world: one shard of the scorer with two scenarios, and what is stored of it, for its
 * tests. */
#ifndef HOTPATH_TEST_SCORER_WORLD_H
#define HOTPATH_TEST_SCORER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include "common/key_hash.h"
#include "common/results.h"
#include "scorer/scorer_stage.h"
#include "tests/unit/record_map.h"

#define NONE EVENT_TIME_NONE

enum { SLIDE = 1000, SIZE = 4000, ITEMS_MAX = 64 };

/*  One shard with up to two scenarios, and what is stored of it. */
typedef struct {
    action_names_t *names;
    owed_t *owed;
    live_scenario_t live[2];
    char ids[2][8];
    scenario_config_t *configs[2];
    uint32_t live_count;
    void *shard;
    stage_time_t time;
    record_map_t map;
} world_t;

static inline const live_scenario_t *find (void *arg, uint64_t hash)
{
    world_t *world = arg;
    for (uint32_t i = 0; i < world->live_count; i++)
        if (world->live[i].hash == hash)
            return &world->live[i];
    return NULL;
}

static inline const live_scenario_t *at (void *arg, uint32_t index)
{
    world_t *world = arg;
    return index < world->live_count ? &world->live[index] : NULL;
}

static inline void set_config (world_t *world, uint32_t index, const char *hot_score)
{
    char json[512];
    config_errors_t errors;
    snprintf (json, sizeof json,
              "{\"hot_score\": {\"window_size_seconds\": 4, \"window_slide_seconds\": 1%s%s}}",
              *hot_score ? ", " : "", hot_score);
    scenario_config_destroy (&world->configs[index]);
    world->configs[index] = scenario_config_parse (span_of (json), "c", &errors);
    if (!world->configs[index])
        fail_msg ("%s: %s", errors.list[0].path, errors.list[0].reason);
    live_scenario_t *live = &world->live[index];
    snprintf (world->ids[index], sizeof world->ids[index], "s%u", index);
    live->index = index;
    live->tenant = "t";
    live->tenant_size = 1;
    live->scenario = world->ids[index];
    live->scenario_size = strlen (live->scenario);
    live->hash = key_hash_scenario (live_scenario_tenant (live), live_scenario_id (live));
    live->active = true;
    live->era = 7;
    live->number++;
    live->config = world->configs[index];
}

static inline void open_world (world_t *world)
{
    world->names = action_names_new ();
    world->owed = owed_new (1);
    stage_context_t context = {.shard_count = 1,
                               .actions = world->names,
                               .owed = world->owed,
                               .find = find,
                               .at = at,
                               .find_arg = world};
    world->shard = scorer_stage.open (&context);
    for (size_t i = 0; i < world->map.count; i++) {
        const record_t *record = &world->map.list[i];
        assert_int_equal (scorer_stage.load (world->shard, (const uint8_t *)record->key.bytes,
                                             record->key.size, (const uint8_t *)record->value.bytes,
                                             record->value.size),
                          0);
    }
    scorer_stage.loaded (world->shard, &world->time);
}

static inline void start (world_t *world, uint32_t live_count, const char *hot_score)
{
    *world = (world_t){.live_count = live_count,
                       .time = {.watermark_ms = NONE, .greatest_ms = NONE, .exact_from_ms = NONE}};
    for (uint32_t i = 0; i < 2; i++)
        set_config (world, i, hot_score);
    open_world (world);
}

static inline size_t commit (world_t *world)
{
    change_set_t changes = {0};
    scorer_stage.collect (world->shard, &changes);
    size_t puts = record_map_apply (&world->map, &changes);
    change_set_free (&changes);
    return puts;
}

static inline void close_world (world_t *world)
{
    scorer_stage.close (&world->shard);
    assert_null (world->shard);
    owed_destroy (&world->owed);
    action_names_destroy (&world->names);
}

static inline void restart (world_t *world)
{
    commit (world);
    close_world (world);
    open_world (world);
}

static inline void end (world_t *world)
{
    close_world (world);
    record_map_free (&world->map);
    for (int i = 0; i < 2; i++)
        scenario_config_destroy (&world->configs[i]);
}

static inline apply_t apply (world_t *world, uint32_t index, const char *item, const char *action,
                             int64_t time_ms, int64_t complete_ms)
{
    const live_scenario_t *live = &world->live[index];
    stage_event_t event = {.scenario = live,
                           .time_ms = time_ms,
                           .complete_ms = complete_ms,
                           .action = action_names_intern (world->names, span_of (action)),
                           .item = span_of (item),
                           .has_stats = true,
                           .user_hash = (uint64_t)time_ms * UINT64_C (0x9e3779b97f4a7c15),
                           .watched_ms = time_ms % 2 ? 500 : EVENT_MS_NONE};
    event.key_hash =
        key_hash (live_scenario_tenant (live), live_scenario_id (live), span_of (item));
    if (time_ms > world->time.greatest_ms)
        world->time.greatest_ms = time_ms;
    return scorer_stage.apply (world->shard, &event);
}

static inline void advance (world_t *world, int64_t watermark_ms)
{
    world->time.watermark_ms = watermark_ms;
    scorer_stage.advance (world->shard, &world->time);
}

typedef struct {
    result_header_t header;
    result_ranking_t ranking;
    result_item_t items[ITEMS_MAX];
    result_action_t actions[ITEMS_MAX][8];
    buffer_t body;
} shown_t;

static inline void read_body (shown_t *shown)
{
    cursor_t cursor = cursor_of (shown->body.bytes, shown->body.size);
    results_read_header (&cursor, &shown->header);
    results_read_ranking (&cursor, &shown->ranking);
    assert_true (shown->ranking.item_count <= ITEMS_MAX);
    for (uint32_t i = 0; i < shown->ranking.item_count; i++)
        results_read_item (&cursor, &shown->items[i], shown->ranking.item_stats, shown->actions[i],
                           8);
    assert_true (cursor_finished (&cursor));
}

/*  Renders the oldest owed result and takes it as sent; false: none was owed. */
static inline bool take_owed (world_t *world, shown_t *shown)
{
    owed_waiting_t waiting;
    if (!owed_waiting (world->owed, 0, &waiting))
        return false;
    assert_null (waiting.body.bytes);
    buffer_free (&shown->body);
    *shown = (shown_t){0};
    if (scorer_stage.render (world->shard, waiting.key, waiting.key_size, &world->time,
                             &shown->body) < 0) {
        owed_drop (world->owed, 0);
        return false;
    }
    read_body (shown);
    owed_drop (world->owed, 0);
    return true;
}

static inline void assert_shown (world_t *world, int64_t end_ms, bool exact, uint32_t items)
{
    shown_t shown = {0};
    assert_true (take_owed (world, &shown));
    assert_int_equal (shown.header.window_end_ms, end_ms);
    assert_int_equal (shown.header.window_start_ms, end_ms - SIZE);
    assert_int_equal (shown.header.exact, exact);
    assert_int_equal (shown.ranking.item_count, items);
    buffer_free (&shown.body);
    assert_int_equal (owed_count (world->owed), 0);
}

#endif
