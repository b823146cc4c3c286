/*  metrics_text: numbers are found by name and label, and nothing else is taken for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ctl/metrics_text.h"

static const char text[] = "# HELP a Of a.\n"
                           "# TYPE a gauge\n"
                           "a{stage=\"scorer\"} 3\n"
                           "a{stage=\"metrics\",odd=\"} 7 \\\"}\"} -4.5\n"
                           "ab 100\n"
                           "a_b{x=\"1\"} 1e3\n"
                           "none{x=\"1\"\n"
                           "word nothing\n"
                           "last 12";

static void numbers (void **state)
{
    static const struct {
        const char *name, *label;
        unsigned count;
        double sum, least, most;
    } cases[] = {
        {"a", NULL, 2, -1.5, -4.5, 3},
        {"a", "stage=\"scorer\"", 1, 3, 3, 3},
        {"a", "stage=\"sc\"", 0, 0, 0, 0},
        {"ab", NULL, 1, 100, 100, 100},
        {"a_b", "x=\"1\"", 1, 1000, 1000, 1000},
        {"b", NULL, 0, 0, 0, 0},
        {"none", NULL, 0, 0, 0, 0},
        {"word", NULL, 0, 0, 0, 0},
        {"last", NULL, 1, 12, 12, 12},
        {"#", NULL, 0, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        metrics_number_t number;
        bool found = metrics_text_find (text, cases[i].name, cases[i].label, &number);
        assert_int_equal (found, cases[i].count > 0);
        assert_int_equal (number.count, cases[i].count);
        assert_true (number.sum == cases[i].sum);
        assert_true (number.least == cases[i].least && number.most == cases[i].most);
    }
}

static void otherwise (void **state)
{
    (void)state;
    assert_true (metrics_text_sum (text, "a", NULL, 9) == -1.5);
    assert_true (metrics_text_sum (text, "c", NULL, 9) == 9);
    assert_true (metrics_text_sum ("", "c", NULL, 9) == 9);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (numbers),
        cmocka_unit_test (otherwise),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
