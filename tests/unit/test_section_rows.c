/*  section_rows: a section's rows are read once, whatever the number of them and of their tags; a
 * section that is not valid is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "common/section_rows.h"

enum { FROM = 1000, ROWS = 3000 };

/*  Tags of row i: 0, 1, … EVENT_TAGS_MAX, and again, so that their array grows in between. */
static uint32_t tag_count_of (uint32_t i)
{
    return i % (EVENT_TAGS_MAX + 1);
}

static void make_rows (buffer_t *rows, stage_id_t stage, uint32_t count)
{
    wire_chain_t chain = {FROM, EVENT_TIME_NONE};
    for (uint32_t i = 0; i < count; i++) {
        char user[16];
        event_t event = {.item = {"item", 4},
                         .time_ms = 5000 + i,
                         .watched_ms = EVENT_MS_NONE,
                         .tag_count = tag_count_of (i)};
        event.user = (span_t){user, (size_t)snprintf (user, sizeof user, "u%u", i)};
        for (uint32_t tag = 0; tag < event.tag_count; tag++)
            event.tags[tag] = (span_t){&"abcdefghijklmnopqrstuvwxyz"[tag % 26], 1};
        const wire_row_t row = {.offset = FROM + i,
                                .greatest_ms = i ? 5000 + (int64_t)i - 1 : EVENT_TIME_NONE,
                                .scenario = i % 7};
        wire_event_write (rows, &chain, stage, &row, &event, i, i, false);
    }
}

static wire_section_t section_of (const buffer_t *rows, uint32_t count)
{
    return (wire_section_t){.from = FROM,
                            .to = FROM + count,
                            .greatest_from_ms = EVENT_TIME_NONE,
                            .event_count = count,
                            .rows = {(const char *)rows->bytes, rows->size}};
}

static void test_all_rows_are_read (void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, ROWS, 17};
    section_rows_t read = {0};
    for (size_t at = 0; at < sizeof counts / sizeof *counts; at++) {
        buffer_t rows = {0};
        make_rows (&rows, STAGE_PROFILER, counts[at]);
        const wire_section_t section = section_of (&rows, counts[at]);
        assert_true (section_rows_read (&read, &section, STAGE_PROFILER));
        assert_int_equal (read.count, counts[at]);
        for (uint32_t i = 0; i < read.count; i++) {
            const stage_event_t *event = &read.events[i];
            assert_int_equal (read.rows[i].offset, FROM + i);
            assert_int_equal (read.rows[i].scenario, i % 7);
            assert_int_equal (event->time_ms, 5000 + i);
            assert_int_equal (event->key_hash, i);
            assert_int_equal (event->tag_count, tag_count_of (i));
            for (uint32_t tag = 0; tag < event->tag_count; tag++)
                assert_int_equal (*event->tags[tag].bytes, 'a' + tag % 26);
        }
        buffer_free (&rows);
    }
    section_rows_free (&read);
}

static void test_what_is_not_valid (void **state)
{
    (void)state;
    buffer_t rows = {0};
    section_rows_t read = {0};
    make_rows (&rows, STAGE_METRICS, 10);
    const wire_section_t good = section_of (&rows, 10);
    struct {
        const char *name;
        wire_section_t section;
    } cases[] = {{"a row of the next section", good},
                 {"fewer bytes than rows", good},
                 {"more bytes than rows", good},
                 {"more rows than bytes", good},
                 {"rows of another stage", good}};
    cases[0].section.to--;
    cases[1].section.rows.size--;
    cases[2].section.event_count--;
    cases[3].section.event_count = UINT32_MAX;
    assert_true (section_rows_read (&read, &good, STAGE_METRICS));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (section_rows_read (&read, &cases[i].section,
                               i == 4 ? STAGE_PROFILER : STAGE_METRICS))
            fail_msg ("%s: taken", cases[i].name);
    assert_true (section_rows_read (&read, &good, STAGE_METRICS)); /* it goes on after them */
    section_rows_free (&read);
    buffer_free (&rows);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_all_rows_are_read),
        cmocka_unit_test (test_what_is_not_valid),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
