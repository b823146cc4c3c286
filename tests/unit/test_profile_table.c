/*  profile_table and profiler_stage: when users are due and dropped; what the stage renders. */
#include "tests/unit/profile_fixture.h"

#include "common/results.h"

static void test_nothing_is_due_without_watermark (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    apply (f, 0, "u", BASE);
    assert_int_equal (advance (f, EVENT_TIME_NONE, 100000), 0);
    assert_int_equal (advance (f, BASE + UPDATE_MS, 200000), 1);
    assert_int_equal (advance (f, BASE + 5 * UPDATE_MS, 300000), 0); /* not changed since */
    end (f);
}

static void test_due_users_are_spread (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    advance (f, BASE, 0);
    for (unsigned i = 0; i < USERS; i++)
        apply_number (f, i, BASE);
    size_t total = 0, most = 0;
    for (int64_t second = 1; second <= 300; second++) {
        int64_t watermark_ms = BASE + second * 1000;
        size_t count = advance (f, watermark_ms, second * 1000);
        for (size_t i = 0; i < count; i++) { /* at the first step that reaches its phase */
            uint64_t hash = 0;
            for (int j = 0; j < 8; j++)
                hash = hash << 8 | f->owed[i][9 + j];
            int64_t past_ms = (watermark_ms - (int64_t)(hash % UPDATE_MS)) % UPDATE_MS;
            assert_true (past_ms < 1000);
        }
        total += count;
        most = count > most ? count : most;
    }
    assert_int_equal (total, USERS);
    assert_true (most < 20);
    for (unsigned i = 0; i < USERS; i++) /* the next round, in one jump */
        apply_number (f, i, BASE + 1);
    assert_int_equal (advance (f, BASE + 10 * UPDATE_MS, 400000), USERS);
    end (f);
}

/*  A user that was written at 50 of the clock, and is due again: held until 1050. */
static fixture_t *begin_held (void)
{
    fixture_t *f = begin ();
    advance (f, BASE, 0);
    apply (f, 0, "u", BASE);
    assert_int_equal (advance (f, BASE + UPDATE_MS, 50), 1);
    apply (f, 0, "u", BASE + 1);
    assert_int_equal (advance (f, BASE + 2 * UPDATE_MS, 51), 0);
    return f;
}

static void test_once_a_second_of_the_clock (void **state)
{
    (void)state;
    fixture_t *f = begin_held ();
    apply (f, 0, "u", BASE + 2);
    assert_int_equal (advance (f, BASE + 9 * UPDATE_MS, 1049), 0);
    assert_int_equal (advance (f, BASE + 9 * UPDATE_MS, 1050), 1);
    assert_int_equal (advance (f, BASE + 9 * UPDATE_MS, 5000), 0);
    end (f);
}

/*  One that waits for the clock, is written for another reason and changes again, waits from then. */
static void test_once_a_second_after_a_refresh_too (void **state)
{
    (void)state;
    fixture_t *f = begin_held ();
    f->time.now_ms = 700;
    profile_table_refresh (f->table, &f->time, (stage_refresh_t){.everything = true});
    apply (f, 0, "u", BASE + 2);
    assert_int_equal (advance (f, BASE + 2 * UPDATE_MS, 1050), 0);
    assert_int_equal (advance (f, BASE + 2 * UPDATE_MS, 1699), 0);
    assert_int_equal (advance (f, BASE + 2 * UPDATE_MS, 1700), 1);
    end (f);
}

static void test_a_shorter_period_holds_at_once (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    configure (f, 0, "{\"user_profile\": {\"update_frequency_minutes\": 1440}}");
    advance (f, BASE, 0);
    for (unsigned i = 0; i < 50; i++)
        apply_number (f, i, BASE);
    apply (f, 1, "other", BASE);
    configure (f, 0, "{\"user_profile\": {\"update_frequency_seconds\": 1}}");
    assert_int_equal (advance (f, BASE + 1000, 1000), 50);
    assert_int_equal (advance (f, BASE + UPDATE_MS, 2000), 1);
    end (f);
}

static void test_finish_owes_every_changed (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    advance (f, BASE, 0);
    apply (f, 0, "a", BASE);
    apply (f, 1, "a", BASE);
    f->owed_count = 0;
    profile_table_finish (f->table, &f->time);
    assert_int_equal (f->owed_count, 2);
    profile_table_finish (f->table, &f->time);
    assert_int_equal (f->owed_count, 2);
    apply (f, 1, "a", BASE + 7); /* more input */
    profile_table_finish (f->table, &f->time);
    assert_int_equal (f->owed_count, 3);
    apply (f, 1, "a", BASE + 8);
    assert_int_equal (advance (f, BASE + UPDATE_MS, 60000), 1);
    end (f);
}

/*  They are owed in groups: each once, whatever is left of the last group. */
static void test_finish_owes_each_once (void **state)
{
    (void)state;
    static const unsigned counts[] = {1, 31, 32, 33, 64, 65};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        fixture_t *f = begin ();
        advance (f, BASE, 0);
        for (unsigned user = 0; user < counts[i]; user++)
            apply_number (f, user, BASE);
        f->owed_count = 0;
        profile_table_finish (f->table, &f->time);
        assert_int_equal (f->owed_count, counts[i]);
        for (size_t one = 0; one < f->owed_count; one++)
            for (size_t other = 0; other < one; other++)
                assert_memory_not_equal (f->owed[one], f->owed[other], PROFILE_KEY_BYTES);
        end (f);
    }
}

