/*  event_json: one JSON message -> event_fields. Strict: UTF-8 without a byte order mark, no NaN,
 *  no number beyond a double, no comment, nothing behind the value. Judges no field. At most
 *  EVENT_DEPTH_MAX objects and arrays within each other, the outermost included.
 */
#ifndef HOTPATH_EVENT_JSON_H
#define HOTPATH_EVENT_JSON_H

#include "common/event_fields.h"

/*  The memory that values live in: grows to what the largest message so far needed (13 bytes a
 *  byte), so that reading allocates nothing once warm.
 */
typedef struct event_json event_json_t;
event_json_t *event_json_new (void);
void event_json_destroy (event_json_t **self_p);

/*  Reads a message of 1 .. EVENT_MESSAGE_BYTES_MAX bytes into *fields, which borrow from it and from *self
 *  until the next call. Returns NONE, or TOO_DEEP, EMPTY, SYNTAX, NOT_AN_OBJECT.
 */
event_reason_t event_json_read (event_json_t *self, span_t message, event_fields_t *fields);
/*  Adds the tags of an array that event_json_read found (its event_value_t.node). */
void event_json_tags (const event_json_t *self, const void *node, event_t *event);

#endif
