/*  byte_queue: blocks keep their bytes until they leave, oldest first, whatever their sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "common/byte_queue.h"

static void test_first_in_first_out (void **state)
{
    (void)state;
    enum { HELD = 300, ROUNDS = 20000 };
    static struct {
        uint8_t *bytes;
        size_t size;
    } held[HELD];
    size_t first = 0, count = 0;
    byte_queue_t queue = {0};
    srand (3);
    for (int round = 0; round < ROUNDS; round++) {
        bool fill = rand () % 1000 < 400 + (round / 1000 % 2) * 200; /* it grows, and runs empty */
        if (fill && count < HELD) {
            size_t at = (first + count++) % HELD;
            held[at].size = 1 + (size_t)rand () % (rand () % 40 ? 900 : 50000);
            held[at].bytes = byte_queue_push (&queue, held[at].size);
            memset (held[at].bytes, (int)at, held[at].size);
        } else if (count) {
            for (size_t i = 0; i < held[first].size; i++)
                assert_int_equal (held[first].bytes[i], (uint8_t)first);
            byte_queue_pop (&queue);
            first = (first + 1) % HELD;
            count--;
        }
    }
    byte_queue_free (&queue);
    assert_null (queue.first);
}

static void test_one_larger_than_a_page_behind_an_empty_one (void **state)
{
    (void)state;
    byte_queue_t queue = {0};
    for (int i = 0; i < 3; i++) {
        byte_queue_push (&queue, 10);
        byte_queue_pop (&queue);
        memset (byte_queue_push (&queue, 100000), 1, 100000);
        byte_queue_push (&queue, 10);
        byte_queue_pop (&queue);
        byte_queue_pop (&queue);
    }
    byte_queue_free (&queue);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_first_in_first_out),
        cmocka_unit_test (test_one_larger_than_a_page_behind_an_empty_one),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
