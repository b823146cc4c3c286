/*  decay: moments agree with the formula to the bound that slices are chosen by, are the same in
 * any order, do not overflow, and stay bounded where a slice is too long for lambda. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include "common/decay.h"

#define DAY_MS INT64_C (86400000)

static void agrees_with_the_formula (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t start_ms, length_ms, end_ms;
        double bound; /* of the relative error: (lambda length / 2)^3 / 6, unless lambda is 0 */
    } cases[] = {
        {"one ms", 1000, 1, 1001, 1e-7},
        {"odd length", 999, 333, 1332, 1e-7},
        {"seven minutes and a half", 1700000100000, 450000, 1700003700000, 1e-7},
        {"a day", 0, DAY_MS, 3 * DAY_MS, 1e-7},
        {"seven days", 0, 7 * DAY_MS, 7 * DAY_MS, 1e-7},
        {"no decay", 0, DAY_MS, DAY_MS, 0},
    };
    srand (7);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t length = cases[i].length_ms;
        double lambda = cbrt (6 * cases[i].bound) * 2 / (double)length;
        int64_t middle = decay_middle (cases[i].start_ms, length);
        decay_moments_t moments = {0};
        double naive = 0;
        for (int n = 0; n < 1000; n++) {
            /* the ends are where the error is greatest */
            int64_t at = n < 300 ? 0 : n < 400 ? length - 1 : rand () % length;
            decay_add (&moments, cases[i].start_ms + at - middle);
            naive += exp (-lambda * (double)(cases[i].end_ms - cases[i].start_ms - at));
        }
        double sum = decay_factor (lambda, cases[i].end_ms, cases[i].start_ms, length) *
                     decay_sum (&moments, lambda);
        if (fabs (sum - naive) > (cases[i].bound + 1e-12) * naive)
            fail_msg ("%s: %.17g, naive %.17g", cases[i].name, sum, naive);
        assert_int_equal (moments.count, 1000);
    }
}

static void no_decay_is_the_count (void **state)
{
    (void)state;
    decay_moments_t moments = {0};
    for (int i = 0; i < 12345; i++)
        decay_add (&moments, i - 5000);
    assert_true (decay_sum (&moments, 0) * decay_factor (0, 7, 0, 7) == 12345.0);
}

static void same_in_any_order (void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static int64_t offsets[COUNT];
    decay_moments_t forward = {0}, backward = {0}, halves[2] = {{0}, {0}};
    srand (11);
    for (int i = 0; i < COUNT; i++)
        offsets[i] = rand () % (7 * DAY_MS) - 7 * DAY_MS / 2;
    for (int i = 0; i < COUNT; i++) {
        decay_add (&forward, offsets[i]);
        decay_add (&backward, offsets[COUNT - 1 - i]);
        decay_add (&halves[i % 2], offsets[i]);
    }
    decay_merge (&halves[0], &halves[1]);
    assert_memory_equal (&forward, &backward, sizeof forward);
    assert_memory_equal (&forward, &halves[0], sizeof forward);
    assert_true (decay_sum (&forward, 1e-9) == decay_sum (&backward, 1e-9));
}

static void squares_need_128_bits (void **state)
{
    (void)state;
    const int64_t offset = -7 * DAY_MS / 2;
    decay_moments_t moments = {0};
    unsigned __int128 squares = 0;
    for (int i = 0; i < 100000; i++) {
        decay_add (&moments, offset);
        squares += (unsigned __int128)(offset * offset);
    }
    assert_true (squares >> 64 > 100);
    assert_true (moments.s2_high == (uint64_t)(squares >> 64));
    assert_true (moments.s2_low == (uint64_t)squares);
    assert_true (moments.s1_ms == 100000 * offset);
}

/*  After lambda grew or the slide changed: coarse, but never more than every event counted whole.
 */
static void bounded_where_too_coarse (void **state)
{
    (void)state;
    static const double lambdas[] = {1e-9, 1e-6, 1e-3, 0.1, 100};
    static const int64_t ends[] = {1, DAY_MS / 2, DAY_MS - 1, DAY_MS, 2 * DAY_MS};
    for (size_t i = 0; i < sizeof lambdas / sizeof *lambdas; i++)
        for (size_t j = 0; j < sizeof ends / sizeof *ends; j++)
            for (int side = 0; side < 3; side++) {
                decay_moments_t moments = {0};
                for (int n = 0; n < 10; n++)
                    decay_add (&moments, (side - 1) * DAY_MS / 2);
                double sum = decay_factor (lambdas[i], ends[j], 0, DAY_MS) *
                             decay_sum (&moments, lambdas[i]);
                assert_true (isfinite (sum) && sum >= 0 && sum <= 10 + 1e-9);
            }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (agrees_with_the_formula),  cmocka_unit_test (no_decay_is_the_count),
        cmocka_unit_test (same_in_any_order),        cmocka_unit_test (squares_need_128_bits),
        cmocka_unit_test (bounded_where_too_coarse),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
