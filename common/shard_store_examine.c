/*  shard_store_examine: a store read through, and tried, by a process that may die of it
 *  (shard_check). */
#include "common/shard_store_parts.h"

enum { EXAMINE_PUTS_MAX = 4096 };

/*  The pages of which LMDB will take the next ones to write to. */
static int walk_free_list (shard_store_t *self, MDB_txn *txn)
{
    enum { FREE_LIST_TABLE = 0, FIRST_PAGE = 2 };
    MDB_cursor *cursor;
    MDB_envinfo info;
    MDB_val key, value;
    mdb_env_info (self->env, &info);
    int code = mdb_cursor_open (txn, FREE_LIST_TABLE, &cursor);
    if (code)
        return code;
    while ((code = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0) {
        const uint8_t *numbers = value.mv_data;
        size_t count = 0, page, last = SIZE_MAX;
        if (key.mv_size != sizeof (size_t) || value.mv_size < sizeof count)
            break;
        memcpy (&count, numbers, sizeof count);
        if (count > value.mv_size / sizeof count - 1)
            break;
        for (size_t i = 1; i <= count; i++, last = page) {
            memcpy (&page, numbers + i * sizeof page, sizeof page);
            if (page < FIRST_PAGE || page > info.me_last_pgno || page >= last) {
                mdb_cursor_close (cursor);
                return STORE_FREE_LIST;
            }
        }
    }
    mdb_cursor_close (cursor);
    return code == MDB_NOTFOUND ? 0 : code ? code : STORE_FREE_LIST;
}

typedef struct {
    MDB_cursor *puts;
    uint64_t seen, step;
    buffer_t copy;
    int code;
} tried_t;

/*  Writes a record again as it is. */
static shard_fault_t try_put (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value,
                              size_t value_size)
{
    tried_t *tried = arg;
    if (tried->seen++ % tried->step)
        return SHARD_FAULT_NONE;
    buffer_clear (&tried->copy);
    buffer_append (&tried->copy, value, value_size);
    tried->code = shard_store_put (tried->puts, key, key_size, tried->copy.bytes, value_size);
    return tried->code ? SHARD_FAULT_BROKEN : SHARD_FAULT_NONE;
}

/*  Records all over the tree are written again within a transaction that is then dropped. */
static int try_puts (shard_store_t *self)
{
    MDB_txn *read = NULL, *txn = NULL;
    MDB_cursor *puts = NULL;
    MDB_stat stat;
    shard_fault_t refused = SHARD_FAULT_NONE;
    int code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &read);
    if (!code)
        code = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (!code)
        code = mdb_cursor_open (txn, self->dbi, &puts);
    if (!code)
        code = mdb_stat (read, self->dbi, &stat);
    if (!code) {
        tried_t tried = {.puts = puts, .step = stat.ms_entries / EXAMINE_PUTS_MAX + 1};
        code = shard_store_walk (self, read, try_put, &tried, &refused);
        if (refused)
            code = tried.code;
        buffer_free (&tried.copy);
    }
    if (puts)
        mdb_cursor_close (puts);
    if (txn)
        mdb_txn_abort (txn);
    if (read)
        mdb_txn_abort (read);
    return code == MDB_MAP_FULL ? 0 : code;
}

shard_fault_t shard_store_examine (const char *folder, char *error, size_t error_size)
{
    MDB_txn *txn = NULL;
    shard_fault_t refused = SHARD_FAULT_NONE, fault;
    shard_store_t *self = shard_store_make (folder, SHARD_STORE_BYTES_MAX);
    fault = shard_store_begin (self, true, error, error_size);
    if (!fault) {
        int code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
        if (!code)
            code = shard_store_walk (self, txn, NULL, NULL, &refused);
        if (!code)
            code = walk_free_list (self, txn);
        if (txn)
            mdb_txn_abort (txn);
        if (!code)
            code = try_puts (self);
        fault = shard_store_explain (self, "read", code, error, error_size);
    }
    shard_store_close (&self);
    return fault;
}
