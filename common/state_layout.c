#include "common/state_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

int state_layout_make_folder (const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen (path);
    if (size == 0 || size >= sizeof part) {
        errno = size ? ENAMETOOLONG : ENOENT;
        return -1;
    }
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy (part, path, i);
        part[i] = '\0';
        if (mkdir (part, 0755) != 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

static int read_layout (const char *path, uint32_t *format, state_layout_t *layout)
{
    FILE *file = fopen (path, "re");
    if (!file)
        return -1;
    int found = fscanf (file, "format=%" SCNu32 " shards=%" SCNu32 " lineage=%" SCNx64, format,
                        &layout->shard_count, &layout->lineage);
    fclose (file);
    if (found != 3 || !layout->lineage) {
        layout->lineage = 0;
        errno = EINVAL;
        return -1;
    }
    return 0;
}

/*  A name is durable only with its folder: without it the shards would be of a lineage that
 *  nobody knows. */
static void sync_folder_of (const char *path)
{
    char folder[PATH_MAX];
    snprintf (folder, sizeof folder, "%s", path);
    char *slash = strrchr (folder, '/');
    if (slash)
        *slash = '\0';
    int fd = slash ? open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    fsync (fd);
    close (fd);
}

/*  Written aside, synced, then linked: whoever links first has made it, and nobody reads half of
 *  it. */
static int make_layout (const char *path, uint32_t shard_count)
{
    char aside[PATH_MAX];
    snprintf (aside, sizeof aside, "%s.XXXXXX", path);
    uint64_t lineage = 0;
    while (!lineage) {
        if (getrandom (&lineage, sizeof lineage, 0) != sizeof lineage)
            return -1;
    }
    /* A name of its own: processes of several containers may have the same pid. */
    int fd = mkostemp (aside, O_CLOEXEC);
    FILE *file = fd >= 0 && fchmod (fd, 0644) == 0 ? fdopen (fd, "w") : NULL;
    if (!file)
        return -1;
    fprintf (file, "format=%d\nshards=%" PRIu32 "\nlineage=%016" PRIx64 "\n", STATE_LAYOUT_FORMAT,
             shard_count, lineage);
    int failed = fflush (file) != 0 || fsync (fileno (file)) != 0;
    failed |= fclose (file) != 0;
    if (!failed && link (aside, path) != 0 && errno != EEXIST)
        failed = 1;
    int reason = errno;
    unlink (aside);
    if (!failed)
        sync_folder_of (path);
    errno = reason;
    return failed ? -1 : 0;
}

static int refuse_format (const char *path, uint32_t format, char *error, size_t error_size)
{
    bool newer = format > STATE_LAYOUT_FORMAT;
    snprintf (error, error_size,
              "%s is of format %" PRIu32 ", this program knows %d: run the %s version, or begin with another "
              "--state (all is then read again from the oldest kept offsets)",
              path, format, STATE_LAYOUT_FORMAT, newer ? "newer" : "older");
    return EX_CONFIG;
}

int state_layout_open (const char *folder, uint32_t shard_count, state_layout_t *layout, char *error,
                       size_t error_size)
{
    char path[PATH_MAX - 32];
    if (snprintf (path, sizeof path, "%s/layout", folder) >= (int)sizeof path) {
        snprintf (error, error_size, "the path of the state folder is too long");
        return EX_CONFIG;
    }
    uint32_t format = 0;
    if (state_layout_make_folder (folder) != 0 ||
        (access (path, F_OK) != 0 && make_layout (path, shard_count) != 0)) {
        int reason = errno;
        snprintf (error, error_size, "cannot make the state folder %s: %s", folder, strerror (reason));
        return reason == ENOSPC || reason == EDQUOT ? EX_TEMPFAIL : EX_CANTCREAT;
    }
    if (read_layout (path, &format, layout) != 0) {
        snprintf (error, error_size, "cannot read %s: %s; restore it or begin with another --state",
                  path, strerror (errno));
        return EX_CONFIG;
    }
    if (format != STATE_LAYOUT_FORMAT)
        return refuse_format (path, format, error, error_size);
    if (layout->shard_count != shard_count) {
        snprintf (error, error_size,
                  "state folder %s has %" PRIu32 " shards, --shards is %" PRIu32
                  ": run with --shards %" PRIu32 " or begin with another --state",
                  folder, layout->shard_count, shard_count, layout->shard_count);
        return EX_CONFIG;
    }
    return 0;
}

int state_layout_check (const char *folder, const state_layout_t *layout, char *error, size_t error_size)
{
    char path[PATH_MAX];
    uint32_t format = 0;
    state_layout_t found = {0};
    snprintf (path, sizeof path, "%s/layout", folder);
    if (read_layout (path, &format, &found) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        snprintf (error, error_size,
                  "the state folder %s was removed while this ran (%s is gone): started again, all is read "
                  "from the oldest kept offsets",
                  folder, path);
        return -1;
    }
    /* What cannot be read just now (no descriptor, an error of the disk) says nothing. */
    if (!found.lineage || found.lineage == layout->lineage)
        return 0;
    snprintf (error, error_size,
              "the state folder %s was replaced by another while this ran: its lineage is %016" PRIx64
              ", not %016" PRIx64,
              folder, found.lineage, layout->lineage);
    return -1;
}
