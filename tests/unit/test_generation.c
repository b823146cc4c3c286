/*  generation: names of partitions that were made anew, and what they are taken for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "ingestor/generation.h"

static void there_and_back (void **state)
{
    (void)state;
    static const struct {
        const char *base;
        generation_t generation;
        const char *name;
    } cases[] = {
        {"user-behaviors/3", {0, 0}, "user-behaviors/3"},
        {"user-behaviors/3", {1, 1500}, "user-behaviors/3+1@1500"},
        {"user-behaviors/3", {12, 0}, "user-behaviors/3+12@0"},
        {"user-behaviors/3", {GENERATION_MAX, INT64_C (999999999999999999)},
         "user-behaviors/3+1000000000@999999999999999999"},
        {"/var/log/e.jsonl#0123456789abcdef", {1, 0}, "/var/log/e.jsonl#0123456789abcdef+1@0"},
        {"a+1@5#0123456789abcdef", {2, 7}, "a+1@5#0123456789abcdef+2@7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        span_t base;
        char *name = generation_name (cases[i].base, cases[i].generation);
        assert_string_equal (name, cases[i].name);
        generation_t found = generation_parse (span_of (name), &base);
        assert_int_equal (generation_compare (found, cases[i].generation), 0);
        assert_true (span_equal (base, span_of (cases[i].base)));
        free (name);
    }
}

/*  All of these are generation 0 of themselves. */
static void no_generation (void **state)
{
    (void)state;
    static const char *const names[] = {
        "",          "t/3",         "t/3+1",    "t/3@5",      "t/3+@5",       "t/3+1@",
        "t/3+0@5",   "t/3+01@5",    "t/3+1@05", "t/3+1@5x",   "t/3+x1@5",     "+1@5",
        "t/3+-1@5",  "t/3+1@-5",    "@5",       "1@5",        "t/3+1000000001@5",
        "t/3+1@1000000000000000000", "a+1@5#0123456789abcdef",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        span_t base;
        generation_t found = generation_parse (span_of (names[i]), &base);
        if (found.number || found.begin || !span_equal (base, span_of (names[i])))
            fail_msg ("%s: %u@%lld", names[i], found.number, (long long)found.begin);
    }
}

static void order (void **state)
{
    (void)state;
    assert_true (generation_compare ((generation_t){0, 0}, (generation_t){1, 0}) < 0);
    assert_true (generation_compare ((generation_t){2, 0}, (generation_t){1, 900}) > 0);
    assert_true (generation_compare ((generation_t){1, 5}, (generation_t){1, 6}) < 0);
    assert_true (generation_compare ((generation_t){1, 7}, (generation_t){1, 6}) > 0);
    assert_int_equal (generation_compare ((generation_t){1, 6}, (generation_t){1, 6}), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (there_and_back),
        cmocka_unit_test (no_generation),
        cmocka_unit_test (order),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
