/*  revision_since: from which event time on a scenario's present revision has run in a shard, so
 *  that a window in which it changed can say so. Pure.
 */
#ifndef HOTPATH_REVISION_SINCE_H
#define HOTPATH_REVISION_SINCE_H

#include "common/event.h"
#include "common/live_scenario.h"
#include "common/pack.h"

enum { REVISION_SINCE_FIELDS = 3 };

/*  number 0: none was seen yet. */
typedef struct {
    uint64_t era, number;
    int64_t since_ms; /* greatest event time when it came; EVENT_TIME_NONE: before all events */
} revision_since_t;

/*  Takes over the live revision; true where it is another than before. `greatest_ms`: greatest
 *  event time applied so far, or EVENT_TIME_NONE. */
static inline bool revision_since_take (revision_since_t *self, const live_scenario_t *live,
                                        int64_t greatest_ms)
{
    if (self->era == live->era && self->number == live->number)
        return false;
    *self = (revision_since_t){live->era, live->number, greatest_ms};
    return true;
}

static inline void revision_since_write (const revision_since_t *self, buffer_t *to)
{
    pack_uint (to, self->era);
    pack_uint (to, self->number);
    pack_int (to, self->since_ms);
}

static inline revision_since_t revision_since_read (cursor_t *cursor)
{
    revision_since_t read;
    read.era = cursor_uint (cursor);
    read.number = cursor_uint (cursor);
    read.since_ms = cursor_int (cursor);
    return read;
}

#endif
