/*  vector: entries by partition, and which sections fit behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/vector.h"

#define ABSENT VECTOR_ABSENT

static void sections (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t next, from, to, base;
        vector_verdict_t verdict;
    } cases[] = {
        {"the next one", 100, 100, 120, -1, VECTOR_APPLY},
        {"overlaps", 100, 90, 101, -1, VECTOR_APPLY},
        {"all known", 100, 90, 100, -1, VECTOR_REPEAT},
        {"long known", 100, 10, 20, -1, VECTOR_REPEAT},
        {"empty at next", 100, 100, 100, -1, VECTOR_REPEAT},
        {"empty behind a gap", 100, 101, 101, -1, VECTOR_GAP},
        {"one is missing", 100, 101, 120, -1, VECTOR_GAP},
        {"absent, no base", ABSENT, 0, 10, -1, VECTOR_GAP},
        {"absent, begins at base", ABSENT, 7, 10, 7, VECTOR_APPLY},
        {"absent, an empty one begins it", ABSENT, 7, 7, 7, VECTOR_APPLY},
        {"absent, base 0", ABSENT, 0, 0, 0, VECTOR_APPLY},
        {"absent, behind base", ABSENT, 8, 10, 7, VECTOR_GAP},
        {"absent, all below base", ABSENT, 3, 5, 7, VECTOR_REPEAT},
        {"base at next says nothing new", 100, 100, 110, 100, VECTOR_APPLY},
        {"base below next", 100, 50, 100, 50, VECTOR_REPEAT},
        {"base above next: what is gone is skipped", 100, 200, 210, 200, VECTOR_APPLY},
        {"base above next, an empty one", 100, 200, 200, 200, VECTOR_APPLY},
        {"base above next, behind base", 100, 201, 210, 200, VECTOR_GAP},
        {"base above next, ends below it: never back", 100, 50, 80, 200, VECTOR_REPEAT},
        {"zero is an offset", 0, 0, 1, -1, VECTOR_APPLY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vector_entry_t entry = {cases[i].next, 5};
        vector_verdict_t verdict = vector_judge (entry, cases[i].from, cases[i].to, cases[i].base);
        if (verdict != cases[i].verdict)
            fail_msg ("%s: %d", cases[i].name, (int)verdict);
    }
}

static void entries (void **state)
{
    (void)state;
    vector_t vector = {0}, copy = {0};
    assert_int_equal (vector_get (&vector, 9).next, ABSENT);
    assert_true (vector_greatest_ms (&vector) == EVENT_TIME_NONE);
    vector_set (&vector, 3, (vector_entry_t){30, 300});
    assert_int_equal (vector_get (&vector, 0).next, ABSENT);
    assert_true (vector_get (&vector, 0).greatest_ms == EVENT_TIME_NONE);
    vector_set (&vector, 1, (vector_entry_t){10, 100});
    assert_int_equal (vector_greatest_ms (&vector), 300);

    vector_copy (&copy, &vector);
    vector_set (&vector, 3, (vector_entry_t){31, 310});
    assert_int_equal (vector_get (&copy, 3).next, 30);
    assert_int_equal (vector_get (&copy, 1).next, 10);
    assert_int_equal (vector_get (&copy, 4).next, ABSENT);
    vector_free (&vector);
    vector_copy (&copy, &vector);
    assert_int_equal (vector_get (&copy, 3).next, ABSENT);
    vector_free (&copy);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (sections),
        cmocka_unit_test (entries),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
