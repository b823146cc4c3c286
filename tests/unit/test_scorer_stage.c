/*  scorer_stage: which windows are owed and rendered, with which header; what a restart, a new
 * config and the end of input do to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include "tests/unit/scorer_world.h"

static void newest_window_is_owed (void **state)
{
    (void)state;
    world_t world;
    shown_t shown = {0};
    start (&world, 2, "\"top_k\": 2");
    advance (&world, NONE);
    assert_int_equal (owed_count (world.owed), 0);
    apply (&world, 0, "a", "view", 10100, NONE);
    apply (&world, 0, "b", "like", 10200, NONE);
    apply (&world, 0, "c", "impression", 10900, NONE);
    advance (&world, 10999);
    assert_int_equal (owed_count (world.owed), 2); /* both scenarios, one without an event */
    assert_true (take_owed (&world, &shown));
    assert_true (take_owed (&world, &shown));
    advance (&world, 11000);
    advance (&world, 11999);
    assert_int_equal (owed_count (world.owed), 2);
    bool seen[2] = {false, false};
    while (take_owed (&world, &shown)) {
        int index = shown.header.scenario.bytes[1] - '0';
        seen[index] = true;
        assert_int_equal (shown.header.kind, RESULT_RANKING);
        assert_int_equal (shown.header.window_start_ms, 7000);
        assert_int_equal (shown.header.window_end_ms, 11000);
        assert_int_equal (shown.header.revision.era, 7);
        assert_int_equal (shown.header.revision.number, 1);
        assert_int_equal (shown.header.ttl_ms, 7200000);
        assert_true (shown.header.exact);
        assert_false (shown.ranking.item_stats);
        assert_int_equal (shown.ranking.top_k, 2);
        assert_int_equal (shown.ranking.item_count, index ? 0 : 2);
        if (!index) {
            assert_true (span_equal (shown.items[0].item, span_of ("b")));
            assert_true (fabs (shown.items[0].score - 3 * exp (-0.1 * 800 / 3600000)) < 3e-6);
        }
    }
    assert_true (seen[0] && seen[1]);
    advance (&world, 11999);
    assert_int_equal (owed_count (world.owed), 0);
    scorer_stage.refresh (world.shard, &world.time, (stage_refresh_t){.everything = true});
    assert_int_equal (owed_count (world.owed), 2);
    buffer_free (&shown.body);
    end (&world);
}

static void late_and_marked (void **state)
{
    (void)state;
    world_t world;
    start (&world, 1, "");
    assert_int_equal (apply (&world, 0, "on time", "view", 10500, 10999), APPLY_COUNTED);
    assert_int_equal (apply (&world, 0, "from 13000 on", "view", 10500, 12000), APPLY_COUNTED);
    assert_int_equal (apply (&world, 0, "late", "view", 10500, 14000), APPLY_LATE);
    static const uint32_t items[] = {1, 1, 2, 2, 0};
    for (int i = 0; i < 5; i++) {
        advance (&world, 11000 + 1000 * i);
        assert_shown (&world, 11000 + 1000 * i, true, items[i]);
    }
    uint64_t cells, bytes;
    scorer_stage.measure (world.shard, &cells, &bytes);
    assert_int_equal (cells, 0); /* the window 15000 begins at 11000 */
    end (&world);
}

/*  What is too old for the newest complete window is forgotten, also of a removed scenario. */
static void cells_age (void **state)
{
    (void)state;
    for (int removed = 0; removed < 2; removed++) {
        world_t world;
        uint64_t cells, bytes;
        start (&world, 1, "");
        commit (&world);
        apply (&world, 0, "a", "view", 10500, NONE);
        apply (&world, 0, "b", "zoom", 11500, NONE);
        advance (&world, 14000); /* [10000, 14000) needs both */
        commit (&world);
        scorer_stage.measure (world.shard, &cells, &bytes);
        assert_int_equal (cells, 2);
        assert_true (bytes > 100);
        assert_int_equal (world.map.count, 1 + 2 + 2);
        if (removed) {
            world.live_count = 0;
            restart (&world);
        }
        advance (&world, 15999);
        commit (&world);
        scorer_stage.measure (world.shard, &cells, &bytes);
        assert_int_equal (cells, 1);
        assert_int_equal (world.map.count, 1 + 1 + 1);
        advance (&world, 17000);
        commit (&world);
        scorer_stage.measure (world.shard, &cells, &bytes);
        assert_int_equal (cells, 0);
        assert_int_equal (world.map.count, removed ? 0 : 1);
        end (&world);
    }
}

