/*  revision_store: see revision_store.h. Keys: "m": the record itself; 's' and the scenario's hash
 *  (8 bytes, big endian).
 */
#include "configd/revision_store.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include "common/buffer.h"
#include "common/change_set.h"
#include "common/config_wire.h"
#include "common/key_hash.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/pack.h"
#include "common/shard_check.h"
#include "common/shard_store.h"
#include "common/state_clock.h"
#include "common/state_layout.h"

enum { FORMAT = 2, KEY_BYTES = 9, LOCK_WAIT_MS = 3000, LOCK_AGAIN_MS = 20, ERROR_BYTES_MAX = 512 };
#define STORE_BYTES_MAX ((size_t)4 << 30) /* a bound, not disk */

static const uint8_t record_key[] = {'m'};

struct revision_store {
    shard_store_t *store;
    char *state, *folder;
    int lock;
    uint64_t era, incarnation;
    change_set_t puts;
    shard_fault_t fault; /* of the last commit */
    char trouble[ERROR_BYTES_MAX];
};

/*  ---- opening ---- */

static int open_lock (const char *folder)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/lock", folder);
    int lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock >= 0 && flock (lock, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        close (lock);
        errno = error;
        return -1;
    }
    return lock;
}

static shard_fault_t read_record (void *arg, const uint8_t *key, size_t key_size,
                                  const uint8_t *value, size_t value_size)
{
    revision_store_t *self = arg;
    if (key_size != sizeof record_key || key[0] != record_key[0])
        return SHARD_FAULT_NONE;
    cursor_t cursor = cursor_of (value, value_size);
    uint64_t format = cursor_uint (&cursor);
    self->era = cursor_uint (&cursor);
    if (!cursor.failed && format > FORMAT)
        return SHARD_FAULT_FORMAT;
    return cursor_finished (&cursor) && self->era ? SHARD_FAULT_NONE : SHARD_FAULT_BROKEN;
}

/*  Opens what is there, and reads all of it once. */
static shard_fault_t open_store (revision_store_t *self, char *error, size_t error_size)
{
    const shard_check_options_t how = {.bytes_max = STORE_BYTES_MAX};
    shard_fault_t fault;
    self->era = 0;
    self->store = shard_check_open (self->folder, &how, &fault, error, error_size);
    if (!fault) {
        *error = '\0';
        fault = shard_store_load (self->store, read_record, self, error, error_size);
        if (fault && !*error)
            snprintf (error, error_size, "%s/data.mdb: the record of revisions %s", self->folder,
                      fault == SHARD_FAULT_FORMAT ? "is of a newer format: run the newer version"
                                                  : "cannot be read");
    }
    if (!fault && !self->era && shard_store_epoch (self->store)) {
        snprintf (error, error_size, "%s/data.mdb has no record of its era", self->folder);
        fault = SHARD_FAULT_BROKEN;
    }
    if (fault)
        shard_store_close (&self->store);
    return fault;
}

static shard_fault_t set_aside (revision_store_t *self, int64_t wall_ms, char *error,
                                size_t error_size)
{
    char aside[PATH_MAX];
    shard_fault_t fault =
        shard_check_set_aside (self->folder, wall_ms, aside, sizeof aside, error, error_size);
    if (fault)
        return fault;
    log_error ("the stored revisions are broken and were set aside: a new era begins, and counts "
               "them from 1",
               F_STR ("reason", error), F_STR ("aside", aside));
    return open_store (self, error, error_size);
}

/*  A new record: its era is durable before anything bears it. */
static shard_fault_t begin_record (revision_store_t *self, char *error, size_t error_size)
{
    change_set_t changes = {0};
    buffer_t record = {0};
    self->era = self->incarnation;
    pack_uint (&record, FORMAT);
    pack_uint (&record, self->era);
    change_set_put (&changes, record_key, sizeof record_key, record.bytes, record.size);
    shard_fault_t fault =
        shard_store_commit (self->store, &changes, self->incarnation, error, error_size);
    buffer_free (&record);
    change_set_free (&changes);
    return fault;
}

/*  The incarnation of a life is stored with its first commit; the state folder's clock keeps it
 *  above every earlier one until then, so that a full disk stops no restart. */
static int open_record (revision_store_t *self, int64_t wall_ms, char *error, size_t error_size)
{
    shard_fault_t fault = open_store (self, error, error_size);
    if (fault == SHARD_FAULT_BROKEN)
        fault = set_aside (self, wall_ms, error, error_size);
    if (!fault) {
        uint64_t last = shard_store_epoch (self->store);
        self->incarnation = state_clock_next (self->state, last + 1, wall_ms);
        if (!self->era)
            fault = begin_record (self, error, error_size);
    }
    if (fault == SHARD_FAULT_FORMAT)
        return EX_CONFIG;
    return fault ? EX_TEMPFAIL : 0;
}

