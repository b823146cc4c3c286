#include "common/beat.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { BEAT_INTERVAL_MS = 1000, LINE_BYTES_MAX = 4096 };

beat_t beat_of (int64_t fd)
{
    beat_t self = {.fd = -1, .last_ms = INT64_MIN / 2};
    if (fd >= 0 && fcntl ((int)fd, F_SETFL, O_NONBLOCK) == 0 &&
        fcntl ((int)fd, F_SETFD, FD_CLOEXEC) == 0)
        self.fd = (int)fd;
    return self;
}

static void write_line (beat_t *self, const char *line, int size)
{
    /* A full pipe loses a beat; a closed one means that the supervisor is gone, which prctl handles. */
    if (self->fd >= 0 && write (self->fd, line, (size_t)size) < 0)
        return;
}

void beat_tick (beat_t *self, int64_t now_ms)
{
    if (now_ms - self->last_ms < BEAT_INTERVAL_MS)
        return;
    self->last_ms = now_ms;
    write_line (self, "\n", 1);
}

void beat_say (beat_t *self, const char *line)
{
    char text[LINE_BYTES_MAX];
    /* One that is too long is cut, but stays a line. */
    int size = snprintf (text, sizeof text, "%.*s\n", LINE_BYTES_MAX - 2, line);
    write_line (self, text, size);
}
