#include "common/shard_store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/crash_mark.h"
#include "common/crash_point.h"
#include "common/memory.h"
#include "common/shard_check.h"

/*  A key of our own: a commit compares the epoch before it changes anything. */
static const char epoch_key[] = "epoch";

typedef struct {
    uint32_t format, zero;
    uint64_t epoch;
} epoch_record_t;

enum {
    CHECKSUM_BYTES = 4,
    FORMAT_1_BYTES = 8, /* of its epoch record */
    ROOM_FACTOR = 4,
    ROOM_BYTES = 1 << 20,
};
/*  Pages that one transaction allocates at the end and gives back need not be written: never
 *  more than this. */
#define SHORT_BYTES_MAX ((size_t)1 << 30)

/*  ---- opening ---- */

static int open_table (shard_store_t *self)
{
    MDB_txn *txn;
    int code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
    if (code)
        return code;
    code = mdb_dbi_open (txn, NULL, 0, &self->dbi);
    if (code) {
        mdb_txn_abort (txn);
        return code;
    }
    return mdb_txn_commit (txn);
}

/*  The environment is open for a reading or a commit only, as what it holds may be more than all state of the
 *  process: the file's pages that were touched, and the memory of the most pages that a transaction ever changed. To
 *  open it costs less than a commit's smallest write. */
static void close_env (shard_store_t *self)
{
    if (self->env)
        mdb_env_close (self->env);
    self->env = NULL;
}

