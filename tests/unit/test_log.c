/*  test_log: the text of a line, the limit of repeats, and lines of several threads in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yyjson.h>
#include "common/log_limit.h"
#include "common/log_line.h"

#define HEAD_TEXT "time=2019-11-24T00:01:03.979Z level=info process=sink-0 msg=m"
#define HEAD_JSON                                                                                  \
    "{\"time\":\"2019-11-24T00:01:03.979Z\",\"level\":\"info\",\"process\":\"sink-0\","            \
    "\"msg\":\"m\""

static const char *write_line (bool json, const char *message, const log_field_t *fields)
{
    static char line[LOG_LINE_BYTES_MAX + 1];
    log_record_t record = {1574553663979, LOG_LEVEL_INFO, "sink-0", message, 0, fields};
    size_t size = log_line_write (&record, json, line);
    assert_true (size <= LOG_LINE_BYTES_MAX && line[size - 1] == '\n');
    line[size] = '\0';
    return line;
}

static void test_fields (void **state)
{
    (void)state;
    static const char NUL[] = "a\0b";
    const struct {
        const char *name;
        log_field_t field;
        const char *text, *json;
    } CASES[] = {
        {"plain", F_STR ("k", "value:9/x"), "k=value:9/x", "\"k\":\"value:9/x\""},
        {"empty", F_STR ("k", ""), "k=\"\"", "\"k\":\"\""},
        {"absent", F_STR ("k", NULL), "k=\"\"", "\"k\":null"},
        {"space", F_STR ("k", "a b"), "k=\"a b\"", "\"k\":\"a b\""},
        {"equals sign", F_STR ("k", "a=b"), "k=\"a=b\"", "\"k\":\"a=b\""},
        {"quote", F_STR ("k", "a\"b"), "k=\"a\\\"b\"", "\"k\":\"a\\\"b\""},
        {"backslash", F_STR ("k", "a\\b"), "k=\"a\\\\b\"", "\"k\":\"a\\\\b\""},
        {"new lines", F_STR ("k", "a\r\n\tb"), "k=\"a\\r\\n\\tb\"", "\"k\":\"a\\r\\n\\tb\""},
        {"escape", F_STR ("k", "\x1b[31m"), "k=\"\\u001b[31m\"", "\"k\":\"\\u001b[31m\""},
        {"DEL", F_STR ("k", "\x7f"), "k=\"\\u007f\"", "\"k\":\"\\u007f\""},
        {"C1", F_STR ("k", "\xc2\x9b"), "k=\"\\u009b\"", "\"k\":\"\\u009b\""},
        {"NUL", F_SPAN ("k", ((span_t){NUL, 3})), "k=\"a\\u0000b\"", "\"k\":\"a\\u0000b\""},
        {"UTF-8", F_STR ("k", "\xc3\xa9\xf0\x9f\x98\x80"), "k=\"\xc3\xa9\xf0\x9f\x98\x80\"",
         "\"k\":\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"not UTF-8", F_STR ("k", "a\xff\xe2\x82"), "k=\"a\\ufffd\\ufffd\\ufffd\"",
         "\"k\":\"a\\ufffd\\ufffd\\ufffd\""},
        {"integer", F_INT ("k", INT64_MIN), "k=-9223372036854775808", "\"k\":-9223372036854775808"},
        {"real", F_DBL ("k", 0.1), "k=0.1", "\"k\":0.1"},
        {"infinite", F_DBL ("k", INFINITY), "k=inf", "\"k\":null"},
    };
    for (size_t i = 0; i < sizeof (CASES) / sizeof (CASES[0]); i++) {
        const log_field_t fields[] = {CASES[i].field, {.key = NULL}};
        char expected[256];
        snprintf (expected, sizeof (expected), HEAD_TEXT " %s\n", CASES[i].text);
        assert_string_equal (write_line (false, "m", fields), expected);
        snprintf (expected, sizeof (expected), HEAD_JSON ",%s}\n", CASES[i].json);
        assert_string_equal (write_line (true, "m", fields), expected);
    }
}

static void test_head (void **state)
{
    (void)state;
    const log_field_t none[] = {{.key = NULL}};
    assert_string_equal (write_line (false, "m", none), HEAD_TEXT "\n");
    assert_string_equal (write_line (true, "m", none), HEAD_JSON "}\n");
    char line[LOG_LINE_BYTES_MAX];
    log_record_t record = {0, LOG_LEVEL_ERROR, "", "two words", 7, none};
    size_t size = log_line_write (&record, false, line);
    static const char EXPECTED[] =
        "time=1970-01-01T00:00:00.000Z level=error msg=\"two words\" held_back=7\n";
    assert_int_equal (size, sizeof (EXPECTED) - 1);
    assert_memory_equal (line, EXPECTED, size);
}

/*  Whatever is too long, the line is bounded, ends as it should, and JSON is JSON. */
static void test_long (void **state)
{
    (void)state;
    static char value[8000];
    static const char *const PARTS[] = {"x", "\x01", "\xf0\x9f\x98\x80", "\xff", "\""};
    for (size_t part = 0; part < sizeof (PARTS) / sizeof (PARTS[0]); part++) {
        for (size_t size = 900; size < sizeof (value); size += 37) {
            size_t step = strlen (PARTS[part]);
            for (size_t at = 0; at + step <= sizeof (value); at += step)
                memcpy (value + at, PARTS[part], step);
            log_field_t field = F_SPAN ("k", ((span_t){value, size}));
            const log_field_t fields[] = {field,        field, field, field, F_INT ("last", 1),
                                          {.key = NULL}};
            const char *line = write_line (true, "m", fields);
            yyjson_doc *document = yyjson_read (line, strlen (line), YYJSON_READ_NOFLAG);
            assert_non_null (document);
            assert_true (
                yyjson_get_bool (yyjson_obj_get (yyjson_doc_get_root (document), "truncated")) ||
                size <= 4 * 256 + 3);
            yyjson_doc_free (document);
            write_line (false, "m", fields);
        }
    }
}

