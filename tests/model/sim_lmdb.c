/*  sim_lmdb: the functions of lmdb.h that shard_store calls. A store is a sorted list of
 *  records; a transaction works on a copy and takes its place at once when it commits, as
 *  LMDB's does. A function that is missing here is an error of the linker.
 *
 *  Nobody is held up within a transaction that writes: shard_store opens LMDB without its
 *  locks, and two processes that write at the very same moment (which takes a broken lock, too)
 *  are not simulated.
 */
#include "sim_disk.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"
#include "common/memory.h"

enum { PATH_BYTES = 128, PAGE_BYTES = 4096 };

typedef struct {
    uint32_t references;
    uint32_t key_size, value_size;
    char bytes[];
} record_t;

struct store_version {
    uint32_t references;
    uint32_t count;
    record_t *records[];
};

struct MDB_env {
    inode_t *inode;
    int fd;
    size_t map_bytes;
};

struct MDB_txn {
    MDB_env *env;
    bool writes;
    store_version_t *version; /* own copy where it writes */
};

struct MDB_cursor {
    MDB_txn *txn;
    uint32_t at;
    bool placed;
};

static struct {
    bool full;
    inode_t *written;
} disk;

void sim_disk_set_full (bool full)
{
    disk.full = full;
}

inode_t *sim_store_written (void)
{
    return disk.written;
}

/*  ---- versions ---- */

static void drop_record (record_t *record)
{
    if (--record->references == 0)
        free (record);
}

/*  RESERVE: the caller fills the value in. */
static record_t *make_record (const MDB_val *key, MDB_val *value, unsigned int flags)
{
    record_t *record = memory_new (sizeof *record + key->mv_size + value->mv_size);
    record->references = 1;
    record->key_size = (uint32_t)key->mv_size;
    record->value_size = (uint32_t)value->mv_size;
    memcpy (record->bytes, key->mv_data, key->mv_size);
    if (flags & MDB_RESERVE)
        value->mv_data = record->bytes + key->mv_size;
    else
        memcpy (record->bytes + key->mv_size, value->mv_data, value->mv_size);
    return record;
}

void sim_store_drop (store_version_t **version_p)
{
    store_version_t *version = *version_p;
    *version_p = NULL;
    if (!version || --version->references)
        return;
    for (uint32_t i = 0; i < version->count; i++)
        drop_record (version->records[i]);
    free (version);
}

/*  A copy with room for one record more. */
static store_version_t *copy_version (const store_version_t *from)
{
    uint32_t count = from ? from->count : 0;
    store_version_t *copy =
        memory_new (sizeof *copy + (count + 1) * sizeof copy->records[0]);
    copy->references = 1;
    copy->count = count;
    for (uint32_t i = 0; i < count; i++) {
        copy->records[i] = from->records[i];
        copy->records[i]->references++;
    }
    return copy;
}

static span_t key_of (const record_t *record)
{
    return (span_t){record->bytes, record->key_size};
}

static span_t value_of (const record_t *record)
{
    return (span_t){record->bytes + record->key_size, record->value_size};
}

bool sim_store_record (const store_version_t *version, uint32_t i, span_t *key, span_t *value)
{
    if (!version || i >= version->count)
        return false;
    *key = key_of (version->records[i]);
    *value = value_of (version->records[i]);
    return true;
}

