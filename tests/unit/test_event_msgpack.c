/*  test_event_msgpack: msgpack messages through event_parse: the same rules as JSON (packed by
 *  msgpack-c, an implementation of its own), and what only msgpack has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include "common/memory.h"
#include "tests/support/event_cases.h"
#include "tests/support/event_pack.h"

static const char *parse (event_parser_t *parser, const char *bytes, size_t size, int64_t time_ms)
{
    char *copy = memory_new (size);
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

static void run_rules (int as_bin)
{
    event_parser_t *parser = event_parser_new ();
    static char json[EVENT_TEXT_BYTES_MAX];
    msgpack_sbuffer packed;
    msgpack_sbuffer_init (&packed);
    failed_count = 0;
    for (size_t i = 0; i < EVENT_CASE_COUNT; i++) {
        const event_case_t *c = &EVENT_CASES[i];
        int size = snprintf (json, sizeof (json), "{" EVENT_TEXT_PLAIN ",%s}", c->more);
        msgpack_sbuffer_clear (&packed);
        assert_int_equal (event_pack_json (&packed, json, (size_t)size, as_bin), 0);
        int64_t time_ms = c->record_time_ms ? c->record_time_ms : EVENT_TIME_NONE;
        expect (c->name, parse (parser, packed.data, packed.size, time_ms), c->expected);
    }
    assert_int_equal (failed_count, 0);
    msgpack_sbuffer_destroy (&packed);
    event_parser_destroy (&parser);
}

static void test_rules (void **state)
{
    (void)state;
    run_rules (0);
}

static void test_rules_with_bin_strings (void **state)
{
    (void)state;
    run_rules (1);
}

#define TEXT(literal) literal, sizeof (literal) - 1
/* the plainest event's six members; with the head of a map of six, of one more */
#define MEMBERS                                                                                    \
    "\xa9tenant_id\xa1t\xabscenario_id\xa1s\xa7user_id\xa1u\xa7item_id\xa1i\xab"                   \
    "action_type"                                                                                  \
    "\xa4view\xa9timestamp\xcf\x00\x00\x01\x6e\x9a\xb6\x39\xeb"
#define MAP6 "\x86" MEMBERS
#define MAP7 "\x87" MEMBERS

