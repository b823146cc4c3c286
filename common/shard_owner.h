/*  shard_owner: which shards of a stage this process owns, by file locks (one host). A lock is exclusive
 *  and goes when its process dies, at once. Workers of a stage see each other the same way, each by a locked
 *  file of its own, and each holds its fair share: at most ceil (shards / workers).
 *
 *      STATE/<stage>/members/<name>     locked while that worker lives
 *      STATE/<stage>/<shard>/lock       locked by the shard's owner
 *
 *  The loop calls shard_owner_step about twice a second, takes the shards that it is given, and gives back
 *  those it is asked for (after their last commit) with shard_owner_release. A frozen process keeps its
 *  locks: its shards are late, never wrong.
 */
#ifndef HOTPATH_SHARD_OWNER_H
#define HOTPATH_SHARD_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct shard_owner shard_owner_t;

typedef struct {
    void *arg;
    /*  The lock of this shard is ours now. -1: it cannot be opened; the lock is given back. */
    int (*taken) (void *arg, uint32_t shard);
    /*  This shard is beyond the fair share: commit it, then shard_owner_release. May be called again. */
    void (*surplus) (void *arg, uint32_t shard);
} shard_owner_events_t;

/*  Joins the stage: `folder` is STATE/<stage>, made where absent; `name` must be unique (host and pid).
 *  NULL with a sentence in error. */
shard_owner_t *shard_owner_new (const char *folder, const char *name, uint32_t shard_count,
                                const shard_owner_events_t *events, char *error, size_t error_size);
/*  Releases everything. */
void shard_owner_destroy (shard_owner_t **self_p);
/*  Looks at the others; takes free shards up to the share, or asks for the surplus. The first shards are
 *  taken SHARD_OWNER_SETTLE_MS after joining, so that workers started together do not pass shards around. */
void shard_owner_step (shard_owner_t *self, int64_t now_ms);
void shard_owner_release (shard_owner_t *self, uint32_t shard);
/*  Does it hold nothing since there are more workers than shards, as it last looked? */
bool shard_owner_stands_by (const shard_owner_t *self);
/*  Folder of a shard: for its store. Borrowed until the next call. */
const char *shard_owner_folder (shard_owner_t *self, uint32_t shard);

/*  The fair share: the most that one of `workers` holds. Pure. */
uint32_t shard_owner_share (uint32_t shard_count, uint32_t workers);

enum { SHARD_OWNER_SETTLE_MS = 300, SHARD_OWNER_STEP_MS = 400 };

#endif
