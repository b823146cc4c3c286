/*  shard_check: what to think of a shard's store before it is opened, and where to put one that is
 *  broken.
 *
 *      data.mdb.suspect           a byte for each time that a process died at work on it (crash_mark), or found
 *                                 it broken while it committed
 *      data.mdb.corrupt-TIME      set aside; the newest SHARD_CHECK_KEPT of them stay
 *
 *  A store under suspicion is read by a process of its own first: if that dies, this one does not.
 */
#ifndef HOTPATH_SHARD_CHECK_H
#define HOTPATH_SHARD_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/shard_store.h"

enum {
    SHARD_CHECK_KEPT = 2,
    SHARD_CHECK_CRASHES_MAX = 2, /* a store that reads well, but ended so many processes, is broken as well */
    SHARD_CHECK_MS_MAX = 600000, /* for reading it all; then it counts as broken */
};

/*  The path of the mark of the store in `folder`, into path. */
void shard_check_mark (const char *folder, char *path, size_t size);
/*  Adds a byte to the mark. */
void shard_check_suspect (const char *folder);
/*  Removes it: the store has proved itself. */
void shard_check_clear (const char *folder);
/*  Is any store of the stage under suspicion? `stage_folder` holds the shards' folders. */
bool shard_check_any (const char *stage_folder, uint32_t shard_count);
/*  Is this one? */
bool shard_check_is_suspect (const char *folder);

/*  Has a process of its own read the whole store: NONE, or what it found, with a sentence in
 *  error. `progress` (or NULL) is called now and then while that goes on. Counts past crashes:
 *  see CRASHES_MAX. */
shard_fault_t shard_check_verify (const char *folder, void (*progress) (void *arg), void *arg,
                                  char *error, size_t error_size);

typedef struct {
    size_t bytes_max;
    bool careful; /* verify it in any case */
    void (*progress) (void *arg);
    void *arg;
} shard_check_options_t;

/*  Opens a store, verified before where it is under suspicion, or looks as if reading it could end this
 *  process. NULL with *fault and a sentence in error. */
shard_store_t *shard_check_open (const char *folder, const shard_check_options_t *options,
                                 shard_fault_t *fault, char *error, size_t error_size);

/*  Renames data.mdb, and removes the mark and what was set aside before the newest few. Its new path is in
 *  `aside`; or ACCESS, and why it cannot be is added to what `error` (a string) says already. */
shard_fault_t shard_check_set_aside (const char *folder, int64_t wall_ms, char *aside,
                                     size_t aside_size, char *error, size_t error_size);

#endif
