#include "common/shard_owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/memory.h"
#include "common/share_plan.h"

enum { MEMBER_TRIES = 150, MEMBER_AGAIN_MS = 20, HELD_UNKNOWN = -1 };

/*  A shard's lock, and when it may be tried again. */
typedef struct {
    int fd; /* -1: not ours */
    int64_t again_ms, wait_ms;
} lock_t;

/*  A worker of the stage. Whether it lives is known by its lock; whether it works, by its
 *  touching its file. */
typedef struct {
    char *name;
    int64_t held;
    struct timespec touched;
    int64_t moved_ms; /* own clock, when `touched` was last seen to change */
    bool seen;        /* by the present look */
} peer_t;

struct shard_owner {
    char folder[PATH_MAX - 300];
    char path[PATH_MAX];
    char *name;
    int member_fd;
    uint32_t shard_count, held_count, target, rank;
    lock_t *locks; /* by shard */
    peer_t *peers; /* in the order of names, without this one */
    uint32_t peer_count;
    share_member_t *members; /* room for all peers and this one */
    int64_t joined_ms, wanting_ms;
    bool left;
    shard_owner_events_t events;
};

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

/*  Does the path still name the file that is locked? Only then may its holder say what becomes
 *  of it: the file may have been swept away, and another made in its place. */
