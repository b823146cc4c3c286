/*  resolver: a look-up that takes for ever holds nobody up, and answers come once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/endpoint.h"
#include "common/memory.h"
#include "common/resolver.h"

/*  A DNS server of the test's own: answers when it is told to. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int begun, allowed; /* look-ups */
    const char *says;
    bool fails;
} server_t;

static settings_list_t look_up (void *arg, const settings_list_t *names, bool *failed)
{
    server_t *server = arg;
    settings_list_t found = {0};
    pthread_mutex_lock (&server->mutex);
    int mine = ++server->begun;
    pthread_cond_broadcast (&server->changed);
    while (server->allowed < mine)
        pthread_cond_wait (&server->changed, &server->mutex);
    *failed = server->fails;
    if (server->says && names->count == 2) {
        found.list = memory_new (sizeof *found.list);
        found.list[found.count++] = memory_copy_string (server->says, strlen (server->says));
    }
    pthread_mutex_unlock (&server->mutex);
    return found;
}

static server_t server_start (void)
{
    return (server_t){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, NULL, false};
}

static void wait_begun (server_t *server, int count)
{
    pthread_mutex_lock (&server->mutex);
    while (server->begun < count)
        pthread_cond_wait (&server->changed, &server->mutex);
    pthread_mutex_unlock (&server->mutex);
}

static void allow (server_t *server, int count, const char *says, bool fails)
{
    pthread_mutex_lock (&server->mutex);
    server->allowed = count;
    server->says = says;
    server->fails = fails;
    pthread_cond_broadcast (&server->changed);
    pthread_mutex_unlock (&server->mutex);
}

static settings_list_t two_names (void)
{
    static char a[] = "tcp://a.example:1", b[] = "tcp://b.example:2";
    static char *list[] = {a, b};
    return (settings_list_t){list, 2};
}

/*  Waits (bounded) for the answer. */
static settings_list_t await (resolver_t *resolver, bool *failed)
{
    settings_list_t found = {0};
    for (int i = 0; i < 5000; i++) {
        if (resolver_take (resolver, &found, failed))
            return found;
        usleep (1000);
    }
    fail_msg ("no answer");
    return found;
}

static void answers (void **state)
{
    (void)state;
    server_t server = server_start ();
    settings_list_t names = two_names (), found;
    bool failed;
    resolver_t *resolver = resolver_new (&names, look_up, &server);
    assert_false (resolver_take (resolver, &found, &failed));
    assert_int_equal (resolver_waits_ms (resolver, 50), 0);
    resolver_ask (resolver, 100);
    wait_begun (&server, 1);
    for (int i = 0; i < 100; i++) /* asked again and again while it hangs: one look-up */
        resolver_ask (resolver, 200 + i);
    assert_false (resolver_take (resolver, &found, &failed));
    assert_int_equal (resolver_waits_ms (resolver, 5100), 5000);
    allow (&server, 1, "tcp://10.0.0.1:1", false);
    found = await (resolver, &failed);
    assert_false (failed);
    assert_int_equal (found.count, 1);
    assert_string_equal (found.list[0], "tcp://10.0.0.1:1");
    endpoint_list_free (&found);
    assert_false (resolver_take (resolver, &found, &failed));
    assert_int_equal (resolver_waits_ms (resolver, 6000), 0);
    assert_int_equal (server.begun, 1);

    resolver_ask (resolver, 7000);
    wait_begun (&server, 2);
    allow (&server, 2, NULL, true);
    found = await (resolver, &failed);
    assert_true (failed);
    assert_int_equal (found.count, 0);
    endpoint_list_free (&found);
    resolver_destroy (&resolver);
    resolver_destroy (&resolver);
}

/*  One that hangs is left behind, and what it finds in the end goes nowhere. */
static void left_behind (void **state)
{
    (void)state;
    static server_t server; /* outlives the test, as the thread may */
    server = server_start ();
    settings_list_t names = two_names ();
    resolver_t *resolver = resolver_new (&names, look_up, &server);
    resolver_ask (resolver, 0);
    wait_begun (&server, 1);
    int64_t began_ms = clock_ms ();
    resolver_destroy (&resolver);
    assert_true (clock_ms () - began_ms < 2000);
    allow (&server, 1, "tcp://10.0.0.1:1", false);
    resolver = resolver_new (&names, look_up, &server); /* never asked */
    resolver_destroy (&resolver);
    usleep (20000); /* the thread that was left frees what it has: for the leak checker */
}

static void without_names (void **state)
{
    (void)state;
    char ipc[] = "ipc:///tmp/x", address[] = "tcp://10.0.0.1:7", address6[] = "tcp://[::1]:7";
    char *list[] = {ipc, address, address6};
    settings_list_t names = {list, 3}, found;
    bool failed = true;
    assert_false (endpoint_any_name (&names));
    resolver_t *resolver = resolver_new (&names, NULL, NULL);
    resolver_ask (resolver, 0);
    assert_true (resolver_take (resolver, &found, &failed)); /* at once */
    assert_false (failed);
    assert_int_equal (found.count, 3);
    endpoint_list_free (&found);
    resolver_destroy (&resolver);
}

static void real_names (void **state)
{
    (void)state;
    char local[] = "tcp://localhost:7";
    char *list[] = {local};
    settings_list_t names = {list, 1}, found;
    bool failed = true;
    assert_true (endpoint_any_name (&names));
    resolver_t *resolver = resolver_new (&names, NULL, NULL);
    resolver_ask (resolver, 0);
    found = await (resolver, &failed);
    assert_false (failed);
    assert_int_equal (found.count, 1);
    assert_string_equal (found.list[0], "tcp://127.0.0.1:7");
    endpoint_list_free (&found);
    resolver_destroy (&resolver);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (answers), cmocka_unit_test (left_behind),
                                       cmocka_unit_test (without_names),
                                       cmocka_unit_test (real_names)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
