/*  event_twin: a JSON message that says the same, and that event_scan leaves to the whole reader, for it begins
 *  with a key that has an escape: both readers must make the same event of it, or give the same reason.
 */
#ifndef HOTPATH_TESTS_EVENT_TWIN_H
#define HOTPATH_TESTS_EVENT_TWIN_H

#include "common/buffer.h"
#include "common/span.h"

/*  False: it is no object that has a key. */
static inline bool event_twin_write (span_t message, buffer_t *twin)
{
    static const char more[] = "\"\\u0061 key of no interest\":0,";
    size_t at = 0, next;
    while (at < message.size && strchr (" \t\r\n", message.bytes[at]) && message.bytes[at])
        at++;
    if (at == message.size || message.bytes[at++] != '{')
        return false;
    for (next = at; next < message.size && strchr (" \t\r\n", message.bytes[next]) && message.bytes[next];)
        next++;
    if (next == message.size || message.bytes[next] == '}')
        return false;
    buffer_clear (twin);
    buffer_append (twin, message.bytes, at);
    buffer_append (twin, more, sizeof more - 1);
    buffer_append (twin, message.bytes + at, message.size - at);
    return true;
}

#endif