static void end_of_input (void **state)
{
    (void)state;
    world_t world;
    start (&world, 1, "");
    scorer_stage.finish (world.shard, &world.time);
    assert_int_equal (owed_count (world.owed), 0); /* no event at all */
    apply (&world, 0, "a", "view", 10500, NONE);
    advance (&world, 5500);
    assert_shown (&world, 5000, true, 0);
    scorer_stage.finish (world.shard, &world.time);
    assert_shown (&world, 11000, true, 1);
    set_config (&world, 0, "\"default_weight\": 1");
    scorer_stage.configure (world.shard, &world.live[0], &world.time);
    assert_shown (&world, 11000, true, 1);
    apply (&world, 0, "b", "view", 12000, 5500); /* more input: no longer final */
    scorer_stage.refresh (world.shard, &world.time, (stage_refresh_t){0});
    assert_shown (&world, 5000, true, 0);
    scorer_stage.finish (world.shard, &world.time);
    assert_shown (&world, 13000, true, 2);
    advance (&world, 12500);
    assert_shown (&world, 13000, true, 2); /* the final one stays the newest */
    advance (&world, 15000);
    assert_shown (&world, 15000, true, 1);
    end (&world);
}

static void new_weights_at_once (void **state)
{
    (void)state;
    world_t world;
    shown_t shown = {0};
    start (&world, 1, "");
    apply (&world, 0, "a", "view", 10500, NONE);
    apply (&world, 0, "b", "zoom", 10500, NONE);
    advance (&world, 11000);
    assert_shown (&world, 11000, true, 1);
    set_config (&world, 0,
                "\"action_weights\": {\"zoom\": 9, \"view\": 2}, \"decay_lambda\": 0.05");
    scorer_stage.configure (world.shard, &world.live[0], &world.time);
    assert_true (take_owed (&world, &shown));
    assert_int_equal (shown.header.revision.number, 2);
    assert_true (shown.header.exact);
    assert_int_equal (shown.ranking.item_count, 2);
    assert_true (span_equal (shown.items[0].item, span_of ("b")));
    assert_true (fabs (shown.items[0].score - 9 * exp (-0.05 * 500 / 3600000)) < 9e-6);
    assert_true (fabs (shown.items[1].score - 2 * exp (-0.05 * 500 / 3600000)) < 2e-6);
    buffer_free (&shown.body);
    end (&world);
}

