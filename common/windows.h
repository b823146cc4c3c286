/*  windows: the arithmetic of windows [T - size, T), T a multiple of slide (ms since the epoch).
 *  Pure. Times of events are never negative; a watermark may be EVENT_TIME_NONE (before everything).
 */
#ifndef HOTPATH_WINDOWS_H
#define HOTPATH_WINDOWS_H

#include <stdint.h>

#define WINDOWS_LATE INT64_C (-1)

/*  Greatest multiple of step <= time, also of a negative time; EVENT_TIME_NONE stays itself. */
int64_t windows_floor (int64_t time_ms, int64_t step_ms);
/*  The last window (its T) that covers an event at time_ms: greatest multiple of slide <= time + size. */
int64_t windows_last (int64_t time_ms, int64_t size_ms, int64_t slide_ms);
/*  From which window on an event counts, where windows with T <= complete_ms are complete:
 *  0: in all that cover it; a T: from that window on (the cell's mark); WINDOWS_LATE: in none. */
int64_t windows_mark (int64_t time_ms, int64_t complete_ms, int64_t size_ms, int64_t slide_ms);
/*  The newest complete window (its T) at a watermark, or EVENT_TIME_NONE. */
int64_t windows_newest (int64_t watermark_ms, int64_t slide_ms);
/*  The first T above the greatest event time: the last window computed at the end of all input. */
int64_t windows_final (int64_t greatest_ms, int64_t slide_ms);

#endif
