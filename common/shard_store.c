#include "common/shard_store.h"

#include <errno.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crash_point.h"
#include "common/memory.h"

struct shard_store {
    MDB_env *env;
    MDB_dbi dbi;
    size_t map_bytes;
    char *folder;
};

/*  The epoch has a key of its own: a commit compares it before it changes anything. */
static const char epoch_key[] = "epoch";

enum { LARGE_COMMIT_BYTES = 1 << 20 };

static int open_table (shard_store_t *self)
{
    MDB_txn *txn;
    int code = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (code)
        return code;
    code = mdb_dbi_open (txn, NULL, 0, &self->dbi);
    if (code) {
        mdb_txn_abort (txn);
        return code;
    }
    return mdb_txn_commit (txn);
}

/*  An LMDB code; after a failure the environment is absent. */
static int open_env (shard_store_t *self)
{
    int code = mdb_env_create (&self->env);
    if (!code)
        code = mdb_env_set_mapsize (self->env, self->map_bytes);
    /* NOLOCK: the shard's own lock keeps others out, and LMDB's would survive a kill. */
    if (!code)
        code =
            mdb_env_open (self->env, self->folder, MDB_NOTLS | MDB_NOLOCK | MDB_NORDAHEAD, 0644);
    if (!code)
        code = open_table (self);
    if (code) {
        if (self->env)
            mdb_env_close (self->env);
        self->env = NULL;
        return code;
    }
    MDB_envinfo info;
    mdb_env_info (self->env, &info);
    self->map_bytes = info.me_mapsize;
    return 0;
}

shard_store_t *shard_store_open (const char *folder, char *error, size_t error_size)
{
    shard_store_t *self = memory_new (sizeof *self);
    self->folder = memory_copy_string (folder, strlen (folder));
    self->map_bytes = SHARD_STORE_MAP_BYTES;
    int code = open_env (self);
    if (code) {
        snprintf (error, error_size, "cannot open the store %s/data.mdb: %s", folder,
                  mdb_strerror (code));
        shard_store_close (&self);
    }
    return self;
}

