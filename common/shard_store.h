/*  shard_store: the stored records of one shard (LMDB, the only file that knows it): loaded once, then
 *  changed by commits, each one transaction that is durable when it returns.
 *
 *  Exclusive: whoever opens it holds the shard's lock (shard_owner). One thread at a time; the committing
 *  thread after the loading one. Never WRITEMAP, never NOSYNC.
 */
#ifndef HOTPATH_SHARD_STORE_H
#define HOTPATH_SHARD_STORE_H

#include <stddef.h>
#include <stdint.h>
#include "common/change_set.h"
#include "common/outcome.h"

typedef struct shard_store shard_store_t;

enum { SHARD_STORE_MAP_BYTES = 64 << 20 };                  /* at first; doubles by itself … */
#define SHARD_STORE_MAP_BYTES_MAX ((size_t) 1 << 40)        /* … to at most this */

/*  Opens (makes) the store in an existing folder. NULL with a sentence in error. */
shard_store_t *shard_store_open (const char *folder, char *error, size_t error_size);
void shard_store_close (shard_store_t **self_p);

/*  Calls back with each record in order of keys; a callback's -1 ends it. Borrowed for the call.
 *  0, or -1 (unreadable store: *error says so; or the callback refused). */
int shard_store_load (shard_store_t *self,
                      int (*record) (void *arg, const uint8_t *key, size_t key_size,
                                     const uint8_t *value, size_t value_size),
                      void *arg, char *error, size_t error_size);

/*  Epoch of the last commit, or 0. */
uint64_t shard_store_epoch (shard_store_t *self);

/*  Applies all changes and the epoch in one transaction, synced. RETRY: no room (disk or map full), nothing
 *  changed, the same call may succeed later. ERROR: a greater epoch has been here (the shard has a newer
 *  owner), or the store is broken. Both with a sentence in error. */
outcome_t shard_store_commit (shard_store_t *self, const change_set_t *changes, uint64_t epoch,
                              char *error, size_t error_size);

#endif