/*  exact=0 exactly until the first window that begins behind what was applied before the change. */
static void exact_after_changes (void **state)
{
    (void)state;
    static const struct {
        const char *name, *before, *after;
        bool exact;
    } cases[] = {
        {"weights", "", "\"default_weight\": 2", true},
        {"top_k", "", "\"top_k\": 5", true},
        {"decay of the same slice", "", "\"decay_lambda\": 0.2", true},
        {"decay of a shorter slice", "", "\"decay_lambda\": 50, \"decay_unit\": \"minute\"", false},
        {"no decay any more", "", "\"decay_lambda\": 0", false},
        {"decay from now on", "\"decay_lambda\": 0", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int down = 0; down < 2; down++) {
            world_t world;
            start (&world, 1, cases[i].before);
            apply (&world, 0, "a", "view", 12000, NONE); /* on a slice boundary */
            advance (&world, 11000);
            assert_shown (&world, 11000, true, 0);
            set_config (&world, 0, cases[i].after);
            if (down)
                restart (&world);
            else
                scorer_stage.configure (world.shard, &world.live[0], &world.time);
            scorer_stage.refresh (world.shard, &world.time, (stage_refresh_t){0});
            assert_shown (&world, 11000, cases[i].exact, 0);
            apply (&world, 0, "b", "view", 12999, 11000);
            restart (&world); /* exact_from is stored */
            advance (&world, 16500);
            assert_shown (&world, 16000, cases[i].exact, 2);
            advance (&world, 17000);
            /* windows are looked at every slide: 13000 is the first start behind 12000 */
            assert_shown (&world, 17000, true, 0);
            end (&world);
        }
}

static void change_of_size (void **state)
{
    (void)state;
    world_t world;
    shown_t shown = {0};
    start (&world, 1, "\"decay_lambda\": 0");
    apply (&world, 0, "a", "view", 10100, NONE);
    apply (&world, 0, "b", "view", 11100, NONE);
    advance (&world, 12000);
    assert_shown (&world, 12000, true, 2);
    scenario_config_t *config = world.configs[0];
    config->hot_score.size_ms = 2000; /* as another revision */
    config->hot_score.slide_ms = 500;
    config->hot_score.slice_ms = 500;
    world.live[0].number++;
    scorer_stage.configure (world.shard, &world.live[0], &world.time);
    apply (&world, 0, "c", "view", 11900, NONE);
    advance (&world, 12500); /* [10500, 12500): "a" is in the old slice from 10000 */
    assert_true (take_owed (&world, &shown));
    assert_int_equal (shown.header.window_start_ms, 10500);
    assert_false (shown.header.exact);
    assert_int_equal (shown.ranking.item_count, 2);
    advance (&world, 13500); /* begins at 11500, the first slice behind 11100 */
    assert_true (take_owed (&world, &shown));
    assert_true (shown.header.exact);
    assert_int_equal (shown.ranking.item_count, 1);
    buffer_free (&shown.body);
    end (&world);
}

static void paused_and_back (void **state)
{
    (void)state;
    world_t world;
    shown_t shown = {0};
    start (&world, 1, "");
    apply (&world, 0, "a", "view", 10500, NONE);
    advance (&world, 11000);
    world.live[0].active = false;
    scorer_stage.configure (world.shard, &world.live[0], &world.time);
    assert_int_equal (owed_count (world.owed), 1);
    assert_false (take_owed (&world, &shown)); /* owed before: has no content now */
    advance (&world, 12000);
    scorer_stage.refresh (world.shard, &world.time, (stage_refresh_t){.everything = true});
    scorer_stage.finish (world.shard, &world.time);
    assert_int_equal (owed_count (world.owed), 0);
    world.time.greatest_ms = 12700; /* other scenarios go on */
    world.live[0].active = true;
    scorer_stage.configure (world.shard, &world.live[0], &world.time);
    assert_shown (&world, 12000, false, 1);
    apply (&world, 0, "a", "view", 13500, 12000);
    advance (&world, 16999);
    assert_shown (&world, 16000, false, 1);
    advance (&world, 17000);
    assert_shown (&world, 17000, true, 1);
    end (&world);
}

static void new_scenario_and_inexact_shard (void **state)
{
    (void)state;
    world_t world;
    start (&world, 1, "");
    apply (&world, 0, "a", "view", 10500, NONE);
    advance (&world, 11000);
    assert_shown (&world, 11000, true, 1);
    world.live_count = 2;
    scorer_stage.configure (world.shard, &world.live[1], &world.time);
    assert_shown (&world, 11000, false, 0);
    world.live_count = 1;
    world.live[1].active = false;
    scorer_stage.configure (world.shard, &world.live[1], &world.time);
    world.time.exact_from_ms = 7500;
    scorer_stage.refresh (world.shard, &world.time, (stage_refresh_t){0});
    assert_shown (&world, 11000, false, 1);
    world.time.exact_from_ms = 7000;
    scorer_stage.refresh (world.shard, &world.time, (stage_refresh_t){0});
    assert_shown (&world, 11000, true, 1);
    static const char *const keys[] = {"", "r", "x12345678", "r12345678", "r123456789"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        buffer_t body = {0};
        assert_int_equal (scorer_stage.render (world.shard, (const uint8_t *)keys[i],
                                               strlen (keys[i]), &world.time, &body),
                          -1);
        buffer_free (&body);
    }
    end (&world);
}

static void stats_of_ranked_items (void **state)
{
    (void)state;
    world_t world;
    shown_t shown = {0};
    start (&world, 1, "\"item_stats\": true, \"top_k\": 2");
    for (int i = 0; i < 10; i++) {
        apply (&world, 0, "a", i < 5 ? "zoom" : "view", 9500 + i * 100 + i % 2, NONE);
        apply (&world, 0, "b", "like", 10000 + i % 3 * 10, NONE); /* 3 users */
        apply (&world, 0, "c", "impression", 10000 + i, NONE);
    }
    restart (&world);
    advance (&world, 11000);
    assert_true (take_owed (&world, &shown));
    assert_true (shown.ranking.item_stats);
    assert_int_equal (shown.ranking.item_count, 2);
    const result_item_t *b = &shown.items[0], *a = &shown.items[1];
    assert_true (span_equal (b->item, span_of ("b")) && span_equal (a->item, span_of ("a")));
    assert_int_equal (b->action_count, 1);
    assert_int_equal (b->actions[0].count, 10);
    assert_int_equal (b->unique_users, 3);
    assert_int_equal (b->watched_count, 0);
    assert_int_equal (a->action_count, 2);
    assert_true (span_equal (a->actions[0].name, span_of ("view")));
    assert_true (span_equal (a->actions[1].name, span_of ("zoom")));
    assert_int_equal (a->actions[0].count, 5);
    assert_int_equal (a->actions[1].count, 5);
    assert_int_equal (a->unique_users, 10);
    assert_int_equal (a->watched_count, 5);
    assert_int_equal (a->watched_ms, 2500);
    advance (&world, 14000); /* the window has lost what was before 10000 */
    assert_true (take_owed (&world, &shown));
    assert_true (span_equal (shown.items[1].item, span_of ("c")) ||
                 span_equal (shown.items[1].item, span_of ("a")));
    for (uint32_t i = 0; i < 2; i++)
        if (span_equal (shown.items[i].item, span_of ("a")))
            assert_int_equal (shown.items[i].unique_users, 5);
    buffer_free (&shown.body);
    end (&world);
}

/*  Events in another order within cells, restarts in between, and other numbers of custom actions
 * must not change one bit of what is rendered. */
static void same_bytes_after_restarts (void **state)
{
    (void)state;
    static const char *const actions[] = {"view", "zoom", "like", "bend"};
    const char *config = "\"item_stats\": true, \"decay_lambda\": 30, \"action_weights\": "
                         "{\"view\": 0.1, \"zoom\": 0.7, \"like\": 3.3, \"bend\": -0.01}";
    buffer_t bodies[2][8] = {{{0}}};
    for (int way = 0; way < 2; way++) {
        world_t world;
        start (&world, 1, config);
        for (int second = 0; second < 8; second++) {
            for (int i = 0; i < 500; i++) {
                uint32_t n = (uint32_t)(way ? 499 - i : i) * 2654435761u + (uint32_t)second;
                int64_t lag = n % 7 ? 0 : n % 5 * 1000;
                char id[8];
                snprintf (id, sizeof id, "%u", n / 64 % 40);
                apply (&world, 0, id, actions[n / 4096 % 4],
                       20000 + second * 1000 + (int64_t)(n / 16384 % 1000) - lag,
                       20000 + second * 1000 - 1);
                if (way && i % 97 == 0)
                    restart (&world);
            }
            advance (&world, 21000 + second * 1000);
            owed_waiting_t waiting;
            assert_true (owed_waiting (world.owed, 0, &waiting));
            assert_int_equal (scorer_stage.render (world.shard, waiting.key, waiting.key_size,
                                                   &world.time, &bodies[way][second]),
                              0);
        }
        end (&world);
    }
    for (int i = 0; i < 8; i++) {
        assert_true (bodies[0][i].size > 500);
        assert_int_equal (bodies[0][i].size, bodies[1][i].size);
        assert_memory_equal (bodies[0][i].bytes, bodies[1][i].bytes, bodies[0][i].size);
        buffer_free (&bodies[0][i]);
        buffer_free (&bodies[1][i]);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (newest_window_is_owed),
        cmocka_unit_test (late_and_marked),
        cmocka_unit_test (cells_age),
        cmocka_unit_test (end_of_input),
        cmocka_unit_test (new_weights_at_once),
        cmocka_unit_test (exact_after_changes),
        cmocka_unit_test (change_of_size),
        cmocka_unit_test (paused_and_back),
        cmocka_unit_test (new_scenario_and_inexact_shard),
        cmocka_unit_test (stats_of_ranked_items),
        cmocka_unit_test (same_bytes_after_restarts),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
