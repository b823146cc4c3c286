/*  shard_store_fault: what LMDB's codes and our own mean for a store. */
#include "common/shard_store_parts.h"

#include <errno.h>
#include <stdio.h>

static const char *code_text (int code)
{
    switch (code) {
    case STORE_OWNER:
        return "the shard has a newer owner";
    case STORE_GONE:
        return "the file was removed or replaced";
    case STORE_CUT:
        return "the file was cut short";
    case STORE_CHECKSUM:
        return "a record does not have its checksum";
    case STORE_COUNT:
        return "records are missing";
    case STORE_FREE_LIST:
        return "the list of free pages is not valid";
    case STORE_NO_EPOCH:
        return "there are records, and no epoch";
    case EIO:
        return "the disk refused it: an error of the disk, or a limit of size";
    default:
        return mdb_strerror (code);
    }
}

shard_fault_t shard_store_fault (int code)
{
    switch (code) {
    case 0:
        return SHARD_FAULT_NONE;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return SHARD_FAULT_ROOM;
    case STORE_OWNER:
        return SHARD_FAULT_OWNER;
    case STORE_GONE:
        return SHARD_FAULT_GONE;
    case MDB_VERSION_MISMATCH:
        return SHARD_FAULT_FORMAT;
    case STORE_CUT:
    case STORE_CHECKSUM:
    case STORE_COUNT:
    case STORE_FREE_LIST:
    case STORE_NO_EPOCH:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_TXN:
    case MDB_BAD_DBI:
    case MDB_BAD_VALSIZE:
    case MDB_KEYEXIST:
    case MDB_NOTFOUND:
        return SHARD_FAULT_BROKEN;
    default: /* of the disk, or of memory; MDB_PANIC: an earlier error, and the store must be opened anew */
        return SHARD_FAULT_ACCESS;
    }
}

shard_fault_t shard_store_explain (const shard_store_t *self, const char *verb, int code, char *error,
                              size_t error_size)
{
    if (code == MDB_MAP_FULL)
        snprintf (error, error_size,
                  "cannot %s %s: the store has reached its bound of %zu bytes: start again with a greater "
                  "--shard-bytes-max",
                  verb, self->path, self->bytes_max);
    else if (code)
        snprintf (error, error_size, "cannot %s %s: %s", verb, self->path, code_text (code));
    return shard_store_fault (code);
}
