/*  metrics_stage: which windows are owed, when, with what in them; and that state comes back. */
#include "tests/unit/metrics_rig.h"

static void windows_as_time_goes_on (void **state)
{
    (void)state;
    rig_t *rig = rig_new (20, 10, 1);
    int64_t none = EVENT_TIME_NONE;
    assert_int_equal (apply_to (rig, 0, 101, none), APPLY_COUNTED);
    assert_int_equal (apply_to (rig, 0, 109, none), APPLY_COUNTED);
    advance (rig, none);
    assert_string_equal (take (rig), ""); /* not before every partition is heard of */
    advance (rig, 112);
    assert_string_equal (take (rig), "a110=2");
    assert_int_equal (rig->parts[0].start_ms, 90);
    assert_int_equal (rig->parts[0].users, 2);
    assert_int_equal (rig->parts[0].items, 1);
    advance (rig, 119);
    assert_string_equal (take (rig), "");
    /*  Behind the watermark: only in the window that is not complete; and too late for all. */
    assert_int_equal (apply_to (rig, 0, 105, 112), APPLY_COUNTED);
    assert_int_equal (apply_to (rig, 0, 99, 112), APPLY_LATE);
    assert_int_equal (apply_to (rig, 0, 115, 112), APPLY_COUNTED);
    metrics_stage.refresh (rig->shard, &rig->time, (stage_refresh_t){.everything = true});
    assert_string_equal (take (rig), "a110=2"); /* computed again, it stays what it was */
    advance (rig, 120);
    assert_string_equal (take (rig), "a120=4");
    advance (rig, 140);
    assert_string_equal (take (rig), "a130=1 a140=0"); /* empty ones as well */
    advance (rig, 1000);
    assert_string_equal (take (rig), "a960=0 a970=0 a980=0 a990=0 a1000=0"); /* a jump */
    rig_destroy (rig);
}

static void all_shards_owe_in_one_order (void **state)
{
    (void)state;
    rig_t *rig = rig_new (20, 20, 2);
    rig->config[1].metrics.slide_ms = 10;
    metrics_stage.configure (rig->shard, &rig->live[1], &rig->time);
    apply_to (rig, 1, 25, EVENT_TIME_NONE);
    advance (rig, 45);
    assert_string_equal (take (rig), "b30=1 a40=0 b40=1");
    rig_destroy (rig);
}

/*  Of windows before the first event no part comes: each later one says so, also after a restart. */
static void nothing_before_the_first_event (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t event_ms;      /* 0: none */
        int64_t exact_from_ms; /* of the shard */
        const char *first;
        int64_t empty_until_ms, event_again_ms;
        const char *then;
    } cases[] = {
        {"no event", 0, EVENT_TIME_NONE, "a150=0", 150, 151, "a160=1"},
        {"one in the newest", 149, EVENT_TIME_NONE, "a150=1", 140, 151, "a160=2"},
        {"one in an older", 125, EVENT_TIME_NONE, "a130=1 a140=1 a150=0", 120, 151, "a160=1"},
        {"one to come", 152, EVENT_TIME_NONE, "a150=0", 150, 153, "a160=2"},
        {"one behind the history", 82, EVENT_TIME_NONE, "a110=0 a120=0 a130=0 a140=0 a150=0", 80, 151,
         "a160=1"},
        {"may have missed events", 125, 161, "a110=0? a120=0? a130=1? a140=1? a150=0?", 0, 151, "a160=1?"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rig_t *rig = rig_new (20, 10, 1);
        rig->time.exact_from_ms = cases[c].exact_from_ms;
        if (cases[c].event_ms)
            apply_to (rig, 0, cases[c].event_ms, EVENT_TIME_NONE);
        advance (rig, 150);
        if (strcmp (take (rig), cases[c].first) != 0)
            fail_msg ("%s: %lu windows at first", cases[c].name, (unsigned long)rig->part_count);
        assert_int_equal (rig->parts[0].empty_until_ms, cases[c].empty_until_ms);
        restart (rig);
        apply_to (rig, 0, cases[c].event_again_ms, 150);
        advance (rig, 160);
        if (strcmp (take (rig), cases[c].then) != 0)
            fail_msg ("%s: %lu windows then", cases[c].name, (unsigned long)rig->part_count);
        assert_int_equal (rig->parts[0].empty_until_ms, cases[c].empty_until_ms);
        rig_destroy (rig);
    }
}

