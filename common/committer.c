#include "common/committer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/memory.h"

enum { NICE = 5 }; /* a third of the weight of the loop */

typedef struct node {
    commit_job_t *job;
    struct node *next, *prev;
} node_t;

struct committer {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    node_t *waiting, *finished;
    bool stopping;
    int fd;
};

/*  Where cores are few, events come before commits: Kafka is the log. (On Linux a nice value is of the
 * thread. Where it is refused, commits do not give way.) */
static void give_way (void)
{
    int refused = nice (NICE);
    (void)refused;
}

static void *run (void *arg)
{
    committer_t *self = arg;
    give_way ();
    pthread_mutex_lock (&self->mutex);
    while (self->waiting || !self->stopping) {
        if (!self->waiting) {
            pthread_cond_wait (&self->wake, &self->mutex);
            continue;
        }
        node_t *node = self->waiting;
        DL_DELETE (self->waiting, node);
        pthread_mutex_unlock (&self->mutex);
        commit_job_t *job = node->job;
        int64_t started_ms = clock_ms ();
        job->fault =
            shard_store_commit (job->store, &job->changes, job->epoch, job->error, sizeof job->error);
        job->took_ms = clock_ms () - started_ms;
        pthread_mutex_lock (&self->mutex);
        DL_APPEND (self->finished, node);
        CHECK (eventfd_write (self->fd, 1) == 0);
    }
    pthread_mutex_unlock (&self->mutex);
    return NULL;
}

committer_t *committer_new (void)
{
    committer_t *self = memory_new (sizeof *self);
    self->fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK (self->fd >= 0);
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->wake, NULL);
    CHECK (pthread_create (&self->thread, NULL, run, self) == 0);
    return self;
}

void committer_destroy (committer_t **self_p)
{
    committer_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&self->mutex);
    self->stopping = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->mutex);
    pthread_join (self->thread, NULL);
    for (commit_job_t *job; (job = committer_take (self)) != NULL;)
        commit_job_destroy (&job);
    pthread_mutex_destroy (&self->mutex);
    pthread_cond_destroy (&self->wake);
    close (self->fd);
    free (self);
    *self_p = NULL;
}

void committer_submit (committer_t *self, commit_job_t **job_p)
{
    node_t *node = memory_new (sizeof *node);
    node->job = *job_p;
    *job_p = NULL;
    pthread_mutex_lock (&self->mutex);
    DL_APPEND (self->waiting, node);
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->mutex);
}

commit_job_t *committer_take (committer_t *self)
{
    pthread_mutex_lock (&self->mutex);
    node_t *node = self->finished;
    if (node) {
        DL_DELETE (self->finished, node);
    } else {
        eventfd_t count;
        (void)eventfd_read (self->fd, &count);
    }
    pthread_mutex_unlock (&self->mutex);
    commit_job_t *job = node ? node->job : NULL;
    free (node);
    return job;
}

int committer_fd (const committer_t *self)
{
    return self->fd;
}