/*  What cannot be mapped may be a length that is not true. */
static bool can_map (const shard_store_t *self)
{
    void *map = mmap (NULL, self->map_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return false;
    munmap (map, self->map_bytes);
    return true;
}

/*  Remembers which file it is, or finds that it is another one. */
static int see_file (shard_store_t *self)
{
    struct stat found;
    mdb_filehandle_t fd;
    if (self->pin < 0) {
        self->pin = open (self->path, O_RDONLY | O_CLOEXEC);
        if (self->pin < 0 || fstat (self->pin, &found) != 0)
            return errno;
        self->device = found.st_dev;
        self->inode = found.st_ino;
    }
    mdb_env_get_fd (self->env, &fd);
    if (fstat (fd, &found) != 0)
        return errno;
    if (self->inode != found.st_ino || self->device != found.st_dev)
        return STORE_GONE;
    self->file_bytes = (size_t)found.st_size;
    return 0;
}

/*  An LMDB code or one of ours; after a failure the environment is absent. */
static int open_env (shard_store_t *self)
{
    MDB_envinfo info;
    MDB_stat stat;
    int code = mdb_env_create (&self->env);
    if (!code)
        code = mdb_env_set_mapsize (self->env, self->map_bytes);
    /* NOLOCK: the shard's own lock keeps others out, and LMDB's would survive a kill. */
    if (!code)
        code =
            mdb_env_open (self->env, self->folder, MDB_NOTLS | MDB_NOLOCK | MDB_NORDAHEAD, 0644);
    if ((code == ENOMEM || code == EINVAL) && can_map (self))
        code = MDB_CORRUPTED;
    if (!code)
        code = see_file (self);
    if (!code) {
        mdb_env_info (self->env, &info);
        mdb_env_stat (self->env, &stat);
        self->map_bytes = info.me_mapsize;
        size_t wanted = (info.me_last_pgno + 1) * stat.ms_psize;
        self->is_short = self->file_bytes < wanted;
        if (self->is_short && wanted - self->file_bytes > SHORT_BYTES_MAX)
            code = STORE_CUT;
    }
    if (!code)
        code = open_table (self);
    if (code)
        close_env (self);
    return code;
}

/*  A folder entry is durable only with its folder. */
static void sync_folder (const char *folder)
{
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync (fd);
    close (fd);
}

shard_store_t *shard_store_make (const char *folder, size_t bytes_max)
{
    char path[PATH_MAX];
    shard_store_t *self = memory_new (sizeof *self);
    self->folder = memory_copy_string (folder, strlen (folder));
    snprintf (path, sizeof path, "%s/data.mdb", folder);
    self->path = memory_copy_string (path, strlen (path));
    self->pin = -1;
    shard_check_mark (folder, path, sizeof path);
    self->mark = memory_copy_string (path, strlen (path));
    self->bytes_max = bytes_max;
    self->map_bytes = bytes_max < SHARD_STORE_MAP_BYTES ? bytes_max : SHARD_STORE_MAP_BYTES;
    return self;
}

void shard_store_close (shard_store_t **self_p)
{
    shard_store_t *self = *self_p;
    if (!self)
        return;
    close_env (self);
    if (self->pin >= 0)
        close (self->pin);
    free (self->folder);
    free (self->path);
    free (self->mark);
    free (self);
    *self_p = NULL;
}

/*  ---- records ---- */

static uint32_t checksum (const MDB_val *key, const void *value, size_t value_size)
{
    XXH64_hash_t seed = XXH3_64bits (key->mv_data, key->mv_size);
    return (uint32_t)XXH3_64bits_withSeed (value, value_size, seed);
}

/*  Takes the checksum off the value. False: it is not its own. */
static bool check_record (const MDB_val *key, MDB_val *value)
{
    uint32_t stored;
    if (value->mv_size < CHECKSUM_BYTES)
        return false;
    value->mv_size -= CHECKSUM_BYTES;
    memcpy (&stored, (const uint8_t *)value->mv_data + value->mv_size, sizeof stored);
    return stored == checksum (key, value->mv_data, value->mv_size);
}

int shard_store_put (MDB_cursor *cursor, const void *key_bytes, size_t key_size, const void *bytes,
                     size_t size)
{
    MDB_val key = {key_size, (void *)(uintptr_t)key_bytes};
    MDB_val value = {size + CHECKSUM_BYTES, NULL};
    int code = mdb_cursor_put (cursor, &key, &value, MDB_RESERVE);
    if (code)
        return code;
    uint32_t sum = checksum (&key, bytes, size);
    if (size)
        memcpy (value.mv_data, bytes, size);
    memcpy ((uint8_t *)value.mv_data + size, &sum, sizeof sum);
    return 0;
}

static bool is_epoch_key (const MDB_val *key)
{
    return key->mv_size == sizeof epoch_key &&
           memcmp (key->mv_data, epoch_key, sizeof epoch_key) == 0;
}

/*  MDB_NOTFOUND: nothing was ever committed. *format is the record's, also where it is not ours. */
static int read_epoch (MDB_txn *txn, MDB_dbi dbi, uint64_t *epoch, uint32_t *format)
{
    MDB_val key = {sizeof epoch_key, (void *)(uintptr_t)epoch_key}, value;
    epoch_record_t record;
    *epoch = 0;
    *format = 1;
    int code = mdb_get (txn, dbi, &key, &value);
    if (code || value.mv_size == FORMAT_1_BYTES)
        return code;
    if (!check_record (&key, &value))
        return STORE_CHECKSUM;
    if (value.mv_size < sizeof record)
        return MDB_CORRUPTED;
    memcpy (&record, value.mv_data, sizeof record);
    *epoch = record.epoch;
    *format = record.format;
    return 0;
}

static int write_epoch (MDB_cursor *cursor, uint64_t epoch)
{
    const epoch_record_t record = {SHARD_STORE_FORMAT, 0, epoch};
    return shard_store_put (cursor, epoch_key, sizeof epoch_key, &record, sizeof record);
}

/*  The store's own record: is it one that we can read? */
static shard_fault_t read_format (shard_store_t *self, char *error, size_t error_size)
{
    MDB_txn *txn;
    MDB_stat stat;
    uint32_t format = SHARD_STORE_FORMAT;
    int code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
    if (code)
        return shard_store_explain (self, "open", code, error, error_size);
    code = mdb_stat (txn, self->dbi, &stat);
    if (!code)
        code = read_epoch (txn, self->dbi, &self->epoch, &format);
    if (code == MDB_NOTFOUND) {
        code = stat.ms_entries ? STORE_NO_EPOCH : 0;
        format = SHARD_STORE_FORMAT;
    }
    mdb_txn_abort (txn);
    if (code || (format >= SHARD_STORE_FORMAT_LEAST && format <= SHARD_STORE_FORMAT))
        return shard_store_explain (self, "open", code, error, error_size);
    snprintf (error, error_size,
              "%s is of format %" PRIu32 ", this program knows %d: run the %s version, or move the file away: "
              "the shard is then rebuilt from the source",
              self->path, format, SHARD_STORE_FORMAT, format < SHARD_STORE_FORMAT ? "older" : "newer");
    return SHARD_FAULT_FORMAT;
}

shard_fault_t shard_store_begin (shard_store_t *self, bool trusted, char *error, size_t error_size)
{
    struct stat found;
    bool there = stat (self->path, &found) == 0;
    if (there && !S_ISREG (found.st_mode)) {
        snprintf (error, error_size, "%s is not a file: move it away", self->path);
        return SHARD_FAULT_ACCESS;
    }
    int code = open_env (self);
    if (code == MDB_VERSION_MISMATCH) {
        snprintf (error, error_size,
                  "%s was written by another version of LMDB: run the version that wrote it, or move the "
                  "file away: the shard is then rebuilt from the source",
                  self->path);
        return SHARD_FAULT_FORMAT;
    }
    if (code)
        return shard_store_explain (self, "open", code, error, error_size);
    if (!there)
        sync_folder (self->folder);
    if (self->is_short && !trusted) {
        snprintf (error, error_size, "%s is shorter than its pages", self->path);
        return SHARD_FAULT_SHORT;
    }
    return read_format (self, error, error_size);
}

shard_store_t *shard_store_open (const char *folder, size_t bytes_max, bool trusted,
                                 shard_fault_t *fault, char *error, size_t error_size)
{
    shard_store_t *self = shard_store_make (folder, bytes_max);
    crash_mark_begin (self->mark);
    *fault = shard_store_begin (self, trusted, error, error_size);
    crash_mark_end ();
    if (*fault)
        shard_store_close (&self);
    return self;
}

uint64_t shard_store_epoch (const shard_store_t *self)
{
    return self->epoch;
}

size_t shard_store_bytes (const shard_store_t *self)
{
    struct stat found;
    return stat (self->path, &found) == 0 ? (size_t)found.st_size : 0;
}

bool shard_store_is_in_place (const shard_store_t *self)
{
    struct stat found;
    return stat (self->path, &found) == 0 && found.st_ino == self->inode &&
           found.st_dev == self->device;
}

/*  ---- loading ---- */

int shard_store_walk (shard_store_t *self, MDB_txn *txn, shard_store_record_t *record, void *arg,
                 shard_fault_t *refused)
{
    MDB_cursor *cursor = NULL;
    MDB_stat stat;
    MDB_val key, value;
    size_t count = 0;
    int code = mdb_stat (txn, self->dbi, &stat);
    if (!code)
        code = mdb_cursor_open (txn, self->dbi, &cursor);
    while (!code && !*refused && (code = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0) {
        if (++count > stat.ms_entries)
            code = STORE_COUNT;
        else if (value.mv_size > self->file_bytes || !check_record (&key, &value))
            code = STORE_CHECKSUM;
        else if (record && !is_epoch_key (&key))
            *refused = record (arg, key.mv_data, key.mv_size, value.mv_data, value.mv_size);
    }
    if (cursor)
        mdb_cursor_close (cursor);
    if (code == MDB_NOTFOUND)
        code = count == stat.ms_entries ? 0 : STORE_COUNT;
    return code;
}

shard_fault_t shard_store_load (shard_store_t *self, shard_store_record_t *record, void *arg, char *error,
                                size_t error_size)
{
    MDB_txn *txn = NULL;
    shard_fault_t refused = SHARD_FAULT_NONE;
    crash_mark_begin (self->mark);
    int code = self->env ? 0 : open_env (self);
    if (!code)
        code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
    if (!code)
        code = shard_store_walk (self, txn, record, arg, &refused);
    if (txn)
        mdb_txn_abort (txn);
    close_env (self);
    crash_mark_end ();
    return refused ? refused : shard_store_explain (self, "read", code, error, error_size);
}

/*  ---- commits ---- */

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

/*  Puts share a cursor: one whose key belongs beside the last one's does not go down the tree again. */
static int apply (MDB_txn *txn, MDB_dbi dbi, MDB_cursor *puts, const change_t *change)
{
    MDB_val key = {change->key_size, (void *)(uintptr_t)change->key};
    MDB_val value = {change->value_size, (void *)(uintptr_t)change->value};
    int code;
    switch (change->kind) {
    case CHANGE_PUT:
        return shard_store_put (puts, change->key, change->key_size, change->value, change->value_size);
    case CHANGE_DELETE:
        code = mdb_del (txn, dbi, &key, NULL);
        return code == MDB_NOTFOUND ? 0 : code;
    default:
        return delete_range (txn, dbi, key, value);
    }
}

/*  Is the file still the one that it was, in its place and not cut? Else a page could be missing
 *  in the middle of a transaction, or all of it go where nobody will look. */
static int look_at_file (shard_store_t *self)
{
    struct stat found;
    if (stat (self->path, &found) != 0)
        return errno == ENOENT || errno == ENOTDIR ? STORE_GONE : errno;
    if (found.st_ino != self->inode || found.st_dev != self->device)
        return STORE_GONE;
    if ((size_t)found.st_size < self->file_bytes)
        return STORE_CUT;
    self->file_bytes = (size_t)found.st_size;
    return 0;
}

/*  One try: an LMDB code, or one of ours. */
static int try_commit (shard_store_t *self, const change_set_t *changes, uint64_t epoch)
{
    MDB_txn *txn;
    MDB_cursor *puts = NULL;
    uint64_t last;
    uint32_t format;
    int code = look_at_file (self);
    if (!code && !self->env)
        code = open_env (self);
    if (!code)
        code = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (code)
        return code;
    code = read_epoch (txn, self->dbi, &last, &format);
    if (code == MDB_NOTFOUND)
        code = 0;
    if (!code && last > epoch)
        code = STORE_OWNER;
    if (!code)
        code = mdb_cursor_open (txn, self->dbi, &puts);
    if (!code)
        code = write_epoch (puts, epoch);
    change_t change;
    for (size_t at = 0; !code && change_set_next (changes, &at, &change);)
        code = apply (txn, self->dbi, puts, &change);
    if (puts)
        mdb_cursor_close (puts);
    if (code) {
        mdb_txn_abort (txn);
        return code;
    }
    CRASH_POINT (COMMIT_BEFORE);
    code = mdb_txn_commit (txn);
    CRASH_POINT (COMMIT_AFTER);
    return code;
}

/*  Doubles the map, up to the bound. False: it cannot grow. */
static bool grow (shard_store_t *self)
{
    if (!self->env || self->map_bytes >= self->bytes_max)
        return false;
    size_t bytes = self->map_bytes * 2 < self->bytes_max ? self->map_bytes * 2 : self->bytes_max;
    if (mdb_env_set_mapsize (self->env, bytes) != 0)
        return false;
    self->map_bytes = bytes;
    return true;
}

/*  A disk that fills up within a write cuts it short, which LMDB calls an error of the disk. */
static int see_through (const shard_store_t *self, const change_set_t *changes, int code)
{
    struct statvfs disk;
    if (code != EIO || statvfs (self->folder, &disk) != 0)
        return code;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    return room < ROOM_FACTOR * (uint64_t)changes->log.size + ROOM_BYTES ? ENOSPC : code;
}

shard_fault_t shard_store_commit (shard_store_t *self, const change_set_t *changes, uint64_t epoch,
                                  char *error, size_t error_size)
{
    crash_mark_begin (self->mark);
    int code = try_commit (self, changes, epoch);
    while (code == MDB_MAP_FULL && grow (self))
        code = try_commit (self, changes, epoch);
    code = see_through (self, changes, code);
    if (!code) {
        self->epoch = epoch;
        code = see_file (self);
    }
    close_env (self);
    crash_mark_end ();
    return shard_store_explain (self, "commit to", code, error, error_size);
}
