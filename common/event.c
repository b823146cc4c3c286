/*  event: see event.h. Which format a message has, and the readers' and the rules' common life. */
#include "common/event.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/event_fields.h"
#include "common/event_json.h"
#include "common/event_msgpack.h"
#include "common/memory.h"

static const char *const REASON_NAMES[] = {
#define EVENT_REASON_NAME(symbol, name) name,
    EVENT_REASON_LIST (EVENT_REASON_NAME)
#undef EVENT_REASON_NAME
};

struct event_parser {
    event_json_t *json;
    event_fields_t fields;
};

const char *event_reason_name (event_reason_t reason)
{
    CHECK (reason < EVENT_REASON_COUNT);
    return REASON_NAMES[reason];
}

event_parser_t *event_parser_new (void)
{
    event_parser_t *self = memory_new (sizeof (*self));
    self->json = event_json_new ();
    return self;
}

void event_parser_destroy (event_parser_t **self_p)
{
    if (!*self_p)
        return;
    event_json_destroy (&(*self_p)->json);
    free (*self_p);
    *self_p = NULL;
}

static bool is_msgpack_map (span_t message)
{
    uint8_t first = (uint8_t)message.bytes[0];
    return (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
}

event_reason_t event_parse (event_parser_t *self, span_t message, int64_t record_time_ms,
                            event_t *event)
{
    event->tenant = event->scenario = event->user = event->item = (span_t){NULL, 0};
    if (message.size == 0)
        return EVENT_REASON_EMPTY;
    if (message.size > EVENT_MESSAGE_BYTES_MAX)
        return EVENT_REASON_TOO_LARGE;

    bool is_msgpack = is_msgpack_map (message);
    event_reason_t reason = is_msgpack ? event_msgpack_read (message, &self->fields)
                                       : event_json_read (self->json, message, &self->fields);
    if (reason)
        return reason;
    reason = event_fields_check (&self->fields, record_time_ms, event);
    if (reason)
        return reason;

    event_slot_t tags = event_fields_tags (&self->fields, event);
    if (tags != EVENT_SLOT_NONE && is_msgpack)
        event_msgpack_tags (message, self->fields.values[tags].node, event);
    else if (tags != EVENT_SLOT_NONE)
        event_json_tags (self->json, self->fields.values[tags].node, event);
    return EVENT_REASON_NONE;
}
