/*  incarnation: which of two lives counts, also after the clock was set back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/incarnation.h"

enum { SILENT = INCARNATION_SILENT_MS };

static void verdicts (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t known;
        int64_t heard_ms;
        uint64_t given;
        int64_t now_ms;
        incarnation_verdict_t verdict;
    } cases[] = {
        {"the first that is heard", 0, 0, 1000, 5, INCARNATION_NEWER},
        {"the same", 1000, 0, 1000, 1, INCARNATION_SAME},
        {"the same after long silence", 1000, 0, 1000, 10 * SILENT, INCARNATION_SAME},
        {"a newer one", 1000, 50, 1001, 50, INCARNATION_NEWER},
        {"a newer one after silence", 1000, 0, 1001, 10 * SILENT, INCARNATION_NEWER},
        {"an older one at the same time", 1000, 50, 999, 50, INCARNATION_STALE},
        {"an older one, the known just silent enough to be alive", 1000, 50, 999, 50 + SILENT,
         INCARNATION_STALE},
        {"an older one, the known silent for longer", 1000, 50, 999, 51 + SILENT,
         INCARNATION_NEWER},
        {"a far older one likewise", UINT64_MAX, 0, 1, SILENT + 1, INCARNATION_NEWER},
        {"a clock of before 0", 1000, -9000, 999, -9000 + SILENT, INCARNATION_STALE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (incarnation_judge (cases[i].known, cases[i].heard_ms, cases[i].given,
                               cases[i].now_ms) != cases[i].verdict)
            fail_msg ("%s", cases[i].name);
    }
}

/*  A process is started anew with its clock an hour back while frames of its former life still
 *  come out of a queue: the former life is never taken up again once the new one was heard. */
static void set_back (void **state)
{
    (void)state;
    uint64_t known = 3600000;
    int64_t heard_ms = 0;
    int taken = 0, ignored = 0;
    for (int64_t now_ms = 100; now_ms < 10000; now_ms += 100) {
        uint64_t given = now_ms % 200 && now_ms < 500 ? 3600000 : 7;
        incarnation_verdict_t verdict = incarnation_judge (known, heard_ms, given, now_ms);
        ignored += verdict == INCARNATION_STALE;
        if (verdict == INCARNATION_STALE)
            continue;
        taken += verdict == INCARNATION_NEWER;
        known = given;
        heard_ms = now_ms;
    }
    assert_int_equal (taken, 1);
    assert_int_equal (known, 7);
    assert_in_range (ignored, SILENT / 100 - 5, SILENT / 100 + 5);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (verdicts), cmocka_unit_test (set_back)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
