/*  event_text: a parsed event as one readable line, for tests to compare: only what differs from
 *  the plainest event (EVENT_TEXT_PLAIN) is said, "ok" if nothing does; or the reason's name.
 */
#ifndef HOTPATH_TESTS_EVENT_TEXT_H
#define HOTPATH_TESTS_EVENT_TEXT_H

#include <stdio.h>
#include <string.h>
#include "common/actions.h"
#include "common/event.h"

#define EVENT_TEXT_PLAIN                                                                           \
    "\"tenant_id\":\"t\",\"scenario_id\":\"s\",\"user_id\":\"u\",\"item_id\":\"i\","               \
    "\"action_type\":\"view\",\"timestamp\":1574553663979"

enum { EVENT_TEXT_BYTES_MAX = 128 * 1024 };

/*  " name=value" with bytes outside '!' .. '~' as %XX; nothing where value is `plain`. */
static inline size_t event_text_add (char *to, size_t at, const char *name, span_t value,
                                     const char *plain)
{
    if (plain && span_equal (value, span_of (plain)))
        return at;
    at += (size_t)sprintf (to + at, " %s=", name);
    for (size_t i = 0; i < value.size; i++) {
        unsigned char byte = (unsigned char)value.bytes[i];
        at += (size_t)sprintf (to + at, byte > ' ' && byte <= '~' ? "%c" : "%%%02X", byte);
    }
    return at;
}

/*  The line; static memory, until the next call. */
static inline const char *event_text (event_reason_t reason, const event_t *event)
{
    static char text[EVENT_TEXT_BYTES_MAX];
    if (reason)
        return event_reason_name (reason);
    size_t at = 0;
    text[0] = '\0';
    at = event_text_add (text, at, "tenant", event->tenant, "t");
    at = event_text_add (text, at, "scenario", event->scenario, "s");
    at = event_text_add (text, at, "user", event->user, "u");
    at = event_text_add (text, at, "item", event->item, "i");
    at = event_text_add (text, at, "action", event->action, "view");
    if (event->action_known != ACTION_VIEW)
        at += (size_t)sprintf (text + at, " known=%d", event->action_known);
    if (event->time_ms != INT64_C (1574553663979))
        at += (size_t)sprintf (text + at, " time=%lld", (long long)event->time_ms);
    if (event->category.bytes)
        at = event_text_add (text, at, "category", event->category, NULL);
    for (uint32_t i = 0; i < event->tag_count; i++)
        at = event_text_add (text, at, "tag", event->tags[i], NULL);
    if (event->watched_ms != EVENT_MS_NONE)
        at += (size_t)sprintf (text + at, " watched=%lld", (long long)event->watched_ms);
    if (event->rate != EVENT_RATE_UNKNOWN)
        at += (size_t)sprintf (text + at, event->rate == EVENT_RATE_DONE ? " done" : " low");
    if (event->wrong_types)
        at += (size_t)sprintf (text + at, " wrong=%u", event->wrong_types);
    return at ? text + 1 : "ok";
}

#endif
