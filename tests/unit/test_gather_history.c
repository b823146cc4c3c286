/*  Unit tests of sink/gather_history.c: what of a history stays known, and what of it Redis lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sink/gather_history.h"

enum { OURS = 1, THEIRS = 2, MEMBERS = 64 };

static result_order_t order_of (int64_t window, uint64_t lineage, uint64_t revision, uint32_t shards)
{
    return (result_order_t){true, lineage, {1, revision}, window, shards};
}

/*  A window is published, with a member. */
static void publish (gather_history_t *history, int64_t window, uint64_t revision,
                     const char *member)
{
    result_order_t order = order_of (window, OURS, revision, 3);
    gather_history_set (history, &order, false);
    gather_history_keep (history, window, span_of (member));
}

static void learn (gather_history_t *history, int64_t window, uint64_t lineage, uint64_t revision,
                   const char *member)
{
    result_order_t order = order_of (window, lineage, revision, 3);
    gather_history_learn (history, OURS, &order, false, span_of (member));
}

static const char *missing (gather_history_t *history, uint32_t most, size_t bytes)
{
    static char text[256];
    history_member_t members[MEMBERS];
    uint32_t count = gather_history_missing (history, members, most, bytes);
    text[0] = 0;
    for (uint32_t i = 0; i < count; i++)
        snprintf (text + strlen (text), sizeof text - strlen (text), "%s%d:%.*s", i ? " " : "",
                  (int)members[i].window_end_ms, (int)members[i].json.size,
                  members[i].json.bytes);
    return text;
}

typedef struct {
    const char *name;
    uint64_t lineage, revision; /* of what Redis has; ours: 1, 5, "ours" */
    const char *member;
    const char *missing;
    uint64_t stays; /* revision that is known afterwards */
} merge_case_t;

static void the_greater_of_both_stays (void **state)
{
    (void)state;
    static const merge_case_t cases[] = {
        {"the very same", OURS, 5, "ours", "", 5},
        {"as great, but written before ours", OURS, 5, "other", "10:ours", 5},
        {"lesser", OURS, 4, "other", "10:ours", 5},
        {"greater", OURS, 6, "other", "", 6},
        {"of another state folder", THEIRS, 9, "other", "10:ours", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        history_memory_t memory;
        gather_history_t history;
        print_message ("  %s\n", cases[i].name);
        history_memory_init (&memory, 1000);
        gather_history_init (&history, &memory);
        publish (&history, 10, 5, "ours");
        assert_string_equal (missing (&history, MEMBERS, 1000), "");
        gather_history_asked (&history);
        learn (&history, 10, cases[i].lineage, cases[i].revision, cases[i].member);
        gather_history_learned (&history);
        assert_string_equal (missing (&history, MEMBERS, 1000), cases[i].missing);
        assert_string_equal (missing (&history, MEMBERS, 1000), ""); /* they count as written */
        assert_int_equal (gather_history_find (&history, 10)->order.revision.number,
                          cases[i].stays);
        gather_history_free (&history);
        assert_int_equal (memory.bytes, 0);
    }
}

static void what_redis_lacks_is_told_oldest_first (void **state)
{
    (void)state;
    history_memory_t memory;
    gather_history_t history;
    history_memory_init (&memory, 1000);
    gather_history_init (&history, &memory);
    gather_history_limit (&history, 4);
    for (int64_t window = 1; window <= 6; window++)
        publish (&history, window, 1, "m");
    assert_int_equal (history.count, 4); /* 3 .. 6 */
    assert_int_equal (memory.bytes, 4);
    gather_history_asked (&history);
    learn (&history, 4, OURS, 1, "m");
    learn (&history, 2, OURS, 1, "old"); /* Redis has older ones: an old dump */
    learn (&history, 7, THEIRS, 1, "new");
    gather_history_learned (&history);
    assert_int_equal (history.count, 4); /* 4 .. 7 */
    assert_string_equal (missing (&history, 1, 1000), "5:m");
    assert_string_equal (missing (&history, MEMBERS, 1), "6:m");
    assert_string_equal (missing (&history, MEMBERS, 1000), "");
    assert_int_equal (gather_history_newest (&history)->order.window_end_ms, 7);
    gather_history_limit (&history, 1);
    assert_int_equal (history.count, 1);
    gather_history_asked (&history);
    assert_string_equal (missing (&history, MEMBERS, 1000), "7:new");
    gather_history_free (&history);
    assert_null (gather_history_newest (&history));
}

static void windows_without_a_member_are_forgotten_when_asked (void **state)
{
    (void)state;
    history_memory_t memory;
    gather_history_t history;
    history_memory_init (&memory, 1000);
    gather_history_init (&history, &memory);
    publish (&history, 1, 1, "m");
    publish (&history, 2, 1, "m");
    gather_history_keep (&history, 2, (span_t){0}); /* it could not be written */
    gather_history_keep (&history, 3, span_of ("x")); /* no such window */
    assert_true (gather_history_has_events (&history, OURS, 2, 3));
    assert_false (gather_history_has_events (&history, THEIRS, 0, 3));
    assert_false (gather_history_has_events (&history, OURS, 0, 1));
    gather_history_asked (&history);
    gather_history_learned (&history);
    assert_null (gather_history_find (&history, 2));
    assert_non_null (gather_history_find (&history, 1));
    gather_history_free (&history);
}

static void memory_is_bounded_over_all_histories (void **state)
{
    (void)state;
    enum { HISTORIES = 3 };
    history_memory_t memory;
    gather_history_t histories[HISTORIES];
    history_memory_init (&memory, 10);
    for (int i = 0; i < HISTORIES; i++)
        gather_history_init (&histories[i], &memory);
    publish (&histories[0], 1, 1, "aaaa");
    publish (&histories[1], 1, 1, "bbbb");
    publish (&histories[0], 2, 1, "a"); /* touched last */
    assert_int_equal (memory.bytes, 9);
    publish (&histories[2], 1, 1, "cccc");
    assert_int_equal (memory.forgotten, 1);
    assert_int_equal (histories[1].bytes, 0);
    assert_non_null (gather_history_find (&histories[1], 1)); /* its order stays */
    assert_int_equal (memory.bytes, 9);
    publish (&histories[2], 2, 1, "dddddddddddd"); /* alone beyond the bound: it stays */
    assert_int_equal (memory.forgotten, 3);
    assert_int_equal (memory.bytes, 16);
    publish (&histories[1], 1, 1, "b");
    assert_int_equal (memory.forgotten, 5);
    assert_int_equal (memory.bytes, 1);
    for (int i = 0; i < HISTORIES; i++)
        gather_history_free (&histories[i]);
    assert_int_equal (memory.bytes, 0);
    assert_true (TAILQ_EMPTY (&memory.kept));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (the_greater_of_both_stays),
        cmocka_unit_test (what_redis_lacks_is_told_oldest_first),
        cmocka_unit_test (windows_without_a_member_are_forgotten_when_asked),
        cmocka_unit_test (memory_is_bounded_over_all_histories),
    };
    return cmocka_run_group_tests_name ("gather_history", tests, NULL, NULL);
}
