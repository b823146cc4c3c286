/*  test_restart_policy: when a child that died is started again, and when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ctl/restart_policy.h"

enum { NO = -1, DEATHS_MAX = 24 };

typedef struct {
    const char *name;
    int64_t between_ms; /* from a start to the next death */
    int deaths;
    int64_t delays_ms[DEATHS_MAX];
} case_t;

static const case_t cases[] = {
    {"dies at once, and is given up at the 11th death",
     0,
     12,
     {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000, NO, NO}},
    {"dies after 1 s, still too often",
     1000,
     11,
     {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000, NO}},
    {"dies each 20 s: three deaths a minute are for ever",
     20000,
     8,
     {100, 200, 400, 400, 400, 400, 400, 400}},
    {"dies once an hour: always at once", 3600000, 4, {100, 100, 100, 100}},
};

static void test_delays (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        restart_policy_t policy = {0};
        int64_t now_ms = 1000;
        print_message ("  %s\n", cases[i].name);
        for (int death = 0; death < cases[i].deaths; death++) {
            int64_t delay_ms = restart_policy_next (&policy, now_ms);
            assert_int_equal (delay_ms, cases[i].delays_ms[death]);
            now_ms += (delay_ms > 0 ? delay_ms : 0) + cases[i].between_ms;
        }
    }
}

/*  Ten within a minute are the most, whenever they come; the eleventh is let through once the first
 * of them is a minute old. */
static void test_bound (void **state)
{
    (void)state;
    restart_policy_t policy = {0};
    for (int i = 0; i < RESTART_TIMES_MAX; i++)
        assert_true (restart_policy_next (&policy, i * 5000) > 0);
    assert_int_equal (restart_policy_next (&policy, RESTART_SPAN_MS - 1), -1);
    assert_int_equal (restart_policy_next (&policy, RESTART_SPAN_MS), RESTART_LONGEST_MS);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_delays),
        cmocka_unit_test (test_bound),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
