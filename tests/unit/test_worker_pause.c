/*  test_worker_pause: gaps between events that were applied, and what of them the events waited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/worker_pause.h"

static void expect (const worker_pause_t *pause, int64_t gap_ms, int64_t stall_ms)
{
    assert_int_equal (worker_pause_longest_ms (&pause->gap), gap_ms);
    assert_int_equal (worker_pause_longest_ms (&pause->stall), stall_ms);
}

static void gaps_and_stalls (void **state)
{
    (void)state;
    worker_pause_t pause = {0};
    worker_pause_none_waits (&pause, 900);
    worker_pause_applied (&pause, 1000); /* the first: nothing was before it */
    expect (&pause, 0, 0);
    worker_pause_applied (&pause, 1030); /* events waited behind those before */
    expect (&pause, 30, 30);
    worker_pause_none_waits (&pause, 1100);
    worker_pause_applied (&pause, 1150); /* quiet for 70, then work came first */
    expect (&pause, 120, 50);
    worker_pause_none_waits (&pause, 1151);
    worker_pause_applied (&pause, 1151);
    expect (&pause, 120, 50);
}

static void looks_back (void **state)
{
    (void)state;
    worker_pause_t pause = {0};
    worker_pause_applied (&pause, 100000);
    worker_pause_applied (&pause, 100500);
    int64_t now_ms = 100500;
    for (; now_ms < 100500 + WORKER_PAUSE_MS; now_ms += 100)
        worker_pause_applied (&pause, now_ms);
    expect (&pause, 500, 500);
    for (; now_ms < 100500 + 2 * WORKER_PAUSE_MS + 400; now_ms += 100)
        worker_pause_applied (&pause, now_ms);
    expect (&pause, 100, 100);
    now_ms += 3 * WORKER_PAUSE_MS; /* hours of quiet are a gap, and what was before is forgotten */
    worker_pause_none_waits (&pause, now_ms);
    worker_pause_applied (&pause, now_ms + 7);
    expect (&pause, 3 * WORKER_PAUSE_MS + 107, 7);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (gaps_and_stalls),
        cmocka_unit_test (looks_back),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
