/*  test_http_status: answers over a socket of the loopback, and publishing while others read: here,
 * since the thread sanitizer runs the unit tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/http_status.h"

enum { ANSWER_BYTES_MAX = 1 << 16, THREADS = 3, ROUNDS = 40 };

/*  The whole answer to one request, which must ask to close. Returns its status code, 0 without
 * any. */
static int ask (uint16_t port, const char *request, size_t request_size, char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons (port),
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = 10};
    size_t size = 0;
    int code = 0, fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect (fd, (struct sockaddr *)&address, sizeof address) == 0) {
        (void)!send (fd, request, request_size, MSG_NOSIGNAL);
        for (ssize_t got; size < ANSWER_BYTES_MAX - 1 &&
                          (got = read (fd, answer + size, ANSWER_BYTES_MAX - 1 - size)) > 0;)
            size += (size_t)got;
    }
    close (fd);
    answer[size] = '\0';
    return sscanf (answer, "HTTP/1.1 %d", &code) == 1 ? code : 0;
}

static int get (uint16_t port, const char *method, const char *path, char *answer)
{
    char request[256];
    int size = snprintf (request, sizeof request,
                         "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    return ask (port, request, (size_t)size, answer);
}

static const char *body_of (const char *answer)
{
    const char *body = strstr (answer, "\r\n\r\n");
    return body ? body + 4 : "";
}

static http_status_t *open_status (void)
{
    char error[256];
    http_status_t *status = http_status_new ("127.0.0.1:0", error, sizeof error);
    assert_non_null (status);
    return status;
}

static void publish (http_status_t *status, bool ready)
{
    readiness_t readiness = {0};
    buffer_t text = {0};
    readiness_say (&readiness, true, "config", "fine");
    readiness_say (&readiness, ready, "redis", "state");
    buffer_append (&text, "x 1\n", 4);
    http_status_turned (status, clock_ms ());
    http_status_set_readiness (status, &readiness);
    http_status_set_metrics (status, &text);
    readiness_free (&readiness);
    buffer_free (&text);
}

static void answers (void **state)
{
    (void)state;
    static const struct {
        const char *name, *method, *path;
        enum { BEFORE, READY, NOT_READY, HANGS } when;
        int code;
        const char *body;
    } cases[] = {
        {"alive before the first turn", "GET", "/livez", BEFORE, 200, "alive\n"},
        {"not ready before", "GET", "/readyz", BEFORE, 503, "[-] start: not finished\nnot ready\n"},
        {"no metrics yet", "GET", "/metrics", BEFORE, 200, "# starting\n"},
        {"alive", "GET", "/livez", READY, 200, "alive\n"},
        {"ready", "GET", "/readyz", READY, 200, "ready\n"},
        {"ready, verbose", "GET", "/readyz?verbose", READY, 200,
         "[+] config: fine\n[+] redis: state\nready\n"},
        {"verbose with a value", "GET", "/readyz?verbose=1", READY, 200,
         "[+] config: fine\n[+] redis: state\nready\n"},
        {"metrics", "GET", "/metrics", READY, 200, "x 1\n"},
        {"head has no body", "HEAD", "/metrics", READY, 200, ""},
        {"elsewhere", "GET", "/metricsx", READY, 404,
         "there are /livez, /readyz, /readyz?verbose and /metrics\n"},
        {"another method", "POST", "/metrics", READY, 405, "only GET and HEAD\n"},
        {"not ready", "GET", "/readyz", NOT_READY, 503, "[-] redis: state\nnot ready\n"},
        {"not ready, verbose", "GET", "/readyz?verbose", NOT_READY, 503,
         "[-] redis: state\n[+] config: fine\nnot ready\n"},
        {"not ready is alive", "GET", "/livez", NOT_READY, 200, "alive\n"},
        {"hangs: not alive", "GET", "/livez", HANGS, 503, "[-] loop: has not turned for 11 s\n"},
        {"hangs: not ready, whatever it said", "GET", "/readyz", HANGS, 503,
         "[-] loop: has not turned for 11 s\nnot ready\n"},
    };
    static char answer[ANSWER_BYTES_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_status_t *status = open_status ();
        if (cases[i].when != BEFORE)
            publish (status, cases[i].when != NOT_READY);
        if (cases[i].when == HANGS)
            http_status_turned (status, clock_ms () - HTTP_STATUS_ALIVE_MS - 1500);
        int code = get (http_status_port (status), cases[i].method, cases[i].path, answer);
        if (code != cases[i].code || strcmp (body_of (answer), cases[i].body) != 0)
            fail_msg ("%s: %s", cases[i].name, answer);
        http_status_destroy (&status);
        assert_null (status);
    }
}

static void bounds (void **state)
{
    (void)state;
    static char answer[ANSWER_BYTES_MAX], request[4 * HTTP_STATUS_REQUEST_BYTES_MAX];
    http_status_t *status = open_status ();
    memset (request, 'a', sizeof request);
    memcpy (request, "GET /livez HTTP/1.1\r\nHost: x\r\nX: ", 34);
    memcpy (request + sizeof request - 4, "\r\n\r\n", 4);
    int code = ask (http_status_port (status), request, sizeof request, answer);
    assert_true (code == 0 || (code >= 400 && code < 500));
    code = ask (http_status_port (status), "\0\xff nonsense\r\n\r\n", 15, answer);
    assert_true (code == 0 || code >= 400);
    assert_int_equal (get (http_status_port (status), "GET", "/livez", answer), 200);
    http_status_destroy (&status);
}

static void addresses (void **state)
{
    (void)state;
    static const char *const refused[] = {"",    "127.0.0.1",   ":8080",       "127.0.0.1:",
                                          ":",   "a:b",         "127.0.0.1:x", "127.0.0.1:99999999",
                                          "[::", "no.invalid:1"};
    char error[256], taken[64];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        *error = '\0';
        if (http_status_new (refused[i], error, sizeof error))
            fail_msg ("%s is taken", refused[i]);
        assert_non_null (strstr (error, "--status-listen: "));
    }
    http_status_t *status = open_status ();
    snprintf (taken, sizeof taken, "127.0.0.1:%u", http_status_port (status));
    assert_null (http_status_new (taken, error, sizeof error));
    assert_non_null (strstr (error, "cannot listen on 127.0.0.1:"));
    http_status_destroy (&status);
}

static void *read_all (void *arg)
{
    char *answer = memory_new (ANSWER_BYTES_MAX);
    uint16_t port = *(uint16_t *)arg;
    uintptr_t failed = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int code = get (port, "GET", "/readyz?verbose", answer);
        failed += code != 200 && code != 503;
        failed += get (port, "GET", "/metrics", answer) != 200;
    }
    free (answer);
    return (void *)failed;
}

static void read_while_published (void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    http_status_t *status = open_status ();
    uint16_t port = http_status_port (status);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal (pthread_create (&threads[i], NULL, read_all, &port), 0);
    for (int i = 0; i < 2000; i++)
        publish (status, i % 2);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join (threads[i], &failed);
        assert_null (failed);
    }
    http_status_destroy (&status);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (answers),
        cmocka_unit_test (bounds),
        cmocka_unit_test (addresses),
        cmocka_unit_test (read_while_published),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
