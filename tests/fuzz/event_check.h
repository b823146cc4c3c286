/*  event_check: what holds for every event that any bytes make. For the fuzzers of both formats. */
#ifndef HOTPATH_TESTS_EVENT_CHECK_H
#define HOTPATH_TESTS_EVENT_CHECK_H

#include "common/actions.h"
#include "common/check.h"
#include "common/event.h"
#include "common/event_time.h"
#include "common/utf8.h"

static inline void event_check_text (span_t text, size_t bytes_max)
{
    CHECK (text.bytes && text.size >= 1 && text.size <= bytes_max && utf8_valid (text));
}

static inline void event_check_id (span_t id)
{
    event_check_text (id, EVENT_ID_BYTES_MAX);
    CHECK (!memchr (id.bytes, '\0', id.size));
    CHECK (id.bytes[0] != ' ' && id.bytes[id.size - 1] != '\n');
}

static inline void event_check (const event_t *event)
{
    event_check_id (event->tenant);
    event_check_id (event->scenario);
    event_check_id (event->user);
    event_check_id (event->item);
    event_check_text (event->action, EVENT_ACTION_BYTES_MAX);
    for (size_t i = 0; i < event->action.size; i++)
        CHECK (event->action.bytes[i] < 'A' || event->action.bytes[i] > 'Z');
    CHECK (event->action_known == actions_find (event->action));
    CHECK (event->time_ms >= 0 && event->time_ms <= EVENT_TIME_MS_MAX);
    if (event->category.bytes)
        event_check_text (event->category, EVENT_LABEL_BYTES_MAX);
    CHECK (event->tag_count <= EVENT_TAGS_MAX);
    for (uint32_t i = 0; i < event->tag_count; i++) {
        event_check_text (event->tags[i], EVENT_LABEL_BYTES_MAX);
        for (uint32_t j = 0; j < i; j++)
            CHECK (!span_equal (event->tags[i], event->tags[j]));
    }
    CHECK (event->watched_ms == EVENT_MS_NONE ||
           (event->watched_ms >= 0 && event->watched_ms <= EVENT_WATCHED_MS_MAX));
    CHECK (event->rate >= EVENT_RATE_UNKNOWN && event->rate <= EVENT_RATE_DONE);
}

static inline void event_check_same (const event_t *a, const event_t *b)
{
    CHECK (span_equal (a->tenant, b->tenant) && span_equal (a->scenario, b->scenario));
    CHECK (span_equal (a->user, b->user) && span_equal (a->item, b->item));
    CHECK (span_equal (a->action, b->action) && a->action_known == b->action_known);
    CHECK (a->time_ms == b->time_ms && a->watched_ms == b->watched_ms && a->rate == b->rate);
    CHECK (span_equal (a->category, b->category) && !a->category.bytes == !b->category.bytes);
    CHECK (a->wrong_types == b->wrong_types && a->tag_count == b->tag_count);
    for (uint32_t i = 0; i < a->tag_count; i++)
        CHECK (span_equal (a->tags[i], b->tags[i]));
}

#endif