revision_store_t *revision_store_open (const char *state, int64_t wall_ms, int *code, char *error,
                                       size_t error_size)
{
    char folder[PATH_MAX - 64];
    revision_store_t *self = memory_new (sizeof *self);
    bool fits = snprintf (folder, sizeof folder, "%s/configd", state) < (int)sizeof folder;
    self->state = memory_copy_string (state, strlen (state));
    self->folder = memory_copy_string (folder, strlen (folder));
    self->lock = -1;
    errno = ENAMETOOLONG;
    *code = EX_CANTCREAT;
    if (!fits || state_layout_make_folder (folder) != 0) {
        int reason = errno;
        snprintf (error, error_size, "cannot make the folder %s: %s", folder, strerror (reason));
        *code = reason == ENOSPC || reason == EDQUOT ? EX_TEMPFAIL : EX_CANTCREAT;
        goto failed;
    }
    self->lock = open_lock (folder);
    if (self->lock < 0) {
        *code = errno == EWOULDBLOCK ? EX_TEMPFAIL : EX_CANTCREAT;
        snprintf (error, error_size, "cannot lock %s/lock: %s", folder,
                  errno == EWOULDBLOCK ? "another hotpath-configd has it" : strerror (errno));
        goto failed;
    }
    *code = open_record (self, wall_ms, error, error_size);
    if (!*code)
        return self;
failed:
    revision_store_close (&self);
    return NULL;
}

void revision_store_close (revision_store_t **self_p)
{
    revision_store_t *self = *self_p;
    if (!self)
        return;
    shard_store_close (&self->store);
    change_set_free (&self->puts);
    if (self->lock >= 0)
        close (self->lock);
    free (self->state);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

int revision_store_check (const revision_store_t *self, char *error, size_t error_size)
{
    char path[PATH_MAX];
    struct stat held, named;
    if (self->fault == SHARD_FAULT_OWNER || self->fault == SHARD_FAULT_BROKEN) {
        snprintf (error, error_size, "%s", self->trouble);
        return -1;
    }
    snprintf (path, sizeof path, "%s/lock", self->folder);
    bool locked = fstat (self->lock, &held) == 0 && stat (path, &named) == 0 &&
                  held.st_ino == named.st_ino && held.st_dev == named.st_dev;
    if (locked && shard_store_is_in_place (self->store) && self->fault != SHARD_FAULT_GONE)
        return 0;
    snprintf (error, error_size,
              "%s was removed or replaced while this ran: started again, what it finds there counts, "
              "or a new era begins",
              self->folder);
    return -1;
}

uint64_t revision_store_era (const revision_store_t *self)
{
    return self->era;
}

uint64_t revision_store_incarnation (const revision_store_t *self)
{
    return self->incarnation;
}

const char *revision_store_trouble (const revision_store_t *self)
{
    return self->trouble;
}

/*  ---- revisions ---- */

typedef struct {
    void (*each) (void *arg, const revision_t *revision);
    void *arg;
    uint32_t unreadable;
} loading_t;

static bool read_revision (const uint8_t *bytes, size_t size, revision_t *revision)
{
    cursor_t cursor = cursor_of (bytes, size);
    revision->tenant = cursor_span (&cursor, CONFIG_ID_BYTES_MAX);
    revision->scenario = cursor_span (&cursor, CONFIG_ID_BYTES_MAX);
    revision->number = cursor_uint (&cursor);
    revision->active = cursor_bool (&cursor);
    revision->json = cursor_span (&cursor, CONFIG_JSON_BYTES_MAX);
    revision->by_default = cursor_bool (&cursor);
    return cursor_finished (&cursor) && revision->tenant.size && revision->scenario.size &&
           revision->number;
}

static shard_fault_t load_revision (void *arg, const uint8_t *key, size_t key_size,
                                    const uint8_t *value, size_t value_size)
{
    loading_t *loading = arg;
    revision_t revision;
    if (key_size != KEY_BYTES || key[0] != 's')
        return SHARD_FAULT_NONE;
    if (read_revision (value, value_size, &revision)) {
        loading->each (loading->arg, &revision);
    } else {
        log_error ("stored revision that cannot be read", F_INT ("bytes", value_size));
        loading->unreadable++;
    }
    return SHARD_FAULT_NONE;
}

int revision_store_load (revision_store_t *self,
                         void (*each) (void *arg, const revision_t *revision), void *arg)
{
    char error[ERROR_BYTES_MAX];
    loading_t loading = {each, arg, 0};
    shard_fault_t fault =
        shard_store_load (self->store, load_revision, &loading, error, sizeof error);
    if (fault)
        log_error ("cannot read the stored revisions", F_STR ("reason", error));
    return fault || loading.unreadable ? -1 : 0;
}

void revision_store_put (revision_store_t *self, const revision_t *revision)
{
    uint64_t hash = htobe64 (key_hash_scenario (revision->tenant, revision->scenario));
    uint8_t name[KEY_BYTES] = {'s'};
    memcpy (name + 1, &hash, sizeof hash);
    buffer_t bytes = {0};
    pack_span (&bytes, revision->tenant);
    pack_span (&bytes, revision->scenario);
    pack_uint (&bytes, revision->number);
    pack_bool (&bytes, revision->active);
    pack_span (&bytes, revision->json);
    pack_bool (&bytes, revision->by_default);
    change_set_put (&self->puts, name, sizeof name, bytes.bytes, bytes.size);
    buffer_free (&bytes);
}

int revision_store_commit (revision_store_t *self)
{
    if (!self->puts.count)
        return 0;
    self->trouble[0] = '\0';
    self->fault = shard_store_commit (self->store, &self->puts, self->incarnation, self->trouble,
                                      sizeof self->trouble);
    change_set_clear (&self->puts);
    if (!self->fault)
        return 0;
    if (self->fault == SHARD_FAULT_BROKEN)
        shard_check_suspect (self->folder);
    log_error ("cannot store revisions: they are told once they are", F_STR ("reason", self->trouble));
    return -1;
}
