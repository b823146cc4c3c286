/*  test_counters: the text that Prometheus reads: families, labels, numbers, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include "common/counters.h"

#define LEFT_OUT(n)                                                                                \
    "# HELP hotpath_samples_left_out Samples beyond the bound of this page.\n"                     \
    "# TYPE hotpath_samples_left_out gauge\nhotpath_samples_left_out " n "\n"

static const char *write_text (const counters_t *counters)
{
    static buffer_t text;
    buffer_clear (&text);
    counters_write (counters, &text);
    buffer_append (&text, "", 1);
    return (const char *)text.bytes;
}

static void check_same_text (const counters_t *counters, const char *expected)
{
    assert_string_equal (write_text (counters), expected);
}

static void families (void **state)
{
    (void)state;
    counters_t *counters = counters_new ();
    check_same_text (counters, LEFT_OUT ("0"));
    counters_family (counters, COUNTERS_COUNTER, "a_total", "Things.");
    counters_family (counters, COUNTERS_GAUGE, "empty", "Without samples.");
    counters_put (counters, "a_total", 1, L_STR ("outcome", "ok"));
    counters_single (counters, COUNTERS_GAUGE, "b", "One.", -2.5);
    /* Samples of a family stay together, in whatever order they come. */
    counters_family (counters, COUNTERS_COUNTER, "a_total", "Other words.");
    counters_put (counters, "a_total", 2, L_STR ("outcome", "error"), L_STR ("stage", "sink"));
    check_same_text (counters, "# HELP a_total Things.\n# TYPE a_total counter\n"
                               "a_total{outcome=\"ok\"} 1\n"
                               "a_total{outcome=\"error\",stage=\"sink\"} 2\n"
                               "# HELP b One.\n# TYPE b gauge\nb -2.5\n" LEFT_OUT ("0"));
    counters_clear (counters);
    check_same_text (counters, LEFT_OUT ("0"));
    counters_single (counters, COUNTERS_GAUGE, "b", "One.", 3);
    check_same_text (counters, "# HELP b One.\n# TYPE b gauge\nb 3\n" LEFT_OUT ("0"));
    counters_destroy (&counters);
    assert_null (counters);
    counters_destroy (&counters);
}

static void values (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        span_t value;
        const char *expected;
    } cases[] = {
        {"plain", {"t/3", 3}, "t/3"},
        {"empty", {"", 0}, ""},
        {"absent", {NULL, 0}, ""},
        {"UTF-8", {"\xc3\xa9", 2}, "\xc3\xa9"},
        {"quote, backslash, new line", {"a\"b\\c\nd", 7}, "a\\\"b\\\\c\\nd"},
        {"not UTF-8", {"a\xff\xc3", 3}, "a\\\\xff\\\\xc3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256];
        counters_t *counters = counters_new ();
        counters_family (counters, COUNTERS_GAUGE, "x", "X.");
        counters_put (counters, "x", 1, L_SPAN ("p", cases[i].value));
        snprintf (expected, sizeof expected,
                  "# HELP x X.\n# TYPE x gauge\nx{p=\"%s\"} 1\n" LEFT_OUT ("0"), cases[i].expected);
        check_same_text (counters, expected);
        counters_destroy (&counters);
    }
}

static void numbers (void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *expected;
    } cases[] = {
        {0, "0"},
        {1700000000.125, "1700000000.125"},
        {9007199254740991, "9.00719925474099e+15"},
        {8999999999999999, "8999999999999999"},
        {0.1, "0.1"},
        {(double)NAN, "NaN"},
        {(double)INFINITY, "+Inf"},
        {-(double)INFINITY, "-Inf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256];
        counters_t *counters = counters_new ();
        counters_single (counters, COUNTERS_GAUGE, "x", "X.", cases[i].value);
        snprintf (expected, sizeof expected, "# HELP x X.\n# TYPE x gauge\nx %s\n" LEFT_OUT ("0"),
                  cases[i].expected);
        check_same_text (counters, expected);
        counters_destroy (&counters);
    }
}

static void bounds (void **state)
{
    (void)state;
    char longer[COUNTERS_VALUE_BYTES_MAX + 2];
    counters_t *counters = counters_new ();
    memset (longer, 'a', sizeof longer);
    longer[1] = '\xc3'; /* its second byte would be the first that stays */
    longer[2] = '\xa9';
    counters_family (counters, COUNTERS_GAUGE, "x", "X.");
    counters_put (counters, "x", 1, L_SPAN ("p", ((span_t){longer, sizeof longer})));
    const char *value = strstr (write_text (counters), "p=\"") + 3;
    assert_int_equal (strcspn (value, "\""), COUNTERS_VALUE_BYTES_MAX - 1);
    counters_clear (counters);
    counters_family (counters, COUNTERS_GAUGE, "x", "X.");
    for (int i = 0; i < COUNTERS_SAMPLES_MAX + 3; i++) {
        char label[16];
        snprintf (label, sizeof label, "%d", i);
        counters_put (counters, "x", i, L_STR ("i", label));
    }
    const char *text = write_text (counters);
    assert_non_null (strstr (text, "{i=\"16383\"} 16383\n"));
    assert_null (strstr (text, "{i=\"16384\"}"));
    assert_non_null (strstr (text, "hotpath_samples_left_out 3\n"));
    counters_destroy (&counters);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (families),
        cmocka_unit_test (values),
        cmocka_unit_test (numbers),
        cmocka_unit_test (bounds),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
