/*  committer: the thread that commits, so that the loop's intake goes on meanwhile. Jobs go in whole, come
 *  back whole: what a job holds belongs to the thread between committer_submit and committer_take.
 */
#ifndef HOTPATH_COMMITTER_H
#define HOTPATH_COMMITTER_H

#include <stdint.h>
#include "common/change_set.h"
#include "common/shard_store.h"
#include "common/vector.h"

typedef struct {
    void *owner;          /* the caller's, untouched */
    shard_store_t *store; /* borrowed */
    change_set_t changes;
    size_t head_at, head_count; /* where in changes the shard's head begins */
    uint64_t epoch;
    vector_t vector;      /* that the changes make durable */
    shard_fault_t fault;  /* filled by the thread, as the rest */
    int64_t took_ms;
    char error[256];
} commit_job_t;

typedef struct committer committer_t;

committer_t *committer_new (void);
/*  Waits for the jobs submitted; those not taken are freed. */
void committer_destroy (committer_t **self_p);
/*  Takes the job. At most one a store may be under way. */
void committer_submit (committer_t *self, commit_job_t **job_p);
/*  A finished job (the caller's: commit_job_destroy), or NULL. */
commit_job_t *committer_take (committer_t *self);
/*  Readable when a job has finished: for the loop's poll. */
int committer_fd (const committer_t *self);
void commit_job_destroy (commit_job_t **job_p);

#endif
