/*  test_event_json: JSON messages through event_parse: the rules of the input table, and poison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include "common/memory.h"
#include "tests/support/event_cases.h"

#define PLAIN "{" EVENT_TEXT_PLAIN "}"

/*  Each message comes alone in a block of its exact size, so that a sanitizer sees any overrun. */
static const char *parse (event_parser_t *parser, const char *bytes, size_t size, int64_t time_ms)
{
    char *copy = memory_new (size);
    if (size)
        memcpy (copy, bytes, size);
    event_t event;
    event_reason_t reason = event_parse (parser, (span_t){copy, size}, time_ms, &event);
    const char *text = event_text (reason, &event);
    free (copy);
    return text;
}

static int failed_count;

static void expect (const char *name, const char *got, const char *expected)
{
    if (strcmp (got, expected) == 0)
        return;
    print_error ("%s: got \"%.300s\", expected \"%.300s\"\n", name, got, expected);
    failed_count++;
}

static void test_rules (void **state)
{
    (void)state;
    event_parser_t *parser = event_parser_new ();
    static char message[EVENT_TEXT_BYTES_MAX];
    failed_count = 0;
    for (size_t i = 0; i < EVENT_CASE_COUNT; i++) {
        const event_case_t *c = &EVENT_CASES[i];
        int size = snprintf (message, sizeof (message), "{" EVENT_TEXT_PLAIN ",%s}", c->more);
        int64_t time_ms = c->record_time_ms ? c->record_time_ms : EVENT_TIME_NONE;
        expect (c->name, parse (parser, message, (size_t)size, time_ms), c->expected);
    }
    assert_int_equal (failed_count, 0);
    event_parser_destroy (&parser);
    assert_null (parser);
}

#define TEXT(literal) literal, sizeof (literal) - 1

static void test_poison (void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t size;
        const char *expected;
    } CASES[] = {
        {"no bytes", TEXT (""), "empty"},
        {"white space", TEXT (" \t\r\n"), "empty"},
        {"white space around", TEXT (" \n" PLAIN "\r\n "), "ok"},
        {"garbage", TEXT ("hello"), "syntax"},
        {"NUL bytes", TEXT ("\0\0\0"), "syntax"},
        {"cut off", TEXT ("{" EVENT_TEXT_PLAIN), "syntax"},
        {"cut inside a string", TEXT ("{\"tenant_id\":\"t"), "syntax"},
        {"cut inside an escape", TEXT ("{\"tenant_id\":\"t\\"), "syntax"},
        {"trailing value", TEXT (PLAIN "{}"), "syntax"},
        {"trailing NUL", TEXT (PLAIN "\0"), "syntax"},
        {"trailing comma", TEXT ("{" EVENT_TEXT_PLAIN ",}"), "syntax"},
        {"comment", TEXT (PLAIN "/* */"), "syntax"},
        {"single quotes", TEXT ("{'tenant_id':'t'}"), "syntax"},
        {"byte order mark", TEXT ("\xef\xbb\xbf" PLAIN), "syntax"},
        {"UTF-16", TEXT ("{\0\"\0a\0\"\0"), "syntax"},
        {"truncated UTF-8 at the end", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"\xe2\x82\"}"),
         "syntax"},
        {"truncated UTF-8 then ASCII", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"\xf0\x9f\x98 \"}"),
         "syntax"},
        {"overlong UTF-8", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"\xc0\xaf\"}"), "syntax"},
        {"surrogate in UTF-8", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"\xed\xa0\x80\"}"), "syntax"},
        {"beyond U+10FFFF", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"\xf4\x90\x80\x80\"}"), "syntax"},
        {"invalid UTF-8 in a key", TEXT ("{" EVENT_TEXT_PLAIN ",\"\xff\":0}"), "syntax"},
        {"lone surrogate escape", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"\\ud800\"}"), "syntax"},
        {"raw control byte", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"\n\"}"), "syntax"},
        {"NaN", TEXT ("{" EVENT_TEXT_PLAIN ",\"watch_duration\":NaN}"), "syntax"},
        {"Infinity", TEXT ("{" EVENT_TEXT_PLAIN ",\"watch_duration\":-Infinity}"), "syntax"},
        {"beyond a double", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":1e309}"), "syntax"},
        {"hex number", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":0x10}"), "syntax"},
        {"leading zero", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":01}"), "syntax"},
        {"array", TEXT ("[" PLAIN "]"), "not_an_object"},
        {"string", TEXT ("\"" X64 ("x") "\""), "not_an_object"},
        {"number", TEXT ("12"), "not_an_object"},
        {"null", TEXT ("null"), "not_an_object"},
        {"empty object", TEXT ("{}"), "tenant_id"},
        {"only tenant", TEXT ("{\"tenant_id\":\"t\"}"), "scenario_id"},
        {"no user", TEXT ("{\"tenant_id\":\"t\",\"scenario_id\":\"s\"}"), "user_id"},
        {"no item", TEXT ("{\"tenant_id\":1,\"scenario_id\":1,\"user_id\":1}"), "item_id"},
        {"no action", TEXT ("{\"tenant_id\":1,\"scenario_id\":1,\"user_id\":1,\"item_id\":1}"),
         "action_type"},
        {"escaped key", TEXT ("{" EVENT_TEXT_PLAIN ",\"\\u0075ser_id\":\"v\"}"), "user=v"},
        {"minus zero", TEXT ("{" EVENT_TEXT_PLAIN ",\"timestamp\":-0.0}"), "time=0"},
        {"brackets in a string", TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"" X64 ("[{\\\"") "\"}"),
         "ok"},
        {"brackets behind an escaped quote",
         TEXT ("{" EVENT_TEXT_PLAIN ",\"x\":\"\\\\\",\"y\":" X64 ("[")), "too_deep"},
        {"closed brackets without opened ones", TEXT (X64 ("]") X64 ("{")), "too_deep"},
    };
    event_parser_t *parser = event_parser_new ();
    failed_count = 0;
    for (size_t i = 0; i < sizeof (CASES) / sizeof (CASES[0]); i++)
        expect (CASES[i].name, parse (parser, CASES[i].bytes, CASES[i].size, EVENT_TIME_NONE),
                CASES[i].expected);
    assert_int_equal (failed_count, 0);
    event_parser_destroy (&parser);
}

