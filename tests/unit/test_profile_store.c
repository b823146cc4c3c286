/*  profile_table and profile_record: what is stored, and read back to the same bits. */
#include "tests/unit/profile_fixture.h"

#include <math.h>
#include "common/pack.h"

static void apply_random (fixture_t *f, int count)
{
    static const char *const actions[] = {"view", "click", "purchase", "impression", "zoom", "bow"};
    for (int i = 0; i < count; i++) {
        char user[24], item[24], labels[4][24];
        span_t tags[3];
        snprintf (user, sizeof user, "user %d", rand () % 50);
        snprintf (item, sizeof item, "item %d", rand () % 300);
        for (int j = 0; j < 4; j++)
            snprintf (labels[j], sizeof labels[j], "%d.%d", j, rand () % 9);
        for (int j = 0; j < 3; j++)
            tags[j] = span_of (labels[j + 1]);
        int action = rand () % 6;
        stage_event_t event = {
            .time_ms = BASE + rand () % (4 * 86400000),
            .action = action < 4 ? (uint16_t)actions_find (span_of (actions[action]))
                                 : action_names_intern (f->names, span_of (actions[action])),
            .item = span_of (item),
            .category = rand () % 3 ? span_of (labels[0]) : (span_t){0},
            .tags = tags,
            .tag_count = (uint32_t)rand () % 4,
        };
        apply_full (f, rand () % 2, user, &event);
    }
}

/*  Store, load, and go on: the same bits as without the restart. */
static void test_restart_gives_the_same_bits (void **state)
{
    (void)state;
    buffer_t results[2];
    size_t counts[2];
    for (int restarts = 0; restarts < 2; restarts++) {
        fixture_t *f = begin ();
        for (int i = 0; i < 2; i++)
            configure (f, i,
                       "{\"user_profile\": {\"interest_decay_days\": 2, \"behavior_weights\": "
                       "{\"view\": 1, \"purchase\": -0.7, \"zoom\": 0.3, \"bow\": 1.1}}}");
        srand (5);
        for (int i = 0; i < 6; i++) {
            apply_random (f, 1000);
            commit (f);
            if (restarts)
                restart (f);
        }
        f->owed_count = 0;
        profile_table_finish (f->table, &f->time);
        counts[restarts] = f->owed_count;
        f->time.watermark_ms = BASE;
        f->owed_count = 0;
        profile_table_refresh (f->table, &f->time, (stage_refresh_t){.everything = true}); /* an order that does not depend on slots */
        results[restarts] = all_json (f);
        end (f);
    }
    assert_int_equal (counts[0], 100);
    assert_int_equal (counts[1], 100);
    assert_int_equal (results[0].size, results[1].size);
    assert_memory_equal (results[0].bytes, results[1].bytes, results[0].size);
    buffer_free (&results[0]);
    buffer_free (&results[1]);
}

static void test_only_changed_users_are_stored (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    advance (f, BASE, 0);
    apply (f, 0, "a", BASE);
    apply (f, 0, "a", BASE + 1);
    apply (f, 0, "b", BASE);
    assert_int_equal (commit (f), 2);
    assert_int_equal (commit (f), 0);
    apply (f, 0, "b", BASE + 2);
    assert_int_equal (commit (f), 1);
    apply (f, 0, "b", BASE - 4 * 86400000); /* ignored */
    assert_int_equal (commit (f), 0);
    assert_int_equal (profile_table_measure (f->table).ignored, 1);
    end (f);
}

static void apply_some (fixture_t *f, unsigned step, int64_t time_ms)
{
    for (unsigned i = 0; i < USERS; i += step)
        apply_number (f, i, time_ms);
}

static void assert_same_records (const fixture_t *a, const fixture_t *b)
{
    assert_int_equal (a->records.count, b->records.count);
    for (size_t i = 0; i < a->records.count; i++) {
        assert_true (span_equal (a->records.list[i].key, b->records.list[i].key));
        assert_true (span_equal (a->records.list[i].value, b->records.list[i].value));
    }
}

