/*  event_time: the timestamp field, text or number, as ms since the epoch (UTC). Pure.
 *
 *  Text: `YYYY-MM-DD(T or space)HH:MM:SS[.fraction][Z or +-HH:MM]`, UTC without a zone, proleptic
 *  Gregorian, nothing around it; a leap second (:60) is not a time of day here; a fraction is
 *  rounded down to the ms. Number: ms, or seconds below 10^11; not negative, no fraction (an
 *  integer-valued double such as 1.7e12 has none). Text and number end with the year 9999.
 *  Does not judge whether a time lies in the future.
 */
#ifndef HOTPATH_EVENT_TIME_H
#define HOTPATH_EVENT_TIME_H

#include <stdint.h>
#include "common/span.h"

#define EVENT_TIME_MS_MAX        INT64_C (253402300799999) /* 9999-12-31T23:59:59.999Z */
#define EVENT_TIME_SECONDS_BELOW INT64_C (100000000000)    /* 10^11 */

/*  Each sets *time_ms (0 .. EVENT_TIME_MS_MAX) and returns 0, or returns -1 and leaves it alone. */
int event_time_from_text (span_t text, int64_t *time_ms);
int event_time_from_integer (int64_t number, int64_t *time_ms);
int event_time_from_real (double number, int64_t *time_ms);

#endif
