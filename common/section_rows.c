#include "common/section_rows.h"

enum { ROWS_MIN = 256, TAGS_MIN = 1024 };

/*  Room for `count` rows: no more than there are bytes, since each row has some. */
static bool reserve_rows (section_rows_t *self, const wire_section_t *section)
{
    if (section->event_count > section->rows.size)
        return false;
    if (section->event_count <= self->capacity)
        return true;
    uint32_t capacity = self->capacity ? self->capacity : ROWS_MIN;
    while (capacity < section->event_count)
        capacity *= 2;
    self->rows = memory_resize (self->rows, capacity * sizeof *self->rows);
    self->events = memory_resize (self->events, capacity * sizeof *self->events);
    self->capacity = capacity;
    return true;
}

/*  Room for one more event's tags behind `used`. */
static span_t *reserve_tags (section_rows_t *self, size_t used)
{
    if (used + EVENT_TAGS_MAX > self->tag_capacity) {
        self->tag_capacity = self->tag_capacity ? 2 * self->tag_capacity : TAGS_MIN;
        self->tags = memory_resize (self->tags, self->tag_capacity * sizeof *self->tags);
    }
    return self->tags + used;
}

/*  The array of tags has moved while it grew. */
static void point_to_tags (section_rows_t *self)
{
    span_t *at = self->tags;
    for (uint32_t i = 0; i < self->count; i++) {
        self->events[i].tags = at;
        at += self->events[i].tag_count;
    }
}

bool section_rows_read (section_rows_t *self, const wire_section_t *section, stage_id_t stage)
{
    cursor_t bytes = cursor_of (section->rows.bytes, section->rows.size);
    wire_chain_t chain = {section->from, section->greatest_from_ms};
    size_t tags = 0;
    self->count = 0;
    if (!reserve_rows (self, section))
        return false;
    for (uint32_t i = 0; i < section->event_count; i++) {
        if (!wire_event_read (&bytes, &chain, stage, &self->rows[i], &self->events[i],
                              reserve_tags (self, tags)) ||
            self->rows[i].offset >= section->to)
            return false;
        tags += self->events[i].tag_count;
    }
    self->count = section->event_count;
    if (tags)
        point_to_tags (self);
    return cursor_finished (&bytes);
}

void section_rows_free (section_rows_t *self)
{
    free (self->rows);
    free (self->events);
    free (self->tags);
    *self = (section_rows_t){0};
}