static void stored_state_comes_back (void **state)
{
    (void)state;
    rig_t *rig = rig_new (20, 10, 2);
    for (int64_t time_ms = 100; time_ms < 150; time_ms++)
        apply_to (rig, time_ms % 2 == 0, time_ms, EVENT_TIME_NONE);
    assert_int_equal (commit (rig), 2 + 2 * 5);
    assert_int_equal (commit (rig), 0);
    apply_to (rig, 0, 149, EVENT_TIME_NONE);
    assert_int_equal (commit (rig), 1); /* what changed and no more */
    advance (rig, 131);
    take (rig);
    restart (rig); /* computed up to 130 */
    uint64_t cells, bytes;
    metrics_stage.measure (rig->shard, &cells, &bytes);
    assert_int_equal (cells, 2 * 4); /* from 110 on */
    assert_int_equal (rig->record_count, 2 + 2 * 4);
    assert_true (bytes > cells * 100);
    advance (rig, 131);
    assert_string_equal (take (rig), "");
    advance (rig, 150);
    assert_string_equal (take (rig), "a140=10 b140=10 a150=11 b150=10");
    restart (rig);
    rig->live_count = 1; /* the other one left the configuration while the shard was away */
    restart (rig);
    advance (rig, 170);
    assert_string_equal (take (rig), "a160=6 a170=0");
    commit (rig);
    assert_int_equal (rig->record_count, 2); /* its cells went by age */
    advance (rig, INT64_C (40) * 86400 * 1000);
    commit (rig);
    assert_int_equal (rig->record_count, 1); /* and itself */
    rig_destroy (rig);
}

static void bad_records_are_refused (void **state)
{
    (void)state;
    rig_t *rig = rig_new (20, 10, 1);
    apply_to (rig, 0, 100, EVENT_TIME_NONE);
    commit (rig);
    assert_int_equal (rig->record_count, 2);
    const record_t *scenario = &rig->records[0], *cell = &rig->records[1];
    const struct {
        const char *name;
        const record_t *record;
        size_t key_less, value_less;
        bool alone;
    } cases[] = {
        {"a short key", scenario, 1, 0, true},
        {"a short scenario", scenario, 0, 1, true},
        {"no value", scenario, 0, scenario->value_size, true},
        {"a cell of no scenario", cell, 0, 0, true},
        {"a short cell", cell, 0, 1, false},
        {"a cell's short key", cell, 8, 0, false},
        {"a scenario twice", scenario, 0, 0, false},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        stage_context_t context = {.actions = rig->actions, .owed = rig->owed};
        void *shard = metrics_stage.open (&context);
        if (!cases[c].alone)
            assert_int_equal (metrics_stage.load (shard, scenario->key, scenario->key_size,
                                                  scenario->value, scenario->value_size),
                              0);
        const record_t *record = cases[c].record;
        if (metrics_stage.load (shard, record->key, record->key_size - cases[c].key_less,
                                record->value, record->value_size - cases[c].value_less) != -1)
            fail_msg ("taken: %s", cases[c].name);
        metrics_stage.close (&shard);
    }
    rig_destroy (rig);
}

