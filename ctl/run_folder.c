#include "ctl/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/state_layout.h"
#include "ctl/run_plan.h"

/*  Opens and locks STATE/run.lock; -1 with errno (EWOULDBLOCK: another run has it, whose process
 *  id is then in `holder`). */
static int lock_file (const char *state, char holder[32])
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/run.lock", state);
    holder[0] = '\0';
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    if (flock (fd, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        ssize_t size = pread (fd, holder, 31, 0);
        holder[size > 0 ? size : 0] = '\0';
        holder[strspn (holder, "0123456789")] = '\0';
        close (fd);
        errno = reason;
        return -1;
    }
    int size = snprintf (holder, 32, "%ld\n", (long)getpid ());
    /* For a message only: a lock without a name is a lock. */
    if (ftruncate (fd, 0) != 0 || pwrite (fd, holder, (size_t)size, 0) != size)
        return fd;
    return fd;
}

static void explain_taken (const char *state, const char *holder, char *error, size_t error_size)
{
    snprintf (error, error_size,
              "the state folder %s is in use by another `hotpath run` (process %s): one run at a "
              "time; more workers are started as hotpath-scorer and the like",
              state, *holder ? holder : "unknown");
}

static int lock (run_folder_t *self, const char *state, char *error, size_t error_size, int *code)
{
    char holder[32];
    self->lock_fd = lock_file (state, holder);
    if (self->lock_fd >= 0)
        return 0;
    *code = errno == EWOULDBLOCK ? EX_TEMPFAIL : EX_CANTCREAT;
    if (errno == EWOULDBLOCK)
        explain_taken (state, holder, error, error_size);
    else
        snprintf (error, error_size, "cannot open %s/run.lock: %s", state, strerror (errno));
    return -1;
}

static bool lock_is_in_place (const run_folder_t *self, const char *state)
{
    char path[PATH_MAX];
    struct stat held, named;
    snprintf (path, sizeof path, "%s/run.lock", state);
    return fstat (self->lock_fd, &held) == 0 && stat (path, &named) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/*  What a killed run left: sockets only. */
static void remove_sockets (const char *folder)
{
    DIR *entries = opendir (folder);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir (entries)) != NULL;) {
        struct stat found;
        if (fstatat (dirfd (entries), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISSOCK (found.st_mode))
            unlinkat (dirfd (entries), entry->d_name, 0);
    }
    closedir (entries);
}

static int make_sockets (run_folder_t *self, const char *state)
{
    char whole[PATH_MAX];
    if (!realpath (state, whole))
        return -1;
    bool fits =
        snprintf (self->sockets, sizeof self->sockets, "%s/run", whole) < (int)sizeof self->sockets;
    if (fits && run_plan_sockets_fit (self->sockets)) {
        if (mkdir (self->sockets, 0700) != 0 && errno != EEXIST)
            return -1;
        remove_sockets (self->sockets);
        return 0;
    }
    strcpy (self->sockets, "/tmp/hotpath-XXXXXX");
    self->temporary = mkdtemp (self->sockets) != NULL;
    return self->temporary ? 0 : -1;
}

int run_folder_open (run_folder_t *self, const char *state, uint32_t shard_count, char *error,
                     size_t error_size, int *code)
{
    *self = (run_folder_t){.lock_fd = -1};
    *code = EX_CANTCREAT;
    if (state_layout_make_folder (state) != 0) {
        snprintf (error, error_size, "cannot make the state folder %s: %s", state,
                  strerror (errno));
        return -1;
    }
    if (lock (self, state, error, error_size, code) != 0)
        goto failed;
    *code = state_layout_open (state, shard_count, &self->layout, error, error_size);
    if (*code)
        goto failed;
    *code = EX_CANTCREAT;
    if (make_sockets (self, state) != 0) {
        snprintf (error, error_size, "cannot make %s, the folder of sockets: %s", self->sockets,
                  strerror (errno));
        self->sockets[0] = '\0';
        goto failed;
    }
    return 0;
failed:
    run_folder_close (self);
    return -1;
}

run_folder_state_t run_folder_look (run_folder_t *self, const char *state, char *error,
                                    size_t error_size)
{
    char holder[32];
    if (state_layout_check (state, &self->layout, error, error_size) != 0) {
        self->lost = true;
        return RUN_FOLDER_LOST;
    }
    if (!lock_is_in_place (self, state)) {
        int fd = lock_file (state, holder);
        if (fd < 0 && errno == EWOULDBLOCK) {
            explain_taken (state, holder, error, error_size);
            self->lost = true;
            return RUN_FOLDER_TAKEN;
        }
        if (fd < 0) /* no room, say: until there is, it is as if it had not been removed */
            return RUN_FOLDER_WELL;
        close (self->lock_fd);
        self->lock_fd = fd;
        snprintf (error, error_size, "%s/run.lock was removed while this ran", state);
        return RUN_FOLDER_LOCKED_ANEW;
    }
    if (access (self->sockets, F_OK) != 0 && errno == ENOENT && mkdir (self->sockets, 0700) == 0) {
        snprintf (error, error_size, "%s, the folder of sockets, was removed while this ran",
                  self->sockets);
        return RUN_FOLDER_NO_SOCKETS;
    }
    return RUN_FOLDER_WELL;
}

void run_folder_close (run_folder_t *self)
{
    if (self->sockets[0] && (self->temporary || !self->lost))
        remove_sockets (self->sockets);
    if (self->temporary)
        rmdir (self->sockets);
    if (self->lock_fd >= 0)
        close (self->lock_fd);
    *self = (run_folder_t){.lock_fd = -1};
}