static void test_cut_value (void **state)
{
    (void)state;
    static char value[LOG_VALUE_BYTES_MAX + 1];
    memset (value, 'x', sizeof (value));
    memcpy (value + LOG_VALUE_BYTES_MAX - 1, "\xc3\xa9", 2);
    const log_field_t fields[] = {F_SPAN ("k", ((span_t){value, sizeof (value)})), {.key = NULL}};
    const char *line = write_line (false, "m", fields);
    assert_int_equal (strlen (line), strlen (HEAD_TEXT " k=\"...\"\n") + LOG_VALUE_BYTES_MAX - 1);
    assert_string_equal (line + strlen (line) - 7, "xx...\"\n");
}

static void test_limit (void **state)
{
    (void)state;
    log_limit_t *limit = calloc (1, sizeof (*limit));
    uint64_t held = 99;
    for (int i = 0; i < LOG_LIMIT_TIMES; i++) {
        assert_true (log_limit_pass (limit, "a", 1000 + i, &held));
        assert_int_equal (held, 0);
    }
    for (int i = 0; i < 5; i++)
        assert_false (log_limit_pass (limit, "a", 2000, &held));
    assert_true (log_limit_pass (limit, "b", 2000, &held));
    assert_false (log_limit_pass (limit, "a", 1000 + LOG_LIMIT_MS - 1, &held));
    assert_true (log_limit_pass (limit, "a", 1000 + LOG_LIMIT_MS, &held));
    assert_int_equal (held, 6);
    assert_false (log_limit_pass (limit, "a", 1000 + LOG_LIMIT_MS, &held));
    assert_true (log_limit_pass (limit, "a", 1001 + LOG_LIMIT_MS, &held));
    assert_int_equal (held, 1);

    static char names[LOG_LIMIT_MESSAGES + 8][16];
    for (int i = 0; i < LOG_LIMIT_MESSAGES + 8; i++) {
        snprintf (names[i], sizeof (names[i]), "message %d", i);
        assert_true (log_limit_pass (limit, names[i], 50000 + i, &held));
        assert_int_equal (held, 0);
    }
    free (limit);
}

static void test_levels (void **state)
{
    (void)state;
    log_level_t level = LOG_LEVEL_ERROR;
    assert_int_equal (log_level_parse ("debug", &level), 0);
    assert_int_equal (level, LOG_LEVEL_DEBUG);
    assert_int_equal (log_level_parse ("warning", &level), 0);
    assert_int_equal (level, LOG_LEVEL_WARNING);
    assert_int_equal (log_level_parse ("warn", &level), -1);
    assert_int_equal (log_level_parse ("", &level), -1);
    assert_int_equal (log_level_parse ("INFO", &level), -1);
}

enum { THREADS = 4, LINES = 15 };

static void *log_from_thread (void *message)
{
    for (int i = 0; i < LINES; i++)
        log_info (message, F_INT ("line", i), F_STR ("text", "from\na thread"));
    return NULL;
}

/*  What log_info and its like put on stderr: whole lines, from the level on, from any thread. */
static void test_stderr (void **state)
{
    (void)state;
    static char text[1 << 16];
    char *names[THREADS] = {"first", "second", "third", "fourth"};
    pthread_t threads[THREADS];
    FILE *file = tmpfile ();
    int saved = dup (STDERR_FILENO);
    dup2 (fileno (file), STDERR_FILENO);
    lseek (fileno (file), 0, SEEK_SET);
    log_start ("test-0", LOG_LEVEL_INFO, true);
    log_debug ("not seen");
    errno = ENOENT;
    log_error ("seen");
    int error_after = errno;
    for (int i = 0; i < THREADS; i++)
        pthread_create (&threads[i], NULL, log_from_thread, names[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    for (int i = 0; i < 2 * LOG_LIMIT_TIMES; i++)
        log_warning ("repeated");
    dup2 (saved, STDERR_FILENO);
    close (saved);
    ssize_t size = pread (fileno (file), text, sizeof (text) - 1, 0);
    fclose (file);

    assert_int_equal (error_after, ENOENT);
    assert_true (size > 0);
    int count = 0;
    for (char *line = strtok (text, "\n"); line; line = strtok (NULL, "\n"), count++) {
        yyjson_doc *document = yyjson_read (line, strlen (line), YYJSON_READ_NOFLAG);
        assert_non_null (document);
        yyjson_val *root = yyjson_doc_get_root (document);
        assert_string_equal (yyjson_get_str (yyjson_obj_get (root, "process")), "test-0");
        assert_string_not_equal (yyjson_get_str (yyjson_obj_get (root, "msg")), "not seen");
        yyjson_doc_free (document);
    }
    assert_int_equal (count, 1 + THREADS * LINES + LOG_LIMIT_TIMES);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_fields), cmocka_unit_test (test_head),
        cmocka_unit_test (test_long),   cmocka_unit_test (test_cut_value),
        cmocka_unit_test (test_limit),  cmocka_unit_test (test_levels),
        cmocka_unit_test (test_stderr),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
