#include "configd/dir_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/memory.h"
#include "common/scenario_outline.h"
#include "configd/dir_watch.h"
#include "configd/local_history.h"
#include "configd/scenario_file.h"

enum { NAME_ATTEMPTS = 10 };

typedef struct {
    scenario_store_t store; /* first */
    char *folder;
    local_history_t *history;
    pthread_mutex_t lock; /* of writing files */
} dir_store_t;

static dir_store_t *self_of (scenario_store_t *store)
{
    return (dir_store_t *)(void *)store;
}

static store_outcome_t failed (const char *what, const char *name, char *error)
{
    int code = errno;
    snprintf (error, STORE_ERROR_BYTES, "cannot %s %s: %s", what, name, strerror (code));
    return code == ENOENT ? STORE_ABSENT : STORE_REFUSED;
}

static bool path_of (const dir_store_t *self, const char *name, char path[PATH_MAX])
{
    return snprintf (path, PATH_MAX, "%s/%s", self->folder, name) < PATH_MAX;
}

/*  ---- reading ---- */

static store_outcome_t read_text (const dir_store_t *self, const char *name, buffer_t *text,
                                  char *error)
{
    char path[PATH_MAX];
    buffer_clear (text);
    errno = ENAMETOOLONG;
    int file = path_of (self, name, path) ? open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (file < 0)
        return failed ("read", name, error);
    ssize_t got = 1;
    while (got > 0 && text->size <= DIR_WATCH_FILE_BYTES_MAX) {
        buffer_reserve (text, 64 << 10);
        got = read (file, text->bytes + text->size, 64 << 10);
        if (got > 0)
            text->size += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    store_outcome_t outcome = got < 0 ? failed ("read", name, error) : STORE_OK;
    close (file);
    if (outcome == STORE_OK && text->size > DIR_WATCH_FILE_BYTES_MAX) {
        snprintf (error, STORE_ERROR_BYTES, "%s is larger than 1 MiB", name);
        outcome = STORE_CONFLICT;
    }
    return outcome;
}

static span_t span_of_buffer (const buffer_t *text)
{
    return (span_t){(const char *)text->bytes, text->size};
}

/*  Takes what is ours out of the outline, if it is of this scenario. */
static bool take_outline (scenario_outline_t *outline, span_t tenant, span_t scenario,
                          const char *name, const buffer_t *text, stored_scenario_t *found)
{
    if (!outline->tenant || !outline->scenario || !span_equal (span_of (outline->tenant), tenant) ||
        !span_equal (span_of (outline->scenario), scenario))
        return false;
    *found = (stored_scenario_t){.source = memory_copy_string (name, strlen (name)),
                                 .type = outline->type,
                                 .status = outline->status,
                                 .stored = outline->stored};
    outline->type = outline->status = outline->stored = NULL;
    found->noted = revision_note_parse (span_of (outline->note), &found->note);
    digest_t *version = memory_new (sizeof *version);
    *version = digest_of (span_of_buffer (text));
    found->version = version;
    found->free_version = free;
    return true;
}

/*  Reads one file; false where it is not of this scenario. */
static bool try_file (const dir_store_t *self, const char *name, span_t tenant, span_t scenario,
                      buffer_t *text, stored_scenario_t *found)
{
    char error[STORE_ERROR_BYTES];
    scenario_outline_t outline = {0};
    bool good = read_text (self, name, text, error) == STORE_OK &&
                scenario_outline_of (span_of_buffer (text), &outline) &&
                take_outline (&outline, tenant, scenario, name, text, found);
    scenario_outline_free (&outline);
    return good;
}

static int is_scenario_file (const struct dirent *entry)
{
    size_t size = strlen (entry->d_name);
    return entry->d_name[0] != '.' && size > 5 && strcmp (entry->d_name + size - 5, ".json") == 0;
}

static store_outcome_t find (const dir_store_t *self, span_t tenant, span_t scenario,
                             buffer_t *text, stored_scenario_t *found, char *error)
{
    struct dirent **names;
    int count = scandir (self->folder, &names, is_scenario_file, alphasort), matches = 0;
    if (count < 0)
        return failed ("list", self->folder, error);
    for (int i = 0; i < count; i++) {
        stored_scenario_t tried;
        if (try_file (self, names[i]->d_name, tenant, scenario, text, &tried)) {
            if (matches++)
                stored_scenario_free (found);
            *found = tried;
        }
        free (names[i]);
    }
    free (names);
    if (matches == 1)
        return STORE_OK;
    snprintf (error, STORE_ERROR_BYTES, "%d files are of this scenario", matches);
    if (matches)
        stored_scenario_free (found);
    return matches ? STORE_CONFLICT : STORE_ABSENT;
}

static store_outcome_t read_document (scenario_store_t *store, span_t tenant, span_t scenario,
                                      const char *source, stored_scenario_t *found, char *error)
{
    dir_store_t *self = self_of (store);
    buffer_t text = {0};
    store_outcome_t outcome = STORE_OK;
    if (!source || !try_file (self, source, tenant, scenario, &text, found))
        outcome = find (self, tenant, scenario, &text, found, error);
    buffer_free (&text);
    return outcome;
}

/*  ---- writing ---- */

static bool write_all (int file, const buffer_t *text)
{
    for (size_t at = 0; at < text->size;) {
        ssize_t wrote = write (file, text->bytes + at, text->size - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += (size_t)wrote;
    }
    return fsync (file) == 0;
}

static void sync_folder (const char *folder)
{
    int file = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0) {
        fsync (file);
        close (file);
    }
}

/*  As rename, but never over a file that is there. */
static int move_new (const char *from, const char *to)
{
    int result = renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (result == 0 || errno != EINVAL) /* EINVAL: a file system that cannot do that */
        return result;
    if (access (to, F_OK) != 0)
        return rename (from, to);
    errno = EEXIST;
    return -1;
}

/*  Writes beside and moves into place; a new file (`is_new`) only where there is none. */
static store_outcome_t put_file (const dir_store_t *self, const char *name, mode_t mode,
                                 const buffer_t *text, bool is_new, char *error)
{
    char path[PATH_MAX], beside[PATH_MAX], hidden[NAME_MAX + 1];
    if (text->size > DIR_WATCH_FILE_BYTES_MAX) {
        snprintf (error, STORE_ERROR_BYTES, "%s would be larger than 1 MiB", name);
        return STORE_TOO_LARGE;
    }
    snprintf (hidden, sizeof hidden, ".%.200s.new", name);
    errno = ENAMETOOLONG;
    if (!path_of (self, name, path) || !path_of (self, hidden, beside))
        return failed ("write", name, error);
    int file = open (beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (file < 0)
        goto refused;
    bool good = write_all (file, text) && fchmod (file, mode) == 0;
    int code = errno;
    close (file);
    errno = code;
    if (good)
        good = (is_new ? move_new (beside, path) : rename (beside, path)) == 0;
    if (!good) {
        code = errno;
        unlink (beside);
        errno = code;
    }
    if (!good && is_new && errno == EEXIST)
        return STORE_EXISTS;
    if (!good)
        goto refused;
    sync_folder (self->folder);
    return STORE_OK;
refused:
    failed ("write", name, error);
    return STORE_REFUSED;
}

static store_outcome_t replace_locked (const dir_store_t *self, span_t tenant, span_t scenario,
                                       const stored_scenario_t *read, const store_change_t *change,
                                       char *error)
{
    char path[PATH_MAX];
    struct stat status;
    buffer_t text = {0}, changed = {0};
    stored_scenario_t now;
    store_outcome_t outcome = STORE_LOST;
    if (!path_of (self, read->source, path) || lstat (path, &status) != 0 ||
        !try_file (self, read->source, tenant, scenario, &text, &now))
        snprintf (error, STORE_ERROR_BYTES, "%s has changed", read->source);
    else {
        if (!digest_equal (now.version, read->version))
            snprintf (error, STORE_ERROR_BYTES, "%s has changed", read->source);
        else if (S_ISLNK (status.st_mode)) {
            snprintf (error, STORE_ERROR_BYTES, "%s is a symbolic link: change what it points to",
                      read->source);
            outcome = STORE_REFUSED;
        } else
            outcome = scenario_file_change (span_of_buffer (&text), change, &changed, error);
        if (outcome == STORE_OK)
            outcome =
                put_file (self, read->source, status.st_mode & 07777, &changed, false, error);
        stored_scenario_free (&now);
    }
    buffer_free (&text);
    buffer_free (&changed);
    return outcome;
}

static store_outcome_t replace_document (scenario_store_t *store, span_t tenant, span_t scenario,
                                         const stored_scenario_t *read,
                                         const store_change_t *change, char *error)
{
    dir_store_t *self = self_of (store);
    pthread_mutex_lock (&self->lock);
    store_outcome_t outcome = replace_locked (self, tenant, scenario, read, change, error);
    pthread_mutex_unlock (&self->lock);
    return outcome;
}

static store_outcome_t create_locked (dir_store_t *self, const store_new_t *made,
                                      const buffer_t *text, char *error)
{
    stored_scenario_t there;
    store_outcome_t outcome =
        read_document (&self->store, made->tenant, made->scenario, NULL, &there, error);
    if (outcome == STORE_OK)
        stored_scenario_free (&there);
    if (outcome == STORE_OK || outcome == STORE_CONFLICT)
        return STORE_EXISTS;
    outcome = outcome == STORE_ABSENT ? STORE_EXISTS : outcome;
    for (int attempt = 0; attempt < NAME_ATTEMPTS && outcome == STORE_EXISTS; attempt++) {
        char name[NAME_MAX + 1];
        scenario_file_name (made->tenant, made->scenario, attempt, name, sizeof name);
        outcome = put_file (self, name, 0644, text, true, error);
    }
    if (outcome == STORE_EXISTS) {
        snprintf (error, STORE_ERROR_BYTES, "files of other scenarios have all names for it");
        outcome = STORE_CONFLICT;
    }
    return outcome;
}

static store_outcome_t create_document (scenario_store_t *store, const store_new_t *made,
                                        char *error)
{
    dir_store_t *self = self_of (store);
    buffer_t text = {0};
    scenario_file_make (made, &text);
    pthread_mutex_lock (&self->lock);
    store_outcome_t outcome = create_locked (self, made, &text, error);
    pthread_mutex_unlock (&self->lock);
    buffer_free (&text);
    return outcome;
}

/*  ---- history: as it is ---- */

static store_outcome_t newest (scenario_store_t *store, span_t tenant, span_t scenario,
                               revision_record_t *record, char *error)
{
    return local_history_newest (self_of (store)->history, tenant, scenario, record, error);
}

static store_outcome_t revision (scenario_store_t *store, span_t tenant, span_t scenario,
                                 uint64_t number, revision_record_t *record, char *error)
{
    return local_history_revision (self_of (store)->history, tenant, scenario, number, record,
                                   error);
}

static store_outcome_t revisions (scenario_store_t *store, span_t tenant, span_t scenario,
                                  uint64_t below, revision_record_t *records, uint32_t *count,
                                  char *error)
{
    return local_history_revisions (self_of (store)->history, tenant, scenario, below, records,
                                    count, error);
}

static store_outcome_t by_key (scenario_store_t *store, span_t tenant, span_t scenario,
                               const char *key, revision_record_t *record, char *error)
{
    return local_history_by_key (self_of (store)->history, tenant, scenario, key, record, error);
}

static store_outcome_t add (scenario_store_t *store, span_t tenant, span_t scenario,
                            const revision_record_t *record, char *error)
{
    return local_history_add (self_of (store)->history, tenant, scenario, record, error);
}

/*  ---- life ---- */

static void destroy (scenario_store_t *store)
{
    dir_store_t *self = self_of (store);
    local_history_close (&self->history);
    pthread_mutex_destroy (&self->lock);
    free (self->folder);
    free (self);
}

scenario_store_t *dir_store_new (const char *folder, const char *history, char *error,
                                 size_t error_size)
{
    local_history_t *opened = local_history_open (history, error, error_size);
    if (!opened)
        return NULL;
    dir_store_t *self = memory_new (sizeof *self);
    self->store = (scenario_store_t){.name = "files",
                                     .destroy = destroy,
                                     .read = read_document,
                                     .replace = replace_document,
                                     .create = create_document,
                                     .newest = newest,
                                     .revision = revision,
                                     .revisions = revisions,
                                     .by_key = by_key,
                                     .add = add};
    self->folder = memory_copy_string (folder, strlen (folder));
    self->history = opened;
    pthread_mutex_init (&self->lock, NULL);
    return &self->store;
}
