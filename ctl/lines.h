/*  lines: whole lines out of a pipe that gives bytes as they come. */
#ifndef HOTPATH_CTL_LINES_H
#define HOTPATH_CTL_LINES_H

#include <stddef.h>

enum { LINES_BYTES_MAX = 16 * 1024 }; /* a longer line comes in pieces of so many bytes */

/*  Zeroed memory is a new one. */
typedef struct {
    size_t size;
    char bytes[LINES_BYTES_MAX + 1];
} lines_t;

/*  `line` has no newline, ends with a NUL byte and is borrowed for the call. */
typedef void (*lines_fn) (void *arg, char *line, size_t size);

/*  Reads once what the non-blocking fd has, and gives the lines that are whole. How many bytes were
 * read: 0 at the end of the pipe, -1 where there is nothing now. */
int lines_read (lines_t *self, int fd, lines_fn take, void *arg);
/*  At the end: what is there of a line without its newline. */
void lines_end (lines_t *self, lines_fn take, void *arg);

#endif
