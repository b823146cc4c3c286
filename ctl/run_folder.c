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

static int lock (run_folder_t *self, const char *state, char *error, size_t error_size, int *code)
{
    char path[PATH_MAX], holder[32] = "";
    snprintf (path, sizeof path, "%s/run.lock", state);
    self->lock_fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (self->lock_fd < 0) {
        *code = EX_CANTCREAT;
        snprintf (error, error_size, "cannot open %s: %s", path, strerror (errno));
        return -1;
    }
    if (flock (self->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t size = pread (self->lock_fd, holder, sizeof holder - 1, 0);
        holder[size > 0 ? strspn (holder, "0123456789") : 0] = '\0';
        *code = EX_TEMPFAIL;
        snprintf (
            error, error_size,
            "the state folder %s is in use by another `hotpath run` (process %s): one run at a "
            "time; more workers are started as hotpath-scorer and the like",
            state, *holder ? holder : "unknown");
        return -1;
    }
    int size = snprintf (holder, sizeof holder, "%ld\n", (long)getpid ());
    /* For the message above only: a lock without a name is a lock. */
    if (ftruncate (self->lock_fd, 0) != 0 ||
        pwrite (self->lock_fd, holder, (size_t)size, 0) != size)
        return 0;
    return 0;
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

void run_folder_close (run_folder_t *self)
{
    if (self->sockets[0])
        remove_sockets (self->sockets);
    if (self->temporary)
        rmdir (self->sockets);
    if (self->lock_fd >= 0)
        close (self->lock_fd);
    *self = (run_folder_t){.lock_fd = -1};
}
