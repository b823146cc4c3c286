/*  event_msgpack: one msgpack message -> event_fields, the same as event_json gives for the same
 *  values. A string may be str or bin; a str that is not valid UTF-8, wherever it is, makes the
 *  message invalid (as in JSON), such a bin is a value of another type. Keys that are not strings
 *  are passed over. NaN and infinity are numbers out of every range. Judges no field.
 *
 *  A cursor of its own instead of msgpack-c: that allocates what an array's head claims before it
 *  has seen the elements; here nothing is allocated at all.
 */
#ifndef HOTPATH_EVENT_MSGPACK_H
#define HOTPATH_EVENT_MSGPACK_H

#include "common/event_fields.h"

/*  Reads one message (a map, and nothing behind it) into *fields, which borrow from the message.
 *  At most EVENT_DEPTH_MAX maps and arrays within each other, the outermost included. Returns NONE,
 *  or SYNTAX, TOO_DEEP, NOT_AN_OBJECT.
 */
event_reason_t event_msgpack_read (span_t message, event_fields_t *fields);
/*  Adds the tags of an array that event_msgpack_read found in this message (event_value_t.node). */
void event_msgpack_tags (span_t message, const void *node, event_t *event);

#endif
