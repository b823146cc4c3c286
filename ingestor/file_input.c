/*  file_input: see file_input.h. */
#include "ingestor/file_input.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/event.h"
#include "ingestor/file_lines.h"

enum { GLANCE_BYTES = 4096 };

static ssize_t read_start (int fd, char *buffer, size_t from, size_t size)
{
    while (from < size) {
        ssize_t got = pread (fd, buffer + from, size - from, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (!got)
            break;
        from += (size_t)got;
    }
    return (ssize_t)from;
}

/*  Finds the name by the first line; -1 where the file cannot be read. */
static int find_name (const char *path, int fd, bool complete, char *buffer, file_look_t *look)
{
    ssize_t size = read_start (fd, buffer, 0, GLANCE_BYTES);
    const char *newline = size > 0 ? memchr (buffer, '\n', (size_t)size) : NULL;
    if (size == GLANCE_BYTES && !newline) {
        size = read_start (fd, buffer, GLANCE_BYTES, EVENT_MESSAGE_BYTES_MAX);
        newline = size > 0 ? memchr (buffer, '\n', (size_t)size) : NULL;
    }
    if (size < 0)
        return -1;
    bool whole = newline || size == EVENT_MESSAGE_BYTES_MAX || (complete && size > 0);
    span_t line = {buffer, newline ? (size_t)(newline - buffer) : (size_t)size};
    look->empty = !whole;
    look->name = whole ? file_lines_partition_name (path, line) : file_lines_empty_name (path);
    return 0;
}

file_input_result_t file_input_look (file_input_t *self, int fd, bool complete, char *buffer,
                                     file_look_t *look)
{
    struct stat now;
    if (fd >= 0 ? fstat (fd, &now) : stat (self->path, &now))
        return FILE_INPUT_ABSENT;
    if (self->known && now.st_dev == self->device && now.st_ino == self->inode &&
        now.st_size == self->size && now.st_mtim.tv_sec == self->changed.tv_sec &&
        now.st_mtim.tv_nsec == self->changed.tv_nsec)
        return FILE_INPUT_SAME;

    look->fd = fd >= 0 ? fcntl (fd, F_DUPFD_CLOEXEC, 0) : open (self->path, O_RDONLY | O_CLOEXEC);
    if (look->fd < 0)
        return FILE_INPUT_ABSENT;
    /*  The path may lead elsewhere since: what was opened counts. */
    if (fstat (look->fd, &now) || find_name (self->path, look->fd, complete, buffer, look)) {
        int reason = errno;
        close (look->fd);
        errno = reason;
        return FILE_INPUT_ABSENT;
    }
    look->moved = !self->known || now.st_dev != self->device || now.st_ino != self->inode;
    look->size = now.st_size;
    self->known = true;
    self->device = now.st_dev;
    self->inode = now.st_ino;
    self->size = now.st_size;
    self->changed = now.st_mtim;
    return FILE_INPUT_CHANGED;
}
