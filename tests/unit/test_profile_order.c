/*  profile_order: every user once, in the order of the upper bits of its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include "common/memory.h"
#include "profiler/profile_order.h"

static void test_sorts (void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 1000, 5000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        size_t count = counts[c];
        profile_place_t *list = memory_new_array (2 * count + 1, sizeof *list);
        uint8_t *seen = memory_new (count + 1);
        srand (5);
        for (size_t i = 0; i < count; i++) {
            uint64_t scenario = (uint64_t)(rand () % 6) * UINT64_C (0x9e3779b97f4a7c15);
            uint64_t user = (uint64_t)rand () * UINT64_C (0xc2b2ae3d27d4eb4f);
            list[i] = (profile_place_t){profile_order_place (scenario, user), (uint32_t)i};
        }
        profile_order_sort (list, list + count, count);
        for (size_t i = 0; i < count; i++) {
            assert_true (!i || list[i - 1].place >> 31 <= list[i].place >> 31);
            assert_int_equal (seen[list[i].slot]++, 0);
        }
        free (list);
        free (seen);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_sorts)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