static void test_only_msgpack (void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t size;
        const char *expected;
    } CASES[] = {
        {"plain", TEXT (MAP6), "ok"},
        {"map 16", TEXT ("\xde\x00\x06" MEMBERS), "ok"},
        {"map 32", TEXT ("\xdf\x00\x00\x00\x06" MEMBERS), "ok"},
        {"empty map", TEXT ("\x80"), "tenant_id"},
        {"trailing byte", TEXT (MAP6 "\xc0"), "syntax"},
        {"trailing newline", TEXT (MAP6 "\n"), "syntax"},
        {"one member too few", TEXT (MAP7), "syntax"},
        {"a key without its value", TEXT (MAP7 "\xa1x"), "syntax"},
        {"map 32 that claims 2^32 - 1", TEXT ("\xdf\xff\xff\xff\xff" MEMBERS), "syntax"},
        {"array 32 that claims 2^32 - 1", TEXT (MAP7 "\xa1x\xdd\xff\xff\xff\xff"), "syntax"},
        {"str 32 that claims 2^32 - 1", TEXT (MAP7 "\xa1x\xdb\xff\xff\xff\xff"), "syntax"},
        {"bin 32 that claims 2^32 - 1", TEXT (MAP7 "\xa1x\xc6\xff\xff\xff\xff"), "syntax"},
        {"ext 32 that claims 2^32 - 1", TEXT (MAP7 "\xa1x\xc9\xff\xff\xff\xff\x01"), "syntax"},
        {"head cut off", TEXT (MAP7 "\xa1x\xcf\x00\x00"), "syntax"},
        {"0xc1", TEXT (MAP7 "\xa1x\xc1"), "syntax"},
        {"str of invalid UTF-8", TEXT (MAP7 "\xa1x\xa2\xc3\x28"), "syntax"},
        {"str of truncated UTF-8", TEXT (MAP7 "\xa1x\xa2\xe2\x82"), "syntax"},
        {"key of invalid UTF-8", TEXT (MAP7 "\xa1\xff\xc0"), "syntax"},
        {"bin of invalid UTF-8", TEXT (MAP7 "\xa1x\xc4\x01\xff"), "ok"},
        {"bin of invalid UTF-8 as a category",
         TEXT (MAP7 "\xa8"
                    "category\xc4\x01\xff"),
         "wrong=1"},
        {"bin of invalid UTF-8 as an id", TEXT (MAP7 "\xa7user_id\xc4\x01\xff"), "user_id"},
        {"bin 16 as an id", TEXT (MAP7 "\xa7user_id\xc5\x00\x01v"), "user=v"},
        {"str 32 as an id", TEXT (MAP7 "\xa7user_id\xdb\x00\x00\x00\x01v"), "user=v"},
        {"id with a NUL",
         TEXT (MAP7 "\xa7user_id\xa3"
                    "a\0b"),
         "user_id"},
        {"keys that are no strings",
         TEXT ("\x8b\x01\x02\xc0\xc0\x91\x01\x02\x81\x01\x02\x03\xca\0\0\0\0"
               "\x05" MEMBERS),
         "ok"},
        {"ext as a value", TEXT (MAP7 "\xa1x\xd6\x01\x00\x00\x00\x00"), "ok"},
        {"ext as an id", TEXT (MAP7 "\xa7user_id\xd4\x01\x00"), "user_id"},
        {"ext 8 as a tag",
         TEXT (MAP7 "\xa4tags\x92\xc7\x02\x01zz\xa1"
                    "a"),
         "tag=a wrong=1"},
        {"timestamp extension", TEXT (MAP7 "\xa9timestamp\xd6\xff\x5d\xd9\xc9\x3f"), "timestamp"},
        {"negative fixint as an id", TEXT (MAP7 "\xa7user_id\xff"), "user=-1"},
        {"int 8", TEXT (MAP7 "\xa7user_id\xd0\x80"), "user=-128"},
        {"int 16", TEXT (MAP7 "\xa7user_id\xd1\x80\x00"), "user=-32768"},
        {"int 32", TEXT (MAP7 "\xa7user_id\xd2\xff\xff\xff\xfe"), "user=-2"},
        {"int 64, positive", TEXT (MAP7 "\xa7user_id\xd3\0\0\0\0\0\0\0\x05"), "user=5"},
        {"uint 8", TEXT (MAP7 "\xa7user_id\xcc\xff"), "user=255"},
        {"uint 16", TEXT (MAP7 "\xa7user_id\xcd\xff\xff"), "user=65535"},
        {"uint 32", TEXT (MAP7 "\xa7user_id\xce\xff\xff\xff\xff"), "user=4294967295"},
        {"float 32 time, whole seconds", TEXT (MAP7 "\xa9timestamp\xca\x44\x7a\x00\x00"),
         "time=1000000"},
        {"float 32 time, a fraction", TEXT (MAP7 "\xa9timestamp\xca\x3f\x00\x00\x00"), "timestamp"},
        {"float 64 time", TEXT (MAP7 "\xa9timestamp\xcb\x42\x76\xe9\xab\x63\x9e\xb0\x00"), "ok"},
        {"NaN time", TEXT (MAP7 "\xa9timestamp\xcb\x7f\xf8\0\0\0\0\0\0"), "timestamp"},
        {"infinite time", TEXT (MAP7 "\xa9timestamp\xcb\x7f\xf0\0\0\0\0\0\0"), "timestamp"},
        {"NaN watched", TEXT (MAP7 "\xaewatch_duration\xcb\x7f\xf8\0\0\0\0\0\0"), "wrong=1"},
        {"infinite watched", TEXT (MAP7 "\xaewatch_duration\xcb\x7f\xf0\0\0\0\0\0\0"), "wrong=1"},
        {"NaN rate",
         TEXT (MAP7 "\xaf"
                    "completion_rate\xca\x7f\xc0\0\0"),
         "wrong=1"},
        {"float 32 watched", TEXT (MAP7 "\xaewatch_duration\xca\x3f\x00\x00\x00"), "watched=500"},
        {"depth 1000", TEXT (MAP7 "\xa1x" X256 ("\x91") X256 ("\x91") X256 ("\x91") X256 ("\x91")),
         "too_deep"},
        {"depth 16 in a key", TEXT (MAP7 X8 ("\x91") "\x91\x91\x91\x91\x91\x91\x90\xc0"), "ok"},
        {"depth 17 in a key", TEXT (MAP7 X8 ("\x91") X8 ("\x91") "\xc0\xc0"), "too_deep"},
        {"an array is not taken for msgpack", TEXT ("\x91\xc0"), "syntax"},
    };
    event_parser_t *parser = event_parser_new ();
    failed_count = 0;
    for (size_t i = 0; i < sizeof (CASES) / sizeof (CASES[0]); i++)
        expect (CASES[i].name, parse (parser, CASES[i].bytes, CASES[i].size, EVENT_TIME_NONE),
                CASES[i].expected);
    assert_int_equal (failed_count, 0);
    event_parser_destroy (&parser);
}

/*  Every proper beginning of a message is invalid, and is read no further than it goes. */
static void test_truncated (void **state)
{
    (void)state;
    static const char JSON[] =
        "{" EVENT_TEXT_PLAIN
        ",\"tags\":[\"a\",1,null],\"extra\":{\"duration\":1.5},\"x\":[[{}],-1]}";
    msgpack_sbuffer packed;
    msgpack_sbuffer_init (&packed);
    assert_int_equal (event_pack_json (&packed, JSON, sizeof (JSON) - 1, 0), 0);
    event_parser_t *parser = event_parser_new ();
    for (size_t size = 1; size < packed.size; size++)
        assert_string_equal (parse (parser, packed.data, size, EVENT_TIME_NONE), "syntax");
    assert_string_equal (parse (parser, packed.data, packed.size, EVENT_TIME_NONE),
                         "tag=a watched=1500 wrong=1");
    msgpack_sbuffer_destroy (&packed);
    event_parser_destroy (&parser);
}

static void test_too_large (void **state)
{
    (void)state;
    size_t size = EVENT_MESSAGE_BYTES_MAX + 1;
    char *message = memory_new (size);
    message[0] = (char)0x80;
    event_parser_t *parser = event_parser_new ();
    assert_string_equal (parse (parser, message, size, EVENT_TIME_NONE), "too_large");
    assert_string_equal (parse (parser, message, size - 1, EVENT_TIME_NONE), "syntax");
    event_parser_destroy (&parser);
    free (message);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rules),        cmocka_unit_test (test_rules_with_bin_strings),
        cmocka_unit_test (test_only_msgpack), cmocka_unit_test (test_truncated),
        cmocka_unit_test (test_too_large),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