/*  Events, writes and expiry between the steps of a collection do not show in its records, and all in the next one's. */
static void test_a_collection_is_of_one_moment (void **state)
{
    (void)state;
    const int64_t gone_ms = BASE + 3 * 86400000 + PROFILE_LATE_KEPT_MS + 10000;
    fixture_t *whole = begin (), *steps = begin ();
    for (int round = 0; round < 3; round++) {
        int64_t now_ms = 100000 * round, time_ms = BASE + 1000 * round;
        fixture_t *both[] = {whole, steps};
        for (int i = 0; i < 2; i++) {
            apply_some (both[i], 1, time_ms);
            if (round == 2) {
                profile_table_finish (both[i]->table, &both[i]->time); /* only what is stored holds them */
                apply_some (both[i], 3, gone_ms);
            }
        }
        commit (whole);
        change_set_t changes = {0};
        profile_table_collect (steps->table, &changes);
        assert_true (profile_table_collect_more (steps->table, &changes));
        for (int i = 0; i < 2; i++) {
            apply_some (both[i], 7, time_ms + 500);
            apply (both[i], 1, "new", time_ms);
            if (round != 1)
                advance (both[i], round ? gone_ms : time_ms + UPDATE_MS, now_ms + 50000);
            if (round == 0) /* its record of this round, and another one for the next */
                apply_some (both[i], 5, time_ms + 600);
            if (round == 2) /* some are back before their deletion */
                apply_some (both[i], 2, gone_ms + 1);
        }
        commit_rest (steps, &changes);
        assert_same_records (whole, steps);
    }
    assert_true (profile_table_measure (steps->table).dropped > 0);
    for (int i = 0; i < 2; i++) {
        fixture_t *f = i ? steps : whole;
        advance (f, gone_ms, 300000);
        profile_table_finish (f->table, &f->time);
        commit (f);
        advance (f, gone_ms, 400000);
        commit (f);
    }
    assert_same_records (whole, steps);
    assert_true (steps->records.count > 0 && steps->records.count < USERS);
    end (whole);
    end (steps);
}

/*  A restart writes what was changed and not written, and nothing else. */
static void test_dirty_is_stored (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    advance (f, BASE, 0);
    apply (f, 0, "written", BASE);
    commit (f);
    assert_int_equal (advance (f, BASE + UPDATE_MS, 1000), 1);
    apply (f, 0, "waiting", BASE);
    assert_int_equal (commit (f), 2);
    f->known[0] = false; /* its config comes after the records */
    restart (f);
    f->owed_count = 0;
    profile_table_finish (f->table, &f->time);
    assert_int_equal (f->owed_count, 0);
    f->known[0] = true;
    profile_table_configure (f->table, &f->live[0], &f->time);
    assert_int_equal (advance (f, BASE + 2 * UPDATE_MS, 5000), 1);
    profile_view_t view;
    assert_true (profile_table_view (f->table, f->owed[0], PROFILE_KEY_BYTES, &view));
    assert_true (span_equal (view.user, span_of ("waiting")));
    end (f);
}

/*  One that was due and held back for the clock when its process died is written once it is back, not a
 *  period of event time later; also where its config comes after it. */
static void test_due_before_a_restart (void **state)
{
    (void)state;
    for (int config_first = 0; config_first < 2; config_first++) {
        fixture_t *f = begin ();
        advance (f, BASE, 0);
        apply (f, 0, "u", BASE);
        assert_int_equal (advance (f, BASE + UPDATE_MS, 50), 1);
        apply (f, 0, "u", BASE + 1);
        assert_int_equal (advance (f, BASE + 2 * UPDATE_MS, 51), 0); /* it is due, and held back */
        apply (f, 0, "just now", BASE + 2 * UPDATE_MS);
        commit (f);
        f->known[0] = config_first;
        restart (f);
        f->known[0] = true;
        profile_table_configure (f->table, &f->live[0], &f->time);
        assert_int_equal (advance (f, BASE + 2 * UPDATE_MS, 60), 1);
        assert_int_equal (advance (f, BASE + 3 * UPDATE_MS, 70), 1);
        end (f);
    }
}

/*  Users of one hash stay two, in memory, in keys and in the store. */
static void test_equal_hashes (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    stage_event_t event = {
        .time_ms = BASE, .action = ACTION_VIEW, .item = span_of ("i"), .key_hash = 42};
    char name[24];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++) {
            snprintf (name, sizeof name, "u%d", i);
            apply_full (f, 0, name, &event);
        }
    }
    profile_measure_t measure = profile_table_measure (f->table);
    assert_int_equal (measure.users, 256);
    assert_int_equal (measure.refused, 2 * 44);
    commit (f);
    assert_int_equal (f->records.count, 256);
    restart (f);
    f->owed_count = 0;
    profile_table_finish (f->table, &f->time);
    assert_int_equal (f->owed_count, 256);
    for (size_t i = 0; i < f->owed_count; i++) {
        profile_view_t view;
        assert_true (profile_table_view (f->table, f->owed[i], PROFILE_KEY_BYTES, &view));
        snprintf (name, sizeof name, "u%u", f->owed[i][17]);
        assert_true (span_equal (view.user, span_of (name)));
        assert_int_equal (profile_count (view.profile, ACTION_VIEW), 2);
    }
    end (f);
}

