/*  results: what is written is read again, and no other bytes are taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/results.h"

enum { ACTIONS_MAX = 8 };

static const result_header_t header = {
    .kind = RESULT_METRICS,
    .tenant = {"t\xc3\xa9n:ant", 8},
    .scenario = {"feed", 4},
    .revision = {1763800000000, 12},
    .window_start_ms = -900000,
    .window_end_ms = 1763800200000,
    .exact = true,
    .ttl_ms = 7200000,
};
static const result_action_t actions[] = {{{"click", 5}, 3}, {{"view", 4}, UINT64_C (1) << 40}};

static void assert_spans (span_t a, span_t b)
{
    assert_int_equal (a.size, b.size);
    assert_memory_equal (a.bytes, b.bytes, a.size);
}

static void assert_actions (const result_action_t *read, uint32_t count)
{
    assert_int_equal (count, 2);
    for (uint32_t i = 0; i < count; i++) {
        assert_spans (read[i].name, actions[i].name);
        assert_int_equal (read[i].count, actions[i].count);
    }
}

/*  One body of each kind, the header in front, and how to read what is behind it. */

static void write_ranking (buffer_t *body, bool item_stats)
{
    result_ranking_t ranking = {.top_k = 10, .item_stats = item_stats, .item_count = 2};
    results_write_ranking (body, &ranking);
    for (uint32_t i = 0; i < 2; i++) {
        result_item_t item = {.item = {i ? "b" : "a", 1},
                              .score = 2.5 - i,
                              .actions = actions,
                              .action_count = 2,
                              .unique_users = 7,
                              .watched_ms = 1500,
                              .watched_count = 2};
        results_write_item (body, &item, item_stats);
    }
}

static void write_ranking_plain (buffer_t *body)
{
    write_ranking (body, false);
}

static void write_ranking_stats (buffer_t *body)
{
    write_ranking (body, true);
}

static void write_metrics (buffer_t *body, bool sets)
{
    distinct_t *users = distinct_new (DISTINCT_METRICS), *items = distinct_new (DISTINCT_METRICS);
    for (uint64_t i = 1; i <= 3; i++)
        distinct_add (users, i << 50);
    distinct_add (items, 5);
    result_metrics_t metrics = {.metrics_json = {"{\"a\":1}", 7},
                                .empty_until_ms = 60000,
                                .total_actions = 99,
                                .actions = actions,
                                .action_count = 2,
                                .watched_ms = 123456,
                                .watched_count = 4,
                                .rate_known = 9,
                                .rate_done = 8,
                                .users = sets ? users : NULL,
                                .items = sets ? items : NULL};
    results_write_metrics (body, &metrics);
    distinct_destroy (&users);
    distinct_destroy (&items);
}

static void write_metrics_plain (buffer_t *body)
{
    write_metrics (body, false);
}

static void write_metrics_sets (buffer_t *body)
{
    write_metrics (body, true);
}

static void write_profile (buffer_t *body)
{
    result_profile_t profile = {.user = {"u1", 2}, .json = {"{}", 2}};
    results_write_profile (body, &profile);
}

static void read_ranking (cursor_t *cursor, bool check)
{
    result_ranking_t ranking;
    result_action_t room[ACTIONS_MAX];
    results_read_ranking (cursor, &ranking);
    for (uint32_t i = 0; i < ranking.item_count && !cursor->failed; i++) {
        result_item_t item;
        results_read_item (cursor, &item, ranking.item_stats, room, ACTIONS_MAX);
        if (!check)
            continue;
        assert_spans (item.item, span_of (i ? "b" : "a"));
        assert_true (item.score == 2.5 - i);
        if (!ranking.item_stats)
            continue;
        assert_actions (item.actions, item.action_count);
        assert_int_equal (item.unique_users, 7);
        assert_int_equal (item.watched_ms, 1500);
        assert_int_equal (item.watched_count, 2);
    }
    if (check) {
        assert_int_equal (ranking.top_k, 10);
        assert_int_equal (ranking.item_count, 2);
    }
}

static void read_metrics (cursor_t *cursor, bool check)
{
    result_metrics_t metrics;
    result_action_t room[ACTIONS_MAX];
    distinct_t *users = distinct_new (DISTINCT_METRICS), *items = distinct_new (DISTINCT_METRICS);
    results_read_metrics (cursor, &metrics, room, ACTIONS_MAX, users, items);
    if (check) {
        assert_spans (metrics.metrics_json, span_of ("{\"a\":1}"));
        assert_int_equal (metrics.total_actions, 99);
        assert_actions (metrics.actions, metrics.action_count);
        assert_int_equal (metrics.watched_ms, 123456);
        assert_int_equal (metrics.watched_count, 4);
        assert_int_equal (metrics.rate_known, 9);
        assert_int_equal (metrics.rate_done, 8);
        assert_int_equal (metrics.users ? distinct_count (metrics.users) : 3, 3);
        assert_int_equal (metrics.items ? distinct_count (metrics.items) : 1, 1);
        assert_int_equal (metrics.empty_until_ms, 60000);
        assert_true (!metrics.users == !metrics.items);
    }
    distinct_destroy (&users);
    distinct_destroy (&items);
}

static void read_profile (cursor_t *cursor, bool check)
{
    result_profile_t profile;
    results_read_profile (cursor, &profile);
    if (check) {
        assert_spans (profile.user, span_of ("u1"));
        assert_spans (profile.json, span_of ("{}"));
    }
}

