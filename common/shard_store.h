/*  shard_store: the stored records of one shard (LMDB, the only file that knows it): loaded once,
 *  then changed by commits, each one transaction that is durable when it returns.
 *
 *  Behind each value lie 4 bytes of its checksum, over key and value: LMDB has none, and what a
 *  disk gives back wrong would otherwise be counted on. One record of our own, "epoch", holds the
 *  format and the epoch.
 *
 *  Exclusive: whoever opens it holds the shard's lock (shard_owner). One thread at a time; the
 *  committing thread after the loading one. Never WRITEMAP, never NOSYNC. What to do with a store
 *  that is broken is not decided here (shard, shard_check).
 */
#ifndef HOTPATH_SHARD_STORE_H
#define HOTPATH_SHARD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/change_set.h"

typedef struct shard_store shard_store_t;

/*  What is wrong with a store. */
typedef enum {
    SHARD_FAULT_NONE,
    SHARD_FAULT_ROOM,   /* no room: the disk is full, or the store at its bound. Nothing changed; may pass */
    SHARD_FAULT_ACCESS, /* it cannot be opened, read or written as things are (permission, no file, an error of
                         * the disk, no memory). Nothing changed; may pass */
    SHARD_FAULT_OWNER,  /* a greater epoch has been here: the shard has a newer owner */
    SHARD_FAULT_GONE,   /* the file is not in its place any more: removed, or replaced by another */
    SHARD_FAULT_BROKEN, /* what is stored is not what was written */
    SHARD_FAULT_FORMAT, /* written in another format */
    SHARD_FAULT_SHORT,  /* the file is shorter than its pages: some at its end were never written, which is no
                         * fault; or somebody cut it, and reading would end this process */
} shard_fault_t;

enum {
    SHARD_STORE_FORMAT = 4, /* 1 had no checksums, 2 no profiles of version 2 (profile_record), 3 no empty_until_ms
                             * (metric_scenario) */
    SHARD_STORE_FORMAT_LEAST = 2, /* that is still read; it becomes the present one when it is opened */
    SHARD_STORE_MAP_BYTES = 64 << 20,       /* at first; doubles by itself up to the bound */
    SHARD_STORE_BYTES_LEAST = 1 << 20,      /* least bound */
};
#define SHARD_STORE_BYTES_MAX ((size_t)1 << 40) /* bound, where none is given */

/*  Opens (makes) the store in an existing folder; it grows to at most bytes_max. NULL with
 *  *fault and a sentence in error. `trusted`: it was verified: one that is SHORT is read all the
 *  same (shard_check_open does both). */
shard_store_t *shard_store_open (const char *folder, size_t bytes_max, bool trusted,
                                 shard_fault_t *fault, char *error, size_t error_size);
void shard_store_close (shard_store_t **self_p);

/*  Calls back with each record in order of keys (borrowed for the call); another answer than
 *  NONE ends it, and is the result. *error says what is wrong, but for the callback's answers. */
shard_fault_t shard_store_load (shard_store_t *self,
                                shard_fault_t (*record) (void *arg, const uint8_t *key, size_t key_size,
                                                         const uint8_t *value, size_t value_size),
                                void *arg, char *error, size_t error_size);

/*  Epoch of the last commit, or 0: nothing was ever committed. */
uint64_t shard_store_epoch (const shard_store_t *self);
/*  Size of the file, or 0. From any thread. */
size_t shard_store_bytes (const shard_store_t *self);
/*  Is the file still where it was opened? From any thread. */
bool shard_store_is_in_place (const shard_store_t *self);

/*  Applies all changes and the epoch in one transaction, synced. After any fault nothing has
 *  changed; *error says why. */
shard_fault_t shard_store_commit (shard_store_t *self, const change_set_t *changes, uint64_t epoch,
                                  char *error, size_t error_size);

/*  Reads all there is, the list of free pages too, and tries to change some of it, without
 *  effect. May well end the process where the store is broken: for a process of its own
 *  (shard_check). */
shard_fault_t shard_store_examine (const char *folder, char *error, size_t error_size);

#endif
