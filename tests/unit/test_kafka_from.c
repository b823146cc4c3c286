/*  kafka_from_parse: where a group without commits begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

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

/*  What other clients write as metadata is not ours. */
static void marks (void **state)
{
    (void)state;
    static const struct {
        const char *metadata;
        int64_t origin;
        uint32_t generation;
    } cases[] = {
        {NULL, -1, 0},
        {"", -1, 0},
        {"origin=0", 0, 0},
        {"origin=1500", 1500, 0},
        {"origin=1500 generation=1", 1500, 1},
        {"origin=0 generation=12", 0, 12},
        {"origin=999999999999999999 generation=1000000000", INT64_C (999999999999999999), 1000000000},
        {"origin=", -1, 0},
        {"origin=-1", -1, 0},
        {"origin=15x", -1, 0},
        {"origin=15 ", -1, 0},
        {"origin=15 generation=", -1, 0},
        {"origin=15 generation=x", -1, 0},
        {"origin=15 generation=1 more", -1, 0},
        {"origin=15 generation=1000000001", -1, 0},
        {"origin=1000000000000000000", -1, 0},
        {"generation=1", -1, 0},
        {"a consumer's own, longer than any mark of ours could ever be, whatever it says", -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].metadata;
        kafka_mark_t mark = kafka_mark_parse (text, text ? strlen (text) : 0);
        if (mark.origin != cases[i].origin || mark.generation != cases[i].generation)
            fail_msg ("%s: %lld, %u", text, (long long)mark.origin, mark.generation);
    }
    kafka_mark_t cut = kafka_mark_parse ("origin=15\0generation=1", 22);
    assert_int_equal (cut.origin, -1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (parses), cmocka_unit_test (marks)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
