/*  retired: entries of partitions that are gone come back as they were, also from the store, and
 *  are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/event.h"
#include "common/retired.h"

static vector_entry_t entry (int64_t next, int64_t greatest_ms)
{
    return (vector_entry_t){next, greatest_ms};
}

static void there_and_back (void **state)
{
    (void)state;
    retired_t *retired = retired_new ();
    vector_entry_t found;
    assert_int_equal (retired_greatest_ms (retired), EVENT_TIME_NONE);
    assert_false (retired_take (retired, span_of ("a"), &found));
    retired_put (retired, span_of ("a"), entry (10, 500));
    retired_put (retired, span_of ("b"), entry (20, EVENT_TIME_NONE));
    retired_put (retired, span_of ("a"), entry (11, 600));
    assert_int_equal (retired_count (retired), 2);
    assert_true (retired_take (retired, span_of ("a"), &found));
    assert_true (found.next == 11 && found.greatest_ms == 600);
    assert_false (retired_take (retired, span_of ("a"), &found));
    assert_int_equal (retired_count (retired), 1);
    assert_int_equal (retired_greatest_ms (retired), 600);
    retired_destroy (&retired);
    retired_destroy (&retired);
}

/*  Applies collected changes, as a store does, by loading the puts that stay. */
static retired_t *stored (retired_t *from)
{
    change_set_t changes = {0}, none = {0};
    change_t change, later;
    retired_t *to = retired_new ();
    retired_collect (from, &changes);
    for (size_t at = 0; change_set_next (&changes, &at, &change);) {
        bool replaced = false;
        for (size_t behind = at; change_set_next (&changes, &behind, &later);)
            replaced |= later.key_size == change.key_size &&
                        memcmp (later.key, change.key, later.key_size) == 0;
        if (change.kind == CHANGE_PUT && !replaced)
            assert_int_equal (retired_load (to, change.key, change.key_size, change.value, change.value_size), 0);
    }
    change_set_free (&changes);
    retired_collect (from, &none); /* nothing has changed since */
    assert_int_equal (none.count, 0);
    change_set_free (&none);
    return to;
}

static void over_a_store (void **state)
{
    (void)state;
    retired_t *retired = retired_new ();
    vector_entry_t found;
    retired_put (retired, span_of ("a"), entry (10, 500));
    retired_put (retired, span_of ("b"), entry (20, 700));
    retired_take (retired, span_of ("a"), &found);
    retired_put (retired, span_of ("c"), entry (0, EVENT_TIME_NONE));
    retired_t *again = stored (retired);
    assert_int_equal (retired_count (again), 2);
    assert_int_equal (retired_greatest_ms (again), 700);
    assert_true (retired_take (again, span_of ("b"), &found) && found.next == 20);
    assert_true (retired_take (again, span_of ("c"), &found) && found.greatest_ms == EVENT_TIME_NONE);
    retired_destroy (&retired);
    retired_destroy (&again);
}

static void unreadable (void **state)
{
    (void)state;
    static const struct {
        const char *name, *key;
        size_t key_size;
        const char *value;
        size_t value_size;
    } cases[] = {{"a short key", "r1234567", 8, "\x01\x01", 2},
                 {"no value", "r12345678", 9, "", 0},
                 {"half a value", "r12345678", 9, "\x01", 1},
                 {"more than a value", "r12345678", 9, "\x01\x01\x01", 3},
                 {"an absent entry", "r12345678", 9, "\xff\x01", 2}};
    retired_t *retired = retired_new ();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (retired_load (retired, (const uint8_t *)cases[i].key, cases[i].key_size,
                          (const uint8_t *)cases[i].value, cases[i].value_size) != -1)
            fail_msg ("%s", cases[i].name);
    }
    assert_int_equal (retired_count (retired), 0);
    retired_destroy (&retired);
}

static void bounded (void **state)
{
    (void)state;
    retired_t *retired = retired_new ();
    vector_entry_t found;
    char name[32];
    for (int i = 0; i < RETIRED_MAX + 2; i++) {
        snprintf (name, sizeof name, "file %d", i);
        /* The 8th is the oldest, the 3rd comes next. */
        retired_put (retired, span_of (name), entry (i, i == 7 ? 1 : i == 2 ? 2 : 1000 + i));
    }
    assert_int_equal (retired_count (retired), RETIRED_MAX);
    assert_false (retired_take (retired, span_of ("file 7"), &found));
    assert_false (retired_take (retired, span_of ("file 2"), &found));
    assert_true (retired_take (retired, span_of ("file 0"), &found));
    retired_put (retired, span_of ("file 1"), entry (5, 5)); /* again: takes no place of another */
    assert_int_equal (retired_count (retired), RETIRED_MAX - 1);
    retired_destroy (&retired);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (there_and_back), cmocka_unit_test (over_a_store),
                                       cmocka_unit_test (unreadable), cmocka_unit_test (bounded)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
