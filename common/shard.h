/*  shard: one shard that this process owns: the stage's state of it, its vector, watermark, owed
 *  results, counters, and its commits. The worker tells it sections, time and configs, and moves
 *  its results.
 *
 *  Life: shard_open (reads all that is stored, commits the new epoch), then sections and commits;
 *  to go to another owner: leaving (a commit while it still takes sections, so that the pause is
 *  short), closing (no more sections), a last commit, shard_destroy. One whose store is lost or
 *  broken is dropped without a commit: it is opened anew, and what cannot be read is computed again
 *  from the source.
 */
#ifndef HOTPATH_SHARD_H
#define HOTPATH_SHARD_H

#include <stdbool.h>
#include <stdint.h>
#include "common/committer.h"
#include "common/owed.h"
#include "common/partition_names.h"
#include "common/retired.h"
#include "common/shard_store.h"
#include "common/stage.h"
#include "common/vector.h"
#include "common/watermark.h"

/*  What happened to the events whose counting stage this is (each event has one), over the
 *  shard's whole state: committed with the vector, so that replays count once. */
typedef struct {
    uint64_t counted, late, skipped;
} shard_counts_t;

typedef struct {
    const stage_t *stage;
    void *state; /* the stage's */
    char *folder;
    uint32_t number;
    uint64_t epoch;
    shard_store_t *store;
    owed_t *owed;
    partition_names_t *partitions; /* borrowed */

    vector_t applied, durable;
    retired_t *retired; /* entries of partitions that are gone */
    vector_t reach;  /* one that is rebuilt: where it has caught up (shard_is_behind), … */
    int64_t past_ms; /* … and the watermark there: windows up to it were written before */
    int64_t watermark_ms;
    int64_t exact_from_ms;
    shard_counts_t counts;

    bool touched;   /* sections were applied since the last advance */
    bool finished;  /* finish () was told and nothing was applied since */
    bool changed;   /* head or records changed since the last collected commit */
    bool fresh;     /* nothing was stored: it begins at the oldest kept offsets */
    bool rebuilt;   /* … since what was stored was broken, and is set aside */
    bool judged;    /* fresh: it was compared with the others (worker) */
    bool leaving;   /* is to be closed once a commit has made the last one short: … */
    bool precommitted; /* … it has */
    bool closing;   /* takes no more sections */
    bool dropped;   /* is no longer ours: nothing of it is written or sent any more */
    bool committing; /* a commit of it is collected, or under way */
    commit_job_t *collecting; /* one whose changes are not all in it yet; … */
    buffer_t head;            /* … its last */
    bool uncollected;         /* the stage has more of them */
    size_t changes_bytes;     /* of the last one */
    bool suspect;   /* its store is under suspicion until a commit succeeds */
    shard_fault_t fault; /* of the last commit */
    char trouble[256];   /* … in words */
    change_set_t failed; /* what a commit could not write: goes before the next changes */
    int64_t advanced_ms, next_commit_ms, said_ms;
} shard_t;

typedef struct {
    const stage_t *stage;
    const stage_context_t *context; /* copied, its owed replaced by the shard's own */
    uint32_t sink_count;
    partition_names_t *partitions;  /* borrowed for life */
    const char *folder, *state;     /* of the shard; of all, for the clock */
    size_t bytes_max;               /* bound of the store */
    bool careful;                   /* have every store verified by a process of its own before it is read */
    int64_t wall_ms, now_ms;
    void (*progress) (void *arg);   /* called now and then: opening may take long */
    void *arg;
} shard_options_t;

/*  Opens the store and reads it. One that is broken is set aside, said, and begun anew. NULL
 *  with *fault and a sentence in error (the lock should be given back). */
shard_t *shard_open (const shard_options_t *options, shard_fault_t *fault, char *error,
                     size_t error_size);
void shard_destroy (shard_t **self_p);

/*  Has it been rebuilt, and not yet read again up to where it (or a shard of its stage) stood?
 *  `is_listed` says whether a partition is still of the source: others hold nothing up. */
bool shard_is_behind (const shard_t *self, bool (*is_listed) (const void *arg, uint32_t partition),
                      const void *arg);

/*  Where time stands for it. */
stage_time_t shard_time (const shard_t *self, int64_t now_ms);
/*  One that cannot commit stands still, so that what it owes and has changed stays as it is. */
bool shard_may_advance (const shard_t *self);
/*  Moves the watermark on (never back) and lets the stage compute. */
void shard_advance (shard_t *self, const watermark_t *watermark, bool once, int64_t now_ms);
/*  Everything has ended, was computed, acknowledged and committed (--once). */
bool shard_settled (const shard_t *self, const watermark_t *watermark);

/*  Begins a commit of all that has changed by now; false where nothing did or one is under way. */
bool shard_collect (shard_t *self);
/*  Goes on with it: the commit, to be submitted, or NULL: there is more to collect. Meanwhile the shard may be used as
 *  always: what changes goes with the next commit. */
commit_job_t *shard_collect_more (shard_t *self);
/*  What became of it. Interval: the least time between two commits. After OWNER, GONE or BROKEN
 *  the shard is to be dropped (shard_is_lost). */
void shard_committed (shard_t *self, commit_job_t *job, int64_t interval_ms, int64_t now_ms);
/*  Do its commits fail for a reason that may pass? It stands still until one succeeds. */
bool shard_is_stuck (const shard_t *self);
bool shard_is_lost (const shard_t *self);

/*  The vector's entry of a partition that the source does not have any more is kept apart, once
 *  it is durable; and comes back with the partition. Both say whether they did anything. */
bool shard_retire (shard_t *self, uint32_t partition);
bool shard_revive (shard_t *self, uint32_t partition);

#endif
