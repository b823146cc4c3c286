/*  profile_table and profiler_stage: when users are due, what is stored and read back, who is
 * dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include "common/key_hash.h"
#include "common/memory.h"
#include "common/results.h"
#include "profiler/profile_json.h"
#include "profiler/profile_table.h"
#include "tests/unit/record_map.h"

enum { USERS = 1000, OWED_MAX = 4 * USERS, UPDATE_MS = 300000 };
#define BASE INT64_C (1700000123456)

/*  Two scenarios, and a record of what was owed since it was last emptied. */
typedef struct {
    action_names_t *names;
    live_scenario_t live[2];
    bool known[2]; /* does find () know it? */
    profile_table_t *table;
    stage_time_t time;
    uint8_t owed[OWED_MAX][PROFILE_KEY_BYTES];
    size_t owed_count;
    bool still_owed; /* what is_owed () answers */
    record_map_t records;
} fixture_t;

static const live_scenario_t *find (void *arg, uint64_t hash)
{
    fixture_t *f = arg;
    for (int i = 0; i < 2; i++)
        if (f->known[i] && f->live[i].hash == hash)
            return &f->live[i];
    return NULL;
}

static void owe (void *arg, const void *key, size_t key_size, uint64_t route)
{
    fixture_t *f = arg;
    assert_int_equal (key_size, PROFILE_KEY_BYTES);
    assert_true (f->owed_count < OWED_MAX);
    memcpy (f->owed[f->owed_count], key, key_size);
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | f->owed[f->owed_count][9 + i];
    assert_true (hash == route);
    f->owed_count++;
}

static bool is_owed (void *arg, const void *key, size_t key_size)
{
    (void)key;
    (void)key_size;
    return ((fixture_t *)arg)->still_owed;
}

static void configure (fixture_t *f, int index, const char *json)
{
    config_errors_t errors;
    scenario_config_t *config = scenario_config_parse (span_of (json), "c", &errors);
    assert_non_null (config);
    scenario_config_t *old = (scenario_config_t *)(uintptr_t)f->live[index].config;
    f->live[index].config = config;
    f->live[index].number++;
    if (f->table)
        profile_table_configure (f->table, &f->live[index], &f->time);
    scenario_config_destroy (&old);
}

static profile_table_t *new_table (fixture_t *f, action_names_t *names)
{
    return profile_table_new (&(profile_table_setup_t){.actions = names,
                                                       .find = find,
                                                       .find_arg = f,
                                                       .owe = owe,
                                                       .is_owed = is_owed,
                                                       .owed_arg = f});
}

static fixture_t *begin (void)
{
    fixture_t *f = memory_new (sizeof *f);
    f->names = action_names_new ();
    f->time = (stage_time_t){.watermark_ms = EVENT_TIME_NONE, .exact_from_ms = EVENT_TIME_NONE};
    for (uint32_t i = 0; i < 2; i++) {
        f->live[i] = (live_scenario_t){.index = i,
                                       .tenant = "tenant",
                                       .scenario = i ? "second" : "first",
                                       .tenant_size = 6,
                                       .scenario_size = i ? 6 : 5,
                                       .active = true,
                                       .era = 1};
        f->live[i].hash =
            key_hash_scenario (live_scenario_tenant (&f->live[i]), live_scenario_id (&f->live[i]));
        f->known[i] = true;
        configure (f, (int)i, "{\"user_profile\": {\"interest_decay_days\": 1}}");
    }
    f->table = new_table (f, f->names);
    profile_table_loaded (f->table, &f->time);
    return f;
}

static void end (fixture_t *f)
{
    profile_table_destroy (&f->table);
    for (int i = 0; i < 2; i++) {
        scenario_config_t *config = (scenario_config_t *)(uintptr_t)f->live[i].config;
        scenario_config_destroy (&config);
    }
    record_map_free (&f->records);
    action_names_destroy (&f->names);
    free (f);
}

static void apply_full (fixture_t *f, int scenario, const char *user, const stage_event_t *from)
{
    stage_event_t event = *from;
    event.scenario = &f->live[scenario];
    event.complete_ms = EVENT_TIME_NONE;
    event.user = span_of (user);
    if (!event.key_hash)
        event.key_hash = key_hash (live_scenario_tenant (event.scenario),
                                   live_scenario_id (event.scenario), event.user);
    assert_int_equal (profile_table_apply (f->table, &event), APPLY_COUNTED);
}

