/*  dir_watch: see dir_watch.h. */
#include "configd/dir_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"
#include "common/memory.h"

enum { EVENT_BYTES = 64 << 10, READS_A_STEP_MAX = 16, RETRY_MS = 1000 };

#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF |    \
     IN_ONLYDIR)

struct dir_watch {
    char *folder;
    dir_listener_t listener;
    int inotify;
    int watch; /* -1: the folder is not there now */
    bool reread;
    int64_t retry_ms;
    char *text;
};

dir_watch_t *dir_watch_new (const char *folder, const dir_listener_t *listener)
{
    dir_watch_t *self = memory_new (sizeof *self);
    self->folder = memory_copy_string (folder, strlen (folder));
    self->listener = *listener;
    self->text = memory_new (DIR_WATCH_FILE_BYTES_MAX + 1);
    self->inotify = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
    self->watch = self->inotify < 0 ? -1 : inotify_add_watch (self->inotify, folder, EVENTS);
    if (self->watch < 0) {
        int error = errno;
        dir_watch_destroy (&self);
        errno = error;
    }
    return self;
}

void dir_watch_destroy (dir_watch_t **self_p)
{
    dir_watch_t *self = *self_p;
    if (!self)
        return;
    if (self->inotify >= 0)
        close (self->inotify);
    free (self->folder);
    free (self->text);
    free (self);
    *self_p = NULL;
}

int dir_watch_fd (const dir_watch_t *self)
{
    return self->inotify;
}

static bool is_scenario_file (const char *name)
{
    size_t size = strlen (name);
    return name[0] != '.' && size > 5 && strcmp (name + size - 5, ".json") == 0;
}

/*  The reason why not, or NULL with the text in self->text; *absent if there is no such file. */
static const char *read_text (dir_watch_t *self, const char *name, size_t *size, bool *absent)
{
    char path[PATH_MAX];
    *absent = false;
    *size = 0;
    if (snprintf (path, sizeof path, "%s/%s", self->folder, name) >= (int)sizeof path)
        return "its path is too long";
    int file = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        *absent = errno == ENOENT;
        return strerror (errno);
    }
    const char *reason = NULL;
    struct stat status;
    if (fstat (file, &status) != 0 || !S_ISREG (status.st_mode))
        reason = "it is not a regular file";
    while (!reason && *size <= DIR_WATCH_FILE_BYTES_MAX) {
        ssize_t got = read (file, self->text + *size, DIR_WATCH_FILE_BYTES_MAX + 1 - *size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            reason = strerror (errno);
        if (got <= 0)
            break;
        *size += (size_t)got;
    }
    if (!reason && *size > DIR_WATCH_FILE_BYTES_MAX)
        reason = "it is larger than 1 MiB";
    close (file);
    return reason;
}

static void read_file (dir_watch_t *self, const char *name)
{
    size_t size;
    bool absent;
    const char *reason = read_text (self, name, &size, &absent);
    if (absent)
        self->listener.left (self->listener.arg, name);
    else if (reason)
        self->listener.unreadable (self->listener.arg, name, reason);
    else
        self->listener.file (self->listener.arg, name, (span_t){self->text, size});
}

int dir_watch_read_all (dir_watch_t *self)
{
    struct dirent **names;
    int count = scandir (self->folder, &names, NULL, alphasort);
    if (count < 0)
        return -1;
    self->listener.begin (self->listener.arg);
    for (int i = 0; i < count; i++) {
        if (is_scenario_file (names[i]->d_name))
            read_file (self, names[i]->d_name);
        free (names[i]);
    }
    free (names);
    self->listener.end (self->listener.arg);
    return 0;
}

static void take (dir_watch_t *self, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        log_warning ("inotify lost events: all scenario files are read again");
        self->reread = true;
    } else if (event->wd != self->watch)
        return;
    else if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) {
        log_error ("the scenarios folder is gone: waiting for it", F_STR ("path", self->folder));
        if (!(event->mask & IN_IGNORED))
            inotify_rm_watch (self->inotify, self->watch);
        self->watch = -1;
        self->retry_ms = 0;
    } else if (event->len && strcmp (event->name, "..data") == 0)
        self->reread = true;
    else if (event->len && is_scenario_file (event->name)) {
        if (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
            read_file (self, event->name);
        else
            self->listener.left (self->listener.arg, event->name);
    }
}

static void watch_again (dir_watch_t *self, int64_t now_ms)
{
    if (now_ms < self->retry_ms)
        return;
    self->retry_ms = now_ms + RETRY_MS;
    self->watch = inotify_add_watch (self->inotify, self->folder, EVENTS);
    if (self->watch < 0)
        return;
    log_info ("the scenarios folder is back", F_STR ("path", self->folder));
    self->reread = true;
}

void dir_watch_step (dir_watch_t *self, int64_t now_ms)
{
    union {
        char bytes[EVENT_BYTES];
        struct inotify_event event; /* for its alignment */
    } buffer;
    for (int i = 0; i < READS_A_STEP_MAX; i++) {
        ssize_t size = read (self->inotify, buffer.bytes, sizeof buffer.bytes);
        if (size <= 0)
            break;
        for (char *at = buffer.bytes; at < buffer.bytes + size;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            take (self, event);
            at += sizeof *event + event->len;
        }
    }
    if (self->watch < 0)
        watch_again (self, now_ms);
    if (self->reread && now_ms >= self->retry_ms) {
        if (dir_watch_read_all (self) == 0)
            self->reread = false;
        else {
            self->retry_ms = now_ms + RETRY_MS;
            log_error ("cannot list the scenarios folder", F_STR ("path", self->folder),
                       F_STR ("reason", strerror (errno)));
        }
    }
}
