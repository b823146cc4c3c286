/*  beat: what a child tells `hotpath run` on an inherited pipe: a line a second from the loop that does
 *  the work (an empty one: "I am alive and working"), and few words: "ready", "done {summary}".
 *
 *  Without a pipe (started by hand) nothing is written. Lines are short enough to be written whole, and
 *  the pipe is non-blocking: a supervisor that does not read loses beats, not work.
 */
#ifndef HOTPATH_BEAT_H
#define HOTPATH_BEAT_H

#include <stdint.h>

typedef struct {
    int fd;          /* -1: nobody listens */
    int64_t last_ms; /* when the last beat was written */
} beat_t;

/*  The pipe named by the setting --beat-fd (-1: none). */
beat_t beat_of (int64_t fd);
/*  Writes an empty line if a second has passed; call it from the working loop. */
void beat_tick (beat_t *self, int64_t now_ms);
/*  Writes a line (without its newline), at most 4,000 bytes. */
void beat_say (beat_t *self, const char *line);

#endif
