/*  spool: see spool.h. */
#include "ingestor/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"
#include "common/memory.h"

enum { PIECE_BYTES = 64 << 10, PIECES_MAX = 16, FORGET_STEP_BYTES = 1 << 20 };

struct spool {
    char *path;
    int input, fd;
    bool ended;      /* the input gave its end */
    int64_t size;    /* written */
    int64_t oldest;  /* first byte that is kept */
    size_t from, to; /* read from the input and not yet written: piece[from .. to) */
    char piece[PIECE_BYTES];
};

/*  Makes every folder of the path. */
static int make_folders (const char *path)
{
    char *copy = memory_copy_string (path, strlen (path));
    int status = 0;
    for (char *slash = copy; status == 0 && slash; *slash = '/') {
        slash = strchr (slash + 1, '/');
        if (slash)
            *slash = 0;
        if (mkdir (copy, 0777) && errno != EEXIST)
            status = -1;
        if (!slash)
            break;
    }
    free (copy);
    return status;
}

spool_t *spool_new (const char *folder, int input, char *error, size_t error_size)
{
    spool_t *self = memory_new (sizeof *self);
    self->input = input;
    self->fd = -1;
    static const char name[] = "/stdin.spool";
    size_t size = strlen (folder);
    self->path = memory_new (size + sizeof name);
    memcpy (self->path, folder, size);
    memcpy (self->path + size, name, sizeof name);
    if (make_folders (folder) == 0)
        self->fd = open (self->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (self->fd < 0) {
        snprintf (error, error_size, "cannot make the spool %s: %s", self->path, strerror (errno));
        spool_destroy (&self);
    }
    return self;
}

void spool_destroy (spool_t **self_p)
{
    spool_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->fd >= 0) {
        struct stat held, named;
        bool ours = fstat (self->fd, &held) == 0 && stat (self->path, &named) == 0 &&
                    held.st_ino == named.st_ino && held.st_dev == named.st_dev;
        close (self->fd);
        if (ours)
            unlink (self->path);
    }
    free (self->path);
    free (self);
}

/*  Writes what was read; false where the disk takes no more just now. */
static bool flush_piece (spool_t *self)
{
    while (self->from < self->to) {
        ssize_t put =
            pwrite (self->fd, self->piece + self->from, self->to - self->from, self->size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            log_error ("cannot write the spool of the standard input; trying again",
                       F_STR ("path", self->path), F_STR ("error", strerror (errno)));
            return false;
        }
        self->from += (size_t)put;
        self->size += put;
    }
    self->from = self->to = 0;
    return true;
}

/*  True where the input has something (or its end) now. */
static bool input_is_ready (const spool_t *self)
{
    struct pollfd wait = {.fd = self->input, .events = POLLIN};
    return poll (&wait, 1, 0) == 1;
}

bool spool_fill (spool_t *self, int64_t wanted)
{
    int64_t before = self->size;
    bool ended_before = spool_ended (self);
    for (int i = 0; i < PIECES_MAX; i++) {
        if (!flush_piece (self))
            break;
        if (self->ended || self->size >= wanted + SPOOL_AHEAD_BYTES || !input_is_ready (self))
            break;
        ssize_t got = read (self->input, self->piece, sizeof self->piece);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            log_error ("cannot read the standard input; taken as its end",
                       F_STR ("error", strerror (errno)));
        if (got <= 0)
            self->ended = true;
        else
            self->to = (size_t)got;
    }
    return self->size != before || spool_ended (self) != ended_before;
}

int spool_fd (const spool_t *self)
{
    return self->fd;
}

int64_t spool_size (const spool_t *self)
{
    return self->size;
}

bool spool_ended (const spool_t *self)
{
    return self->ended && self->from == self->to;
}

int spool_wait_fd (const spool_t *self, int64_t wanted)
{
    bool takes = !self->ended && self->from == self->to && self->size < wanted + SPOOL_AHEAD_BYTES;
    return takes ? self->input : -1;
}

int64_t spool_forget (spool_t *self, int64_t offset)
{
    int64_t keep = offset / FORGET_STEP_BYTES * FORGET_STEP_BYTES;
    if (keep > self->oldest && keep <= self->size) {
        /*  A file system that cannot do it keeps the bytes: they are only room. */
        if (fallocate (self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, self->oldest,
                       keep - self->oldest) == 0)
            self->oldest = keep;
    }
    return self->oldest;
}