/*  `size` bytes: begin, as often as it fits middle, end, spaces. */
static char *make_large (size_t size, const char *begin, const char *middle, const char *end)
{
    char *message = memory_new (size);
    memset (message, ' ', size);
    size_t at = strlen (begin), step = strlen (middle), last = strlen (end);
    memcpy (message, begin, at);
    for (; step && at + step + last <= size; at += step)
        memcpy (message + at, middle, step);
    memcpy (message + at, end, last);
    return message;
}

static void test_large (void **state)
{
    (void)state;
    const size_t most = EVENT_MESSAGE_BYTES_MAX;
    static const struct {
        const char *name;
        size_t more; /* beyond the limit of a message */
        const char *begin, *middle, *end, *expected;
    } CASES[] = {
        {"1 MiB of spaces behind", 0, PLAIN, "", "", "ok"},
        {"1 MiB and a byte", 1, PLAIN, "", "", "too_large"},
        {"2 MiB", 1 << 20, PLAIN, "", "", "too_large"},
        {"depth 1000 and more", 0, "", "[", "", "too_deep"},
        {"depth of objects", 0, "", "{\"a\":", "", "too_deep"},
        {"1 MiB of numbers", 0, "{" EVENT_TEXT_PLAIN ",\"x\":[0", ",0", "]}", "ok"},
        {"1 MiB of numbers, pretty", 0, "{\n \"x\":[0", ",0", "]," EVENT_TEXT_PLAIN "}", "ok"},
        {"1 MiB of empty objects", 0, "{" EVENT_TEXT_PLAIN ",\"x\":[0", ",{}", "]}", "ok"},
        {"1 MiB of empty arrays cut off", 0, "{" EVENT_TEXT_PLAIN ",\"x\":[0", ",[]", "", "syntax"},
        {"1 MiB of members", 0, "{" EVENT_TEXT_PLAIN, ",\"\":0", "}", "ok"},
        {"1 MiB of one member", 0, "{" EVENT_TEXT_PLAIN, ",\"user_id\":\"v\"", "}", "user=v"},
        {"1 MiB of one tag", 0, "{" EVENT_TEXT_PLAIN ",\"tags\":[\"a\"", ",\"a\"", "]}", "tag=a"},
        {"1 MiB in an id", 0, "{" EVENT_TEXT_PLAIN ",\"user_id\":\"", "x", "\"}", "user_id"},
        {"1 MiB of spaces in an id", 0, "{" EVENT_TEXT_PLAIN ",\"user_id\":\"", " ", "\"}",
         "user_id"},
        {"1 MiB of white space", 0, "", " ", "", "empty"},
        {"1 MiB of digits", 0, "{" EVENT_TEXT_PLAIN ",\"x\":0.", "1", "}", "ok"},
        {"1 MiB of escapes", 0, "{" EVENT_TEXT_PLAIN ",\"x\":\"", "\\u0041", "\"}", "ok"},
    };
    event_parser_t *parser = event_parser_new ();
    failed_count = 0;
    for (size_t i = 0; i < sizeof (CASES) / sizeof (CASES[0]); i++) {
        size_t size = most + CASES[i].more;
        char *message = make_large (size, CASES[i].begin, CASES[i].middle, CASES[i].end);
        expect (CASES[i].name, parse (parser, message, size, EVENT_TIME_NONE), CASES[i].expected);
        expect ("plain after it", parse (parser, TEXT (PLAIN), EVENT_TIME_NONE), "ok");
        free (message);
    }
    assert_int_equal (failed_count, 0);
    event_parser_destroy (&parser);
}