static const struct {
    const char *name;
    void (*write) (buffer_t *body);
    void (*read) (cursor_t *cursor, bool check);
} kinds[] = {
    {"ranking", write_ranking_plain, read_ranking},
    {"ranking with stats", write_ranking_stats, read_ranking},
    {"metrics", write_metrics_plain, read_metrics},
    {"metrics with sets", write_metrics_sets, read_metrics},
    {"profile", write_profile, read_profile},
};

static bool read_body (const void *bytes, size_t size, size_t kind, bool check)
{
    cursor_t cursor = cursor_of (bytes, size);
    result_header_t read;
    results_read_header (&cursor, &read);
    if (check) {
        assert_int_equal (read.kind, header.kind);
        assert_spans (read.tenant, header.tenant);
        assert_spans (read.scenario, header.scenario);
        assert_int_equal (revision_compare (read.revision, header.revision), 0);
        assert_int_equal (read.window_start_ms, header.window_start_ms);
        assert_int_equal (read.window_end_ms, header.window_end_ms);
        assert_true (read.exact);
        assert_int_equal (read.ttl_ms, header.ttl_ms);
    }
    kinds[kind].read (&cursor, check);
    return cursor_finished (&cursor);
}

static void round_trips (void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        buffer_t body = {0};
        results_write_header (&body, &header);
        kinds[k].write (&body);
        if (!read_body (body.bytes, body.size, k, true))
            fail_msg ("not read: %s", kinds[k].name);
        buffer_free (&body);
    }
}

static void truncated_and_garbled_bodies (void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        buffer_t body = {0};
        results_write_header (&body, &header);
        kinds[k].write (&body);
        for (size_t size = 0; size < body.size; size++) {
            /*  A block of its own, so that a sanitizer sees a read behind its end. */
            uint8_t *copy = memory_new (size);
            memcpy (copy, body.bytes, size);
            if (read_body (copy, size, k, false))
                fail_msg ("taken: %zu bytes of %s", size, kinds[k].name);
            free (copy);
        }
        uint8_t *copy = memory_new (body.size);
        uint64_t seed = 1;
        for (size_t round = 0; round < 20000; round++) {
            memcpy (copy, body.bytes, body.size);
            for (size_t n = 0; n < 1 + round % 3; n++) {
                seed = seed * UINT64_C (6364136223846793005) + 1442695040888963407;
                copy[(seed >> 33) % body.size] = (uint8_t)(seed >> 24);
            }
            read_body (copy, body.size, k, false); /* whatever it says, it does no harm */
        }
        free (copy);
        buffer_append (&body, "", 1);
        assert_false (read_body (body.bytes, body.size, k, false));
        buffer_free (&body);
    }
}

/*  Well-formed msgpack that says what cannot be. */
static void impossible_values (void **state)
{
    (void)state;
    result_header_t bad = header;
    static const result_action_t unsorted[] = {{{"view", 4}, 1}, {{"click", 5}, 1}};
    const result_metrics_t good = {.metrics_json = {"{}", 2}, .rate_known = 1};
    for (size_t c = 0; c < 9; c++) {
        buffer_t body = {0};
        result_metrics_t metrics = good;
        bad = header;
        bad.tenant = c == 0 ? span_of ("") : bad.tenant;
        bad.kind = c == 1 ? (result_kind_t)0 : c == 2 ? (result_kind_t)4 : bad.kind;
        bad.window_end_ms = c == 3 ? bad.window_start_ms - 1 : bad.window_end_ms;
        bad.ttl_ms = c == 4 ? 0 : bad.ttl_ms;
        metrics.rate_done = c == 5 ? 2 : 1;
        metrics.actions = unsorted;
        metrics.action_count = c == 6 ? 2 : 0;
        results_write_header (&body, &bad);
        if (c == 7)
            pack_nil (&body);
        results_write_metrics (&body, &metrics);
        if (read_body (body.bytes, body.size, 2, false) != (c == 8))
            fail_msg ("case %zu", c);
        buffer_free (&body);
    }
    static const double scores[] = {0, -1, INFINITY, NAN};
    for (size_t c = 0; c < sizeof scores / sizeof *scores; c++) {
        buffer_t body = {0};
        result_item_t item = {.item = {"a", 1}, .score = scores[c]};
        results_write_item (&body, &item, false);
        cursor_t cursor = cursor_of (body.bytes, body.size);
        results_read_item (&cursor, &item, false, NULL, 0);
        assert_true (cursor.failed);
        buffer_free (&body);
    }
    buffer_t body = {0};
    result_ranking_t ranking = {.top_k = 1000, .item_count = 1000};
    results_write_ranking (&body, &ranking); /* and no items behind it */
    cursor_t cursor = cursor_of (body.bytes, body.size);
    results_read_ranking (&cursor, &ranking);
    assert_true (cursor.failed);
    assert_int_equal (ranking.item_count, 0);
    buffer_free (&body);
}

static void more_actions_than_room (void **state)
{
    (void)state;
    buffer_t body = {0};
    write_ranking (&body, true);
    cursor_t cursor = cursor_of (body.bytes, body.size);
    result_ranking_t ranking;
    result_item_t item;
    result_action_t room[1];
    results_read_ranking (&cursor, &ranking);
    results_read_item (&cursor, &item, true, room, 1);
    assert_true (cursor.failed);
    assert_int_equal (item.action_count, 0);
    buffer_free (&body);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (round_trips),
        cmocka_unit_test (truncated_and_garbled_bodies),
        cmocka_unit_test (impossible_values),
        cmocka_unit_test (more_actions_than_room),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
