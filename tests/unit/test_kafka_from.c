/*  kafka_from_parse: where a group without commits begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingestor/kafka_offsets.h"

static void parses (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        kafka_from_t from;
        int64_t time_ms;
    } cases[] = {
        {"earliest", 0, KAFKA_FROM_EARLIEST, 0},
        {"latest", 0, KAFKA_FROM_LATEST, 0},
        {"0", 0, KAFKA_FROM_TIME, 0},
        {"1700000000123", 0, KAFKA_FROM_TIME, INT64_C (1700000000123)},
        {"1970-01-02T00:00:01Z", 0, KAFKA_FROM_TIME, 86401000},
        {"1970-01-02 00:00:01.5+01:00", 0, KAFKA_FROM_TIME, 86401500 - 3600000},
        {"", -1, 0, 0},
        {"-5", -1, 0, 0},
        {"yesterday", -1, 0, 0},
        {"99999999999999999999", -1, 0, 0},
        {"12x", -1, 0, 0},
        {"1970-01-02", -1, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kafka_from_t from;
        int64_t time_ms;
        assert_int_equal (kafka_from_parse (cases[i].text, &from, &time_ms), cases[i].status);
        if (cases[i].status)
            continue;
        assert_int_equal (from, cases[i].from);
        assert_int_equal (time_ms, cases[i].time_ms);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (parses)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
