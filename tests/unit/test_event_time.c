/*  test_event_time: timestamps, text and number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <time.h>
#include "common/event_time.h"

enum { INVALID = -1 };

static void test_text (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t expected;
    } CASES[] = {
        {"1970-01-01T00:00:00", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01 00:00:00.001Z", 1},
        {"1970-01-01T00:00:00.0009Z", 0},
        {"1970-01-01T00:00:00.9999999999999999999999", 999},
        {"1970-01-01T00:00:00.5", 500},
        {"2019-11-24T00:01:03.979", 1574553663979},
        {"2019-11-24T09:01:03.979+09:00", 1574553663979},
        {"2019-11-23T18:31:03.979-05:30", 1574553663979},
        {"2000-02-29T12:00:00Z", 951825600000},
        {"2024-02-29T23:59:59.999Z", 1709251199999},
        {"2100-03-01T00:00:00Z", 4107542400000},
        {"9999-12-31T23:59:59.999Z", EVENT_TIME_MS_MAX},
        {"1970-01-01T05:30:00+05:30", 0},
        {"1969-12-31T23:00:00-01:00", 0},
        {"1970-01-01T00:00:00+00:00", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T23:59:00+23:59", 0},

        {"", INVALID},
        {"2019", INVALID},
        {"2019-11-24", INVALID},
        {"2019-11-24T00:01", INVALID},
        {"2019-11-24T00:01:0", INVALID},
        {"2019-11-24t00:01:03", INVALID},
        {"2019-11-24T00:01:03z", INVALID},
        {"2019-11-24T00:01:03 ", INVALID},
        {" 2019-11-24T00:01:03", INVALID},
        {"2019-11-24  00:01:03", INVALID},
        {"2019-11-24T00:01:03.", INVALID},
        {"2019-11-24T00:01:03.Z", INVALID},
        {"2019-11-24T00:01:03,5", INVALID},
        {"2019-11-24T00:01:03ZZ", INVALID},
        {"2019-11-24T00:01:03Z+01:00", INVALID},
        {"2019-11-24T00:01:03+0100", INVALID},
        {"2019-11-24T00:01:03+01", INVALID},
        {"2019-11-24T00:01:03+1:00", INVALID},
        {"2019-11-24T00:01:03+24:00", INVALID},
        {"2019-11-24T00:01:03+01:60", INVALID},
        {"2019-11-24T00:01:03+01:00Z", INVALID},
        {"2019-11-24T00:01:03-", INVALID},
        {"2019-11-24T24:00:00", INVALID},
        {"2019-11-24T00:60:00", INVALID},
        {"2016-12-31T23:59:60Z", INVALID},
        {"2019-00-24T00:00:00", INVALID},
        {"2019-13-24T00:00:00", INVALID},
        {"2019-11-00T00:00:00", INVALID},
        {"2019-11-31T00:00:00", INVALID},
        {"2019-02-29T00:00:00", INVALID},
        {"1900-02-29T00:00:00", INVALID},
        {"2100-02-29T00:00:00", INVALID},
        {"0000-01-01T00:00:00", INVALID},
        {"1969-12-31T23:59:59.999", INVALID},
        {"1970-01-01T00:00:00+00:01", INVALID},
        {"9999-12-31T23:59:59-00:01", INVALID},
        {"12019-11-24T00:01:03", INVALID},
        {"-019-11-24T00:01:03", INVALID},
        {"+019-11-24T00:01:03", INVALID},
        {"2019-1 -24T00:01:03", INVALID},
        {"2019/11/24T00:01:03", INVALID},
        {"1574553663979", INVALID},
    };
    int failed_count = 0;
    for (size_t i = 0; i < sizeof (CASES) / sizeof (CASES[0]); i++) {
        int64_t got = INVALID;
        int result = event_time_from_text (span_of (CASES[i].text), &got);
        if (got != CASES[i].expected || (result == 0) != (CASES[i].expected != INVALID)) {
            print_error ("\"%s\": got %lld\n", CASES[i].text, (long long)got);
            failed_count++;
        }
    }
    assert_int_equal (failed_count, 0);
}

/*  Every day from 1970 to 9999 against the C library's calendar. */
static void test_calendar (void **state)
{
    (void)state;
    for (time_t day = 0; day <= EVENT_TIME_MS_MAX / 86400000; day++) {
        char text[64];
        struct tm parts;
        time_t seconds = day * 86400 + 86399;
        gmtime_r (&seconds, &parts);
        strftime (text, sizeof (text), "%Y-%m-%dT%H:%M:%SZ", &parts);
        int64_t got;
        assert_int_equal (event_time_from_text (span_of (text), &got), 0);
        assert_int_equal (got, seconds * 1000);
    }
}

static void test_embedded_nul (void **state)
{
    (void)state;
    int64_t got = INVALID;
    static const char TEXT[] = "2019-11-24T00:01:03\0";
    assert_int_equal (event_time_from_text ((span_t){TEXT, sizeof (TEXT) - 1}, &got), -1);
    assert_int_equal (event_time_from_text ((span_t){TEXT, sizeof (TEXT) - 2}, &got), 0);
}

static void test_integer (void **state)
{
    (void)state;
    static const struct {
        int64_t number, expected;
    } CASES[] = {
        {0, 0},
        {1, 1000},
        {1574553663, 1574553663000},
        {99999999999, 99999999999000},
        {100000000000, 100000000000},
        {1574553663979, 1574553663979},
        {EVENT_TIME_MS_MAX, EVENT_TIME_MS_MAX},
        {EVENT_TIME_MS_MAX + 1, INVALID},
        {INT64_MAX, INVALID},
        {-1, INVALID},
        {INT64_MIN, INVALID},
    };
    for (size_t i = 0; i < sizeof (CASES) / sizeof (CASES[0]); i++) {
        int64_t got = INVALID;
        int result = event_time_from_integer (CASES[i].number, &got);
        assert_int_equal (got, CASES[i].expected);
        assert_int_equal (result, CASES[i].expected == INVALID ? -1 : 0);
    }
}

static void test_real (void **state)
{
    (void)state;
    static const struct {
        double number;
        int64_t expected;
    } CASES[] = {
        {0.0, 0},
        {-0.0, 0},
        {1.7e12, 1700000000000},
        {1574553663979.0, 1574553663979},
        {1574553663.0, 1574553663000},
        {1574553663.5, INVALID},
        {0.001, INVALID},
        {-1.0, INVALID},
        {253402300799999.0, EVENT_TIME_MS_MAX},
        {253402300800000.0, INVALID},
        {1e300, INVALID},
        {INFINITY, INVALID},
        {-INFINITY, INVALID},
        {NAN, INVALID},
    };
    for (size_t i = 0; i < sizeof (CASES) / sizeof (CASES[0]); i++) {
        int64_t got = INVALID;
        int result = event_time_from_real (CASES[i].number, &got);
        assert_int_equal (got, CASES[i].expected);
        assert_int_equal (result, CASES[i].expected == INVALID ? -1 : 0);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_text),         cmocka_unit_test (test_calendar),
        cmocka_unit_test (test_embedded_nul), cmocka_unit_test (test_integer),
        cmocka_unit_test (test_real),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