static void test_refresh_is_newest_first (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    for (unsigned i = 0; i < 100; i++)
        apply_number (f, i, BASE + (i * 37) % 100);
    apply (f, 0, "expired", BASE - 4 * 86400000);
    apply (f, 1, "paused", BASE);
    f->live[1].active = false;
    advance (f, BASE, 0);
    f->owed_count = 0;
    profile_table_refresh (f->table, &f->time, (stage_refresh_t){.everything = true});
    assert_int_equal (f->owed_count, 100);
    int64_t last = INT64_MAX;
    for (size_t i = 0; i < f->owed_count; i++) {
        profile_view_t view;
        assert_true (profile_table_view (f->table, f->owed[i], PROFILE_KEY_BYTES, &view));
        assert_true (view.profile->newest_ms <= last);
        last = view.profile->newest_ms;
    }
    end (f);
}

static void test_expired_users_are_dropped (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    const int64_t held_ms = 3 * 86400000 + PROFILE_LATE_KEPT_MS;
    advance (f, BASE, 0);
    for (unsigned i = 0; i < USERS; i++)
        apply_number (f, i, BASE);
    uint64_t warm = profile_table_measure (f->table).bytes;
    assert_int_equal (advance (f, BASE + held_ms - 1, 100000), USERS);
    commit (f);
    advance (f, BASE + held_ms - 1, 200000);
    assert_int_equal (profile_table_measure (f->table).users, USERS);
    f->still_owed = true; /* Redis does not have them yet */
    advance (f, BASE + held_ms, 300000);
    assert_int_equal (profile_table_measure (f->table).users, USERS);
    f->still_owed = false;
    advance (f, BASE + held_ms, 400000);
    profile_measure_t measure = profile_table_measure (f->table);
    assert_int_equal (measure.users, 0);
    assert_int_equal (measure.dropped, USERS);
    assert_true (measure.bytes < warm);
    assert_int_equal (f->records.count, USERS);
    apply_number (f, 7, BASE + held_ms); /* back before the deletion is collected */
    assert_int_equal (commit (f), 1);
    assert_int_equal (f->records.count, 1);
    profile_view_t view;
    assert_int_equal (advance (f, BASE + held_ms + UPDATE_MS, 500000), 1);
    assert_true (profile_table_view (f->table, f->owed[0], PROFILE_KEY_BYTES, &view));
    assert_int_equal (profile_count (view.profile, ACTION_VIEW), 1);
    f->known[0] = false;
    assert_false (profile_table_view (f->table, f->owed[0], PROFILE_KEY_BYTES, &view));
    end (f);
}

static void test_stage_renders_what_it_owes (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    owed_t *owed = owed_new (2);
    stage_context_t context = {
        .shard_count = 1, .actions = f->names, .owed = owed, .find = find, .find_arg = f};
    void *shard = profiler_stage.open (&context);
    profiler_stage.loaded (shard, &f->time);
    span_t user = span_of ("u");
    stage_event_t event = {.scenario = &f->live[1],
                           .time_ms = BASE,
                           .complete_ms = EVENT_TIME_NONE,
                           .action = ACTION_VIEW,
                           .key_hash = 0x0102030405060708,
                           .user = user,
                           .item = span_of ("i")};
    assert_int_equal (profiler_stage.apply (shard, &event), APPLY_COUNTED);
    profiler_stage.refresh (shard, &f->time, (stage_refresh_t){0});
    assert_int_equal (owed_count (owed), 0);
    profiler_stage.finish (shard, &f->time);
    assert_int_equal (owed_count (owed), 1);
    uint8_t key[PROFILE_KEY_BYTES] = {'p', 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0};
    for (int i = 0; i < 8; i++)
        key[1 + i] = (uint8_t)(f->live[1].hash >> (56 - 8 * i));
    assert_true (owed_has (owed, key, sizeof key));

    buffer_t body = {0};
    assert_int_equal (profiler_stage.render (shard, key, sizeof key, &f->time, &body), 0);
    cursor_t cursor = cursor_of (body.bytes, body.size);
    result_header_t header;
    result_profile_t profile;
    results_read_header (&cursor, &header);
    results_read_profile (&cursor, &profile);
    assert_true (cursor_finished (&cursor));
    assert_int_equal (header.kind, RESULT_PROFILE);
    assert_int_equal (header.window_end_ms, BASE);
    assert_int_equal (header.ttl_ms, f->live[1].config->profile.ttl_ms);
    assert_int_equal (header.revision.number, f->live[1].number);
    assert_true (span_equal (header.scenario, span_of ("second")));
    assert_true (span_equal (profile.user, user));
    assert_int_equal (profile.json.bytes[0], '{');
    key[17] = 1;
    assert_int_equal (profiler_stage.render (shard, key, sizeof key, &f->time, &body), -1);
    buffer_free (&body);
    uint64_t cells, bytes;
    profiler_stage.measure (shard, &cells, &bytes);
    assert_int_equal (cells, 1);
    profiler_stage.close (&shard);
    assert_null (shard);
    owed_destroy (&owed);
    end (f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_nothing_is_due_without_watermark),
        cmocka_unit_test (test_due_users_are_spread),
        cmocka_unit_test (test_once_a_second_of_the_clock),
        cmocka_unit_test (test_once_a_second_after_a_refresh_too),
        cmocka_unit_test (test_a_shorter_period_holds_at_once),
        cmocka_unit_test (test_finish_owes_every_changed),
        cmocka_unit_test (test_finish_owes_each_once),
        cmocka_unit_test (test_refresh_is_newest_first),
        cmocka_unit_test (test_expired_users_are_dropped),
        cmocka_unit_test (test_stage_renders_what_it_owes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
