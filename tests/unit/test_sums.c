/*  test_sums: the sum of one `hotpath run --once` from what its children said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctl/sums.h"

enum { LINES_MAX = 12 };

typedef struct {
    const char *name;
    struct {
        uint32_t ingestor;
        const char *line;
    } lines[LINES_MAX];
    bool restarted;
    int64_t difference;
    const char *words[6]; /* that the text holds */
} case_t;

static const case_t cases[] = {
    {"nothing read",
     {{0, "taken scorer 0 100 7 0"}, {0, "given scorer 0 100 7 0"}, {0, "done in=0 dead=0"}},
     false,
     0,
     {"events in 0 = applied 0 + skipped 0 (unknown scenario 0, inactive 0, ",
      ") + late 0 + dead 0\n"}},
    {"all kinds, a fresh state",
     {{0, "taken metrics 3 0 0 0"},
      {0, "taken scorer 3 0 0 0"},
      {0, "given metrics 3 9000 60 0"},
      {0, "given scorer 3 1000 0 0"},
      {0, "done in=10069 unknown=5 inactive=0 other=0 unconfirmed=0 wrong_types=3 dead=4 "
          "dead.syntax=3 dead.future=1"}},
     false,
     0,
     {"events in 10069 = applied 10000 + skipped 5 (unknown scenario 5, inactive 0,",
      "+ late 60 + dead 4 (syntax 3, future 1)\n", "wrong type, taken as absent: 3\n"}},
    {"only this run's part of a shard's totals; a shard that moved; one whose worker died",
     {{0, "taken scorer 0 100 10 1"},
      {0, "given scorer 0 150 10 1"},
      {0, "taken scorer 0 150 10 1"},
      {0, "given scorer 0 200 11 3"},
      {0, "taken scorer 1 5 0 0"},
      {0, "taken scorer 1 6 0 0"},
      {0, "given scorer 1 15 0 0"},
      {0, "done in=113"}},
     false,
     0,
     {"events in 113 = applied 110 + skipped 2 (",
      "scenario changed meanwhile 2) + late 1 + dead 0"}},
    {"several ingestors",
     {{0, "done in=10 unknown=4 dead=6 dead.future=6"},
      {1, "done in=20 inactive=5 other=7 dead=8 dead.empty=2 dead.future=6"}},
     false,
     0,
     {"events in 30 = ",
      "skipped 16 (unknown scenario 4, inactive 5, other tenants or scenarios 7)",
      "dead 14 (future 12, empty 2)"}},
    {"counted by the ingestor, where the counting stage takes no part",
     {{0, "done in=10 unconfirmed=10"}},
     false,
     0,
     {"events in 10 = applied 10 "}},
    {"an ingestor's later word replaces its earlier",
     {{0, "done in=10"}, {0, "done in=2 unknown=2"}},
     true,
     0,
     {"events in 2 = ", "restarted"}},
    {"lost events are said",
     {{0, "taken metrics 0 0 0 0"}, {0, "given metrics 0 7 0 0"}, {0, "done in=10"}},
     false,
     3,
     {"the sum does not add up by 3\n"}},
    {"counted twice is said",
     {{0, "taken metrics 0 0 0 0"}, {0, "given metrics 0 12 0 0"}, {0, "done in=10"}},
     false,
     -2,
     {"the sum does not add up by -2\n"}},
};

static void test_text (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sums_t *sums = sums_new ();
        print_message ("  %s\n", cases[i].name);
        for (int at = 0; at < LINES_MAX && cases[i].lines[at].line; at++)
            assert_true (sums_take (sums, cases[i].lines[at].ingestor, cases[i].lines[at].line));
        if (cases[i].restarted)
            sums_note_restart (sums);
        assert_int_equal (sums_difference (sums), cases[i].difference);
        char *text = sums_text (sums);
        for (int at = 0; at < 6 && cases[i].words[at]; at++) {
            if (!strstr (text, cases[i].words[at]))
                fail_msg ("'%s' is not in:\n%s", cases[i].words[at], text);
        }
        assert_int_equal (strstr (text, "add up") != NULL, cases[i].difference != 0);
        assert_int_equal (strstr (text, "restarted") != NULL, cases[i].restarted);
        free (text);
        sums_destroy (&sums);
    }
}

static void test_not_understood (void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "taken",
        "taken scorer",
        "taken scorer 0 1 2",
        "taken scorer 0 1 2 3 4",
        "taken scorer 1024 1 2 3",
        "taken scorer x 1 2 3",
        "lost scorer 0 1 2 3",
        "done in",
        "done in=",
        "done in=x",
        "done in=-1",
        "done in=1,dead=2",
        "done =1",
    };
    sums_t *sums = sums_new ();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        print_message ("  '%s'\n", lines[i]);
        assert_false (sums_take (sums, 0, lines[i]));
    }
    assert_false (sums_take (sums, 1 << 20, "done in=1"));
    assert_int_equal (sums_difference (sums), 0);
    assert_true (sums_take (sums, 0, "done in=1 unheard_of=3"));
    assert_int_equal (sums_difference (sums), 1);
    sums_destroy (&sums);
}

/*  More reasons or stages than there is room for are refused or passed over, not written beyond. */
static void test_bounds (void **state)
{
    (void)state;
    sums_t *sums = sums_new ();
    char line[4096];
    size_t size = (size_t)snprintf (line, sizeof line, "done in=0");
    for (int i = 0; i < 100; i++)
        size += (size_t)snprintf (line + size, sizeof line - size, " dead.reason_%d=1000000000", i);
    assert_true (sums_take (sums, 0, line));
    int taken = 0;
    for (int i = 0; i < 100; i++) {
        snprintf (line, sizeof line, "taken stage_%d 1023 1 2 3", i);
        taken += sums_take (sums, 0, line);
    }
    assert_int_equal (taken, 8);
    char *text = sums_text (sums);
    assert_true (strlen (text) < 4096);
    free (text);
    sums_destroy (&sums);
    sums_destroy (&sums);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_text),
        cmocka_unit_test (test_not_understood),
        cmocka_unit_test (test_bounds),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
