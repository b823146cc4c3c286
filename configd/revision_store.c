/*  revision_store: see revision_store.h. Keys: "meta"; 's' and the scenario's hash (8 bytes, big
 *  endian).
 */
#include "configd/revision_store.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/buffer.h"
#include "common/config_wire.h"
#include "common/key_hash.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/pack.h"

enum { FORMAT = 1, KEY_BYTES = 9 };
#define MAP_BYTES ((size_t)4 << 30) /* address space, not disk */

struct revision_store {
    MDB_env *environment;
    MDB_dbi table;
    MDB_txn *open; /* transaction with puts, or NULL */
    int lock;
    uint64_t era, incarnation;
};

static int make_folder (const char *folder)
{
    char *path = memory_copy_string (folder, strlen (folder));
    int result = 0;
    for (char *at = path + 1; result == 0; at++) {
        if (*at && *at != '/')
            continue;
        char end = *at;
        *at = '\0';
        result = mkdir (path, 0755) && errno != EEXIST ? -1 : 0;
        *at = end;
        if (!end)
            break;
    }
    free (path);
    return result;
}

static MDB_val value_of (const void *bytes, size_t size)
{
    return (MDB_val){.mv_size = size, .mv_data = (void *)(uintptr_t)bytes};
}

/*  Reads or begins the record: era and incarnation. LMDB's code, or EINVAL for another format. */
static int begin_record (revision_store_t *self, int64_t wall_ms)
{
    MDB_txn *transaction;
    int code = mdb_txn_begin (self->environment, NULL, 0, &transaction);
    if (code)
        return code;
    buffer_t meta = {0};
    MDB_val key = value_of ("meta", 4), value;
    uint64_t now = wall_ms > 0 ? (uint64_t)wall_ms : 1, last = 0;
    code = mdb_dbi_open (transaction, NULL, 0, &self->table);
    if (!code)
        code = mdb_get (transaction, self->table, &key, &value);
    self->era = now;
    if (code == 0) {
        cursor_t cursor = cursor_of (value.mv_data, value.mv_size);
        uint64_t format = cursor_uint (&cursor);
        self->era = cursor_uint (&cursor);
        last = cursor_uint (&cursor);
        code = !cursor_finished (&cursor) || format != FORMAT ? EINVAL : 0;
    } else if (code == MDB_NOTFOUND)
        code = 0;
    self->incarnation = now > last ? now : last + 1;
    if (!code) {
        pack_uint (&meta, FORMAT);
        pack_uint (&meta, self->era);
        pack_uint (&meta, self->incarnation);
        value = value_of (meta.bytes, meta.size);
        code = mdb_put (transaction, self->table, &key, &value, 0);
    }
    buffer_free (&meta);
    if (code)
        mdb_txn_abort (transaction);
    else
        code = mdb_txn_commit (transaction);
    return code;
}