static void apply (fixture_t *f, int scenario, const char *user, int64_t time_ms)
{
    stage_event_t event = {.time_ms = time_ms,
                           .action = ACTION_VIEW,
                           .item = span_of ("item"),
                           .category = span_of ("category")};
    apply_full (f, scenario, user, &event);
}

static void apply_number (fixture_t *f, unsigned user, int64_t time_ms)
{
    char name[24];
    snprintf (name, sizeof name, "user %u", user);
    apply (f, 0, name, time_ms);
}

/*  Moves both times; returns how many became owed. */
static size_t advance (fixture_t *f, int64_t watermark_ms, int64_t now_ms)
{
    f->time.watermark_ms = watermark_ms;
    f->time.now_ms = now_ms;
    f->owed_count = 0;
    profile_table_advance (f->table, &f->time);
    return f->owed_count;
}

static size_t commit (fixture_t *f)
{
    change_set_t changes = {0};
    profile_table_collect (f->table, &changes);
    size_t puts = record_map_apply (&f->records, &changes);
    change_set_free (&changes);
    return puts;
}

/*  Goes on with a table that has read the stored records. */
static void restart (fixture_t *f)
{
    action_names_t *names = action_names_new ();
    action_names_intern (names, span_of ("numbers differ from process to process"));
    profile_table_t *table = new_table (f, names);
    for (size_t i = 0; i < f->records.count; i++) {
        const record_t *record = &f->records.list[i];
        assert_int_equal (
            profile_table_load (table, (const uint8_t *)record->key.bytes, record->key.size,
                                (const uint8_t *)record->value.bytes, record->value.size),
            0);
    }
    profile_table_loaded (table, &f->time);
    profile_table_destroy (&f->table);
    action_names_destroy (&f->names);
    f->table = table;
    f->names = names;
}

/*  The JSON of every profile that was owed, in that order. */
static buffer_t all_json (fixture_t *f)
{
    buffer_t json = {0};
    for (size_t i = 0; i < f->owed_count; i++) {
        profile_view_t view;
        assert_true (profile_table_view (f->table, f->owed[i], PROFILE_KEY_BYTES, &view));
        profile_json_write (&json, &(profile_json_t){.tenant = live_scenario_tenant (view.live),
                                                     .scenario = live_scenario_id (view.live),
                                                     .user = view.user,
                                                     .profile = view.profile,
                                                     .shared = view.shared,
                                                     .weights = view.weights,
                                                     .top_categories = 64,
                                                     .top_tags = 256,
                                                     .recent_items = 1000});
    }
    return json;
}

/*  ---- when users are due ---- */

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

static void test_once_a_second_of_the_clock (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    advance (f, BASE, 0);
    apply (f, 0, "u", BASE);
    assert_int_equal (advance (f, BASE + UPDATE_MS, 50), 1);
    apply (f, 0, "u", BASE + 1);
    assert_int_equal (advance (f, BASE + 2 * UPDATE_MS, 51), 0);
    apply (f, 0, "u", BASE + 2);
    assert_int_equal (advance (f, BASE + 9 * UPDATE_MS, 1049), 0);
    assert_int_equal (advance (f, BASE + 9 * UPDATE_MS, 1050), 1);
    assert_int_equal (advance (f, BASE + 9 * UPDATE_MS, 5000), 0);
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
    profile_table_refresh (f->table, &f->time);
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

/*  ---- what is stored ---- */

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
        profile_table_refresh (f->table, &f->time); /* an order that does not depend on slots */
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

static void test_broken_records_are_refused (void **state)
{
    (void)state;
    fixture_t *f = begin ();
    srand (9);
    apply_random (f, 400);
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

/*  ---- the stage ---- */

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
    profiler_stage.refresh (shard, &f->time, false);
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
        cmocka_unit_test (test_a_shorter_period_holds_at_once),
        cmocka_unit_test (test_finish_owes_every_changed),
        cmocka_unit_test (test_refresh_is_newest_first),
        cmocka_unit_test (test_restart_gives_the_same_bits),
        cmocka_unit_test (test_only_changed_users_are_stored),
        cmocka_unit_test (test_dirty_is_stored),
        cmocka_unit_test (test_expired_users_are_dropped),
        cmocka_unit_test (test_equal_hashes),
        cmocka_unit_test (test_broken_records_are_refused),
        cmocka_unit_test (test_stage_renders_what_it_owes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
