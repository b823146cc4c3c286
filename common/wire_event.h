/*  wire_event: one event as a row of a section: what a stage reads of it and nothing else.
 *
 *  A row is a run of msgpack scalars: offset (from the previous row's), greatest time before it (from the
 *  greatest known in the section so far), time (from that greatest), scenario, action, and the stage's
 *  fields. The differences make most of them one byte; the chain starts from the section's head, so a
 *  section is read from its beginning.
 */
#ifndef HOTPATH_WIRE_EVENT_H
#define HOTPATH_WIRE_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/event.h"
#include "common/pack.h"
#include "common/stage.h"

/*  Where the chain of differences stands, on both sides. */
typedef struct {
    int64_t offset;
    int64_t greatest_ms; /* greatest of the section's start and of the rows so far; or EVENT_TIME_NONE */
} wire_chain_t;

/*  What a row says besides the stage's fields. */
typedef struct {
    int64_t offset;
    int64_t greatest_ms; /* greatest valid event time before it in its partition; or EVENT_TIME_NONE */
    uint32_t scenario;   /* index in the frame's table */
    uint16_t action;     /* number; >= ACTION_CUSTOM: in the frame's table */
} wire_row_t;

/*  Appends a row for `stage`. The event's time and fields come from *event, hashes from the caller. */
void wire_event_write (buffer_t *rows, wire_chain_t *chain, stage_id_t stage, const wire_row_t *row,
                       const event_t *event, uint64_t user_hash, uint64_t item_hash, bool item_stats);
/*  Reads the next row: fills *row, and in *event time_ms and the stage's fields (tags point to `tags`, of
 *  EVENT_TAGS_MAX). False where the bytes are not valid (rows->failed). */
bool wire_event_read (cursor_t *rows, wire_chain_t *chain, stage_id_t stage, wire_row_t *row,
                      stage_event_t *event, span_t *tags);

#endif
