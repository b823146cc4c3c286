/*  file_dead_letters: see file_dead_letters.h. */
#include "ingestor/file_dead_letters.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/buffer.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/utf8.h"
#include "ingestor/base64.h"
#include "ingestor/pending_counts.h"

enum {
    QUEUE_BYTES_MAX = 16 << 20,
    SYNC_INTERVAL_MS = 20, /* several bad messages share one */
    RETRY_INTERVAL_MS = 1000,
};

typedef struct {
    dead_letters_t base;
    char *path;
    int fd;
    buffer_t queue; /* lines that are not yet synced */
    size_t written; /* of the queue, in the file already */
    bool half_line; /* the file ends in one: the next line begins on its own */
    pending_counts_t pending;
    int64_t next_ms; /* no sync before this (clock_ms) */
} file_dead_letters_t;

/*  Opens the file at self->path; a crash may have left half a line in it. 0, or -1 with errno. */
static int open_letters (file_dead_letters_t *self)
{
    char last = '\n';
    int fd = open (self->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    off_t size = lseek (fd, 0, SEEK_END);
    if (size > 0 && pread (fd, &last, 1, size - 1) != 1) {
        int reason = errno;
        close (fd);
        errno = reason;
        return -1;
    }
    if (self->fd >= 0)
        close (self->fd);
    self->fd = fd;
    self->half_line = last != '\n';
    self->written = 0;
    return 0;
}

static void append_text (buffer_t *out, const char *text)
{
    buffer_append (out, text, strlen (text));
}

/*  A path may hold any byte: what is no UTF-8 becomes U+FFFD. */
static void append_string (buffer_t *out, span_t text)
{
    bool valid = utf8_valid (text);
    append_text (out, "\"");
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.bytes[i];
        char escaped[8];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            snprintf (escaped, sizeof escaped, "\\u%04x", c);
        else if (c >= 0x80 && !valid)
            snprintf (escaped, sizeof escaped, "\\ufffd");
        else
            snprintf (escaped, sizeof escaped, "%c", c);
        append_text (out, escaped);
    }
    append_text (out, "\"");
}

static outcome_t do_add (dead_letters_t *base, const source_record_t *record,
                         const char *partition_name, event_reason_t reason, int64_t now_ms)
{
    file_dead_letters_t *self = (file_dead_letters_t *)base;
    buffer_t *out = &self->queue;
    if (out->size >= QUEUE_BYTES_MAX)
        return OUTCOME_RETRY;
    append_text (out, "{\"partition\":");
    append_string (out, span_of (partition_name));
    char text[200];
    bool truncated = record->value_bytes > record->value.size;
    snprintf (text, sizeof text,
              ",\"offset\":%" PRId64 ",\"reason\":\"%s\",\"time\":%" PRId64 ",\"size\":%" PRIu64
              ",\"truncated\":%s,\"value\":",
              record->offset, event_reason_name (reason), now_ms, record->value_bytes,
              truncated ? "true" : "false");
    append_text (out, text);
    if (record->value.bytes) {
        append_text (out, "\"");
        base64_append (out, record->value.bytes, record->value.size);
        append_text (out, "\"");
    } else
        append_text (out, "null");
    append_text (out, "}\n");
    pending_counts_add (&self->pending, record->partition);
    return OUTCOME_OK;
}

/*  A file that was removed or moved away (rotated) is followed by a new one: nobody would find what is
 *  written to it, so what waits is written whole to the new one. */
static int follow_path (file_dead_letters_t *self)
{
    struct stat held, named;
    if (fstat (self->fd, &held) != 0)
        return -1;
    if (stat (self->path, &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
        return 0;
    return open_letters (self);
}

/*  Writes and syncs what waits; 0, or -1 (errno): what was written stays so. */
static int flush_queue (file_dead_letters_t *self)
{
    if (follow_path (self) != 0)
        return -1;
    if (self->half_line && write (self->fd, "\n", 1) != 1)
        return -1;
    self->half_line = false;
    while (self->written < self->queue.size) {
        ssize_t put =
            write (self->fd, self->queue.bytes + self->written, self->queue.size - self->written);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        self->written += (size_t)put;
    }
    if (fdatasync (self->fd))
        return -1;
    CRASH_POINT (LETTER_SAFE);
    buffer_clear (&self->queue);
    self->written = 0;
    pending_counts_clear (&self->pending);
    return 0;
}

static void do_poll (dead_letters_t *base)
{
    file_dead_letters_t *self = (file_dead_letters_t *)base;
    if (!self->queue.size)
        return;
    int64_t now_ms = clock_ms ();
    if (now_ms < self->next_ms)
        return;
    self->next_ms = now_ms + SYNC_INTERVAL_MS;
    if (flush_queue (self) == 0)
        return;
    self->next_ms = now_ms + RETRY_INTERVAL_MS;
    log_error ("cannot write the dead letters; trying again", F_STR ("path", self->path),
               F_STR ("error", strerror (errno)), F_INT ("waiting_bytes", self->queue.size));
}

static bool is_pending (const dead_letters_t *base, uint32_t partition)
{
    const file_dead_letters_t *self = (const file_dead_letters_t *)base;
    return pending_counts_get (&self->pending, partition) > 0;
}

static void do_destroy (dead_letters_t **base_p)
{
    file_dead_letters_t *self = (file_dead_letters_t *)*base_p;
    if (!self)
        return;
    *base_p = NULL;
    if (self->fd >= 0) {
        if (self->queue.size && flush_queue (self))
            log_error ("dead letters are not written; their messages will come again",
                       F_STR ("path", self->path), F_STR ("error", strerror (errno)));
        close (self->fd);
    }
    buffer_free (&self->queue);
    pending_counts_free (&self->pending);
    free (self->path);
    free (self);
}

static const dead_letters_ops_t file_dead_letters_ops = {
    .destroy = do_destroy,
    .add = do_add,
    .poll = do_poll,
    .pending = is_pending,
};

dead_letters_t *file_dead_letters_new (const char *path, char *error, size_t error_size)
{
    file_dead_letters_t *self = memory_new (sizeof *self);
    self->base.ops = &file_dead_letters_ops;
    self->path = memory_copy_string (path, strlen (path));
    self->fd = -1;
    if (open_letters (self) == 0)
        return &self->base;
    snprintf (error, error_size, "cannot write dead letters to %s: %s", path, strerror (errno));
    dead_letters_t *base = &self->base;
    do_destroy (&base);
    return NULL;
}
