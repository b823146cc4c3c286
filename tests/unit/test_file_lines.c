/*  file_lines: lines of a buffer, blank lines, names of partitions, who reads a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include "common/event.h"
#include "common/memory.h"
#include "ingestor/file_lines.h"

static void cuts_lines (void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *lines[3];
        size_t rest; /* where the part of a line begins */
    } cases[] = {
        {"nothing", "", {NULL}, 0},
        {"a part", "abc", {NULL}, 0},
        {"one line", "abc\n", {"abc"}, 4},
        {"two and a part", "a\nbc\nd", {"a", "bc"}, 5},
        {"empty lines", "\n\nx\n", {"", "", "x"}, 4},
        {"carriage return stays", "a\r\n", {"a\r"}, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        span_t line, text = span_of (cases[i].text);
        size_t at = 0, count = 0;
        while (file_lines_next (text, &at, &line)) {
            assert_true (count < 3 && cases[i].lines[count]);
            assert_true (span_equal (line, span_of (cases[i].lines[count++])));
        }
        assert_true (count == 3 || !cases[i].lines[count]);
        assert_int_equal (at, cases[i].rest);
    }
}

static void knows_blank_lines (void **state)
{
    (void)state;
    static const struct {
        span_t line;
        bool blank;
    } cases[] = {
        {{"", 0}, true},
        {{" \t\v\f\r\n", 6}, true},
        {{"  x", 3}, false},
        {{"\0", 1}, false},
        {{"\xc2\xa0", 2}, false},
        {{"{}", 2}, false},
        {{"\xe2\x80\x83", 3}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal (file_lines_is_blank (cases[i].line), cases[i].blank);
}

/*  Values of XXH3_64bits as its own tool prints them (xxhsum -H3). */
static void names_partitions (void **state)
{
    (void)state;
    char *name = file_lines_partition_name ("a/b.jsonl", span_of (""));
    assert_string_equal (name, "a/b.jsonl#2d06800538d394c2");
    free (name);
    name = file_lines_empty_name ("-");
    assert_string_equal (name, "-#empty");
    free (name);

    /*  Of a line that is too long only so much counts that one buffer holds it. */
    char *line = memory_new (EVENT_MESSAGE_BYTES_MAX + 2);
    memset (line, 'x', EVENT_MESSAGE_BYTES_MAX + 1);
    char *whole = file_lines_partition_name ("p", (span_t){line, EVENT_MESSAGE_BYTES_MAX});
    char *longer = file_lines_partition_name ("p", (span_t){line, EVENT_MESSAGE_BYTES_MAX + 1});
    char *shorter = file_lines_partition_name ("p", (span_t){line, EVENT_MESSAGE_BYTES_MAX - 1});
    assert_string_equal (whole, longer);
    assert_string_not_equal (whole, shorter);
    free (whole);
    free (longer);
    free (shorter);
    free (line);
}

static void one_reader_a_path (void **state)
{
    (void)state;
    uint32_t counts[3] = {0};
    char path[] = "f-000";
    for (int i = 0; i < 300; i++) {
        path[2] = (char)('0' + i / 100);
        path[3] = (char)('0' + i / 10 % 10);
        path[4] = (char)('0' + i % 10);
        uint32_t reader = file_lines_reader (path, 3);
        assert_true (reader < 3);
        assert_int_equal (reader, file_lines_reader (path, 3));
        assert_int_equal (file_lines_reader (path, 1), 0);
        counts[reader]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range (counts[i], 60, 140);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (cuts_lines),
        cmocka_unit_test (knows_blank_lines),
        cmocka_unit_test (names_partitions),
        cmocka_unit_test (one_reader_a_path),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
