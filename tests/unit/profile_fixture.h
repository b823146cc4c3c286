/*  profile_fixture: a profile_table with two scenarios, and a record of what became owed; for unit
 * tests. */
#ifndef HOTPATH_TEST_PROFILE_FIXTURE_H
#define HOTPATH_TEST_PROFILE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include "common/key_hash.h"
#include "common/memory.h"
#include "profiler/profile_json.h"
#include "profiler/profile_table.h"
#include "tests/unit/record_map.h"

enum { USERS = 1000, OWED_MAX = 4 * USERS, UPDATE_MS = 300000 };
#define BASE INT64_C (1700000123456)

/*  Two scenarios, and a record of what was owed since it was last emptied. */
typedef struct {
    action_names_t *names;
    profile_strings_t *strings; /* of all its tables */
    live_scenario_t live[2];
    bool known[2]; /* does find () know it? */
    profile_table_t *table;
    stage_time_t time;
    uint8_t owed[OWED_MAX][PROFILE_KEY_BYTES];
    size_t owed_count;
    bool still_owed; /* what is_owed () answers */
    record_map_t records;
} fixture_t;

static inline const live_scenario_t *find (void *arg, uint64_t hash)
{
    fixture_t *f = arg;
    for (int i = 0; i < 2; i++)
        if (f->known[i] && f->live[i].hash == hash)
            return &f->live[i];
    return NULL;
}

static inline void owe (void *arg, const void *key, size_t key_size, uint64_t route)
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

static inline void ask_owed (void *arg, const void *key, size_t key_size, int step)
{
    (void)arg;
    (void)key;
    (void)key_size;
    (void)step;
}

static inline bool is_owed (void *arg, const void *key, size_t key_size)
{
    (void)key;
    (void)key_size;
    return ((fixture_t *)arg)->still_owed;
}

static inline void configure (fixture_t *f, int index, const char *json)
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

static inline profile_table_t *new_table (fixture_t *f, action_names_t *names)
{
    return profile_table_new (&(profile_table_setup_t){.actions = names,
                                                       .strings = f->strings,
                                                       .find = find,
                                                       .find_arg = f,
                                                       .owe = owe,
                                                       .ask_owed = ask_owed,
                                                       .is_owed = is_owed,
                                                       .owed_arg = f});
}

static inline fixture_t *begin (void)
{
    fixture_t *f = memory_new (sizeof *f);
    f->names = action_names_new ();
    f->strings = profile_strings_new ();
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

static inline void end (fixture_t *f)
{
    profile_table_destroy (&f->table);
    assert_int_equal (profile_strings_count (f->strings), 0); /* every reference came back */
    profile_strings_destroy (&f->strings);
    for (int i = 0; i < 2; i++) {
        scenario_config_t *config = (scenario_config_t *)(uintptr_t)f->live[i].config;
        scenario_config_destroy (&config);
    }
    record_map_free (&f->records);
    action_names_destroy (&f->names);
    free (f);
}

static inline void apply_full (fixture_t *f, int scenario, const char *user,
                               const stage_event_t *from)
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

static inline void apply (fixture_t *f, int scenario, const char *user, int64_t time_ms)
{
    stage_event_t event = {.time_ms = time_ms,
                           .action = ACTION_VIEW,
                           .item = span_of ("item"),
                           .category = span_of ("category")};
    apply_full (f, scenario, user, &event);
}

static inline void apply_number (fixture_t *f, unsigned user, int64_t time_ms)
{
    char name[24];
    snprintf (name, sizeof name, "user %u", user);
    apply (f, 0, name, time_ms);
}

/*  Moves both times; returns how many became owed. */
static inline size_t advance (fixture_t *f, int64_t watermark_ms, int64_t now_ms)
{
    f->time.watermark_ms = watermark_ms;
    f->time.now_ms = now_ms;
    f->owed_count = 0;
    profile_table_advance (f->table, &f->time);
    return f->owed_count;
}

/*  What is left of a collection; into the records with it. */
static inline size_t commit_rest (fixture_t *f, change_set_t *changes)
{
    while (profile_table_collect_more (f->table, changes)) {
    }
    size_t puts = record_map_apply (&f->records, changes);
    change_set_free (changes);
    return puts;
}

static inline size_t commit (fixture_t *f)
{
    change_set_t changes = {0};
    profile_table_collect (f->table, &changes);
    return commit_rest (f, &changes);
}

/*  Goes on with a table that has read the stored records. */
static inline void restart (fixture_t *f)
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
static inline buffer_t all_json (fixture_t *f)
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

#endif
