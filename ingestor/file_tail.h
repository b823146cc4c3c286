/*  file_tail: reads the lines of one open file from a position on, a chunk at a time, into a buffer
 * that several tails share. Nothing is copied or allocated per line, and a line of any length takes
 * no more memory than the buffer. Not here: which file it is, when to look again.
 */
#ifndef HOTPATH_FILE_TAIL_H
#define HOTPATH_FILE_TAIL_H

#include <stdbool.h>
#include <stdint.h>
#include "common/event.h"
#include "common/span.h"

enum {
    FILE_TAIL_CHUNK_BYTES = 256 << 10,
    FILE_TAIL_HEAD_BYTES = 64 << 10, /* what is given of a line that is too long */
    FILE_TAIL_BUFFER_BYTES = EVENT_MESSAGE_BYTES_MAX + 1,
};

typedef struct {
    int fd;           /* borrowed; -1: none, every read is at its end */
    int64_t position; /* the next line's first byte */
    int64_t
        scanned; /* > position: inside a line that is too long, searched so far without its end */
    uint64_t starts; /* how often file_tail_start was called: a sink may call it */
    bool paused;     /* a sink may set it: the read ends after the present line */
} file_tail_t;

/*  Where lines go. Spans hold during the call. */
typedef struct {
    void *arg;
    /*  A line that is not blank: [offset, next) with its newline; of a line beyond
     *  EVENT_MESSAGE_BYTES_MAX `value` is its first FILE_TAIL_HEAD_BYTES, value_bytes its whole
     * size. */
    void (*line) (void *arg, int64_t offset, int64_t next, span_t value, uint64_t value_bytes);
    /*  Blank lines were passed: nothing more below `next`. */
    void (*position) (void *arg, int64_t next);
} file_tail_sink_t;

typedef enum {
    FILE_TAIL_MORE,  /* call again: there may be more */
    FILE_TAIL_END,   /* no whole line is left */
    FILE_TAIL_ERROR, /* the file cannot be read (errno); nothing was changed */
} file_tail_result_t;

/*  Goes on from `position`. */
void file_tail_start (file_tail_t *self, int64_t position);
/*  Reads at most one chunk and gives its lines. `buffer` has FILE_TAIL_BUFFER_BYTES. No byte at or
 *  behind `end` is read (-1: no limit). `complete`: the file will not grow, so that a last line
 * without newline is one. */
file_tail_result_t file_tail_read (file_tail_t *self, char *buffer, int64_t end, bool complete,
                                   const file_tail_sink_t *sink);

#endif
