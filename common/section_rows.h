/*  section_rows: the rows of one section, read into arrays: a section is checked as a whole before
 *  any of it is applied, and read once for both. The arrays grow to the largest section met and are
 *  used again for each. Pure.
 */
#ifndef HOTPATH_SECTION_ROWS_H
#define HOTPATH_SECTION_ROWS_H

#include "common/wire.h"
#include "common/wire_event.h"

/*  Zeroed: empty. `rows` and `events` may be read, and `events` completed, until the next read. */
typedef struct {
    wire_row_t *rows;
    stage_event_t *events;
    uint32_t count, capacity;
    span_t *tags; /* of all events, one after the other */
    size_t tag_capacity;
} section_rows_t;

/*  Reads every row; their spans borrow from the section. False where one is not valid, its offset
 *  is not in the section's range, or the bytes are more or fewer than its rows. */
bool section_rows_read (section_rows_t *self, const wire_section_t *section, stage_id_t stage);
void section_rows_free (section_rows_t *self);

#endif