/*  Index of the first record at or behind the key. */
static uint32_t lower_bound (const store_version_t *version, span_t key)
{
    uint32_t low = 0, high = version ? version->count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (span_compare (key_of (version->records[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at (const store_version_t *version, uint32_t at, span_t key)
{
    return version && at < version->count && span_equal (key_of (version->records[at]), key);
}

span_t sim_store_find (const store_version_t *version, span_t key)
{
    uint32_t at = lower_bound (version, key);
    return is_at (version, at, key) ? value_of (version->records[at]) : (span_t){NULL, 0};
}

static void remove_at (store_version_t *version, uint32_t at)
{
    drop_record (version->records[at]);
    memmove (&version->records[at], &version->records[at + 1],
             (--version->count - at) * sizeof version->records[0]);
}

static span_t span_from (const MDB_val *value)
{
    return (span_t){value->mv_data, value->mv_size};
}

static MDB_val val_from (span_t span)
{
    return (MDB_val){span.size, (void *)(uintptr_t)span.bytes};
}

/*  ---- environments and transactions ---- */

int mdb_env_create (MDB_env **env)
{
    *env = memory_new (sizeof **env);
    return 0;
}

int mdb_env_set_mapsize (MDB_env *env, size_t bytes)
{
    env->map_bytes = bytes;
    return 0;
}

int mdb_env_open (MDB_env *env, const char *folder, unsigned int flags, mdb_mode_t mode)
{
    (void)flags, (void)mode;
    char path[PATH_BYTES];
    snprintf (path, sizeof path, "%s/data.mdb", folder);
    env->inode = sim_call ("mdb_env_open") ? sim_files_make (path) : NULL;
    const char *number = strrchr (folder, '/');
    if (!env->inode || !number)
        return ENOENT;
    env->inode->shard = (uint32_t)strtoul (number + 1, NULL, 10);
    env->fd = sim_files_open (env->inode);
    return 0;
}

void mdb_env_close (MDB_env *env)
{
    if (env->inode)
        close (env->fd);
    free (env);
}

int mdb_env_get_fd (MDB_env *env, mdb_filehandle_t *fd)
{
    *fd = env->fd;
    return 0;
}

int mdb_env_stat (MDB_env *env, MDB_stat *stat)
{
    (void)env;
    *stat = (MDB_stat){.ms_psize = PAGE_BYTES};
    return 0;
}

int mdb_stat (MDB_txn *txn, MDB_dbi dbi, MDB_stat *stat)
{
    (void)dbi;
    *stat = (MDB_stat){.ms_psize = PAGE_BYTES, .ms_entries = txn->version ? txn->version->count : 0};
    return 0;
}

int mdb_env_info (MDB_env *env, MDB_envinfo *info)
{
    *info = (MDB_envinfo){.me_mapsize = env->map_bytes};
    return 0;
}

static void set_writing (bool writing)
{
    if (sim.current)
        sim.current->writing = writing;
}

int mdb_txn_begin (MDB_env *env, MDB_txn *parent, unsigned int flags, MDB_txn **txn)
{
    (void)parent;
    if (!sim_call ("mdb_txn_begin"))
        return EIO;
    *txn = memory_new (sizeof **txn);
    (*txn)->env = env;
    (*txn)->writes = !(flags & MDB_RDONLY);
    set_writing ((*txn)->writes);
    (*txn)->version = env->inode->store;
    if ((*txn)->writes)
        (*txn)->version = copy_version (env->inode->store);
    else if ((*txn)->version)
        (*txn)->version->references++;
    return 0;
}

void mdb_txn_abort (MDB_txn *txn)
{
    if (txn->writes)
        set_writing (false);
    sim_store_drop (&txn->version);
    free (txn);
}

int mdb_txn_commit (MDB_txn *txn)
{
    int code = sim_call ("mdb_txn_commit") ? 0 : EIO;
    if (!code && disk.full && txn->writes && txn->version->count)
        code = ENOSPC;
    if (!code && txn->writes) {
        checks_stored (txn->env->inode, txn->version);
        store_version_t *old = txn->env->inode->store;
        txn->env->inode->store = txn->version;
        disk.written = txn->env->inode;
        txn->version = old;
    }
    mdb_txn_abort (txn);
    return code;
}

int mdb_dbi_open (MDB_txn *txn, const char *name, unsigned int flags, MDB_dbi *dbi)
{
    (void)txn, (void)name, (void)flags;
    *dbi = 1;
    return 0;
}

char *mdb_strerror (int code)
{
    return code == MDB_NOTFOUND ? (char *)(uintptr_t)"not found" : strerror (code);
}

/*  ---- records ---- */

int mdb_get (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value)
{
    (void)dbi;
    span_t found = sim_store_find (txn->version, span_from (key));
    *value = val_from (found);
    return found.bytes ? 0 : MDB_NOTFOUND;
}

int mdb_put (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned int flags)
{
    (void)dbi;
    record_t *record = make_record (key, value, flags);
    uint32_t at = lower_bound (txn->version, key_of (record));
    if (is_at (txn->version, at, key_of (record))) {
        drop_record (txn->version->records[at]);
        txn->version->records[at] = record;
        return 0;
    }
    store_version_t *version = memory_resize (
        txn->version, sizeof *version + (txn->version->count + 2) * sizeof version->records[0]);
    memmove (&version->records[at + 1], &version->records[at],
             (version->count - at) * sizeof version->records[0]);
    version->records[at] = record;
    version->count++;
    txn->version = version;
    return 0;
}

int mdb_del (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value)
{
    (void)dbi, (void)value;
    uint32_t at = lower_bound (txn->version, span_from (key));
    if (!is_at (txn->version, at, span_from (key)))
        return MDB_NOTFOUND;
    remove_at (txn->version, at);
    return 0;
}

int mdb_cmp (MDB_txn *txn, MDB_dbi dbi, const MDB_val *a, const MDB_val *b)
{
    (void)txn, (void)dbi;
    return span_compare (span_from (a), span_from (b));
}

int mdb_cursor_open (MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor)
{
    (void)dbi;
    *cursor = memory_new (sizeof **cursor);
    (*cursor)->txn = txn;
    return 0;
}

void mdb_cursor_close (MDB_cursor *cursor)
{
    free (cursor);
}

/*  After a deletion the cursor stands at what has moved into its place, and NEXT gives that. */
int mdb_cursor_get (MDB_cursor *cursor, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
    const store_version_t *version = cursor->txn->version;
    if (op == MDB_SET_RANGE)
        cursor->at = lower_bound (version, span_from (key));
    else if (op == MDB_NEXT)
        cursor->at += cursor->placed;
    else
        return EINVAL;
    cursor->placed = true;
    span_t found_key, found_value;
    if (!sim_store_record (version, cursor->at, &found_key, &found_value))
        return MDB_NOTFOUND;
    *key = val_from (found_key);
    *value = val_from (found_value);
    return 0;
}

int mdb_cursor_del (MDB_cursor *cursor, unsigned int flags)
{
    (void)flags;
    if (!cursor->txn->version || cursor->at >= cursor->txn->version->count)
        return EINVAL;
    remove_at (cursor->txn->version, cursor->at);
    cursor->placed = false;
    return 0;
}

int mdb_cursor_put (MDB_cursor *cursor, MDB_val *key, MDB_val *value, unsigned int flags)
{
    return mdb_put (cursor->txn, 0, key, value, flags);
}