void shard_store_close (shard_store_t **self_p)
{
    shard_store_t *self = *self_p;
    if (!self)
        return;
    if (self->env)
        mdb_env_close (self->env);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

int shard_store_load (shard_store_t *self,
                      int (*record) (void *arg, const uint8_t *key, size_t key_size,
                                     const uint8_t *value, size_t value_size),
                      void *arg, char *error, size_t error_size)
{
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    int refused = 0;
    int code = self->env ? 0 : open_env (self);
    if (!code)
        code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
    if (!code)
        code = mdb_cursor_open (txn, self->dbi, &cursor);
    while (!code && !refused && (code = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0) {
        if (key.mv_size == sizeof epoch_key && memcmp (key.mv_data, epoch_key, key.mv_size) == 0)
            continue;
        refused = record (arg, key.mv_data, key.mv_size, value.mv_data, value.mv_size) != 0;
    }
    if (cursor)
        mdb_cursor_close (cursor);
    if (txn)
        mdb_txn_abort (txn);
    if (code && code != MDB_NOTFOUND) {
        snprintf (error, error_size, "cannot read the store %s/data.mdb: %s", self->folder,
                  mdb_strerror (code));
        return -1;
    }
    if (refused)
        snprintf (error, error_size, "the store %s/data.mdb has a record that cannot be read",
                  self->folder);
    return refused ? -1 : 0;
}

static uint64_t read_epoch (MDB_txn *txn, MDB_dbi dbi)
{
    MDB_val key = {sizeof epoch_key, (void *) (uintptr_t) epoch_key}, value;
    uint64_t epoch = 0;
    if (mdb_get (txn, dbi, &key, &value) == 0 && value.mv_size == sizeof epoch)
        memcpy (&epoch, value.mv_data, sizeof epoch);
    return epoch;
}

uint64_t shard_store_epoch (shard_store_t *self)
{
    MDB_txn *txn;
    if ((!self->env && open_env (self) != 0) ||
        mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn) != 0)
        return 0;
    uint64_t epoch = read_epoch (txn, self->dbi);
    mdb_txn_abort (txn);
    return epoch;
}

static int delete_range (MDB_txn *txn, MDB_dbi dbi, MDB_val from, MDB_val to)
{
    MDB_cursor *cursor;
    int code = mdb_cursor_open (txn, dbi, &cursor);
    if (code)
        return code;
    MDB_val key = from, value;
    code = mdb_cursor_get (cursor, &key, &value, MDB_SET_RANGE);
    while (!code && mdb_cmp (txn, dbi, &key, &to) < 0) {
        code = mdb_cursor_del (cursor, 0);
        /* NEXT gives the record that has moved into the deleted one's place. */
        if (!code)
            code = mdb_cursor_get (cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close (cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int apply (MDB_txn *txn, MDB_dbi dbi, const change_t *change)
{
    MDB_val key = {change->key_size, (void *) (uintptr_t) change->key};
    MDB_val value = {change->value_size, (void *) (uintptr_t) change->value};
    int code;
    switch (change->kind) {
    case CHANGE_PUT:
        return mdb_put (txn, dbi, &key, &value, 0);
    case CHANGE_DELETE:
        code = mdb_del (txn, dbi, &key, NULL);
        return code == MDB_NOTFOUND ? 0 : code;
    default:
        return delete_range (txn, dbi, key, value);
    }
}

/*  One try: an LMDB code, or EPERM where a greater epoch has been here. */
static int try_commit (shard_store_t *self, const change_set_t *changes, uint64_t epoch)
{
    MDB_txn *txn;
    int code = self->env ? 0 : open_env (self);
    if (!code)
        code = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (code)
        return code;
    if (read_epoch (txn, self->dbi) > epoch)
        code = EPERM;
    MDB_val key = {sizeof epoch_key, (void *) (uintptr_t) epoch_key};
    MDB_val value = {sizeof epoch, &epoch};
    if (!code)
        code = mdb_put (txn, self->dbi, &key, &value, 0);
    change_t change;
    for (size_t at = 0; !code && change_set_next (changes, &at, &change);)
        code = apply (txn, self->dbi, &change);
    if (code) {
        mdb_txn_abort (txn);
        return code;
    }
    CRASH_POINT (COMMIT_BEFORE);
    code = mdb_txn_commit (txn);
    CRASH_POINT (COMMIT_AFTER);
    return code;
}

/*  LMDB keeps the memory of the most pages that a transaction ever changed, for each environment:
 *  with many shards, more than all their state. Only closing gives it back; the next commit opens it. */
static void give_memory_back (shard_store_t *self, const change_set_t *changes)
{
    if (changes->log.size < LARGE_COMMIT_BYTES)
        return;
    mdb_env_close (self->env);
    self->env = NULL;
}

outcome_t shard_store_commit (shard_store_t *self, const change_set_t *changes, uint64_t epoch,
                              char *error, size_t error_size)
{
    int code = try_commit (self, changes, epoch);
    while (code == MDB_MAP_FULL && self->map_bytes < SHARD_STORE_MAP_BYTES_MAX) {
        if (mdb_env_set_mapsize (self->env, self->map_bytes * 2) != 0)
            break;
        self->map_bytes *= 2;
        code = try_commit (self, changes, epoch);
    }
    if (!code) {
        give_memory_back (self, changes);
        return OUTCOME_OK;
    }
    if (code == EPERM) {
        snprintf (error, error_size, "the shard in %s has a newer owner", self->folder);
        return OUTCOME_ERROR;
    }
    snprintf (error, error_size, "cannot commit to %s/data.mdb: %s", self->folder,
              mdb_strerror (code));
    bool may_pass = code == ENOSPC || code == EDQUOT || code == EIO || code == ENOMEM ||
                    code == MDB_MAP_FULL || code == EMFILE || code == ENFILE;
    return may_pass ? OUTCOME_RETRY : OUTCOME_ERROR;
}
