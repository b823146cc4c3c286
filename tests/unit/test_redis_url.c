/*  Unit tests of sink/redis_url.c and sink/redis_texts.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sink/redis_texts.h"
#include "sink/redis_url.h"

typedef struct {
    const char *text;
    int status;
    const char *host;
    int port;
    const char *user, *password;
    int database;
} url_case_t;

static void expect_text (const char *text, const char *expected)
{
    if (expected)
        assert_string_equal (text, expected);
    else
        assert_null (text);
}

static void takes_urls_apart (void **state)
{
    (void)state;
    static const url_case_t cases[] = {
        {"redis://localhost", 0, "localhost", 6379, NULL, NULL, 0},
        {"redis://10.0.0.1:7000/3", 0, "10.0.0.1", 7000, NULL, NULL, 3},
        {"redis://[::1]:7000/", 0, "::1", 7000, NULL, NULL, 0},
        {"redis://:pa%40ss@h:1", 0, "h", 1, NULL, "pa@ss", 0},
        {"redis://me:p@ss@h", 0, "h", 6379, "me", "p@ss", 0},
        {"redis://secret@h", 0, "h", 6379, NULL, "secret", 0},
        {"http://h", -1, NULL, 0, NULL, NULL, 0},
        {"redis://", -1, NULL, 0, NULL, NULL, 0},
        {"redis://:7000", -1, NULL, 0, NULL, NULL, 0},
        {"redis://h:", -1, NULL, 0, NULL, NULL, 0},
        {"redis://h:0", -1, NULL, 0, NULL, NULL, 0},
        {"redis://h:65536", -1, NULL, 0, NULL, NULL, 0},
        {"redis://h:12x", -1, NULL, 0, NULL, NULL, 0},
        {"redis://h/x", -1, NULL, 0, NULL, NULL, 0},
        {"redis://:@h", -1, NULL, 0, NULL, NULL, 0},
        {"redis://:a%zz@h", -1, NULL, 0, NULL, NULL, 0},
        {"redis://:a%00@h", -1, NULL, 0, NULL, NULL, 0},
        {"redis://[::1:7000", -1, NULL, 0, NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        redis_url_t url;
        const char *reason;
        print_message ("  %s\n", cases[i].text);
        assert_int_equal (redis_url_parse (cases[i].text, &url, &reason), cases[i].status);
        if (cases[i].status == 0) {
            expect_text (url.host, cases[i].host);
            expect_text (url.user, cases[i].user);
            expect_text (url.password, cases[i].password);
            assert_int_equal (url.port, cases[i].port);
            assert_int_equal (url.database, cases[i].database);
        }
        redis_url_free (&url);
    }
}

static void knows_errors_that_pass (void **state)
{
    (void)state;
    static const struct {
        const char *error;
        bool passing;
    } cases[] = {
        {"OOM command not allowed when used memory > 'maxmemory'.", true},
        {"LOADING Redis is loading the dataset in memory", true},
        {"READONLY You can't write against a read only replica.", true},
        {"MOVED 3999 127.0.0.1:6381", true},
        {"BUSY Redis is busy running a script.", true},
        {"BUSYKEY Target key name already exists.", false},
        {"WRONGTYPE Operation against a key", false},
        {"ERR no such key", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal (redis_texts_passing (cases[i].error), cases[i].passing);
}

static void reads_clients_and_run_id (void **state)
{
    (void)state;
    static const char list[] = "id=3 addr=1 name=hotpath-sink-a age=1\n"
                               "id=14 addr=2 name=hotpath-sink-ab age=1\n"
                               "id=15 addr=2 name= age=1\n"
                               "id=159 addr=3 name=hotpath-sink-a age=1\n";
    int64_t ids[4];
    assert_int_equal (redis_texts_clients (list, "hotpath-sink-a", ids, 4), 2);
    assert_int_equal (ids[0], 3);
    assert_int_equal (ids[1], 159);
    assert_int_equal (redis_texts_clients (list, "hotpath-sink-a", ids, 1), 1);
    assert_int_equal (redis_texts_clients ("", "hotpath-sink-a", ids, 4), 0);
    char run_id[16] = "before";
    redis_texts_run_id ("# Server\r\nos:x\r\n", run_id, sizeof run_id);
    assert_string_equal (run_id, "before");
    redis_texts_run_id ("# Server\r\nrun_id:abc123\r\ntcp_port:1\r\n", run_id, sizeof run_id);
    assert_string_equal (run_id, "abc123");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (takes_urls_apart),
        cmocka_unit_test (knows_errors_that_pass),
        cmocka_unit_test (reads_clients_and_run_id),
    };
    return cmocka_run_group_tests_name ("redis_url", tests, NULL, NULL);
}