static void a_new_revision_shows_at_once (void **state)
{
    (void)state;
    rig_t *rig = rig_new (20, 10, 1);
    for (int64_t time_ms = 100; time_ms < 150; time_ms++)
        apply_to (rig, 0, time_ms, EVENT_TIME_NONE);
    advance (rig, 125);
    take (rig);
    rig->config[0].metrics.cvr = true;
    reconfigure (rig, 0);
    assert_string_equal (take (rig), "a120=20r2");
    advance (rig, 145); /* 130 and 140 are not yet acknowledged: of 130 the cells are gone */
    metrics_stage.finish (rig->shard, &rig->time); /* and neither is 150 */
    reconfigure (rig, 0);
    assert_string_equal (take (rig), "a130=20r2 a140=20r3 a150=20r3");
    reconfigure (rig, 0);
    assert_string_equal (take (rig), "a140=20r4 a150=20r4");
    rig_destroy (rig);
}

static void another_shape_is_inexact_at_first (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t size_ms, slide_ms;
        bool users;
        const char *at_once, *later; /* greatest event time 149 */
    } cases[] = {
        {"the same", 20, 10, true, "a140=20r2", "a150=20r2 a160=10r2 a170=0r2"},
        {"longer", 30, 10, true, "a140=20?r2", "a150=30?r2 a160=20?r2 a170=10?r2"},
        {"coarser", 40, 20, true, "a140=20?r2", "a160=30?r2"},
        {"finer", 10, 5, true, "a140=10?r2",
         "a145=10?r2 a150=10?r2 a155=0?r2 a160=0r2 a165=0r2 "
         "a170=0r2"},
        {"less collected", 20, 10, false, "a140=20r2", "a150=20r2 a160=10r2 a170=0r2"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rig_t *rig = rig_new (20, 10, 1);
        for (int64_t time_ms = 100; time_ms < 150; time_ms++)
            apply_to (rig, 0, time_ms, EVENT_TIME_NONE);
        advance (rig, 141);
        take (rig);
        config_metrics_t *config = &rig->config[0].metrics;
        config->size_ms = cases[c].size_ms;
        config->slide_ms = cases[c].slide_ms;
        config->active_users = cases[c].users;
        config->history_windows = 9;
        if (c % 2)
            reconfigure (rig, 0);
        else { /* the same where it changed while the shard was away */
            rig->live[0].number++;
            restart (rig);
            metrics_stage.refresh (rig->shard, &rig->time, (stage_refresh_t){0});
        }
        if (strcmp (take (rig), cases[c].at_once) != 0)
            fail_msg ("%s, at once: %c%ld", cases[c].name, rig->parts[0].scenario,
                      (long)rig->parts[0].total);
        advance (rig, 170);
        if (strcmp (take (rig), cases[c].later) != 0)
            fail_msg ("%s, later: %lu windows", cases[c].name, (unsigned long)rig->part_count);
        assert_int_equal (rig->parts[0].users != UINT64_MAX, cases[c].users);
        rig_destroy (rig);
    }
}

static void scenarios_come_and_go (void **state)
{
    (void)state;
    rig_t *rig = rig_new (20, 10, 1);
    apply_to (rig, 0, 135, EVENT_TIME_NONE);
    advance (rig, 131);
    take (rig);
    rig->live_count = 2; /* a new one: inexact until its windows are whole */
    reconfigure (rig, 1);
    assert_string_equal (take (rig), "b90=0?r2 b100=0?r2 b110=0?r2 b120=0?r2 b130=0?r2");
    rig->live[0].active = false;
    reconfigure (rig, 0);
    advance (rig, 160);
    assert_string_equal (take (rig), "b140=0?r2 b150=0?r2 b160=0r2");
    rig->live[0].active = true; /* back: its newest, not what it missed */
    apply_to (rig, 1, 165, 160);
    reconfigure (rig, 0);
    assert_string_equal (take (rig), "a160=0?r3");
    apply_to (rig, 0, 166, 160);
    advance (rig, 170);
    assert_string_equal (take (rig), "a170=1?r3 b170=1r2");
    rig->config[0].metrics.enabled = false;
    reconfigure (rig, 0);
    rig->time.exact_from_ms = 165; /* of the whole shard */
    advance (rig, 190);
    assert_string_equal (take (rig), "b180=1?r2 b190=0r2");
    rig_destroy (rig);
}

