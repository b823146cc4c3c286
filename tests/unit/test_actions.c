/*  test_actions: names of actions and their numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include "common/actions.h"

/*  Every name of the list is found under its number, and its number has its name. */
static void test_known (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int number;
    } KNOWN[] = {
#define KNOWN_ACTION(symbol, name) {name, ACTION_##symbol},
        ACTION_LIST (KNOWN_ACTION)
#undef KNOWN_ACTION
    };
    assert_int_equal (sizeof (KNOWN) / sizeof (KNOWN[0]), ACTION_KNOWN_COUNT);
    assert_true (ACTION_KNOWN_COUNT <= ACTION_CUSTOM);
    for (int i = 0; i < ACTION_KNOWN_COUNT; i++) {
        assert_int_equal (KNOWN[i].number, i);
        assert_int_equal (actions_find (span_of (KNOWN[i].name)), i);
        assert_string_equal (actions_name (i), KNOWN[i].name);
    }
}

/*  They are in stored state: a number once given stays. */
static void test_numbers_stay (void **state)
{
    (void)state;
    assert_int_equal (actions_find (span_of ("other")), 0);
    assert_int_equal (actions_find (span_of ("click")), 3);
    assert_int_equal (actions_find (span_of ("purchase")), 8);
    assert_int_equal (actions_find (span_of ("add_playlist")), 28);
}

static void test_unknown (void **state)
{
    (void)state;
    static const char *const NAMES[] = {
        "",          "v",          "vieW",        "View",          "view ",
        "views",     "vie",        "asks",        "clicK",         "reviewz",
        "playend",   "play-end",   "impressions", "add_playlists", "zzz",
        "zzzz",      "zzzzz",      "zzzzzz",      "zzzzzzz",       "zzzzzzzz",
        "zzzzzzzzz", "zzzzzzzzzz", "zzzzzzzzzzz", "zzzzzzzzzzzz",
    };
    for (size_t i = 0; i < sizeof (NAMES) / sizeof (NAMES[0]); i++)
        assert_int_equal (actions_find (span_of (NAMES[i])), -1);
    assert_int_equal (actions_find ((span_t){"view", 3}), -1);
    assert_int_equal (actions_find ((span_t){"viewer", 4}), ACTION_VIEW);
    assert_int_equal (actions_find ((span_t){NULL, 0}), -1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_known),
        cmocka_unit_test (test_numbers_stay),
        cmocka_unit_test (test_unknown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