/*  As the first version wrote it. */
static void write_first (buffer_t *to)
{
    pack_array (to, 12);
    pack_uint (to, 1);
    pack_span (to, span_of ("u"));
    pack_bool (to, true);
    pack_int (to, BASE - 5);
    pack_int (to, BASE);
    pack_int (to, BASE - 5);
    pack_double (to, 86400000);
    pack_array (to, 4);
    pack_uint (to, ACTION_VIEW);
    pack_uint (to, 2);
    pack_span (to, span_of ("zoom"));
    pack_uint (to, 1);
    pack_array (to, 2);
    pack_uint (to, 22);
    pack_uint (to, 3);
    pack_array (to, 1);
    pack_array (to, 5);
    pack_span (to, span_of ("c"));
    pack_uint (to, 0);
    pack_double (to, 2.25);
    pack_uint (to, 1);
    pack_double (to, 1);
    pack_array (to, 0);
    pack_array (to, 4);
    pack_span (to, span_of ("old"));
    pack_int (to, BASE - 5);
    pack_span (to, span_of ("new"));
    pack_int (to, BASE);
}

static void test_first_version_is_read (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    buffer_t record = {0};
    uint8_t key[PROFILE_KEY_BYTES] = {'c'}, owed[PROFILE_KEY_BYTES];
    write_first (&record);
    for (int i = 0; i < 8; i++)
        key[1 + i] = (uint8_t)(f->live[0].hash >> (56 - 8 * i));
    key[16] = 42;
    for (size_t size = 0; size < record.size; size++)
        assert_int_equal (profile_table_load (f->table, key, sizeof key, record.bytes, size), -1);
    assert_int_equal (profile_table_load (f->table, key, sizeof key, record.bytes, record.size), 0);
    apply_full (f, 0, "u",
                &(stage_event_t){.time_ms = BASE, .action = ACTION_VIEW, .item = span_of ("new"),
                                 .category = span_of ("c"), .key_hash = 42});
    assert_int_equal (commit (f), 1);
    restart (f); /* now of the present version */
    memcpy (owed, key, sizeof key);
    owed[0] = 'p';
    profile_view_t view;
    assert_true (profile_table_view (f->table, owed, sizeof owed, &view));
    assert_int_equal (profile_count (view.profile, ACTION_VIEW), 3);
    assert_int_equal (profile_count (view.profile, PROFILE_HOUR_CODE + 22), 4);
    assert_int_equal (view.profile->first_ms, BASE - 5);
    assert_int_equal (view.profile->recent_count, 2);
    profile_score_t top[PROFILE_CATEGORIES_MAX];
    assert_int_equal (profile_top (view.profile, view.shared, view.weights, PROFILE_CATEGORY, 5, top), 1);
    assert_true (fabs (top[0].score - 3.25) < 1e-6);
    buffer_free (&record);
    end (f);
}

static void check_broken (int events)
{
    fixture_t *f = begin ();
    srand (9);
    apply_random (f, events);
    commit (f);
    for (size_t i = 0; i < f->records.count; i++) {
        span_t key = f->records.list[i].key, value = f->records.list[i].value;
        const uint8_t *at = (const uint8_t *)key.bytes;
        profile_table_t *table = new_table (f, f->names);
        for (size_t size = 0; size < value.size; size++) { /* cut off; exactly sized, for asan */
            uint8_t *copy = memory_new (size);
            memcpy (copy, value.bytes, size);
            assert_int_equal (profile_table_load (table, at, key.size, copy, size), -1);
            free (copy);
        }
        for (int j = 0; j < 300; j++) { /* changed: read or refused, never worse */
            uint8_t *copy = memory_new (value.size);
            memcpy (copy, value.bytes, value.size);
            copy[(size_t)rand () % value.size] = (uint8_t)rand ();
            profile_table_load (table, at, key.size, copy, value.size);
            free (copy);
        }
        assert_int_equal (profile_table_load (table, at, key.size - 1, (const uint8_t *)"", 0), -1);
        profile_table_destroy (&table);
    }
    end (f);
}

static void test_broken_records_are_refused (void **state)
{
    (void)state;
    check_broken (400);  /* lists of events */
    check_broken (6000); /* counts */
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_restart_gives_the_same_bits),
        cmocka_unit_test (test_only_changed_users_are_stored),
        cmocka_unit_test (test_a_collection_is_of_one_moment),
        cmocka_unit_test (test_dirty_is_stored),
        cmocka_unit_test (test_due_before_a_restart),
        cmocka_unit_test (test_equal_hashes),
        cmocka_unit_test (test_first_version_is_read),
        cmocka_unit_test (test_broken_records_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
