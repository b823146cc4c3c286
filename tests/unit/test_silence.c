/*  test_silence: who is not heard is named after 10 s of listening, once, and when it is heard again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/silence.h"

static void silences (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool heard, listening;
        int64_t until_ms, step_ms; /* looks each step_ms until then */
        int changes;
        bool silent;
    } steps[] = {
        {"nothing is known yet", false, true, 1000, 1000, 0, false},
        {"not yet", false, true, 10750, 250, 0, false},
        {"named once", false, true, 60000, 250, 1, true},
        {"heard again", true, true, 60250, 250, 1, false},
        {"heard each second", true, true, 61250, 1000, 0, false},
        {"nobody listens", false, false, 100000, 250, 0, false},
        {"we stood still ourselves", false, true, 200000, 100000, 0, false},
        {"as long again", false, true, 207750, 250, 0, false},
        {"named once more", false, true, 208250, 250, 1, true},
        {"it stays so while nobody listens", false, false, 300000, 250, 0, true},
        {"and ends", true, false, 300250, 250, 1, false},
    };
    silence_t silence = {0};
    int64_t now_ms = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int changes = 0;
        if (steps[i].heard)
            silence_heard (&silence);
        while (now_ms < steps[i].until_ms) {
            now_ms += steps[i].step_ms;
            changes += silence_look (&silence, steps[i].listening, now_ms);
        }
        if (changes != steps[i].changes || silence.silent != steps[i].silent)
            fail_msg ("%s: %d changes, silent %d, quiet for %d ms", steps[i].name, changes,
                      silence.silent, (int)silence.quiet_ms);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (silences),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
