#include "common/state_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/log.h"

enum { DIGITS = 20, LOCK_TRIES = 250, LOCK_AGAIN_US = 2000 };

/*  Beyond this (some thousand years from now) it is no time but a broken file. */
#define VALUE_MAX (UINT64_C (1) << 48)

/*  Another holds it for as long as a read and a write take; one that was frozen in between must
 *  not stop everybody, so the wait is bounded and the number is then taken without. */
static void lock (int fd)
{
    for (int i = 0; i < LOCK_TRIES && flock (fd, LOCK_EX | LOCK_NB) != 0; i++)
        usleep (LOCK_AGAIN_US);
}

static uint64_t read_value (int fd)
{
    char text[DIGITS + 1] = "";
    ssize_t size = pread (fd, text, DIGITS, 0);
    if (size != DIGITS || strspn (text, "0123456789") != DIGITS)
        return 0;
    uint64_t value = strtoull (text, NULL, 10);
    return value < VALUE_MAX ? value : 0;
}

static bool write_value (int fd, uint64_t value)
{
    char text[DIGITS + 2];
    int size = snprintf (text, sizeof text, "%0*" PRIu64 "\n", DIGITS, value);
    return pwrite (fd, text, (size_t)size, 0) == size;
}

uint64_t state_clock_next (const char *state, uint64_t least, int64_t wall_ms)
{
    char path[PATH_MAX];
    uint64_t next = wall_ms > 0 ? (uint64_t)wall_ms : 1;
    next = least > next ? least : next;
    if (snprintf (path, sizeof path, "%s/clock", state) >= (int)sizeof path)
        return next;
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    bool kept = fd >= 0;
    if (kept) {
        lock (fd);
        uint64_t last = read_value (fd);
        next = last >= next ? last + 1 : next;
        kept = write_value (fd, next);
    }
    if (!kept)
        log_warning ("the state folder's clock cannot be kept: the wall clock must not be set back now",
                     F_STR ("path", path), F_STR ("reason", strerror (errno)));
    if (fd >= 0)
        close (fd);
    return next;
}
