/*  fuzz_event_msgpack: any bytes as a message that begins a map. Holds: no overrun, every event
 *  within its bounds, a message that is taken ends where msgpack-c too says that it ends, and every
 *  proper beginning of it is invalid.
 */
#include "common/event_msgpack.h"
#include "tests/fuzz/event_check.h"

#include <msgpack.h>

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size);

static void compare_with_msgpack_c (span_t message)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init (&unpacked);
    size_t at = 0;
    msgpack_unpack_return result =
        msgpack_unpack_next (&unpacked, message.bytes, message.size, &at);
    CHECK (result == MSGPACK_UNPACK_SUCCESS && at == message.size);
    CHECK (unpacked.data.type == MSGPACK_OBJECT_MAP);
    msgpack_unpacked_destroy (&unpacked);
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
    static event_fields_t fields;
    static event_parser_t *parser;
    if (!parser)
        parser = event_parser_new ();
    span_t message = {(const char *)bytes, size};
    event_t event;
    if (event_parse (parser, message, 1, &event) == EVENT_REASON_NONE)
        event_check (&event);

    if (size == 0 || size > EVENT_MESSAGE_BYTES_MAX)
        return 0;
    event_reason_t reason = event_msgpack_read (message, &fields);
    CHECK (reason == EVENT_REASON_NONE || reason == EVENT_REASON_SYNTAX ||
           reason == EVENT_REASON_TOO_DEEP || reason == EVENT_REASON_NOT_AN_OBJECT);
    if (reason == EVENT_REASON_NONE) {
        compare_with_msgpack_c (message);
        message.size--;
        CHECK (message.size == 0 || event_msgpack_read (message, &fields) == EVENT_REASON_SYNTAX);
    }
    return 0;
}
