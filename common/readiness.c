#include "common/readiness.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES_MAX = 512 };

void readiness_clear (readiness_t *self)
{
    buffer_clear (&self->good);
    buffer_clear (&self->bad);
    self->bad_count = 0;
}

void readiness_free (readiness_t *self)
{
    buffer_free (&self->good);
    buffer_free (&self->bad);
    self->bad_count = 0;
}

/*  Names come from outside (partitions, endpoints): a control byte must not begin another line. */
static size_t clean (char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    }
    line[size] = '\n';
    return size + 1;
}

void readiness_say (readiness_t *self, bool ok, const char *part, const char *format, ...)
{
    char line[LINE_BYTES_MAX + 1];
    va_list args;
    int head = snprintf (line, LINE_BYTES_MAX, "[%c] %s: ", ok ? '+' : '-', part);
    size_t size = head < LINE_BYTES_MAX ? (size_t)head : LINE_BYTES_MAX - 1;
    va_start (args, format);
    vsnprintf (line + size, LINE_BYTES_MAX - size, format, args);
    va_end (args);
    size = clean (line, strlen (line));
    buffer_t *lines = ok ? &self->good : &self->bad;
    self->bad_count += !ok;
    if (lines->size + size <= READINESS_BYTES_MAX)
        buffer_append (lines, line, size);
}

bool readiness_is_ready (const readiness_t *self)
{
    return self->bad_count == 0;
}

int64_t stall_ms (stall_t *self, bool waits, bool moved, int64_t now_ms)
{
    if (!waits || moved || !self->moved_ms)
        self->moved_ms = now_ms;
    return now_ms - self->moved_ms;
}
