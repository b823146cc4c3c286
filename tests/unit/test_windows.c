/*  windows: which windows there are, which cover an event, and from which on it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/event.h"
#include "common/windows.h"

#define NONE EVENT_TIME_NONE

static void floors (void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms, step_ms, floor_ms;
    } cases[] = {
        {0, 10, 0},     {9, 10, 0},     {10, 10, 10},     {-1, 10, -10},
        {-10, 10, -10}, {-11, 10, -20}, {NONE, 10, NONE}, {1700000000123, 1, 1700000000123}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal (windows_floor (cases[i].time_ms, cases[i].step_ms), cases[i].floor_ms);
}

static void marks (void **state)
{
    (void)state;
    /* size 60, slide 15: an event at t is in the windows T with t < T <= t + 60 */
    static const struct {
        const char *name;
        int64_t time_ms, complete_ms, mark_ms;
    } cases[] = {
        {"before the first watermark", 100, NONE, 0},
        {"first window is 105, open", 100, 104, 0},
        {"105 complete, from 120 on", 100, 105, 120},
        {"between two windows", 100, 119, 120},
        {"120 complete", 100, 120, 135},
        {"the last one, 150, is left", 100, 149, 150},
        {"none is left", 100, 150, WINDOWS_LATE},
        {"long ago", 100, 100000, WINDOWS_LATE},
        {"on a boundary: the window that ends there is not its own", 90, 104, 0},
        {"on a boundary: its first is 105", 90, 105, 120},
        {"on a boundary: its last is 150", 90, 149, 150},
        {"on a boundary, late", 90, 150, WINDOWS_LATE},
        {"watermark below zero", 3, -2, 0},
        {"the first time of all", 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t mark = windows_mark (cases[i].time_ms, cases[i].complete_ms, 60, 15);
        if (mark != cases[i].mark_ms)
            fail_msg ("%s: %lld", cases[i].name, (long long)mark);
    }
}

/*  The same by trying every window. */
static void marks_as_by_trying (void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{60, 15}, {15, 15}, {7, 7}, {20, 1}, {12, 3}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int64_t time = 0; time < 130; time++)
            for (int64_t complete = -70; complete < 260; complete++) {
                int64_t size = shapes[s][0], slide = shapes[s][1];
                int64_t first = WINDOWS_LATE, last = 0;
                bool all = true;
                for (int64_t end = 0; end <= time + size; end += slide) {
                    if (time < end - size || time >= end)
                        continue;
                    last = end;
                    if (end <= complete)
                        all = false;
                    else if (first == WINDOWS_LATE)
                        first = end;
                }
                assert_int_equal (windows_last (time, size, slide), last);
                assert_int_equal (windows_mark (time, complete, size, slide), all ? 0 : first);
            }
}

static void newest_and_final (void **state)
{
    (void)state;
    assert_int_equal (windows_newest (NONE, 15), NONE);
    assert_int_equal (windows_newest (29, 15), 15);
    assert_int_equal (windows_newest (30, 15), 30);
    assert_int_equal (windows_final (NONE, 15), NONE);
    assert_int_equal (windows_final (29, 15), 30);
    assert_int_equal (windows_final (30, 15), 45); /* [.., 30) would not have it */
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (floors),
        cmocka_unit_test (marks),
        cmocka_unit_test (marks_as_by_trying),
        cmocka_unit_test (newest_and_final),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
