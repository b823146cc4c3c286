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
    const char *path, *place;
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
        {"redis://localhost", 0, "localhost", 6379, NULL, NULL, 0, NULL, "localhost:6379"},
        {"redis://10.0.0.1:7000/3", 0, "10.0.0.1", 7000, NULL, NULL, 3, NULL, NULL},
        {"redis://[::1]:7000/", 0, "::1", 7000, NULL, NULL, 0, NULL, "[::1]:7000"},
        {"unix:///run/r.sock", 0, NULL, 6379, NULL, NULL, 0, "/run/r.sock", "/run/r.sock"},
        {"unix://me:a%2Fb@/r?db=3", 0, NULL, 6379, "me", "a/b", 3, "/r", "/r"},
        {"unix://secret@/r@x", 0, NULL, 6379, NULL, "secret", 0, "/r@x", "/r@x"},
        {"unix://", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"unix:///", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"unix://r", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"unix://r/x", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"unix:///r?db=x", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"unix:///r?x=1", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"rediss://h", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://:pa%40ss@h:1", 0, "h", 1, NULL, "pa@ss", 0, NULL, NULL},
        {"redis://me:p@ss@h", 0, "h", 6379, "me", "p@ss", 0, NULL, NULL},
        {"redis://secret@h", 0, "h", 6379, NULL, "secret", 0, NULL, NULL},
        {"http://h", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://:7000", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://h:", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://h:0", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://h:65536", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://h:12x", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://h/x", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://:@h", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://:a%zz@h", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://:a%00@h", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
        {"redis://[::1:7000", -1, NULL, 0, NULL, NULL, 0, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        redis_url_t url;
        const char *reason;
        print_message ("  %s\n", cases[i].text);
        assert_int_equal (redis_url_parse (cases[i].text, &url, &reason), cases[i].status);
        if (cases[i].status == 0) {
            expect_text (url.host, cases[i].host);
            expect_text (url.path, cases[i].path);
            if (cases[i].place)
                assert_string_equal (url.place, cases[i].place);
            assert_true (redis_url_equal (&url, &url));
            expect_text (url.user, cases[i].user);
            expect_text (url.password, cases[i].password);
            assert_int_equal (url.port, cases[i].port);
            assert_int_equal (url.database, cases[i].database);
        }
        redis_url_free (&url);
    }
}

static void tells_urls_apart (void **state)
{
    (void)state;
    static const char *const texts[] = {"redis://h",      "redis://g",      "redis://h:1",
                                        "redis://h/1",    "redis://p@h",    "redis://q@h",
                                        "redis://u:p@h",  "unix:///h",      "unix:///g"};
    const size_t count = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            redis_url_t a, b;
            const char *reason;
            assert_int_equal (redis_url_parse (texts[i], &a, &reason), 0);
            assert_int_equal (redis_url_parse (texts[j], &b, &reason), 0);
            assert_int_equal (redis_url_equal (&a, &b), i == j);
            redis_url_free (&a);
            redis_url_free (&b);
        }
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

static void knows_errors_of_permission (void **state)
{
    (void)state;
    assert_true (redis_texts_denied ("WRONGPASS invalid"));
    assert_true (redis_texts_denied ("NOPERM"));
    assert_false (redis_texts_denied ("OOM no"));
    assert_false (redis_texts_denied (""));
    assert_string_equal (redis_texts_remedy ("LOADING"), "");
    assert_string_equal (redis_texts_remedy ("what is that"), "");
    assert_non_null (strstr (redis_texts_remedy ("OOM no"), "maxmemory"));
}

static void reads_clients_and_info (void **state)
{
    (void)state;
    static const char list[] = "id=3 addr=1 name=hotpath-sink-a age=1 idle=12 db=0\n"
                               "id=14 addr=2 name=hotpath-sink-ab age=1 idle=0 db=0\n"
                               "id=15 addr=2 name= age=1 idle=0 db=0\n"
                               "id=16 addr=2 name=hotpath-sink-a age=1 idle=0 db=1\n"
                               "id=159 addr=3 name=hotpath-sink-a age=1 idle=0 db=0\n";
    redis_client_t clients[4];
    assert_int_equal (redis_texts_clients (list, "hotpath-sink-a", 0, clients, 4), 2);
    assert_int_equal (clients[0].id, 3);
    assert_int_equal (clients[0].idle_s, 12);
    assert_int_equal (clients[1].id, 159);
    assert_int_equal (redis_texts_clients (list, "hotpath-sink-a", 0, clients, 1), 1);
    assert_int_equal (redis_texts_clients ("", "hotpath-sink-a", 0, clients, 4), 0);
    char value[16] = "before";
    redis_texts_field ("# Server\r\nos:x\r\nmy_run_id:1\r\n", "run_id", value, sizeof value);
    assert_string_equal (value, "before");
    redis_texts_field ("run_id:0123456789abcdefg\r\n", "run_id", value, sizeof value);
    assert_string_equal (value, "before");
    redis_texts_field ("# Server\r\nrun_id:abc123\r\ntcp_port:1\r\n", "run_id", value,
                       sizeof value);
    assert_string_equal (value, "abc123");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (takes_urls_apart),
        cmocka_unit_test (knows_errors_that_pass),
        cmocka_unit_test (tells_urls_apart),
        cmocka_unit_test (knows_errors_of_permission),
        cmocka_unit_test (reads_clients_and_info),
    };
    return cmocka_run_group_tests_name ("redis_url", tests, NULL, NULL);
}
