/*  log_line: one log line as text, logfmt or JSON. Pure: time and level are arguments.
 *
 *      time=2026-01-02T03:04:05.678Z level=info process=sink-0 msg="part put together" parts=4
 *
 *  Control bytes (C0, DEL, C1) and bytes that are not UTF-8 never come out as they are. A line has
 *  at most LOG_LINE_BYTES_MAX bytes (a pipe takes that many at once), a value LOG_VALUE_BYTES_MAX
 *  of its bytes and then "..."; a field that does not fit is left out, and `truncated=true` says so.
 */
#ifndef HOTPATH_LOG_LINE_H
#define HOTPATH_LOG_LINE_H

#include "common/log.h"

enum { LOG_LINE_BYTES_MAX = 4096, LOG_VALUE_BYTES_MAX = 1024 };

typedef struct {
    int64_t time_ms; /* since the epoch, UTC */
    log_level_t level;
    const char *process; /* "": left out */
    const char *message;
    uint64_t held_back;        /* times that the message was held back before; 0: left out */
    const log_field_t *fields; /* ended by a NULL key; the keys are plain words */
} log_record_t;

/*  Writes the line, its newline included, into `line`; returns its size in bytes. */
size_t log_line_write (const log_record_t *record, bool json, char line[LOG_LINE_BYTES_MAX]);

/*  "debug", "info", "warning" or "error"; static. */
const char *log_line_level (log_level_t level);

#endif
