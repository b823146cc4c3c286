/*  event_fields: what a reader (event_json, event_msgpack) found in a message, before it is judged;
 *  and the rules of the design (3) that both formats share. Pure, allocates nothing.
 *
 *  A reader walks each object that matters once, asks which slot a key has, and sets it; a later
 *  duplicate of a key replaces the earlier one (as most parsers do), and null makes it absent.
 *  Then event_fields_check makes the event, and event_fields_tags says which array holds the tags.
 */
#ifndef HOTPATH_EVENT_FIELDS_H
#define HOTPATH_EVENT_FIELDS_H

#include <stddef.h>
#include <stdint.h>
#include "common/event.h"
#include "common/span.h"

/*  Objects come first, parents before children: a reader goes through them in this order. */
typedef enum {
    EVENT_SLOT_NONE = -1, /* a key of no interest */
    EVENT_SLOT_ROOT = 0,
    EVENT_SLOT_CONTEXT,
    EVENT_SLOT_SCENARIO_DATA,
    EVENT_SLOT_VIDEO,
    EVENT_SLOT_MUSIC,
    EVENT_SLOT_NEWS,
    EVENT_SLOT_EDUCATION,
    EVENT_SLOT_EXTRA,
    EVENT_SLOT_OBJECT_COUNT,

    EVENT_SLOT_TENANT_ID = EVENT_SLOT_OBJECT_COUNT,
    EVENT_SLOT_SCENARIO_ID,
    EVENT_SLOT_USER_ID,
    EVENT_SLOT_ITEM_ID,
    EVENT_SLOT_ACTION_TYPE,
    EVENT_SLOT_ACTION,
    EVENT_SLOT_TIMESTAMP,
    EVENT_SLOT_COMPLETION_RATE,
    EVENT_SLOT_CONTEXT_CATEGORY,
    EVENT_SLOT_TOP_CATEGORY,
    EVENT_SLOT_CONTEXT_TAGS,
    EVENT_SLOT_TOP_TAGS,

    EVENT_SLOT_WATCHED_FIRST, /* watched seconds, in the order in which they are tried */
    EVENT_SLOT_TOP_WATCH_DURATION = EVENT_SLOT_WATCHED_FIRST,
    EVENT_SLOT_VIDEO_WATCH_DURATION,
    EVENT_SLOT_MUSIC_PLAY_DURATION,
    EVENT_SLOT_NEWS_READ_DURATION,
    EVENT_SLOT_EDUCATION_STUDY_DURATION,
    EVENT_SLOT_EXTRA_DURATION,
    EVENT_SLOT_WATCHED_LAST = EVENT_SLOT_EXTRA_DURATION,

    EVENT_SLOT_CONTENT_FIRST, /* content seconds, likewise */
    EVENT_SLOT_TOP_DURATION = EVENT_SLOT_CONTENT_FIRST,
    EVENT_SLOT_VIDEO_DURATION,
    EVENT_SLOT_MUSIC_DURATION,
    EVENT_SLOT_EDUCATION_DURATION,
    EVENT_SLOT_EDUCATION_LESSON_DURATION,
    EVENT_SLOT_EXTRA_VIDEO_DURATION,
    EVENT_SLOT_CONTENT_LAST = EVENT_SLOT_EXTRA_VIDEO_DURATION,

    EVENT_SLOT_COUNT,
} event_slot_t;

typedef enum {
    EVENT_KIND_ABSENT, /* or null */
    EVENT_KIND_TEXT,   /* valid UTF-8 */
    EVENT_KIND_INTEGER,
    EVENT_KIND_NATURAL, /* above INT64_MAX */
    EVENT_KIND_REAL,
    EVENT_KIND_OBJECT,
    EVENT_KIND_ARRAY,
    EVENT_KIND_OTHER, /* a boolean, an extension, bytes that are not UTF-8: of use nowhere */
} event_kind_t;

typedef union {
    span_t text;
    int64_t integer;
    uint64_t natural;
    double real;
    const void *node; /* an object or array: the reader's own way to find it again */
} event_value_t;

typedef struct {
    uint8_t kinds[EVENT_SLOT_COUNT]; /* event_kind_t; a value counts only where this says so */
    event_value_t values[EVENT_SLOT_COUNT];
    char digits[4][20]; /* ids that came as integers: -9223372036854775808 has 20 characters */
    char action[EVENT_ACTION_BYTES_MAX];
} event_fields_t;

/*  Every slot absent. */
static inline void event_fields_clear (event_fields_t *self)
{
    memset (self->kinds, EVENT_KIND_ABSENT, sizeof (self->kinds));
}

/*  Slot of a key of the given object, or EVENT_SLOT_NONE. */
event_slot_t event_fields_find (event_slot_t object, span_t key);

/*  Judges what was found. `record_time_ms` as in event_parse. Returns EVENT_REASON_NONE with *event
 *  filled but for its tags (tag_count is 0), or the reason. The event's spans borrow from the
 *  fields' values, and from *self where text had to be made.
 */
event_reason_t event_fields_check (event_fields_t *self, int64_t record_time_ms, event_t *event);

/*  The slot that holds the array of tags, or EVENT_SLOT_NONE; counts what is of a wrong type. */
event_slot_t event_fields_tags (const event_fields_t *self, event_t *event);
/*  Takes one element of that array: keeps a valid one that is not there yet, counts an invalid
 *  one, ignores null. `text` is read where `kind` is EVENT_KIND_TEXT. Not to be called once
 *  event->tag_count is EVENT_TAGS_MAX: the rest is ignored unread.
 */
void event_fields_add_tag (event_t *event, event_kind_t kind, span_t text);

#endif
