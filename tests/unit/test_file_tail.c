/*  file_tail: lines of a file at their offsets, long lines, ends, and sinks that pause or start
 * again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/buffer.h"
#include "ingestor/file_tail.h"

/*  What came, as text: "offset-next:value_bytes " for a line, "@next " for a position. */
typedef struct {
    file_tail_t *tail;
    char text[512];
    int64_t pause_at, restart_at; /* a line at this offset does that once; -1: none */
    size_t value_size;            /* of the last line */
} seen_t;

static void on_line (void *arg, int64_t offset, int64_t next, span_t value, uint64_t value_bytes)
{
    seen_t *seen = arg;
    size_t used = strlen (seen->text);
    snprintf (seen->text + used, sizeof seen->text - used, "%ld-%ld:%lu ", (long)offset, (long)next,
              (unsigned long)value_bytes);
    seen->value_size = value.size;
    if (offset == seen->pause_at)
        seen->tail->paused = true;
    if (offset == seen->restart_at) {
        seen->restart_at = -1;
        file_tail_start (seen->tail, 0);
    }
}

static void on_position (void *arg, int64_t next)
{
    seen_t *seen = arg;
    size_t used = strlen (seen->text);
    snprintf (seen->text + used, sizeof seen->text - used, "@%ld ", (long)next);
}

static int file_with (const void *bytes, size_t size)
{
    FILE *file = tmpfile ();
    assert_non_null (file);
    assert_int_equal (fwrite (bytes, 1, size, file), size);
    assert_int_equal (fflush (file), 0);
    int fd = dup (fileno (file));
    fclose (file);
    return fd;
}

/*  Reads to the end; the tail's position then. */
static int64_t read_all (file_tail_t *tail, int64_t end, bool complete, seen_t *seen)
{
    char *buffer = memory_new (FILE_TAIL_BUFFER_BYTES);
    file_tail_sink_t sink = {.arg = seen, .line = on_line, .position = on_position};
    int rounds = 0;
    file_tail_result_t result = FILE_TAIL_MORE;
    while (result == FILE_TAIL_MORE && !tail->paused) {
        result = file_tail_read (tail, buffer, end, complete, &sink);
        assert_true (rounds++ < 1000);
    }
    free (buffer);
    return tail->position;
}

static void reads_lines (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t from, end;
        bool complete;
        int64_t pause_at, restart_at;
        const char *seen;
        int64_t position;
    } cases[] = {
        {"", 0, -1, true, -1, -1, "", 0},
        {"ab\nc\n", 0, -1, false, -1, -1, "0-3:2 3-5:1 ", 5},
        {"ab\nc", 0, -1, false, -1, -1, "0-3:2 ", 3},
        {"ab\nc", 0, -1, true, -1, -1, "0-3:2 3-4:1 ", 4},
        {"ab\n\n \nc\n\n", 0, -1, false, -1, -1, "0-3:2 @6 6-8:1 @9 ", 9},
        {"\n  ", 0, -1, true, -1, -1, "@1 @3 ", 3},
        {"ab\nc\n", 3, -1, false, -1, -1, "3-5:1 ", 5},
        {"ab\nc\nd\n", 0, 5, true, -1, -1, "0-3:2 3-5:1 ", 5},
        {"ab\ncd\n", 0, 4, true, -1, -1, "0-3:2 3-4:1 ", 4},
        {"a\nb\nc\n", 0, -1, false, 2, -1, "0-2:1 2-4:1 ", 4},
        {"a\nb\nc\n", 0, -1, false, -1, 2, "0-2:1 2-4:1 0-2:1 2-4:1 4-6:1 ", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = file_with (cases[i].text, strlen (cases[i].text));
        file_tail_t tail = {.fd = fd};
        seen_t seen = {
            .tail = &tail, .pause_at = cases[i].pause_at, .restart_at = cases[i].restart_at};
        file_tail_start (&tail, cases[i].from);
        int64_t position = read_all (&tail, cases[i].end, cases[i].complete, &seen);
        assert_string_equal (seen.text, cases[i].seen);
        assert_int_equal (position, cases[i].position);
        close (fd);
    }
}

static void bounds_long_lines (void **state)
{
    (void)state;
    enum { CAP = EVENT_MESSAGE_BYTES_MAX };
    static const struct {
        size_t size;
        bool newline, complete, given;
        size_t value_size;
    } cases[] = {
        {FILE_TAIL_CHUNK_BYTES - 1, true, false, true, FILE_TAIL_CHUNK_BYTES - 1},
        {FILE_TAIL_CHUNK_BYTES, true, false, true, FILE_TAIL_CHUNK_BYTES},
        {CAP - 1, true, false, true, CAP - 1},
        {CAP, true, false, true, CAP},
        {CAP, false, true, true, CAP},
        {CAP, false, false, false, 0},
        {CAP + 1, true, false, true, FILE_TAIL_HEAD_BYTES},
        {CAP + 1, false, true, true, FILE_TAIL_HEAD_BYTES},
        {CAP + 1, false, false, false, 0},
        {3 * CAP, true, false, true, FILE_TAIL_HEAD_BYTES},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t text = {0};
        char *line = memory_new (cases[i].size);
        memset (line, 'x', cases[i].size);
        buffer_append (&text, line, cases[i].size);
        free (line);
        if (cases[i].newline)
            buffer_append (&text, "\n", 1);
        int fd = file_with (text.bytes, text.size);
        file_tail_t tail = {.fd = fd};
        seen_t seen = {.tail = &tail, .pause_at = -1, .restart_at = -1};
        file_tail_start (&tail, 0);
        int64_t position = read_all (&tail, -1, cases[i].complete, &seen);
        char expected[64] = "";
        if (cases[i].given)
            snprintf (expected, sizeof expected, "0-%zu:%zu ", text.size, cases[i].size);
        assert_string_equal (seen.text, expected);
        assert_int_equal (seen.value_size, cases[i].value_size);
        assert_int_equal (position, cases[i].given ? text.size : 0);
        close (fd);
        buffer_free (&text);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (reads_lines),
        cmocka_unit_test (bounds_long_lines),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
