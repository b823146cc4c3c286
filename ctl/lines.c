#include "ctl/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void give (char *from, size_t size, lines_fn take, void *arg)
{
    from[size] = '\0';
    take (arg, from, size);
}

int lines_read (lines_t *self, int fd, lines_fn take, void *arg)
{
    ssize_t got;
    do
        got = read (fd, self->bytes + self->size, LINES_BYTES_MAX - self->size);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return (int)got;
    self->size += (size_t)got;
    char *from = self->bytes, *end = self->bytes + self->size;
    for (char *newline; (newline = memchr (from, '\n', (size_t)(end - from))) != NULL;) {
        give (from, (size_t)(newline - from), take, arg);
        from = newline + 1;
    }
    self->size = (size_t)(end - from);
    if (self->size == LINES_BYTES_MAX)
        lines_end (self, take, arg);
    else
        memmove (self->bytes, from, self->size);
    return (int)got;
}

void lines_end (lines_t *self, lines_fn take, void *arg)
{
    if (self->size)
        give (self->bytes, self->size, take, arg);
    self->size = 0;
}
