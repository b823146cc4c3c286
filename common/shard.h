/*  shard: one shard that this process owns: the stage's state of it, its vector, watermark, owed results,
 *  counters, and its commits. The worker tells it sections, time and configs, and moves its results.
 *
 *  Life: shard_open (reads all that is stored, commits the new epoch), then sections and commits, then
 *  closing (no more sections), a last commit, shard_destroy.
 */
#ifndef HOTPATH_SHARD_H
#define HOTPATH_SHARD_H

#include <stdbool.h>
#include <stdint.h>
#include "common/committer.h"
#include "common/owed.h"
#include "common/partition_names.h"
#include "common/shard_store.h"
#include "common/stage.h"
#include "common/vector.h"
#include "common/watermark.h"

/*  What happened to the events whose counting stage this is (each event has one), over the shard's whole
 *  state: committed with the vector, so that replays count once. */
typedef struct {
    uint64_t counted, late, skipped;
} shard_counts_t;

typedef struct {
    const stage_t *stage;
    void *state; /* the stage's */
    uint32_t number;
    uint64_t epoch;
    shard_store_t *store;
    owed_t *owed;
    partition_names_t *partitions; /* borrowed */

    vector_t applied, durable;
    uint64_t *generations; /* by sink: of Redis, as its results here are meant for; 0: not known */
    uint32_t sink_count;
    bool generations_changed;
    bool stored;           /* there was something to load */
    int64_t watermark_ms;
    int64_t exact_from_ms;
    shard_counts_t counts;

    bool touched;   /* sections were applied since the last advance */
    bool finished;  /* finish () was told and nothing was applied since */
    bool changed;   /* head or records changed since the last collected commit */
    bool closing;   /* takes no more sections */
    bool committing;
    bool storage_failed;
    change_set_t failed; /* what a commit could not write: goes before the next changes */
    int64_t next_commit_ms;
} shard_t;

/*  Opens the store in `folder` and reads it. NULL with a sentence in error (the lock should be given back).
 *  `context` is copied, its owed replaced by the shard's own. */
shard_t *shard_open (const stage_t *stage, const stage_context_t *context, uint32_t sink_count,
                     partition_names_t *partitions, const char *folder, int64_t wall_ms,
                     int64_t now_ms, char *error, size_t error_size);
void shard_destroy (shard_t **self_p);

/*  Where time stands for it. */
stage_time_t shard_time (const shard_t *self, int64_t now_ms);
/*  Moves the watermark on (never back) and lets the stage compute. */
void shard_advance (shard_t *self, const watermark_t *watermark, bool once, int64_t now_ms);
/*  The sink told the generation of its Redis (0: nothing yet): where it is another than the one that this
 *  shard's results were written to, whoever owned the shard then, all that is live is owed again. */
void shard_follow_redis (shard_t *self, uint32_t sink, uint64_t generation, int64_t now_ms);
/*  Everything has ended, was computed, acknowledged and committed (--once). */
bool shard_settled (const shard_t *self, const watermark_t *watermark);

/*  A commit of all that changed, to be submitted; NULL where nothing did or one is under way. */
commit_job_t *shard_collect (shard_t *self);
/*  What became of it. Interval: the least time between two commits. */
void shard_committed (shard_t *self, commit_job_t *job, int64_t interval_ms, int64_t now_ms);

#endif
