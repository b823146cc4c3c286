/*  event_scan: a JSON message of the usual shape, read in one pass: what is of use is found on the way, the rest
 *  is only checked, and no document is built. It takes what a strict reader takes, to the same values; what is
 *  rare (an escape, an exponent, 19 digits, a key twice, too much depth), and what is not valid, it leaves
 *  to event_json's whole reader, which also knows the reason.
 */
#ifndef HOTPATH_EVENT_SCAN_H
#define HOTPATH_EVENT_SCAN_H

#include <stdbool.h>
#include "common/event_fields.h"

enum { EVENT_SCAN_KEYS = 64, EVENT_SCAN_KEY_BYTES = 32 };
/*  The keys of the messages before, about in their order: zeroed at first. Private. */
typedef struct {
    uint8_t text[EVENT_SCAN_KEY_BYTES], any[EVENT_SCAN_KEY_BYTES]; /* any: 0xff where a byte may be any */
    uint8_t size; /* with its quotation marks and the colon; 0: none */
    int8_t object, slot;
} event_scan_key_t;

/*  True: the message is a valid object, and *fields, which borrow from it, say all of it that is of use. False:
 *  nothing is said, and *fields are not to be read. */
bool event_scan_read (event_scan_key_t *keys, span_t message, event_fields_t *fields);
/*  Adds the tags of an array that event_scan_read found (its event_value_t.node); `message` is the same one. */
void event_scan_tags (span_t message, const void *node, event_t *event);

#endif
