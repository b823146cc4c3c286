#include "common/shard_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

enum { WAIT_US = 5000, ASIDE_MAX = 64, NAME_BYTES_MAX = 256 };

static const char aside_prefix[] = "data.mdb.corrupt-";

/*  ---- marks ---- */

void shard_check_mark (const char *folder, char *path, size_t size)
{
    snprintf (path, size, "%s/data.mdb.suspect", folder);
}

static int64_t count_crashes (const char *folder)
{
    char path[PATH_MAX];
    struct stat found;
    shard_check_mark (folder, path, sizeof path);
    if (stat (path, &found) != 0)
        return 0;
    return found.st_size ? (int64_t)found.st_size : 1; /* a full disk kept the byte out */
}

bool shard_check_is_suspect (const char *folder)
{
    return count_crashes (folder) > 0;
}

void shard_check_suspect (const char *folder)
{
    char path[PATH_MAX];
    shard_check_mark (folder, path, sizeof path);
    int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    ssize_t size = write (fd, "x", 1);
    (void)size;
    close (fd);
}

void shard_check_clear (const char *folder)
{
    char path[PATH_MAX];
    shard_check_mark (folder, path, sizeof path);
    unlink (path);
}

bool shard_check_any (const char *stage_folder, uint32_t shard_count)
{
    char folder[PATH_MAX - 64];
    bool any = false;
    for (uint32_t i = 0; i < shard_count && !any; i++) {
        snprintf (folder, sizeof folder, "%s/%" PRIu32, stage_folder, i);
        any = shard_check_is_suspect (folder);
    }
    return any;
}

/*  ---- the process that reads it ---- */

static _Noreturn void examine (const char *folder, int words)
{
    char error[512] = "";
    static const int fatal[] = {SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal (fatal[i], SIG_DFL);
    prctl (PR_SET_DUMPABLE, 0); /* it may die by design: no core of it, and no last words of the library */
    int nothing = open ("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nothing >= 0)
        dup2 (nothing, STDERR_FILENO);
    shard_fault_t fault = shard_store_examine (folder, error, sizeof error);
    ssize_t size = write (words, error, strlen (error));
    (void)size;
    _exit ((int)fault);
}

/*  Waits for the child, killing it when it takes too long; its status. */
static int await (pid_t child, void (*progress) (void *arg), void *arg)
{
    int status = 0;
    int64_t until_ms = clock_ms () + SHARD_CHECK_MS_MAX;
    for (;; usleep (WAIT_US)) {
        if (progress)
            progress (arg);
        pid_t ended = waitpid (child, &status, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR))
            return status;
        if (clock_ms () > until_ms)
            kill (child, SIGKILL);
    }
}

static shard_fault_t judge (const char *folder, int status, char *error, size_t error_size)
{
    int64_t crashes = count_crashes (folder);
    if (!WIFEXITED (status)) {
        snprintf (error, error_size, "%s/data.mdb cannot be read: reading it ended in signal %d",
                  folder, WTERMSIG (status));
        return SHARD_FAULT_BROKEN;
    }
    if (WEXITSTATUS (status) != SHARD_FAULT_NONE)
        return (shard_fault_t)WEXITSTATUS (status);
    if (crashes < SHARD_CHECK_CRASHES_MAX)
        return SHARD_FAULT_NONE;
    snprintf (error, error_size, "work on %s/data.mdb has ended in a fault %" PRId64 " times, though it can "
              "be read", folder, crashes);
    return SHARD_FAULT_BROKEN;
}

shard_fault_t shard_check_verify (const char *folder, void (*progress) (void *arg), void *arg,
                                  char *error, size_t error_size)
{
    int words[2];
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/data.mdb", folder);
    if (access (path, F_OK) != 0 && errno == ENOENT)
        return SHARD_FAULT_NONE;
    if (pipe2 (words, O_CLOEXEC) != 0) {
        snprintf (error, error_size, "cannot verify %s/data.mdb: %s", folder, strerror (errno));
        return SHARD_FAULT_ACCESS;
    }
    pid_t parent = getpid (), child = fork ();
    if (child == 0) {
        /* It shares our locks: it must not outlive us. */
        if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid () != parent)
            _exit (SHARD_FAULT_ACCESS);
        examine (folder, words[1]);
    }
    close (words[1]);
    error[0] = '\0';
    shard_fault_t fault = SHARD_FAULT_ACCESS;
    if (child > 0) {
        int status = await (child, progress, arg);
        ssize_t size = read (words[0], error, error_size - 1);
        error[size > 0 ? size : 0] = '\0';
        fault = judge (folder, status, error, error_size);
    } else {
        snprintf (error, error_size, "cannot verify %s/data.mdb: %s", folder, strerror (errno));
    }
    close (words[0]);
    return fault;
}

shard_store_t *shard_check_open (const char *folder, const shard_check_options_t *options,
                                 shard_fault_t *fault, char *error, size_t error_size)
{
    bool verify = options->careful || shard_check_is_suspect (folder);
    for (;; verify = true) {
        *fault = SHARD_FAULT_NONE;
        if (verify)
            *fault = shard_check_verify (folder, options->progress, options->arg, error, error_size);
        if (*fault)
            return NULL;
        shard_store_t *store =
            shard_store_open (folder, options->bytes_max, verify, fault, error, error_size);
        if (verify || *fault != SHARD_FAULT_SHORT)
            return store;
    }
}

/*  ---- setting aside ---- */

static int newest_first (const void *a, const void *b)
{
    return strcmp (b, a); /* times of one number of digits */
}

/*  Keeps the newest: they may be large, and are for people to look at. */
static void sweep (const char *folder)
{
    static const size_t prefix = sizeof aside_prefix - 1;
    char names[ASIDE_MAX][NAME_BYTES_MAX];
    size_t count = 0;
    DIR *entries = opendir (folder);
    for (struct dirent *entry; entries && count < ASIDE_MAX && (entry = readdir (entries)) != NULL;) {
        if (strncmp (entry->d_name, aside_prefix, prefix) == 0)
            snprintf (names[count++], NAME_BYTES_MAX, "%s", entry->d_name);
    }
    qsort (names, count, sizeof *names, newest_first);
    for (size_t i = SHARD_CHECK_KEPT; i < count; i++)
        unlinkat (dirfd (entries), names[i], 0);
    if (entries)
        closedir (entries);
}

shard_fault_t shard_check_set_aside (const char *folder, int64_t wall_ms, char *aside,
                                     size_t aside_size, char *error, size_t error_size)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/data.mdb", folder);
    snprintf (aside, aside_size, "%s/%s%" PRId64, folder, aside_prefix, wall_ms);
    if (rename (path, aside) != 0) {
        size_t size = strlen (error);
        snprintf (error + size, error_size - size, "; and it cannot be set aside: %s", strerror (errno));
        return SHARD_FAULT_ACCESS;
    }
    shard_check_clear (folder);
    sweep (folder);
    return SHARD_FAULT_NONE;
}
