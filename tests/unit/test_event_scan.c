/*  test_event_scan: what the quick reader of JSON messages takes and what it leaves, and that it says what the
 *  whole reader says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include "common/event_scan.h"
#include "tests/fuzz/event_check.h"
#include "tests/support/event_twin.h"

#define IDS "\"tenant_id\":\"t\",\"scenario_id\":\"s\",\"user_id\":\"u\",\"item_id\":\"i\",\"action\":\"view\",\"timestamp\":1700000000000"
#define NINE_DIGITS "123456789"

enum { MUTATIONS = 200000, MESSAGE_BYTES = 512 };

typedef struct {
    const char *name, *message;
    bool taken;
} case_t;

static const case_t CASES[] = {
    {"plain", "{" IDS "}", true},
    {"white space everywhere", " {\n\t\"tenant_id\" : \"t\" ,\r\n \"context\" : { \"tags\" : [ \"a\" , \"b\" ] } } \n", true},
    {"empty object", "{}", true},
    {"empty within", "{\"context\":{},\"tags\":[],\"x\":{},\"y\":[[],{}]}", true},
    {"letters beyond ASCII", "{\"category\":\"\xe8\xa7\x86\xe9\xa2\x91 and more \xc3\xa9\xf0\x9f\x98\x80\"}", true},
    {"a word of 16 bytes and more", "{\"user_id\":\"0123456789abcdef0123456789abcdef0\"}", true},
    {"all kinds", "{\"a\":null,\"b\":true,\"c\":false,\"d\":-1,\"e\":0.5,\"f\":\"\"}", true},
    {"a real of many digits", "{\"completion_rate\":0.83333333333333337,\"duration\":1.7976931348623157}", true},
    {"18 digits", "{\"x\":" NINE_DIGITS NINE_DIGITS "}", true},
    {"16 levels", "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", true},
    {"same name in two objects", "{\"duration\":1,\"extra\":{\"duration\":2}}", true},
    {"17 levels", "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", false},
    {"19 digits", "{\"x\":1" NINE_DIGITS NINE_DIGITS "}", false},
    {"exponent", "{\"x\":1e5}", false},
    {"escape in a value", "{\"x\":\"a\\n\"}", false},
    {"escape in a key", "{\"\\u0061\":1}", false},
    {"key twice", "{\"user_id\":\"a\",\"user_id\":\"b\"}", false},
    {"null first, then a value", "{\"user_id\":null,\"user_id\":\"b\"}", false},
    {"no object", "[1]", false},
    {"nothing", " ", false},
    {"more behind", "{} {}", false},
    {"comma at the end", "{\"a\":1,}", false},
    {"comma at the end of an array", "{\"a\":[1,]}", false},
    {"no colon", "{\"a\" 1}", false},
    {"leading zero", "{\"a\":01}", false},
    {"point without digits", "{\"a\":1.}", false},
    {"sign alone", "{\"a\":-}", false},
    {"plus", "{\"a\":+1}", false},
    {"literal cut", "{\"a\":tru}", false},
    {"control byte", "{\"a\":\"\x01\"}", false},
    {"overlong letter", "{\"a\":\"\xc0\xaf\"}", false},
    {"surrogate", "{\"a\":\"\xed\xa0\x80\"}", false},
    {"byte order mark", "\xef\xbb\xbf{}", false},
    {"cut in a key", "{\"tenant_", false},
    {"cut in a number", "{\"completion_rate\":0.83333333333333337", false},
    {"cut in a letter", "{\"a\":\"\xe8\xa7", false},
};

/*  In a block of its exact size, so that a sanitizer sees any overrun; twice, since the second time the keys are
 *  known. */
static void test_cases (void **state)
{
    (void)state;
    int failed = 0;
    event_scan_key_t keys[EVENT_SCAN_KEYS] = {0};
    for (size_t i = 0; i < 2 * (sizeof CASES / sizeof *CASES); i++) {
        const case_t *c = &CASES[i / 2];
        event_fields_t fields;
        char *copy = memory_new (strlen (c->message));
        memcpy (copy, c->message, strlen (c->message));
        if (event_scan_read (keys, (span_t){copy, strlen (c->message)}, &fields) != c->taken) {
            print_error ("%s: %s\n", c->name, c->taken ? "left" : "taken");
            failed++;
        }
        free (copy);
    }
    assert_int_equal (failed, 0);
}

static void compare (event_parser_t *parser, event_parser_t *whole, span_t message)
{
    static buffer_t twin;
    event_t event, other;
    if (!event_twin_write (message, &twin))
        return;
    event_reason_t reason = event_parse (parser, message, 1, &event);
    event_reason_t expected = event_parse (whole, (span_t){(const char *)twin.bytes, twin.size}, 1, &other);
    if (reason != expected)
        print_error ("%s, not %s: %.*s\n", event_reason_name (reason), event_reason_name (expected),
                     (int)message.size, message.bytes);
    assert_int_equal (reason, expected);
    if (!reason)
        event_check_same (&event, &other);
}

