/*  profile_log: a profile of few events, as the list of them. Most users have few, and a list takes
 * a third of the room that counts of them do: an event is 26 bytes, and adds one line to what is
 * touched. What it says is what counting its rows one after the other says (profile.c does).
 *
 *  Private to profile*.c. It knows layouts, and nothing of what they mean.
 */
#ifndef HOTPATH_PROFILE_LOG_H
#define HOTPATH_PROFILE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "common/event.h"
#include "profiler/profile_strings.h"

enum { PROFILE_ROW_LABELS_MAX = 1 + EVENT_TAGS_MAX };

/*  One event; its strings by number. */
typedef struct {
    int64_t time_ms;
    uint16_t action;
    bool has_category;      /* the first label */
    uint32_t label_count;
    const uint32_t *labels; /* category and tags, in the event's order */
    uint32_t item;          /* PROFILE_STRING_NONE: not kept (impressions) */
} profile_row_t;

/*  Words that a row takes. */
uint32_t profile_log_words (const profile_row_t *row);
/*  Writes so many at `to`. */
void profile_log_write (uint32_t *to, const profile_row_t *row);
/*  Reads the row at `at`, its labels borrowed from there; returns where the next one begins. */
const uint32_t *profile_log_read (const uint32_t *at, profile_row_t *row);

#endif
