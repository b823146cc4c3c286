/*  change_set: entries come back whole, in order, also where two sets became one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/change_set.h"

static void assert_holds (const change_set_t *set, const char *expected)
{
    char text[256] = "";
    size_t count = 0;
    change_t change;
    for (size_t at = 0; change_set_next (set, &at, &change); count++) {
        size_t end = strlen (text);
        snprintf (text + end, sizeof text - end, "%s%c%.*s=%.*s", end ? " " : "",
                  "?+-~"[change.kind], (int)change.key_size, (const char *)change.key,
                  (int)change.value_size, (const char *)change.value);
    }
    assert_string_equal (text, expected);
    assert_int_equal (set->count, count);
}

static void in_order (void **state)
{
    (void)state;
    change_set_t set = {0};
    assert_holds (&set, "");
    change_set_put (&set, "a", 1, "one", 3);
    change_set_delete (&set, "bb", 2);
    change_set_delete_range (&set, "c", 1, "d", 1);
    change_set_put (&set, "a", 1, NULL, 0);
    assert_holds (&set, "+a=one -bb= ~c=d +a=");
    change_set_clear (&set);
    assert_holds (&set, "");
    change_set_put (&set, "z", 1, "y", 1);
    assert_holds (&set, "+z=y");
    change_set_free (&set);
    change_set_free (&set);
}

static void appended (void **state)
{
    (void)state;
    change_set_t set = {0}, other = {0};
    change_set_append (&set, &other);
    assert_holds (&set, "");
    change_set_put (&other, "a", 1, "1", 1);
    change_set_append (&set, &other);
    assert_holds (&set, "+a=1");
    assert_holds (&other, "");
    change_set_append (&set, &other);
    assert_holds (&set, "+a=1");
    change_set_delete (&other, "b", 1);
    change_set_append (&set, &other);
    assert_holds (&set, "+a=1 -b=");
    assert_holds (&other, "");
    /* into a set that was cleared: it keeps its memory, and takes the other's */
    change_set_clear (&set);
    change_set_put (&other, "c", 1, "3", 1);
    change_set_append (&set, &other);
    assert_holds (&set, "+c=3");
    change_set_put (&other, "d", 1, "4", 1);
    assert_holds (&other, "+d=4");
    change_set_free (&set);
    change_set_free (&other);
}

static void sizes (void **state)
{
    (void)state;
    uint8_t key[CHANGE_KEY_BYTES_MAX];
    memset (key, 7, sizeof key);
    size_t value_size = 300000;
    uint8_t *value = memory_new (value_size);
    memset (value, 9, value_size);
    change_set_t set = {0};
    for (int i = 0; i < 3; i++)
        change_set_put (&set, key, sizeof key - (size_t)i, value, value_size - (size_t)i);
    size_t at = 0;
    change_t change;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal (change_set_next (&set, &at, &change), 1);
        assert_int_equal (change.key_size, sizeof key - i);
        assert_int_equal (change.value_size, value_size - i);
        assert_memory_equal (change.key, key, change.key_size);
        assert_memory_equal (change.value, value, change.value_size);
    }
    assert_int_equal (change_set_next (&set, &at, &change), 0);
    change_set_free (&set);
    free (value);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (in_order),
        cmocka_unit_test (appended),
        cmocka_unit_test (sizes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