static bool is_in_place (int fd, const char *path)
{
    struct stat held, named;
    return fstat (fd, &held) == 0 && stat (path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/*  Only the last folder of a path: one whose parents were removed must not come back by itself. */
static int make_folder (const char *path)
{
    return mkdir (path, 0755) == 0 || errno == EEXIST ? 0 : -1;
}

static const char *member_path (shard_owner_t *self)
{
    snprintf (self->path, sizeof self->path, "%s/members/%s", self->folder, self->name);
    return self->path;
}

static const char *lock_path (shard_owner_t *self, uint32_t shard)
{
    snprintf (self->path, sizeof self->path, "%s/%u/lock", self->folder, shard);
    return self->path;
}

/*  ---- membership ---- */

/*  A member's file may be swept away by another worker between its making and its locking; and a
 *  killed predecessor of this name holds it until the kernel has taken it apart. */
static int lock_member (const char *path, int tries)
{
    for (int i = 0; i < tries; i++) {
        int fd = lock_file (path);
        if (fd < 0 && errno != EWOULDBLOCK)
            return -1;
        if (fd < 0 && i + 1 < tries)
            usleep (MEMBER_AGAIN_MS * 1000);
        if (fd >= 0 && is_in_place (fd, path))
            return fd;
        if (fd >= 0)
            close (fd);
    }
    errno = EADDRINUSE;
    return -1;
}

static int join (shard_owner_t *self, int tries)
{
    snprintf (self->path, sizeof self->path, "%s/members", self->folder);
    if (make_folder (self->folder) != 0 || make_folder (self->path) != 0)
        return -1;
    self->member_fd = lock_member (member_path (self), tries);
    return self->member_fd < 0 ? -1 : 0;
}

/*  Says how many it holds. On a full disk the number may be missing: being touched needs no
 *  room. */
static void publish (shard_owner_t *self)
{
    char text[32];
    int size = snprintf (text, sizeof text, "held=%06u\n", self->held_count);
    ssize_t written = pwrite (self->member_fd, text, (size_t)size, 0);
    (void)written;
    (void)futimens (self->member_fd, NULL);
}

shard_owner_t *shard_owner_new (const char *folder, const char *name, uint32_t shard_count,
                                const shard_owner_events_t *events, char *error, size_t error_size)
{
    shard_owner_t *self = memory_new (sizeof *self);
    self->name = memory_copy_string (name, strlen (name));
    self->shard_count = self->target = shard_count;
    self->events = *events;
    self->member_fd = -1;
    self->joined_ms = self->wanting_ms = INT64_MIN;
    self->locks = memory_new_array (shard_count, sizeof *self->locks);
    for (uint32_t i = 0; i < shard_count; i++)
        self->locks[i] = (lock_t){-1, INT64_MIN, 0};
    self->peers = memory_new_array (SHARD_OWNER_MEMBERS_MAX, sizeof *self->peers);
    self->members = memory_new_array (SHARD_OWNER_MEMBERS_MAX + 1, sizeof *self->members);
    bool fits = snprintf (self->folder, sizeof self->folder, "%s", folder) < (int)sizeof self->folder;
    errno = ENAMETOOLONG;
    if (!fits || join (self, MEMBER_TRIES) != 0) {
        snprintf (error, error_size, "cannot join the workers in %s: %s", folder, strerror (errno));
        shard_owner_destroy (&self);
        return NULL;
    }
    publish (self);
    return self;
}

void shard_owner_leave (shard_owner_t *self)
{
    if (self->member_fd < 0)
        return;
    if (is_in_place (self->member_fd, member_path (self)))
        unlink (self->path);
    close (self->member_fd);
    self->member_fd = -1;
    self->left = true;
}

void shard_owner_destroy (shard_owner_t **self_p)
{
    shard_owner_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->shard_count; i++)
        shard_owner_release (self, i);
    shard_owner_leave (self);
    for (uint32_t i = 0; i < self->peer_count; i++)
        free (self->peers[i].name);
    free (self->peers);
    free (self->members);
    free (self->locks);
    free (self->name);
    free (self);
    *self_p = NULL;
}

bool shard_owner_stands_by (const shard_owner_t *self)
{
    return self->target == 0 && self->held_count == 0;
}

const char *shard_owner_folder (shard_owner_t *self, uint32_t shard)
{
    snprintf (self->path, sizeof self->path, "%s/%u", self->folder, shard);
    return self->path;
}

/*  ---- the others ---- */

/*  The place of a name among the peers, made where it is new; NULL: there are too many. */
static peer_t *find_peer (shard_owner_t *self, const char *name, int64_t now_ms)
{
    uint32_t at = 0;
    while (at < self->peer_count && strcmp (self->peers[at].name, name) < 0)
        at++;
    peer_t *peer = &self->peers[at];
    if (at < self->peer_count && strcmp (peer->name, name) == 0)
        return peer;
    if (self->peer_count == SHARD_OWNER_MEMBERS_MAX)
        return NULL;
    memmove (peer + 1, peer, (self->peer_count - at) * sizeof *peer);
    self->peer_count++;
    *peer = (peer_t){.name = memory_copy_string (name, strlen (name)), .moved_ms = now_ms};
    return peer;
}

static void see_peer (shard_owner_t *self, const char *name, int fd, int64_t now_ms)
{
    char text[32] = "";
    struct stat found;
    unsigned held;
    peer_t *peer = find_peer (self, name, now_ms);
    if (!peer || fstat (fd, &found) != 0)
        return;
    ssize_t size = pread (fd, text, sizeof text - 1, 0);
    peer->held = size > 0 && sscanf (text, "held=%u", &held) == 1 ? (int64_t)held : HELD_UNKNOWN;
    if (found.st_mtim.tv_sec != peer->touched.tv_sec || found.st_mtim.tv_nsec != peer->touched.tv_nsec)
        peer->moved_ms = now_ms;
    peer->touched = found.st_mtim;
    peer->seen = true;
}

/*  Workers that live now; the files of dead ones are swept. */
static void see_peers (shard_owner_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->peer_count; i++)
        self->peers[i].seen = false;
    snprintf (self->path, sizeof self->path, "%s/members", self->folder);
    DIR *folder = opendir (self->path);
    for (struct dirent *file; folder && (file = readdir (folder)) != NULL;) {
        if (file->d_name[0] == '.' || strcmp (file->d_name, self->name) == 0)
            continue;
        snprintf (self->path, sizeof self->path, "%s/members/%s", self->folder, file->d_name);
        int fd = open (self->path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (flock (fd, LOCK_EX | LOCK_NB) != 0)
            see_peer (self, file->d_name, fd, now_ms);
        else if (is_in_place (fd, self->path))
            unlink (self->path);
        close (fd);
    }
    if (folder)
        closedir (folder);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->peer_count; i++) {
        if (self->peers[i].seen)
            self->peers[kept++] = self->peers[i];
        else
            free (self->peers[i].name);
    }
    self->peer_count = kept;
}

static void plan (shard_owner_t *self, int64_t now_ms)
{
    uint32_t count = self->peer_count + 1, at = 0;
    self->rank = 0;
    while (self->rank < self->peer_count && strcmp (self->peers[self->rank].name, self->name) < 0)
        self->rank++;
    for (uint32_t i = 0; i < count; i++) {
        if (i == self->rank) {
            self->members[i] = (share_member_t){self->held_count, true};
            continue;
        }
        const peer_t *peer = &self->peers[at++];
        uint32_t held = peer->held < 0 ? self->shard_count / count : (uint32_t)peer->held;
        self->members[i] =
            (share_member_t){held, now_ms - peer->moved_ms <= SHARD_OWNER_FROZEN_MS};
    }
    self->target = share_plan (self->shard_count, self->members, count, self->rank);
}

