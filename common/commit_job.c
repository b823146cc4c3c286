/*  commit_job: what the committing thread and those that stand in for it (tests/model) share: its jobs. */
#include "common/committer.h"

#include <stdlib.h>

void commit_job_destroy (commit_job_t **job_p)
{
    commit_job_t *job = *job_p;
    if (!job)
        return;
    change_set_free (&job->changes);
    vector_free (&job->vector);
    free (job);
    *job_p = NULL;
}
