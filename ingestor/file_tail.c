/*  file_tail: see file_tail.h. */
#include "ingestor/file_tail.h"
#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
#include "ingestor/file_lines.h"

void file_tail_start (file_tail_t *self, int64_t position)
{
    self->position = position;
    self->scanned = position;
    self->starts++;
}

/*  Fills the buffer as far as the file and `end` reach; -1 on an error. */
static ssize_t read_at (const file_tail_t *self, char *buffer, size_t size, int64_t from,
                        int64_t end)
{
    if (self->fd < 0)
        return 0;
    if (end >= 0) {
        if (from >= end)
            return 0;
        if ((int64_t)size > end - from)
            size = (size_t)(end - from);
    }
    size_t have = 0;
    while (have < size) {
        ssize_t got = pread (self->fd, buffer + have, size - have, from + (int64_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (!got)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/*  Moves on over [position, next) and gives it: *passed says that blank lines wait to be told. */
static void give (file_tail_t *self, int64_t next, span_t value, uint64_t value_bytes, bool *passed,
                  const file_tail_sink_t *sink)
{
    int64_t offset = self->position;
    self->position = self->scanned = next;
    if (value_bytes <= EVENT_MESSAGE_BYTES_MAX && file_lines_is_blank (value)) {
        *passed = true;
        return;
    }
    uint64_t starts = self->starts;
    if (*passed) {
        *passed = false;
        sink->position (sink->arg, offset);
        if (self->starts != starts)
            return;
    }
    sink->line (sink->arg, offset, next, value, value_bytes);
}

static void tell_passed (const file_tail_t *self, bool passed, const file_tail_sink_t *sink)
{
    if (passed)
        sink->position (sink->arg, self->position);
}

/*  Gives the whole lines of the buffer, which begins at the position. False: a sink started or
 * paused the tail, so that the rest of the buffer does not count. */
static bool give_lines (file_tail_t *self, span_t text, const file_tail_sink_t *sink)
{
    uint64_t starts = self->starts;
    int64_t begin = self->position;
    size_t at = 0;
    span_t line;
    bool passed = false;
    while (file_lines_next (text, &at, &line)) {
        give (self, begin + (int64_t)at, line, line.size, &passed, sink);
        if (self->starts != starts || self->paused)
            break;
    }
    if (self->starts != starts)
        return false;
    tell_passed (self, passed, sink);
    return self->starts == starts && !self->paused;
}

/*  The rest of a file that will not grow is its last line. */
static file_tail_result_t give_last (file_tail_t *self, span_t rest, const file_tail_sink_t *sink)
{
    bool passed = false;
    give (self, self->position + (int64_t)rest.size, rest, rest.size, &passed, sink);
    tell_passed (self, passed, sink);
    return FILE_TAIL_MORE;
}

/*  Searches one chunk more of a line that is too long; at its end gives its head. */
static file_tail_result_t skip_long (file_tail_t *self, char *buffer, int64_t end, bool complete,
                                     const file_tail_sink_t *sink)
{
    ssize_t size = read_at (self, buffer, FILE_TAIL_CHUNK_BYTES, self->scanned, end);
    if (size < 0)
        return FILE_TAIL_ERROR;
    const char *newline = size ? memchr (buffer, '\n', (size_t)size) : NULL;
    if (!newline && size) {
        self->scanned += size;
        return FILE_TAIL_MORE;
    }
    if (!newline && !complete)
        return FILE_TAIL_END;
    int64_t line_end = self->scanned + (newline ? newline - buffer : 0);
    ssize_t head = read_at (self, buffer, FILE_TAIL_HEAD_BYTES, self->position, line_end);
    if (head < 0)
        return FILE_TAIL_ERROR;
    bool passed = false;
    give (self, line_end + (newline ? 1 : 0), (span_t){buffer, (size_t)head},
          (uint64_t)(line_end - self->position), &passed, sink);
    return FILE_TAIL_MORE;
}

file_tail_result_t file_tail_read (file_tail_t *self, char *buffer, int64_t end, bool complete,
                                   const file_tail_sink_t *sink)
{
    if (self->scanned > self->position)
        return skip_long (self, buffer, end, complete, sink);

    ssize_t size = read_at (self, buffer, FILE_TAIL_CHUNK_BYTES, self->position, end);
    if (size < 0)
        return FILE_TAIL_ERROR;
    if (!size)
        return FILE_TAIL_END;
    int64_t before = self->position;
    if (!give_lines (self, (span_t){buffer, (size_t)size}, sink) || self->position != before)
        return FILE_TAIL_MORE;

    /*  Not one newline: the line may be a long one. */
    bool at_end = size < FILE_TAIL_CHUNK_BYTES;
    if (!at_end) {
        size = read_at (self, buffer, FILE_TAIL_BUFFER_BYTES, self->position, end);
        if (size < 0)
            return FILE_TAIL_ERROR;
        if (!give_lines (self, (span_t){buffer, (size_t)size}, sink) || self->position != before)
            return FILE_TAIL_MORE;
        at_end = size < FILE_TAIL_BUFFER_BYTES;
    }
    if (!at_end) {
        self->scanned = self->position + size;
        return FILE_TAIL_MORE;
    }
    return complete ? give_last (self, (span_t){buffer, (size_t)size}, sink) : FILE_TAIL_END;
}
