#include "tests/proxy/frame_rewrite.h"

int frame_rewrite (span_t frame, wire_kind_t kind, frame_rewrite_t *replace, void *arg,
                   buffer_t *copy)
{
    cursor_t cursor = cursor_of (frame.bytes, frame.size);
    wire_header_t header;
    wire_announce_t announce;
    wire_results_t results;
    span_t *endpoint = kind == WIRE_ANNOUNCE ? &announce.endpoint : &results.answers;
    buffer_clear (copy);
    if (!wire_read_header (&cursor, &header) || header.kind != kind)
        return -1;
    if (kind == WIRE_ANNOUNCE)
        wire_read_announce (&cursor, &announce);
    else
        wire_read_results (&cursor, &results);
    if (cursor.failed)
        return -1;
    *endpoint = replace (arg, *endpoint);
    if (!endpoint->bytes)
        return -1;
    wire_write_header (copy, kind, header.sender, header.incarnation);
    if (kind == WIRE_ANNOUNCE)
        wire_write_announce (copy, &announce);
    else
        wire_write_results (copy, &results);
    buffer_append (copy, cursor.at, (size_t)(cursor.end - cursor.at));
    return 0;
}
