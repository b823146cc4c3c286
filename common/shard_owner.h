/*  shard_owner: which shards of a stage this process owns, by file locks (one host). A lock is
 *  exclusive and goes when its process dies, at once. Workers of a stage see each other the same
 *  way, each by a locked file of its own, which says how many shards it holds and is touched at
 *  each step; each holds its fair share (share_plan).
 *
 *      STATE/<stage>/members/<name>     locked while that worker lives: "held=N"
 *      STATE/<stage>/<shard>/lock       locked by the shard's owner
 *
 *  The loop calls shard_owner_step when it is due, takes the shards that it is given, and gives
 *  back those it is asked for (after their last commit) with shard_owner_release. A frozen process
 *  keeps its locks: its shards are late, never wrong. A lock counts only as long as its path names
 *  the locked file: where a folder was removed, another could lock a new file, so its holder drops
 *  the shard.
 */
#ifndef HOTPATH_SHARD_OWNER_H
#define HOTPATH_SHARD_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct shard_owner shard_owner_t;

typedef struct {
    void *arg;
    /*  The lock of this shard is ours now. -1: it cannot be opened; the lock is given back, and
     *  tried again later. */
    int (*taken) (void *arg, uint32_t shard);
    /*  This shard is beyond the fair share: commit it, then shard_owner_release. May be called
     *  again. */
    void (*surplus) (void *arg, uint32_t shard);
    /*  The lock of this shard, or its folder, is not in its place any more: it may have another
     *  owner. Nothing more may be written or sent of it; then shard_owner_release. May be called
     *  again. */
    void (*lost) (void *arg, uint32_t shard);
} shard_owner_events_t;

enum {
    SHARD_OWNER_SETTLE_MS = 300,   /* before the first take, so that workers started together need no moves */
    SHARD_OWNER_STEP_MS = 400,     /* between two steps … */
    SHARD_OWNER_HASTE_MS = 50,     /* … and while it waits for shards that others are about to give back, … */
    SHARD_OWNER_HASTE_MAX_MS = 5000, /* … for so long */
    SHARD_OWNER_FROZEN_MS = 5000,  /* a worker that has not touched its file for so long takes nothing */
    SHARD_OWNER_AGAIN_MS = 1000,   /* a shard that could not be opened is tried again after this, doubled … */
    SHARD_OWNER_AGAIN_MOST_MS = 5000, /* … to this */
    SHARD_OWNER_TAKE_MS = 250,     /* opening shards in one step ends after this; the next goes on */
    SHARD_OWNER_MEMBERS_MAX = 1024,
};

/*  Joins the stage: `folder` is STATE/<stage>, made where absent; `name` must be unique (host
 *  and pid). NULL with a sentence in error. */
shard_owner_t *shard_owner_new (const char *folder, const char *name, uint32_t shard_count,
                                const shard_owner_events_t *events, char *error, size_t error_size);
/*  Releases everything. */
void shard_owner_destroy (shard_owner_t **self_p);
/*  Looks at the others and at its own locks; takes free shards up to its share, or asks for the
 *  surplus. Returns after how many ms to call it again; -1 with a sentence in error: it is no
 *  longer a member and cannot join again (the process should end). */
int64_t shard_owner_step (shard_owner_t *self, int64_t now_ms, char *error, size_t error_size);
/*  From now on it takes nothing more, and the others share all there is: for a drain. */
void shard_owner_leave (shard_owner_t *self);
void shard_owner_release (shard_owner_t *self, uint32_t shard);
/*  As release, for one that is broken or has another owner: it is not tried again at once. */
void shard_owner_give_up (shard_owner_t *self, uint32_t shard, int64_t now_ms);
/*  Does it hold nothing since there are more workers than shards, as it last looked? */
bool shard_owner_stands_by (const shard_owner_t *self);
/*  Folder of a shard: for its store. Borrowed until the next call. */
const char *shard_owner_folder (shard_owner_t *self, uint32_t shard);

#endif
