/*  fuzz_event_json: any bytes as a message. Holds: no overrun, every event within its bounds, a
 *  warm parser and a fresh one agree, so do the quick reader and the whole one, and the same values packed as
 *  msgpack (by msgpack-c) give the same.
 */
#include "tests/fuzz/event_check.h"
#include "tests/support/event_pack.h"
#include "tests/support/event_twin.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size);

static void compare_with_msgpack (span_t json, event_reason_t reason, const event_t *event)
{
    static event_parser_t *parser;
    msgpack_sbuffer packed;
    msgpack_sbuffer_init (&packed);
    if (event_pack_json (&packed, json.bytes, json.size, json.size % 2) == 0 &&
        packed.size <= EVENT_MESSAGE_BYTES_MAX) {
        if (!parser)
            parser = event_parser_new ();
        event_t other;
        CHECK (event_parse (parser, (span_t){packed.data, packed.size}, 1, &other) == reason);
        if (!reason)
            event_check_same (event, &other);
    }
    msgpack_sbuffer_destroy (&packed);
}

static void compare_with_twin (span_t json, event_reason_t reason, const event_t *event)
{
    static event_parser_t *parser;
    static buffer_t twin;
    if (!event_twin_write (json, &twin) || twin.size > EVENT_MESSAGE_BYTES_MAX)
        return;
    if (!parser)
        parser = event_parser_new ();
    event_t other;
    CHECK (event_parse (parser, (span_t){(const char *)twin.bytes, twin.size}, 1, &other) == reason);
    if (!reason)
        event_check_same (event, &other);
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
    static event_parser_t *warm;
    if (!warm)
        warm = event_parser_new ();
    span_t message = {(const char *)bytes, size};
    event_t event, again;
    event_reason_t reason = event_parse (warm, message, 1, &event);
    CHECK (reason < EVENT_REASON_FUTURE);
    if (!reason)
        event_check (&event);

    event_parser_t *fresh = event_parser_new ();
    CHECK (event_parse (fresh, message, 1, &again) == reason);
    if (!reason)
        event_check_same (&event, &again);
    if (size)
        compare_with_twin (message, reason, &again); /* the fresh one scans: the other may pause */
    event_parser_destroy (&fresh);

    bool is_object = reason == EVENT_REASON_NONE ||
                     (reason >= EVENT_REASON_TENANT && reason <= EVENT_REASON_TIMESTAMP);
    if (is_object && bytes[0] < 0x80)
        compare_with_msgpack (message, reason, &event);
    return 0;
}
