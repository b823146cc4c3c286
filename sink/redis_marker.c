/*  redis_marker: see redis_marker.h. */
#include "sink/redis_marker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

redis_marker_t redis_marker_parse (span_t text)
{
    char copy[REDIS_MARKER_BYTES];
    redis_marker_t marker = {0};
    if (!text.bytes || text.size >= sizeof copy)
        return marker;
    memcpy (copy, text.bytes, text.size);
    copy[text.size] = 0;
    if (sscanf (copy, "%" SCNu64 " %63s %63s %" SCNu64, &marker.generation, marker.run_id,
                marker.history_id, &marker.life) != 4)
        return (redis_marker_t){0};
    return marker;
}

void redis_marker_write (const redis_marker_t *self, char text[REDIS_MARKER_BYTES])
{
    snprintf (text, REDIS_MARKER_BYTES, "%" PRIu64 " %s %s %" PRIu64, self->generation,
              self->run_id, self->history_id, self->life);
}

bool redis_marker_same_server (const redis_marker_t *a, const redis_marker_t *b)
{
    return strcmp (a->run_id, b->run_id) == 0 && strcmp (a->history_id, b->history_id) == 0;
}
