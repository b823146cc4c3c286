/*  action_names: known names keep their numbers, others get one each, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include "common/action_names.h"

static void assert_name (const action_names_t *names, uint16_t number, const char *name)
{
    assert_true (span_equal (action_names_get (names, number), span_of (name)));
}

static void known_names (void **state)
{
    (void)state;
    action_names_t *names = action_names_new ();
    for (uint16_t i = 0; i < ACTION_KNOWN_COUNT; i++) {
        assert_int_equal (action_names_intern (names, span_of (actions_name (i))), i);
        assert_name (names, i, actions_name (i));
    }
    assert_int_equal (action_names_intern (names, span_of ("new")), ACTION_CUSTOM);
    action_names_destroy (&names);
    assert_null (names);
    action_names_destroy (&names);
}

static void custom_names (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t number;
    } cases[] = {{"dwell", ACTION_CUSTOM},      {"swipe", ACTION_CUSTOM + 1},
                 {"dwell", ACTION_CUSTOM},      {"dwel", ACTION_CUSTOM + 2},
                 {"dwelll", ACTION_CUSTOM + 3}, {"swipe", ACTION_CUSTOM + 1},
                 {"View", ACTION_CUSTOM + 4}, /* folding is not done here */
                 {"view", ACTION_VIEW},         {"\xf0\x9f\x94\xa5", ACTION_CUSTOM + 5}};
    action_names_t *names = action_names_new ();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal (action_names_intern (names, span_of (cases[i].name)), cases[i].number);
        assert_name (names, cases[i].number, cases[i].name);
    }
    action_names_destroy (&names);
}

static void at_most_65000 (void **state)
{
    (void)state;
    action_names_t *names = action_names_new ();
    char name[80];
    uint16_t first = action_names_intern (names, span_of ("first"));
    span_t kept = action_names_get (names, first);
    for (int i = 1; i < 65000; i++) {
        snprintf (name, sizeof name, "a%063d", i);
        name[64] = 0;
        assert_int_equal (action_names_intern (names, span_of (name)), ACTION_CUSTOM + i);
    }
    assert_int_equal (action_names_intern (names, span_of ("one more")), ACTION_OTHER);
    assert_int_equal (action_names_intern (names, span_of (name)), ACTION_CUSTOM + 64999);
    assert_name (names, ACTION_CUSTOM + 64999, name);
    assert_true (action_names_get (names, first).bytes == kept.bytes); /* borrowed for ever */
    assert_name (names, first, "first");
    action_names_destroy (&names);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (known_names),
        cmocka_unit_test (custom_names),
        cmocka_unit_test (at_most_65000),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