static void the_end_and_more_input (void **state)
{
    (void)state;
    rig_t *rig = rig_new (20, 10, 1);
    metrics_stage.finish (rig->shard, &rig->time);
    assert_string_equal (take (rig), ""); /* no event at all */
    for (int64_t time_ms = 100; time_ms < 125; time_ms++)
        apply_to (rig, 0, time_ms, EVENT_TIME_NONE);
    metrics_stage.finish (rig->shard, &rig->time); /* no watermark yet */
    assert_string_equal (take (rig), "a90=0 a100=0 a110=10 a120=20 a130=15");
    advance (rig, 112);
    take (rig);
    metrics_stage.finish (rig->shard, &rig->time);
    assert_string_equal (take (rig), "a120=20 a130=15");
    metrics_stage.refresh (rig->shard, &rig->time, (stage_refresh_t){.everything = true});
    assert_string_equal (take (rig), "a110=10 a120=20 a130=15");
    restart (rig);
    apply_to (rig, 0, 113, 112);
    apply_to (rig, 0, 139, 112);
    metrics_stage.finish (rig->shard, &rig->time);
    assert_string_equal (take (rig), "a120=21 a130=16 a140=6");
    advance (rig, 130);
    assert_string_equal (take (rig), "a120=21 a130=16");
    rig_destroy (rig);
}

/*  Nobody takes anything: what is owed is what Redis would show in the end. HISTORY is 5. */
static void an_outage_leaves_the_newest_history (void **state)
{
    (void)state;
    rig_t *rig = rig_new (10, 10, 1);
    for (int64_t at_ms = 0; at_ms < 200; at_ms += 10) {
        apply_to (rig, 0, at_ms, EVENT_TIME_NONE);
        advance (rig, at_ms);
        assert_true (owed_count (rig->owed) <= 5);
    }
    advance (rig, 200);
    assert_int_equal (owed_count (rig->owed), 5);
    for (int64_t at_ms = 210; at_ms <= 400; at_ms += 10) { /* a silence */
        advance (rig, at_ms);
        assert_true (owed_count (rig->owed) <= 10);
    }
    apply_to (rig, 0, 405, 400);
    advance (rig, 405);
    assert_string_equal (take (rig), "a200=1 a210=0 a220=0 a230=0 a240=0 "
                                     "a360=0 a370=0 a380=0 a390=0 a400=0");
    for (int64_t at_ms = 410; at_ms <= 430; at_ms += 10)
        advance (rig, at_ms); /* 410 has an event */
    advance (rig, 9000);     /* a jump */
    assert_string_equal (take (rig), "a410=1 a420=0 a430=0 a8960=0 a8970=0 a8980=0 a8990=0 a9000=0");
    for (int64_t at_ms = 9000; at_ms < 9100; at_ms += 10) {
        apply_to (rig, 0, at_ms, 8990);
        advance (rig, at_ms);
    }
    restart (rig); /* what is owed stays, what it knew of it goes */
    rig->config[0].metrics.history_windows = 2;
    reconfigure (rig, 0);
    assert_string_equal (take (rig), "a9080=1 a9090=1r2");
    rig_destroy (rig);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (windows_as_time_goes_on),
        cmocka_unit_test (all_shards_owe_in_one_order),
        cmocka_unit_test (nothing_before_the_first_event),
        cmocka_unit_test (stored_state_comes_back),
        cmocka_unit_test (bad_records_are_refused),
        cmocka_unit_test (a_new_revision_shows_at_once),
        cmocka_unit_test (another_shape_is_inexact_at_first),
        cmocka_unit_test (scenarios_come_and_go),
        cmocka_unit_test (the_end_and_more_input),
        cmocka_unit_test (an_outage_leaves_the_newest_history),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
