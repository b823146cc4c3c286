/*  shard_store_parts: the store's state and what its files share; private to shard_store*.c. */
#ifndef HOTPATH_SHARD_STORE_PARTS_H
#define HOTPATH_SHARD_STORE_PARTS_H

#include <lmdb.h>
#include <sys/types.h>
#include "common/shard_store.h"

struct shard_store {
    MDB_env *env;
    MDB_dbi dbi;
    size_t map_bytes, bytes_max;
    size_t file_bytes; /* as last seen: LMDB never makes a file shorter */
    int pin;           /* the file as it was first opened, so that its number is no other's; -1: none yet */
    dev_t device;      /* of it, … */
    ino_t inode;       /* … never changed: read from other threads */
    uint64_t epoch;
    bool is_short;
    char *folder, *path, *mark;
};

/*  What we find ourselves, beside LMDB's codes (negative) and errno's. */
enum {
    STORE_CODES = 1000000,
    STORE_OWNER,
    STORE_GONE,
    STORE_CUT,
    STORE_CHECKSUM,
    STORE_COUNT,
    STORE_FREE_LIST,
    STORE_NO_EPOCH,
};

typedef shard_fault_t shard_store_record_t (void *arg, const uint8_t *key, size_t key_size,
                                            const uint8_t *value, size_t value_size);

/*  shard_store_fault.c: what a code means; explain: with a sentence in error ("cannot VERB PATH:
 *  …"). */
shard_fault_t shard_store_fault (int code);
shard_fault_t shard_store_explain (const shard_store_t *self, const char *verb, int code, char *error,
                                   size_t error_size);

/*  shard_store.c */
shard_store_t *shard_store_make (const char *folder, size_t bytes_max);
shard_fault_t shard_store_begin (shard_store_t *self, bool trusted, char *error, size_t error_size);
/*  Every record, checked, and as many as there should be. *refused: the callback's answer. */
int shard_store_walk (shard_store_t *self, MDB_txn *txn, shard_store_record_t *record, void *arg,
                      shard_fault_t *refused);
int shard_store_put (MDB_cursor *cursor, const void *key, size_t key_size, const void *bytes, size_t size);

#endif
