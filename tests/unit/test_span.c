/*  span: comparisons, which everything that is found by a name rests on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include "common/memory.h"
#include "common/span.h"

enum { SIZE_MAX_BYTES = 40 };

/*  In a block of its exact size, so that a sanitizer sees any overrun. */
static char *block_of (size_t size)
{
    char *block = memory_new (size + 1);
    for (size_t i = 0; i < size; i++)
        block[i + 1] = (char)('a' + i % 26);
    return block;
}

static void test_equal (void **state)
{
    (void)state;
    for (size_t size = 0; size <= SIZE_MAX_BYTES; size++) {
        char *a = block_of (size), *b = block_of (size);
        span_t one = {a + 1, size}, other = {b + 1, size}; /* not aligned */
        assert_true (span_equal (one, other));
        assert_int_equal (span_compare (one, other), 0);
        for (size_t i = 1; i <= size; i++) {
            b[i] = (char)(b[i] ^ 0x80);
            assert_false (span_equal (one, other));
            assert_true (span_compare (one, other) < 0);
            b[i] = (char)(b[i] ^ 0x80);
        }
        if (size) {
            other.size--;
            assert_false (span_equal (one, other));
            assert_true (span_compare (one, other) > 0);
        }
        free (a);
        free (b);
    }
}

static void test_empty (void **state)
{
    (void)state;
    assert_true (span_equal ((span_t){NULL, 0}, span_of ("")));
    assert_false (span_equal ((span_t){NULL, 0}, span_of ("a")));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_equal),
        cmocka_unit_test (test_empty),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
