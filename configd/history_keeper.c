#include "configd/history_keeper.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <uthash.h>
#include <utlist.h>
#include "common/check.h"
#include "common/clock.h"
#include "common/key_hash.h"
#include "common/log.h"
#include "common/memory.h"
#include "configd/revision_keep.h"

typedef struct job {
    uint64_t hash;
    char *tenant, *scenario, *effective, *stored, *note;
    uint64_t number;
    bool by_default;
    struct job *prev, *next;
    UT_hash_handle hh; /* of `newest` */
} job_t;

typedef struct result {
    keeper_result_t result;
    struct result *prev, *next;
} result_t;

struct history_keeper {
    scenario_store_t *store;
    store_outcome_t (*prepare) (scenario_store_t *store, char *error);
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t wake;
    bool stop, prepared;
    job_t *queue;  /* the first is being done */
    job_t *newest; /* by hash: the last in the queue of each scenario */
    result_t *results;
    keeper_view_t view;
};

static char *copy (span_t text)
{
    return text.bytes ? memory_copy_string (text.bytes, text.size) : NULL;
}

static void free_job (job_t *job)
{
    free (job->tenant);
    free (job->scenario);
    free (job->effective);
    free (job->stored);
    free (job->note);
    free (job);
}

/*  ---- the thread ---- */

/*  Waits until woken or `ms` have passed; with the lock. */
static void rest (history_keeper_t *self, int64_t ms)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait (&self->wake, &self->lock, &until);
}

/*  The same, however often it is woken for new jobs. */
static void pause_for (history_keeper_t *self, int64_t ms)
{
    for (int64_t end_ms = clock_ms () + ms; !self->stop && clock_ms () < end_ms;)
        rest (self, end_ms - clock_ms ());
}

static void add_result (history_keeper_t *self, const job_t *job, uint64_t number)
{
    result_t *result = memory_new (sizeof *result);
    result->result = (keeper_result_t){.tenant = copy (span_of (job->tenant)),
                                       .scenario = copy (span_of (job->scenario)),
                                       .effective = copy (span_of (job->effective)),
                                       .number = number};
    pthread_mutex_lock (&self->lock);
    DL_APPEND (self->results, result);
    pthread_mutex_unlock (&self->lock);
}

/*  The version that a job is about. A document that is read otherwise by now tells nothing of it:
 *  then what ran is all there is. */
static void version_of (const job_t *job, scenario_version_t *version)
{
    config_errors_t *errors = memory_new (sizeof *errors);
    if (!scenario_version_of (job->stored, version, errors) ||
        strcmp (version->effective, job->effective) != 0) {
        scenario_version_free (version);
        CHECK (scenario_version_of (job->effective, version, errors));
    }
    free (errors);
}

static store_outcome_t keep (history_keeper_t *self, const job_t *job, bool stale, char *error)
{
    scenario_version_t version;
    revision_note_t note;
    revision_record_t kept;
    version_of (job, &version);
    bool noted = revision_note_parse (span_of (job->note), &note);
    const revision_keep_t config = {.tenant = span_of (job->tenant),
                                    .scenario = span_of (job->scenario),
                                    .version = &version,
                                    .note = noted ? &note : NULL,
                                    .least = job->number,
                                    .published = true,
                                    .by_default = job->by_default,
                                    .stale = stale,
                                    .wall_ms = clock_wall_ms ()};
    store_outcome_t outcome = revision_keep (self->store, &config, &kept, error);
    if (outcome == STORE_OK) {
        if (kept.note.number > job->number)
            add_result (self, job, kept.note.number);
        revision_record_free (&kept);
    }
    revision_note_free (&note);
    scenario_version_free (&version);
    return outcome;
}

static bool prepare (history_keeper_t *self)
{
    char error[STORE_ERROR_BYTES] = "";
    store_outcome_t outcome = self->prepare ? self->prepare (self->store, error) : STORE_OK;
    if (outcome == STORE_EXISTS)
        log_error ("several documents have the same tenant_id and scenario_id: no unique index can "
                   "be made; remove all but one of each, then restart configd",
                   F_STR ("reason", error));
    else if (outcome != STORE_OK && outcome != STORE_AWAY)
        log_warning ("the indexes of the scenarios and their history cannot be made",
                     F_STR ("reason", error));
    return outcome != STORE_AWAY;
}

/*  Does one job, without the lock; AWAY, REFUSED: it is to be tried again. */
static store_outcome_t work (history_keeper_t *self, const job_t *job, bool stale)
{
    char error[STORE_ERROR_BYTES] = "";
    store_outcome_t outcome = keep (self, job, stale, error);
    if (outcome == STORE_OK)
        return STORE_OK;
    bool again = outcome == STORE_AWAY || outcome == STORE_REFUSED;
    const log_field_t fields[] = {F_STR ("tenant", job->tenant), F_STR ("scenario", job->scenario),
                                  F_INT ("number", (int64_t)job->number), F_STR ("reason", error),
                                  {.key = NULL}};
    log_write (again ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
               again ? "a revision cannot be put into the history now: trying again"
                     : "a revision cannot be put into the history: it is left out",
               fields);
    return again ? outcome : STORE_OK;
}

