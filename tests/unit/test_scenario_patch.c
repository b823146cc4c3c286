/*  scenario_patch, http_client's pure parts, config_schema: what the command line makes of what it
 *  is given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/config_schema.h"
#include "ctl/http_client.h"
#include "ctl/scenario_patch.h"

static void test_assignments (void **state)
{
    (void)state;
    static const struct {
        const char *given[3];
        const char *patch; /* NULL: refused */
    } cases[] = {
        {{"hot_score.top_k=5"}, "{\"hot_score\":{\"top_k\":5}}"},
        {{"config.realtime_compute.hot_score.top_k=5"}, "{\"hot_score\":{\"top_k\":5}}"},
        {{"hot_score.action_weights.purchase=15.5", "hot_score.action_weights.view=null"},
         "{\"hot_score\":{\"action_weights\":{\"purchase\":15.5,\"view\":null}}}"},
        {{"/hot_score/action_weights/a.b=1"}, "{\"hot_score\":{\"action_weights\":{\"a.b\":1}}}"},
        {{"/a~1b/c~0d=1"}, "{\"a/b\":{\"c~d\":1}}"},
        {{"hot_score.decay_unit=day"}, "{\"hot_score\":{\"decay_unit\":\"day\"}}"},
        {{"metrics.metrics_to_calculate=[\"ctr\"]"},
         "{\"metrics\":{\"metrics_to_calculate\":[\"ctr\"]}}"},
        {{"hot_score=null"}, "{\"hot_score\":null}"},
        {{"hot_score.top_k=5", "hot_score.top_k=6"}, "{\"hot_score\":{\"top_k\":6}}"},
        {{"a.b=x=y"}, "{\"a\":{\"b\":\"x=y\"}}"},
        {{"a="}, "{\"a\":\"\"}"},
        {{"a"}, NULL},
        {{"=5"}, NULL},
        {{"a..b=1"}, NULL},
        {{".a=1"}, NULL},
        {{"a.b.c.d.e.f.g.h.i=1"}, NULL},
        {{"a=1", "a.b=2"}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
        yyjson_mut_val *patch = yyjson_mut_obj (document);
        yyjson_mut_doc_set_root (document, patch);
        int result = 0;
        for (int at = 0; at < 3 && cases[i].given[at] && result == 0; at++)
            result = scenario_patch_assign (document, patch, cases[i].given[at], error,
                                            sizeof error);
        if ((result == 0) != (cases[i].patch != NULL))
            fail_msg ("%s: %s", cases[i].given[0], error);
        char *text = yyjson_mut_write (document, 0, NULL);
        if (cases[i].patch)
            assert_string_equal (text, cases[i].patch);
        else
            assert_true (*error);
        free (text);
        yyjson_mut_doc_free (document);
    }
}

static void test_files (void **state)
{
    (void)state;
    static const struct {
        const char *text, *compute; /* NULL: refused */
    } cases[] = {
        {"{\"hot_score\":{}}", "{\"hot_score\":{}}"},
        {"{\"config\":{\"realtime_compute\":{\"metrics\":{}}}}", "{\"metrics\":{}}"},
        {"{\"tenant_id\":\"a\",\"config\":{\"x\":1,\"realtime_compute\":null}}", "null"},
        {"{\"config\":{\"x\":1}}", NULL},
        {"[1]", NULL},
        {"{", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
        yyjson_mut_val *compute =
            scenario_patch_of_file (document, span_of (cases[i].text), error, sizeof error);
        assert_int_equal (compute != NULL, cases[i].compute != NULL);
        if (compute) {
            yyjson_mut_doc_set_root (document, compute);
            char *text = yyjson_mut_write (document, 0, NULL);
            assert_string_equal (text, cases[i].compute);
            free (text);
        } else
            assert_true (*error);
        yyjson_mut_doc_free (document);
    }
}

static void test_urls (void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *port, *prefix; /* host NULL: refused */
    } cases[] = {
        {"http://127.0.0.1:7700", "127.0.0.1", "7700", ""},
        {"http://configd", "configd", "80", ""},
        {"http://configd/", "configd", "80", ""},
        {"http://a:1/b/c/", "a", "1", "/b/c"},
        {"http://[::1]:7700", "::1", "7700", ""},
        {"http://[::1]", "::1", "80", ""},
        {"https://a:1", NULL, NULL, NULL},
        {"a:1", NULL, NULL, NULL},
        {"http://", NULL, NULL, NULL},
        {"http://:1", NULL, NULL, NULL},
        {"http://a:x", NULL, NULL, NULL},
        {"http://a:1x", NULL, NULL, NULL},
        {"http://a:123456", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_url_t url;
        char error[256];
        int result = http_url_parse (cases[i].url, &url, error, sizeof error);
        if ((result == 0) != (cases[i].host != NULL))
            fail_msg ("%s", cases[i].url);
        if (result)
            continue;
        assert_string_equal (url.host, cases[i].host);
        assert_string_equal (url.port, cases[i].port);
        assert_string_equal (url.prefix, cases[i].prefix);
    }
}

static void test_http_answers (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status; /* 0: not whole */
        const char *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}"},
        {"HTTP/1.1 404 Not Found\r\ncontent-length:  0\r\nX: y\r\n\r\n", 404, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", 0, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}", 0, NULL},
        {"HTTP/1.1 200 OK\r\n\r\n{}", 0, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", 0, NULL},
        {"SSH-2.0-OpenSSH\r\n\r\n", 0, NULL},
        {"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", 0, NULL},
        {"", 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t bytes = {0};
        http_answer_t answer;
        char value[16];
        buffer_append (&bytes, cases[i].text, strlen (cases[i].text));
        int result = http_answer_read (&bytes, &answer);
        assert_int_equal (result == 0, cases[i].status != 0);
        if (result)
            continue;
        assert_int_equal (answer.status, cases[i].status);
        assert_string_equal ((const char *)answer.body.bytes, cases[i].body);
        http_answer_header (&answer, "x", value, sizeof value);
        assert_string_equal (value, cases[i].status == 404 ? "y" : "");
        http_answer_free (&answer);
    }
}

/*  Every parameter of the table is in the schema, and the schema is JSON. */
static void test_schema (void **state)
{
    (void)state;
    buffer_t text = {0};
    config_schema_write (&text);
    yyjson_doc *read = yyjson_read ((const char *)text.bytes, text.size, 0);
    assert_non_null (read);
    yyjson_val *blocks = yyjson_obj_get (yyjson_doc_get_root (read), "properties");
    assert_int_equal (yyjson_obj_size (blocks), 3);
    yyjson_val *hot =
        yyjson_obj_get (yyjson_obj_get (blocks, "hot_score"), "properties");
    static const char *const keys[] = {"enabled", "action_weights", "window_size_minutes",
                                       "window_size_seconds", "top_k", "item_stats"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null (yyjson_obj_get (hot, keys[i]));
    yyjson_val *top_k = yyjson_obj_get (hot, "top_k");
    assert_int_equal (yyjson_get_uint (yyjson_obj_get (top_k, "maximum")), 100000);
    yyjson_doc_free (read);
    buffer_free (&text);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_assignments),  cmocka_unit_test (test_files),
        cmocka_unit_test (test_urls),         cmocka_unit_test (test_http_answers),
        cmocka_unit_test (test_schema),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
