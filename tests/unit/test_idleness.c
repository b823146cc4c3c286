/*  idleness: what is known to be at its end, for how long, and how far event time goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/event.h"
#include "ingestor/idleness.h"

#define NONE EVENT_TIME_NONE

enum { TIMEOUT_MS = 5000, HOLD_MS = 600000, SKEW_MS = 60000, NOW_MS = 1000000, FRESH = IDLENESS_FRESH_MS };

static void runs (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t confirmed_ms[4]; /* one after the other; 0: the source does not know */
        int64_t first_ms, last_ms;
    } cases[] = {
        {"never", {0, 0, 0, 0}, 0, 0},
        {"once", {100, 100, 0, 100}, 100, 100},
        {"again and again", {100, 1100, 2100, 3100}, 100, 3100},
        {"just in time", {100, 100 + FRESH, 0, 0}, 100, 100 + FRESH},
        {"a gap begins it anew", {100, 1100, 1101 + FRESH, 2101 + FRESH}, 1101 + FRESH, 2101 + FRESH},
        {"an older one changes nothing", {5000, 4000, 0, 0}, 5000, 5000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        idleness_run_t run = {0};
        for (int at = 0; at < 4; at++)
            idleness_confirm (&run, cases[i].confirmed_ms[at]);
        if (run.first_ms != cases[i].first_ms || run.last_ms != cases[i].last_ms)
            fail_msg ("%s: %lld, %lld", cases[i].name, (long long)run.first_ms,
                      (long long)run.last_ms);
    }
}

static void idle (void **state)
{
    (void)state;
    enum { LONG_AGO = NOW_MS - 100000, OLD = 7000000, HELD = OLD + HOLD_MS };
    static const struct {
        const char *name;
        idleness_partition_t partition;
        int64_t greatest_ms;
        bool idle, idle_once;
    } cases[] = {
        {"not at its end", {false, OLD, LONG_AGO, {LONG_AGO, NOW_MS}}, OLD, false, false},
        {"long without an event", {true, OLD, LONG_AGO, {LONG_AGO, NOW_MS}}, OLD, true, false},
        {"known, though not just now", {true, OLD, LONG_AGO, {LONG_AGO, NOW_MS - FRESH}}, OLD, true, false},
        {"known once, not any more", {true, OLD, LONG_AGO, {LONG_AGO, NOW_MS - FRESH - 1}}, OLD, false, false},
        {"never known", {true, OLD, LONG_AGO, {0, 0}}, OLD, false, false},
        {"an event just now", {true, OLD, NOW_MS, {LONG_AGO, NOW_MS}}, OLD, false, false},
        {"the timeout is over", {true, OLD, NOW_MS - TIMEOUT_MS, {LONG_AGO, NOW_MS}}, OLD, true, false},
        {"… but not known after it",
         {true, OLD, NOW_MS - TIMEOUT_MS, {LONG_AGO, NOW_MS - 1}}, OLD, false, false},
        {"known again after an outage", {true, OLD, LONG_AGO, {NOW_MS, NOW_MS}}, OLD, false, false},
        {"… for as long as the timeout",
         {true, OLD, LONG_AGO, {NOW_MS - TIMEOUT_MS, NOW_MS}}, OLD, true, false},
        {"events go on, far behind", {true, OLD, NOW_MS, {LONG_AGO, NOW_MS}}, HELD + 1, true, true},
        {"… not far enough", {true, OLD, NOW_MS, {LONG_AGO, NOW_MS}}, HELD, false, true},
        {"… known again after an outage", {true, OLD, NOW_MS, {NOW_MS - 1000, NOW_MS}}, HELD + 1, false, true},
        {"never had one", {true, NONE, NOW_MS, {LONG_AGO, NOW_MS}}, OLD, true, true},
        {"no event anywhere", {true, NONE, NOW_MS, {LONG_AGO, NOW_MS}}, NONE, true, true},
        {"never had one, end not known", {true, NONE, LONG_AGO, {0, 0}}, OLD, false, true},
        {"behind by the skew", {true, OLD, NOW_MS, {0, 0}}, OLD + SKEW_MS, false, false},
        {"behind by more", {true, OLD, NOW_MS, {0, 0}}, OLD + SKEW_MS + 1, false, true},
    };
    idleness_rules_t rules = {.idle_timeout_ms = TIMEOUT_MS, .max_hold_ms = HOLD_MS, .max_skew_ms = SKEW_MS};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rules.once = false;
        bool live = idleness_is_idle (&rules, &cases[i].partition, cases[i].greatest_ms, NOW_MS);
        rules.once = true;
        bool once = idleness_is_idle (&rules, &cases[i].partition, cases[i].greatest_ms, NOW_MS);
        if (live != cases[i].idle || once != cases[i].idle_once)
            fail_msg ("%s: %d, %d", cases[i].name, live, once);
    }
}

/*  Who waits an hour for idleness still lets one pass that is far behind. */
static void a_long_timeout (void **state)
{
    (void)state;
    const idleness_rules_t rules = {.idle_timeout_ms = 3600000, .max_hold_ms = HOLD_MS};
    idleness_partition_t partition = {true, 0, NOW_MS, {NOW_MS - IDLENESS_RUN_MS, NOW_MS}};
    assert_true (idleness_is_idle (&rules, &partition, HOLD_MS + 1, NOW_MS));
    partition.run.first_ms++;
    assert_false (idleness_is_idle (&rules, &partition, HOLD_MS + 1, NOW_MS));
}

static void time_goes_on (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t base_ms, since_ms, confirmed_ms, now_ms, time_ms;
    } cases[] = {
        {"no event yet", NONE, 100, 200, 300, NONE},
        {"as far as the ends are known", 5000, 100, 250, 300, 5150},
        {"not known since", 5000, 100, 50, 300, 5000},
        {"nothing is ours", 5000, 100, INT64_MAX, 300, 5200},
        {"just now", 5000, 100, 100, 100, 5000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t time_ms = idleness_time_ms (cases[i].base_ms, cases[i].since_ms,
                                            cases[i].confirmed_ms, cases[i].now_ms);
        if (time_ms != cases[i].time_ms)
            fail_msg ("%s: %lld", cases[i].name, (long long)time_ms);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (runs),
        cmocka_unit_test (idle),
        cmocka_unit_test (a_long_timeout),
        cmocka_unit_test (time_goes_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