/*  Has the scenario of the first job another one behind it? With the lock. */
static bool is_stale (const history_keeper_t *self)
{
    const job_t *newest;
    HASH_FIND (hh, self->newest, &self->queue->hash, sizeof self->queue->hash, newest);
    return newest != self->queue;
}

/*  With the lock. */
static void add_job (history_keeper_t *self, job_t *job)
{
    job_t *older;
    DL_APPEND (self->queue, job);
    HASH_REPLACE (hh, self->newest, hash, sizeof job->hash, job, older);
    (void)older; /* it stays in the queue */
    self->view.waiting++;
}

/*  With the lock. */
static void end_job (history_keeper_t *self, job_t *job)
{
    const job_t *newest;
    HASH_FIND (hh, self->newest, &job->hash, sizeof job->hash, newest);
    if (newest == job)
        HASH_DEL (self->newest, job);
    DL_DELETE (self->queue, job);
    self->view.waiting--;
    free_job (job);
}

static void *run (void *arg)
{
    history_keeper_t *self = arg;
    pthread_mutex_lock (&self->lock);
    while (!self->stop) {
        if (!self->prepared) {
            pthread_mutex_unlock (&self->lock);
            bool done = prepare (self);
            pthread_mutex_lock (&self->lock);
            self->prepared = done;
            if (!done && !self->stop)
                rest (self, KEEPER_RETRY_MS);
            continue;
        }
        job_t *job = self->queue;
        if (!job) {
            rest (self, KEEPER_RETRY_MS);
            continue;
        }
        bool stale = is_stale (self);
        pthread_mutex_unlock (&self->lock);
        store_outcome_t outcome = work (self, job, stale);
        bool done = outcome == STORE_OK;
        pthread_mutex_lock (&self->lock);
        self->view.failing = !done;
        self->view.kept += done;
        if (done)
            end_job (self, job);
        else
            pause_for (self, outcome == STORE_AWAY ? KEEPER_RETRY_MS : KEEPER_REFUSED_MS);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

/*  ---- of the owner's thread ---- */

history_keeper_t *history_keeper_new (scenario_store_t *store,
                                      store_outcome_t (*preparing) (scenario_store_t *store,
                                                                    char *error))
{
    history_keeper_t *self = memory_new (sizeof *self);
    pthread_condattr_t attributes;
    sigset_t all, before;
    self->store = store;
    self->prepare = preparing;
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->wake, &attributes);
    pthread_condattr_destroy (&attributes);
    sigfillset (&all); /* signals are the loop's */
    pthread_sigmask (SIG_SETMASK, &all, &before);
    CHECK (pthread_create (&self->thread, NULL, run, self) == 0);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return self;
}

void history_keeper_destroy (history_keeper_t **self_p)
{
    history_keeper_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    HASH_CLEAR (hh, self->newest);
    job_t *job, *next_job;
    DL_FOREACH_SAFE (self->queue, job, next_job)
    {
        free_job (job);
    }
    keeper_result_t result;
    while (history_keeper_take (self, &result)) {
        free (result.tenant);
        free (result.scenario);
        free (result.effective);
    }
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

void history_keeper_put (history_keeper_t *self, const keeper_job_t *put)
{
    job_t *job = memory_new (sizeof *job);
    *job = (job_t){.hash = key_hash_scenario (put->tenant, put->scenario),
                   .tenant = copy (put->tenant),
                   .scenario = copy (put->scenario),
                   .effective = copy (put->effective),
                   .stored = copy (put->stored),
                   .note = copy (put->note),
                   .number = put->number,
                   .by_default = put->by_default};
    pthread_mutex_lock (&self->lock);
    if (self->view.waiting < KEEPER_JOBS_MAX) {
        add_job (self, job);
        job = NULL;
    }
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    if (!job)
        return;
    log_error ("too many revisions wait for the history: one is left out",
               F_STR ("tenant", job->tenant), F_STR ("scenario", job->scenario),
               F_INT ("number", job->number));
    free_job (job);
}

bool history_keeper_take (history_keeper_t *self, keeper_result_t *result)
{
    pthread_mutex_lock (&self->lock);
    result_t *first = self->results;
    if (first)
        DL_DELETE (self->results, first);
    pthread_mutex_unlock (&self->lock);
    if (!first)
        return false;
    *result = first->result;
    free (first);
    return true;
}

keeper_view_t history_keeper_view (history_keeper_t *self)
{
    pthread_mutex_lock (&self->lock);
    keeper_view_t view = self->view;
    pthread_mutex_unlock (&self->lock);
    return view;
}