/*  ---- shards ---- */

static void let_go (shard_owner_t *self, uint32_t shard)
{
    close (self->locks[shard].fd);
    self->locks[shard].fd = -1;
    self->held_count--;
    if (!self->left && self->member_fd >= 0)
        publish (self);
}

void shard_owner_release (shard_owner_t *self, uint32_t shard)
{
    if (self->locks[shard].fd >= 0)
        let_go (self, shard);
}

void shard_owner_give_up (shard_owner_t *self, uint32_t shard, int64_t now_ms)
{
    lock_t *lock = &self->locks[shard];
    if (lock->fd < 0)
        return;
    let_go (self, shard);
    lock->wait_ms = lock->wait_ms ? lock->wait_ms * 2 : SHARD_OWNER_AGAIN_MS;
    if (lock->wait_ms > SHARD_OWNER_AGAIN_MOST_MS)
        lock->wait_ms = SHARD_OWNER_AGAIN_MOST_MS;
    lock->again_ms = now_ms + lock->wait_ms;
}

static void try_take (shard_owner_t *self, uint32_t shard, int64_t now_ms)
{
    lock_t *lock = &self->locks[shard];
    if (lock->fd >= 0 || now_ms < lock->again_ms)
        return;
    shard_owner_folder (self, shard);
    if (make_folder (self->path) != 0)
        return;
    lock->fd = lock_file (lock_path (self, shard));
    if (lock->fd < 0)
        return;
    CRASH_POINT (LOCK_TAKEN);
    self->held_count++;
    publish (self);
    if (!is_in_place (lock->fd, self->path))
        shard_owner_release (self, shard);
    else if (self->events.taken (self->events.arg, shard) != 0)
        shard_owner_give_up (self, shard, now_ms);
    else
        lock->wait_ms = 0;
}

static void look_at_locks (shard_owner_t *self)
{
    for (uint32_t i = 0; i < self->shard_count; i++) {
        if (self->locks[i].fd >= 0 && !is_in_place (self->locks[i].fd, lock_path (self, i)))
            self->events.lost (self->events.arg, i);
    }
}

/*  Its file among the members may have been removed: then the others do not count it. */
static int stay_member (shard_owner_t *self, char *error, size_t error_size)
{
    if (is_in_place (self->member_fd, member_path (self)))
        return 0;
    close (self->member_fd);
    self->member_fd = -1;
    if (join (self, 1) == 0)
        return 0;
    snprintf (error, error_size, "cannot join the workers in %s again, from where this one was removed: %s",
              self->folder, strerror (errno));
    return -1;
}

static void give_surplus (shard_owner_t *self)
{
    uint32_t surplus = self->held_count > self->target ? self->held_count - self->target : 0;
    for (uint32_t i = self->shard_count; i-- > 0 && surplus;) {
        if (self->locks[i].fd < 0)
            continue;
        self->events.surplus (self->events.arg, i);
        surplus--;
    }
}

/*  Those that take long to open leave time for other work, and for a new look at the others. */
static void take_free (shard_owner_t *self, int64_t now_ms)
{
    uint32_t first = self->rank * self->target;
    int64_t until_ms = clock_ms () + SHARD_OWNER_TAKE_MS;
    for (uint32_t i = 0; i < self->shard_count && self->held_count < self->target; i++) {
        try_take (self, (first + i) % self->shard_count, now_ms);
        if (clock_ms () > until_ms)
            return;
    }
}

int64_t shard_owner_step (shard_owner_t *self, int64_t now_ms, char *error, size_t error_size)
{
    look_at_locks (self);
    if (self->left)
        return SHARD_OWNER_STEP_MS;
    if (stay_member (self, error, error_size) != 0)
        return -1;
    if (self->joined_ms == INT64_MIN)
        self->joined_ms = now_ms;
    publish (self);
    see_peers (self, now_ms);
    plan (self, now_ms);
    give_surplus (self);
    if (now_ms - self->joined_ms < SHARD_OWNER_SETTLE_MS)
        return SHARD_OWNER_HASTE_MS;
    take_free (self, now_ms);
    if (self->held_count >= self->target)
        self->wanting_ms = INT64_MIN;
    else if (self->wanting_ms == INT64_MIN)
        self->wanting_ms = now_ms;
    bool haste = self->wanting_ms != INT64_MIN && now_ms - self->wanting_ms < SHARD_OWNER_HASTE_MAX_MS;
    return haste ? SHARD_OWNER_HASTE_MS : SHARD_OWNER_STEP_MS;
}
