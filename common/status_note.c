#include "common/status_note.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/memory.h"
#include "common/state_layout.h"

enum { ASIDE_END_BYTES = 6 /* mkostemp's */, ASIDE_KEPT_S = 60 };

struct status_noted {
    char path[PATH_MAX];
    int fd;
};

/*  Written aside and renamed: a reader never sees half of it. The lock is taken before, and goes with
 * the file; until then its name is one that readers, who lock what they look at, leave alone for
 * ASIDE_KEPT_S. */
static int write_note (const char *folder, const char *path, const status_note_t *note)
{
    char aside[PATH_MAX + 16];
    snprintf (aside, sizeof aside, "%s/.%s.XXXXXX", folder, note->name);
    int fd = mkostemp (aside, O_CLOEXEC);
    if (fd < 0)
        return -1;
    bool failed = flock (fd, LOCK_EX | LOCK_NB) != 0 || fchmod (fd, 0644) != 0 ||
                  dprintf (fd, "kind %s\npid %ld\naddress %s\ngiven %d\n", note->kind, note->pid,
                           note->address, note->given) < 0 ||
                  rename (aside, path) != 0;
    if (!failed)
        return fd;
    int reason = errno;
    unlink (aside);
    close (fd);
    errno = reason;
    return -1;
}

status_noted_t *status_note_put (const char *folder, const status_note_t *note, char *error,
                                 size_t error_size)
{
    status_noted_t *self = memory_new (sizeof *self);
    errno = ENAMETOOLONG;
    bool fits = snprintf (self->path, sizeof self->path, "%s/%s", folder, note->name) <
                (int)sizeof self->path;
    self->fd = fits && state_layout_make_folder (folder) == 0 ? write_note (folder, self->path, note) : -1;
    if (self->fd >= 0)
        return self;
    snprintf (error, error_size, "cannot note the address in %s: %s", self->path, strerror (errno));
    free (self);
    return NULL;
}

void status_note_remove (status_noted_t **self_p)
{
    status_noted_t *self = *self_p;
    if (!self)
        return;
    unlink (self->path);
    close (self->fd);
    free (self);
    *self_p = NULL;
}

/*  ---- reading ---- */

static const char *const kinds[] = {"configd",  "ingestor", "scorer",
                                    "profiler", "metrics",  "sink"};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

static int rank (const status_note_t *note)
{
    for (int i = 0; i < KIND_COUNT; i++) {
        if (strcmp (note->kind, kinds[i]) == 0)
            return i;
    }
    return KIND_COUNT;
}

static int by_kind_and_name (const void *a, const void *b)
{
    const status_note_t *one = a, *other = b;
    int order = rank (one) - rank (other);
    return order ? order : strcmp (one->name, other->name);
}

/*  Of a process that has ended. Not where the name is another file by now: its next life has come. */
static void remove_dead (int folder_fd, int fd, const char *name)
{
    struct stat opened, named;
    if (fstat (fd, &opened) == 0 && fstatat (folder_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        opened.st_dev == named.st_dev && opened.st_ino == named.st_ino)
        unlinkat (folder_fd, name, 0);
}

/*  0, or -1 where it is no note, or one that is of no use any more. */
static int read_note (int folder_fd, const char *name, status_note_t *note)
{
    int fd = openat (folder_fd, name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen (fd, "r") : NULL;
    if (!file) {
        if (fd >= 0)
            close (fd);
        return -1;
    }
    int given = 0, locked = flock (fd, LOCK_SH | LOCK_NB);
    *note = (status_note_t){.alive = locked != 0 && errno == EWOULDBLOCK};
    bool found = fscanf (file, "kind %255s\npid %ld\naddress %255s\ngiven %d", note->kind, &note->pid,
                         note->address, &given) == 4;
    snprintf (note->name, sizeof note->name, "%s", name);
    note->given = given != 0;
    bool of_use = note->alive || note->given;
    if (found && !of_use)
        remove_dead (folder_fd, fd, name);
    fclose (file);
    return found && of_use ? 0 : -1;
}

/*  Has it the form of write_note's names aside? */
static bool is_aside (const char *name)
{
    size_t size = strlen (name);
    if (name[0] != '.' || size < ASIDE_END_BYTES + 3 || name[size - ASIDE_END_BYTES - 1] != '.')
        return false;
    for (const char *at = name + size - ASIDE_END_BYTES; *at; at++)
        if (!isalnum ((unsigned char)*at))
            return false;
    return true;
}

/*  What a process left that was killed between writing its note aside and giving it its name. A
 * young one may be just about to be locked. */
static void sweep_aside (int folder_fd, const char *name)
{
    struct stat status;
    int fd = openat (folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat (fd, &status) == 0 && S_ISREG (status.st_mode) && time (NULL) - status.st_mtime > ASIDE_KEPT_S &&
        flock (fd, LOCK_EX | LOCK_NB) == 0)
        remove_dead (folder_fd, fd, name);
    close (fd);
}

status_note_t *status_notes_read (const char *folder, size_t *count)
{
    status_note_t *list = NULL, note;
    *count = 0;
    DIR *entries = opendir (folder);
    for (struct dirent *entry; entries && (entry = readdir (entries)) != NULL;) {
        if (is_aside (entry->d_name))
            sweep_aside (dirfd (entries), entry->d_name);
        if (entry->d_name[0] == '.' || strlen (entry->d_name) >= sizeof note.name ||
            read_note (dirfd (entries), entry->d_name, &note) != 0)
            continue;
        if (*count == STATUS_NOTES_MAX)
            break;
        list = memory_resize (list, (*count + 1) * sizeof *list);
        list[(*count)++] = note;
    }
    if (entries)
        closedir (entries);
    if (list)
        qsort (list, *count, sizeof *list, by_kind_and_name);
    return list;
}
