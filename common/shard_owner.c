#include "common/shard_owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crash_point.h"
#include "common/memory.h"
#include "common/state_layout.h"

enum { MEMBER_TRIES = 150, MEMBER_AGAIN_MS = 20 };

struct shard_owner {
    char folder[PATH_MAX - 300];
    char path[PATH_MAX];
    char *name;
    int member_fd;
    uint32_t shard_count, held_count, rank;
    int *lock_fds; /* by shard; -1: not ours */
    int64_t joined_ms;
    bool stands_by;
    shard_owner_events_t events;
};

uint32_t shard_owner_share (uint32_t shard_count, uint32_t workers)
{
    return workers ? (shard_count + workers - 1) / workers : shard_count;
}

/*  Opens and locks; -1 where another holds it (errno EWOULDBLOCK) or it cannot be opened. */
static int lock_file (const char *path)
{
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        close (fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/*  Does the path still name the file that is locked? Only then may its holder say what becomes of it: the
 *  file may have been swept away, and another made in its place. */
static bool is_in_place (int fd, const char *path)
{
    struct stat held, named;
    return fstat (fd, &held) == 0 && stat (path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/*  A member's file may be swept away by another worker between its making and its locking; and a killed
 *  predecessor of this name holds it until the kernel has taken it apart. */
static int lock_member (const char *path)
{
    for (int i = 0; i < MEMBER_TRIES; i++) {
        int fd = lock_file (path);
        if (fd < 0 && errno != EWOULDBLOCK)
            return -1;
        if (fd < 0)
            usleep (MEMBER_AGAIN_MS * 1000);
        if (fd >= 0 && is_in_place (fd, path))
            return fd;
        if (fd >= 0)
            close (fd);
    }
    errno = EADDRINUSE;
    return -1;
}

shard_owner_t *shard_owner_new (const char *folder, const char *name, uint32_t shard_count,
                                const shard_owner_events_t *events, char *error, size_t error_size)
{
    shard_owner_t *self = memory_new (sizeof *self);
    self->name = memory_copy_string (name, strlen (name));
    self->shard_count = shard_count;
    self->events = *events;
    self->member_fd = -1;
    self->joined_ms = INT64_MIN;
    self->lock_fds = memory_new_array (shard_count, sizeof *self->lock_fds);
    for (uint32_t i = 0; i < shard_count; i++)
        self->lock_fds[i] = -1;
    bool fits = snprintf (self->folder, sizeof self->folder, "%s", folder) < (int) sizeof self->folder;
    errno = ENAMETOOLONG;
    snprintf (self->path, sizeof self->path, "%s/members", self->folder);
    if (fits && state_layout_make_folder (self->path) == 0) {
        snprintf (self->path, sizeof self->path, "%s/members/%s", self->folder, name);
        self->member_fd = lock_member (self->path);
    }
    if (self->member_fd < 0) {
        snprintf (error, error_size, "cannot join the workers in %s: %s", folder, strerror (errno));
        shard_owner_destroy (&self);
    }
    return self;
}

void shard_owner_destroy (shard_owner_t **self_p)
{
    shard_owner_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->shard_count; i++)
        shard_owner_release (self, i);
    if (self->member_fd >= 0) {
        snprintf (self->path, sizeof self->path, "%s/members/%s", self->folder, self->name);
        unlink (self->path);
        close (self->member_fd);
    }
    free (self->lock_fds);
    free (self->name);
    free (self);
    *self_p = NULL;
}

bool shard_owner_stands_by (const shard_owner_t *self)
{
    return self->stands_by && self->held_count == 0;
}

const char *shard_owner_folder (shard_owner_t *self, uint32_t shard)
{
    snprintf (self->path, sizeof self->path, "%s/%u", self->folder, shard);
    return self->path;
}

void shard_owner_release (shard_owner_t *self, uint32_t shard)
{
    if (self->lock_fds[shard] < 0)
        return;
    close (self->lock_fds[shard]);
    self->lock_fds[shard] = -1;
    self->held_count--;
}

/*  Workers that live now, this one included; the files of dead ones are swept. Also finds this one's rank
 *  among the names, which spreads who tries which shard first. */
static uint32_t count_members (shard_owner_t *self)
{
    uint32_t count = 1, rank = 0;
    snprintf (self->path, sizeof self->path, "%s/members", self->folder);
    DIR *folder = opendir (self->path);
    for (struct dirent *file; folder && (file = readdir (folder)) != NULL;) {
        if (file->d_name[0] == '.' || strcmp (file->d_name, self->name) == 0)
            continue;
        snprintf (self->path, sizeof self->path, "%s/members/%s", self->folder, file->d_name);
        int fd = open (self->path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (flock (fd, LOCK_EX | LOCK_NB) == 0) {
            if (is_in_place (fd, self->path))
                unlink (self->path);
        } else {
            count++;
            rank += strcmp (file->d_name, self->name) < 0;
        }
        close (fd);
    }
    if (folder)
        closedir (folder);
    self->rank = rank;
    return count;
}

static void try_take (shard_owner_t *self, uint32_t shard)
{
    if (self->lock_fds[shard] >= 0)
        return;
    shard_owner_folder (self, shard);
    if (state_layout_make_folder (self->path) != 0)
        return;
    strncat (self->path, "/lock", sizeof self->path - strlen (self->path) - 1);
    int fd = lock_file (self->path);
    if (fd < 0)
        return;
    CRASH_POINT (LOCK_TAKEN);
    self->lock_fds[shard] = fd;
    self->held_count++;
    if (self->events.taken (self->events.arg, shard) != 0)
        shard_owner_release (self, shard);
}

void shard_owner_step (shard_owner_t *self, int64_t now_ms)
{
    if (self->joined_ms == INT64_MIN)
        self->joined_ms = now_ms;
    uint32_t workers = count_members (self);
    uint32_t share = shard_owner_share (self->shard_count, workers);
    self->stands_by = workers > self->shard_count;
    uint32_t surplus = self->held_count > share ? self->held_count - share : 0;
    for (uint32_t i = self->shard_count; i-- > 0 && surplus;) {
        if (self->lock_fds[i] < 0)
            continue;
        self->events.surplus (self->events.arg, i);
        surplus--;
    }
    if (now_ms - self->joined_ms < SHARD_OWNER_SETTLE_MS)
        return;
    uint32_t first = self->rank * share;
    for (uint32_t i = 0; i < self->shard_count && self->held_count < share; i++)
        try_take (self, (first + i) % self->shard_count);
}
