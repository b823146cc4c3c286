/*  fuzz_config_wire: any bytes as a frame of configd or a request to it; entries that can be read
 *  and are written again must read as the same. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/config_wire.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
    span_t frame = {(const char *)bytes, size};
    config_request_t request;
    config_question_t question;
    if (config_wire_read_request (frame, &request))
        for (uint32_t i = 0; i < request.written_count; i++)
            config_wire_written (&request);
    config_wire_read_question (frame, &question);
    config_message_t message;
    cursor_t entries;
    if (!config_wire_read_message (frame, &message, &entries))
        return 0;
    CHECK (message.chunk < message.chunk_count);
    for (uint32_t i = 0; i < message.entry_count && !entries.failed; i++) {
        config_entry_t entry, again;
        config_wire_read_entry (&entries, &entry);
        if (entries.failed)
            break;
        buffer_t copy = {0};
        config_wire_write_entry (&copy, &entry);
        cursor_t cursor = cursor_of (copy.bytes, copy.size);
        config_wire_read_entry (&cursor, &again);
        CHECK (cursor_finished (&cursor));
        CHECK (span_equal (entry.json, again.json) && entry.number == again.number);
        buffer_free (&copy);
    }
    return 0;
}