/*  The first 64 distinct tags; what comes behind them is not even looked at. */
static void test_many_tags (void **state)
{
    (void)state;
    char message[4096];
    size_t at = (size_t)sprintf (message, "{" EVENT_TEXT_PLAIN ",\"tags\":[\"dup\",\"dup\"");
    for (int i = 1; i < EVENT_TAGS_MAX; i++)
        at += (size_t)sprintf (message + at, ",\"tag%d\"", i);
    at += (size_t)sprintf (message + at, ",\"too many\",17]}");
    event_parser_t *parser = event_parser_new ();
    event_t event;
    assert_int_equal (event_parse (parser, (span_t){message, at}, EVENT_TIME_NONE, &event), 0);
    assert_int_equal (event.tag_count, EVENT_TAGS_MAX);
    assert_true (span_equal (event.tags[0], span_of ("dup")));
    assert_true (span_equal (event.tags[EVENT_TAGS_MAX - 1], span_of ("tag63")));
    assert_int_equal (event.wrong_types, 0);
    event_parser_destroy (&parser);
}

/*  The message stays as it was, and on a reason no id is left that was not judged valid. */
static void test_borrowing (void **state)
{
    (void)state;
    char message[] = "{\"tenant_id\":\" A\\n\",\"scenario_id\":\"s\",\"user_id\":\"\"}", copy[64];
    memcpy (copy, message, sizeof (message));
    event_parser_t *parser = event_parser_new ();
    event_t event;
    span_t span = {message, sizeof (message) - 1};
    assert_int_equal (event_parse (parser, span, EVENT_TIME_NONE, &event), EVENT_REASON_USER);
    assert_memory_equal (message, copy, sizeof (message));
    assert_true (span_equal (event.tenant, span_of ("A")));
    assert_true (span_equal (event.scenario, span_of ("s")));
    assert_null (event.user.bytes);
    assert_null (event.item.bytes);
    event_parser_destroy (&parser);
    event_parser_destroy (&parser);
}

static void test_reason_names (void **state)
{
    (void)state;
    assert_string_equal (event_reason_name (EVENT_REASON_NONE), "none");
    assert_string_equal (event_reason_name (EVENT_REASON_TENANT), "tenant_id");
    assert_string_equal (event_reason_name (EVENT_REASON_FUTURE), "future");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rules),     cmocka_unit_test (test_poison),
        cmocka_unit_test (test_large),     cmocka_unit_test (test_many_tags),
        cmocka_unit_test (test_borrowing), cmocka_unit_test (test_reason_names),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
