/*  test_readiness: the lines of /readyz, and since when something stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/readiness.h"

static void lines (void **state)
{
    (void)state;
    readiness_t readiness = {0};
    assert_true (readiness_is_ready (&readiness));
    readiness_say (&readiness, true, "config", "sequence %d", 4);
    assert_true (readiness_is_ready (&readiness));
    readiness_say (&readiness, false, "sink", "at %s", "a\n[+] forged\x1b");
    assert_false (readiness_is_ready (&readiness));
    assert_memory_equal (readiness.good.bytes, "[+] config: sequence 4\n", readiness.good.size);
    assert_memory_equal (readiness.bad.bytes, "[-] sink: at a?[+] forged?\n", readiness.bad.size);
    assert_int_equal (readiness.bad.size, 27);
    readiness_clear (&readiness);
    assert_true (readiness_is_ready (&readiness));
    assert_int_equal (readiness.good.size + readiness.bad.size, 0);
    readiness_free (&readiness);
}

static void bounds (void **state)
{
    (void)state;
    char text[2000];
    readiness_t readiness = {0};
    memset (text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 1000; i++)
        readiness_say (&readiness, false, "p", "%s", text);
    assert_int_equal (readiness.bad_count, 1000);
    assert_true (readiness.bad.size <= READINESS_BYTES_MAX);
    assert_int_equal (readiness.bad.bytes[readiness.bad.size - 1], '\n');
    readiness_say (&readiness, true, text, "never shown");
    assert_int_equal (readiness.good.bytes[readiness.good.size - 1], '\n');
    readiness_free (&readiness);
}

static void stalls (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool waits, moved;
        int64_t now_ms, expected_ms;
    } cases[] = {
        {"first asked", true, false, 1000, 0},
        {"stands", true, false, 31000, 30000},
        {"moves", true, true, 32000, 0},
        {"stands again", true, false, 35000, 3000},
        {"nothing to do", false, false, 90000, 0},
        {"something to do anew", true, false, 91000, 1000},
    };
    stall_t stall = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal (stall_ms (&stall, cases[i].waits, cases[i].moved, cases[i].now_ms),
                          cases[i].expected_ms);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (lines),
        cmocka_unit_test (bounds),
        cmocka_unit_test (stalls),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
