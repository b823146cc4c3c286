/*  partition_names: dense numbers that stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/partition_names.h"

static void numbers (void **state)
{
    (void)state;
    partition_names_t *names = partition_names_new ();
    char name[32];
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 1000; i++) {
            snprintf (name, sizeof name, "topic/%u", i);
            assert_int_equal (partition_names_intern (names, span_of (name)), i);
        }
        assert_int_equal (partition_names_count (names), 1000);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf (name, sizeof name, "topic/%u", i);
        assert_true (span_equal (partition_names_get (names, i), span_of (name)));
    }
    partition_names_destroy (&names);
    partition_names_destroy (&names);
}

/*  A name is its bytes, neither more nor less. */
static void bytes (void **state)
{
    (void)state;
    partition_names_t *names = partition_names_new ();
    static const span_t different[] = {{"a", 1}, {"ab", 2}, {"a\0", 2}, {"a\0b", 3}, {"A", 1}};
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal (partition_names_intern (names, different[i]), i);
    char changing[] = "ab";
    assert_int_equal (partition_names_intern (names, span_of (changing)), 1);
    changing[1] = 'x'; /* the name was copied */
    assert_true (span_equal (partition_names_get (names, 1), span_of ("ab")));
    partition_names_destroy (&names);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (numbers),
        cmocka_unit_test (bytes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
