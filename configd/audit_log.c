#include "configd/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/check.h"
#include "common/log.h"
#include "common/memory.h"

struct audit_log {
    char *path;
    pthread_mutex_t lock; /* of what follows */
    int file;             /* -1: could not be opened */
    off_t size;
    bool broken;          /* the last record could not be written */
    uint64_t failures;
    int64_t span_ms;      /* when the present span of refusals began */
    uint32_t refusals;    /* in it */
    uint64_t left_out;
};

static int open_file (audit_log_t *self)
{
    struct stat status;
    self->file = open (self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (self->file < 0 || fstat (self->file, &status) != 0)
        return -1;
    self->size = status.st_size;
    return 0;
}

audit_log_t *audit_log_open (const char *path, char *error, size_t error_size)
{
    audit_log_t *self = memory_new (sizeof *self);
    self->path = memory_copy_string (path, strlen (path));
    pthread_mutex_init (&self->lock, NULL);
    if (open_file (self) != 0) {
        snprintf (error, error_size, "cannot write the audit log %s: %s", path, strerror (errno));
        audit_log_close (&self);
    }
    return self;
}

void audit_log_close (audit_log_t **self_p)
{
    audit_log_t *self = *self_p;
    if (!self)
        return;
    if (self->file >= 0)
        close (self->file);
    pthread_mutex_destroy (&self->lock);
    free (self->path);
    free (self);
    *self_p = NULL;
}

/*  NAME.7 becomes NAME.8, … NAME becomes NAME.1; with the lock. */
static void rotate (audit_log_t *self)
{
    char from[PATH_MAX], to[PATH_MAX];
    for (int i = AUDIT_FILES - 1; i >= 0; i--) {
        if (i)
            snprintf (from, sizeof from, "%s.%d", self->path, i);
        else
            snprintf (from, sizeof from, "%s", self->path);
        snprintf (to, sizeof to, "%s.%d", self->path, i + 1);
        if (rename (from, to) != 0 && errno != ENOENT)
            log_warning ("cannot move an audit log", F_STR ("path", from),
                         F_STR ("reason", strerror (errno)));
    }
    close (self->file);
    open_file (self);
}

/*  With the lock. */
static bool append (audit_log_t *self, const char *line, size_t size)
{
    if (self->file < 0)
        open_file (self);
    if (self->file >= 0 && self->size > AUDIT_FILE_BYTES_MAX)
        rotate (self);
    bool good = self->file >= 0 && write (self->file, line, size) == (ssize_t)size &&
                fdatasync (self->file) == 0;
    self->broken = !good;
    if (good) {
        self->size += (off_t)size;
        return true;
    }
    self->failures++;
    log_error ("cannot write the audit log: no change is accepted until it can be",
               F_STR ("path", self->path), F_STR ("reason", strerror (errno)));
    if (self->file >= 0)
        close (self->file);
    self->file = -1;
    return false;
}

bool audit_log_works (audit_log_t *self)
{
    pthread_mutex_lock (&self->lock);
    if (self->broken) /* an empty line, which says nothing */
        append (self, "\n", 1);
    bool works = !self->broken;
    pthread_mutex_unlock (&self->lock);
    return works;
}

bool audit_log_write (audit_log_t *self, yyjson_mut_doc *record)
{
    size_t size = 0;
    char *text = yyjson_mut_write (record, YYJSON_WRITE_NOFLAG, &size);
    CHECK (text);
    char *line = memory_copy_string (text, size + 1);
    free (text);
    line[size] = '\n';
    pthread_mutex_lock (&self->lock);
    bool good = append (self, line, size + 1);
    pthread_mutex_unlock (&self->lock);
    free (line);
    return good;
}

void audit_log_refuse (audit_log_t *self, yyjson_mut_doc *record, int64_t now_ms)
{
    pthread_mutex_lock (&self->lock);
    if (now_ms - self->span_ms >= AUDIT_REFUSALS_MS) {
        self->span_ms = now_ms;
        self->refusals = 0;
    }
    bool passes = ++self->refusals <= AUDIT_REFUSALS_MAX;
    uint64_t left_out = self->left_out;
    self->left_out = passes ? 0 : left_out + 1;
    pthread_mutex_unlock (&self->lock);
    if (!passes)
        return;
    if (left_out)
        CHECK (yyjson_mut_obj_add_uint (record, yyjson_mut_doc_get_root (record), "left_out",
                                        left_out));
    audit_log_write (self, record);
}

uint64_t audit_log_failures (audit_log_t *self)
{
    pthread_mutex_lock (&self->lock);
    uint64_t failures = self->failures;
    pthread_mutex_unlock (&self->lock);
    return failures;
}