static int open_lock (const char *folder)
{
    char path[4096];
    if (snprintf (path, sizeof path, "%s/lock", folder) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock >= 0 && flock (lock, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        close (lock);
        errno = error;
        return -1;
    }
    return lock;
}

revision_store_t *revision_store_open (const char *folder, int64_t wall_ms, bool *busy, char *error,
                                       size_t error_size)
{
    *busy = false;
    revision_store_t *self = memory_new (sizeof *self);
    self->lock = -1;
    if (make_folder (folder) != 0) {
        snprintf (error, error_size, "cannot make the folder %s: %s", folder, strerror (errno));
        goto failed;
    }
    self->lock = open_lock (folder);
    if (self->lock < 0) {
        *busy = errno == EWOULDBLOCK;
        snprintf (error, error_size, "cannot lock %s/lock: %s", folder,
                  errno == EWOULDBLOCK ? "another hotpath-configd has it" : strerror (errno));
        goto failed;
    }
    int code = mdb_env_create (&self->environment);
    if (!code)
        code = mdb_env_set_mapsize (self->environment, MAP_BYTES);
    /* NOLOCK: our own lock keeps others out, and LMDB's would survive a kill. */
    if (!code)
        code = mdb_env_open (self->environment, folder, MDB_NOTLS | MDB_NOLOCK, 0644);
    if (!code)
        code = begin_record (self, wall_ms);
    if (!code)
        return self;
    snprintf (error, error_size, "cannot open the revisions in %s: %s", folder,
              code == EINVAL ? "they are of another format" : mdb_strerror (code));
failed:
    revision_store_close (&self);
    return NULL;
}

void revision_store_close (revision_store_t **self_p)
{
    revision_store_t *self = *self_p;
    if (!self)
        return;
    if (self->open)
        mdb_txn_abort (self->open);
    if (self->environment)
        mdb_env_close (self->environment);
    if (self->lock >= 0)
        close (self->lock);
    free (self);
    *self_p = NULL;
}

uint64_t revision_store_era (const revision_store_t *self)
{
    return self->era;
}

uint64_t revision_store_incarnation (const revision_store_t *self)
{
    return self->incarnation;
}

static bool read_revision (const MDB_val *value, revision_t *revision)
{
    cursor_t cursor = cursor_of (value->mv_data, value->mv_size);
    revision->tenant = cursor_span (&cursor, CONFIG_ID_BYTES_MAX);
    revision->scenario = cursor_span (&cursor, CONFIG_ID_BYTES_MAX);
    revision->number = cursor_uint (&cursor);
    revision->active = cursor_bool (&cursor);
    revision->json = cursor_span (&cursor, CONFIG_JSON_BYTES_MAX);
    /* Records of before there were defaults end here. */
    revision->by_default = !cursor.failed && cursor.at < cursor.end && cursor_bool (&cursor);
    return cursor_finished (&cursor) && revision->tenant.size && revision->scenario.size &&
           revision->number;
}

int revision_store_load (revision_store_t *self,
                         void (*each) (void *arg, const revision_t *revision), void *arg)
{
    MDB_txn *transaction = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    int result = 0, code = mdb_txn_begin (self->environment, NULL, MDB_RDONLY, &transaction);
    if (!code)
        code = mdb_cursor_open (transaction, self->table, &cursor);
    while (!code && (code = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0) {
        revision_t revision;
        if (key.mv_size != KEY_BYTES)
            continue;
        if (read_revision (&value, &revision))
            each (arg, &revision);
        else {
            log_error ("stored revision that cannot be read", F_INT ("bytes", value.mv_size));
            result = -1;
        }
    }
    if (code != MDB_NOTFOUND) {
        log_error ("cannot read the stored revisions", F_STR ("reason", mdb_strerror (code)));
        result = -1;
    }
    if (cursor)
        mdb_cursor_close (cursor);
    if (transaction)
        mdb_txn_abort (transaction);
    return result;
}

int revision_store_put (revision_store_t *self, const revision_t *revision)
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
    MDB_val key = value_of (name, sizeof name), value = value_of (bytes.bytes, bytes.size);
    int code = self->open ? 0 : mdb_txn_begin (self->environment, NULL, 0, &self->open);
    if (!code)
        code = mdb_put (self->open, self->table, &key, &value, 0);
    buffer_free (&bytes);
    if (!code)
        return 0;
    if (self->open)
        mdb_txn_abort (self->open);
    self->open = NULL;
    log_error ("cannot store a revision", F_SPAN ("tenant", revision->tenant),
               F_SPAN ("scenario", revision->scenario), F_STR ("reason", mdb_strerror (code)));
    return -1;
}

int revision_store_commit (revision_store_t *self)
{
    if (!self->open)
        return 0;
    int code = mdb_txn_commit (self->open);
    self->open = NULL;
    if (!code)
        return 0;
    log_error ("cannot commit revisions", F_STR ("reason", mdb_strerror (code)));
    return -1;
}