/*  Valid messages with a few bytes exchanged, left out or doubled (of a fixed seed). */
static void test_as_the_whole_reader (void **state)
{
    (void)state;
    static const char *const MESSAGES[] = {
        "{" IDS ",\"context\":{\"category\":\"c\",\"tags\":[\"a\",\"bb\",\"a\",7,null]},\"watch_duration\":44.5,\"duration\":240}",
        "{ " IDS ", \"context\": {\"os\": \"x\", \"tags\": [\"a\", [1, {\"b\": []}]]}, \"completion_rate\": 0.81, \"position\": -3}",
        "{" IDS ",\"scenario_data\":{\"video_data\":{\"watch_duration\":1.25,\"duration\":2},\"music_data\":null},\"extra\":{\"duration\":3}}",
        "{" IDS ",\"category\":\"\xe8\xa7\x86\xe9\xa2\x91\",\"tags\":[\"\xc3\xa9\"],\"completion_rate\":0.83333333333333337,\"ok\":true}",
    };
    static const char bytes[] = "{}[]\",:.-+eE0123456789 \\u\nntf\x80\xe8\x00";
    uint64_t random = 88172645463325252;
    event_parser_t *whole = event_parser_new (), *warm = event_parser_new ();
    for (int i = 0; i < MUTATIONS; i++) {
        const char *from = MESSAGES[i % (int)(sizeof MESSAGES / sizeof *MESSAGES)];
        char text[MESSAGE_BYTES];
        size_t size = strlen (from);
        memcpy (text, from, size);
        for (uint64_t changes = (uint64_t)i / 4 % 3; changes; changes--) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            size_t at = (size_t)(random >> 8) % size;
            if (random % 4 == 0 && size < MESSAGE_BYTES)
                memmove (text + at + 1, text + at, size++ - at);
            else if (random % 4 == 1)
                memmove (text + at, text + at + 1, --size - at);
            else
                text[at] = bytes[(random >> 32) % (sizeof bytes - 1)];
        }
        event_parser_t *parser = event_parser_new ();
        compare (parser, whole, (span_t){from, strlen (from)}); /* its keys are expected now */
        compare (parser, whole, (span_t){text, size});
        compare (warm, whole, (span_t){from, strlen (from)}); /* other keys came before, some of them its own */
        event_parser_destroy (&parser);
    }
    event_parser_destroy (&warm);
    event_parser_destroy (&whole);
}

/*  What is expected must not change what is said: by keys of other messages, and by none. */
static void scan_both (event_scan_key_t *keys, span_t message)
{
    event_scan_key_t none[EVENT_SCAN_KEYS] = {0};
    event_fields_t fields, expected;
    bool taken = event_scan_read (keys, message, &fields);
    if (taken != event_scan_read (none, message, &expected))
        fail_msg ("%s: %.*s", taken ? "taken" : "left", (int)message.size, message.bytes);
    if (taken)
        assert_memory_equal (fields.kinds, expected.kinds, sizeof fields.kinds);
    for (size_t i = 0; taken && i < EVENT_SLOT_COUNT; i++) {
        if (fields.kinds[i] == EVENT_KIND_TEXT)
            assert_true (fields.values[i].text.bytes == expected.values[i].text.bytes &&
                         fields.values[i].text.size == expected.values[i].text.size);
        else if (fields.kinds[i] != EVENT_KIND_ABSENT)
            assert_true (fields.values[i].integer == expected.values[i].integer);
    }
}

/*  Keys that some messages have and others do not, at other places, twice, in other objects, cut. */
static void test_keys_of_other_messages (void **state)
{
    (void)state;
    static const char *const MESSAGES[] = {
        "{\"user_id\":\"a\",\"position\":1,\"item_id\":\"b\",\"x\":2,\"duration\":3,\"watch_duration\":4.5}",
        "{\"user_id\":\"a\",\"item_id\":\"b\",\"x\":2,\"duration\":3,\"watch_duration\":4.5}",
        "{\"user_id\":\"a\",\"x\":2,\"watch_duration\":4.5}",
        "{\"user_id\":\"a\",\"watch_duration\":4.5}",
        "{\"user_id\":\"a\",\"item_id\":\"b\",\"position\":1}",
        "{\"user_id\":\"a\",\"item_id\":\"b\",\"user_id\":\"c\"}",
        "{\"user_id\":\"a\",\"item_id\":\"b\",\"item_id\":\"c\"}",
        "{\"user_id\":\"a\",\"extra\":{\"duration\":7},\"duration\":3}",
        "{\"user_id\":\"a\",\"duration\":3,\"extra\":{\"duration\":7}}",
        "{\"user_id\":\"a\",\"other\":{\"duration\":7,\"user_id\":\"d\"},\"duration\":3}",
        "{\"user_id\":\"a\",\"item_id\"}",
        "{\"user_id\":\"a\",\"item_id\":}",
        "{\"user_id\":\"a\",\"item_id\" :\"b\"}",
        "{\"user_id\":\"a\",\"item_id\":\"b\"",
    };
    enum { COUNT = sizeof MESSAGES / sizeof *MESSAGES };
    event_scan_key_t keys[EVENT_SCAN_KEYS] = {0};
    for (size_t i = 0; i < COUNT * COUNT; i++) {
        scan_both (keys, span_of (MESSAGES[i / COUNT]));
        scan_both (keys, span_of (MESSAGES[i % COUNT]));
    }
}

/*  Around the longest key that can be expected, and the last bytes of a message. */
static void test_long_keys_near_the_end (void **state)
{
    (void)state;
    for (size_t size = 26; size <= 33; size++) {
        for (size_t more = 0; more <= 40; more++) {
            char text[MESSAGE_BYTES];
            int length = snprintf (text, sizeof text, "{\"%.*s\":1,\"duration\":%.*s}", (int)size,
                                   "abcdefghijklmnopqrstuvwxyz0123456789", (int)(more % 17 + 1), "12345678901234567");
            for (size_t i = 0; i < more / 2; i++) /* white space behind */
                text[length++] = ' ';
            char *copy = memory_new ((size_t)length);
            memcpy (copy, text, (size_t)length);
            event_scan_key_t keys[EVENT_SCAN_KEYS] = {0};
            for (int i = 0; i < 2; i++)
                scan_both (keys, (span_t){copy, (size_t)length});
            free (copy);
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_cases),
        cmocka_unit_test (test_as_the_whole_reader),
        cmocka_unit_test (test_keys_of_other_messages),
        cmocka_unit_test (test_long_keys_near_the_end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
