/*  worker_shards: the shards that are ours: taken, given back, dropped; and their commits. */
#include "common/worker_parts.h"

#include <inttypes.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/shard_check.h"

enum { FOLDER_BYTES_MAX = 4096 };

uint32_t worker_owned (const worker_t *self)
{
    uint32_t owned = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++)
        owned += self->shards[i] != NULL;
    return owned;
}

uint32_t worker_stuck (const worker_t *self, const char **reason)
{
    uint32_t stuck = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        const shard_t *shard = self->shards[i];
        if (!shard || !shard_is_stuck (shard))
            continue;
        stuck++;
        if (reason)
            *reason = shard->trouble;
    }
    return stuck;
}

static bool is_listed (const void *arg, uint32_t partition)
{
    return watermark_is_listed (arg, partition);
}

/*  The process cannot go on; the first reason stays. */
static void end (worker_t *self, int code, const char *reason)
{
    if (self->end_code)
        return;
    self->end_code = code;
    snprintf (self->end_reason, sizeof self->end_reason, "%s", reason);
    log_error ("this worker cannot go on: it ends without a commit", F_STR ("reason", reason));
}

/*  ---- taken and given back ---- */

/*  For the sum that `hotpath run --once` prints: what the shard had counted when it came and
 *  when it went. */
static void say_counts (worker_t *self, const char *verb, const shard_t *shard)
{
    char line[256];
    snprintf (line, sizeof line, "%s %s %u %" PRIu64 " %" PRIu64 " %" PRIu64, verb, self->stage->name,
              shard->number, shard->counts.counted, shard->counts.late, shard->counts.skipped);
    beat_say (&self->beat, line);
}

/*  Opening takes as long as reading it all does: the supervisor must not take that for a hang. */
static void on_progress (void *arg)
{
    beat_tick (&((worker_t *)arg)->beat, clock_ms ());
}

static int on_taken (void *arg, uint32_t number)
{
    worker_t *self = arg;
    char error[512] = "", folder[FOLDER_BYTES_MAX];
    shard_fault_t fault;
    self->context.shard = number;
    snprintf (folder, sizeof folder, "%s", shard_owner_folder (self->owner, number));
    const shard_options_t options = {.stage = self->stage,
                                     .context = &self->context,
                                     .sink_count = self->sink_count,
                                     .partitions = self->partitions,
                                     .folder = folder,
                                     .state = self->settings->state,
                                     .bytes_max = (size_t)self->settings->shard_bytes_max,
                                     .careful = self->careful,
                                     .wall_ms = clock_wall_ms (),
                                     .now_ms = clock_ms (),
                                     .progress = on_progress,
                                     .arg = self};
    shard_t *shard = shard_open (&options, &fault, error, sizeof error);
    on_progress (self);
    if (!shard) {
        log_error ("a shard cannot be opened and stands still", F_STR ("reason", error),
                   F_STR ("stage", self->stage->name), F_INT ("shard", number));
        self->unopened_shard = number;
        self->unopened_ms = clock_ms ();
        snprintf (self->unopened_reason, sizeof self->unopened_reason, "%s", error);
        if (fault == SHARD_FAULT_FORMAT)
            end (self, EX_CONFIG, error);
        return -1;
    }
    if (self->unopened_shard == number)
        self->unopened_ms = 0;
    worker_reach_t *reach = &self->reaches[number];
    if (shard->fresh && reach->vector.count) {
        vector_copy (&shard->reach, &reach->vector);
        shard->past_ms = reach->watermark_ms;
    }
    vector_free (&reach->vector);
    shard->touched = true;
    self->shards[number] = shard;
    worker_config_taken (self, shard);
    self->announce_now = true;
    worker_revive_partitions (self);
    say_counts (self, "taken", shard);
    log_debug ("shard taken", F_INT ("shard", number), F_INT ("epoch", shard->epoch));
    return 0;
}

static void on_surplus (void *arg, uint32_t number)
{
    worker_t *self = arg;
    shard_t *shard = self->shards[number];
    if (!shard || shard->leaving || shard->dropped)
        return;
    shard->leaving = true;
    shard->next_commit_ms = 0;
}

void worker_give_all (worker_t *self)
{
    for (uint32_t i = 0; i < self->layout.shard_count; i++)
        on_surplus (self, i);
}

static void let_go (worker_t *self, uint32_t number)
{
    log_debug ("shard given back", F_INT ("shard", number));
    worker_forget_rewinds (self, number);
    say_counts (self, "given", self->shards[number]);
    shard_destroy (&self->shards[number]);
    CRASH_POINT (SHARD_GIVEN);
    shard_owner_release (self->owner, number);
    self->gave_ms = clock_ms ();
    self->announce_now = true;
}

/*  ---- dropped ---- */

static void finish_drop (worker_t *self, uint32_t number)
{
    shard_t *shard = self->shards[number];
    bool at_once = shard->fault == SHARD_FAULT_GONE || shard->fault == SHARD_FAULT_NONE;
    vector_copy (&self->reaches[number].vector, &shard->applied);
    self->reaches[number].watermark_ms = shard->watermark_ms;
    worker_forget_rewinds (self, number);
    shard_destroy (&self->shards[number]);
    if (at_once)
        shard_owner_release (self->owner, number);
    else
        shard_owner_give_up (self->owner, number, clock_ms ());
    self->announce_now = true;
}

/*  Nothing of it is written or sent from now on; it goes as soon as no commit of it is under
 *  way. */
static void drop (worker_t *self, shard_t *shard, const char *reason)
{
    if (shard->dropped)
        return;
    log_error ("a shard is given up without a commit, and taken anew", F_STR ("reason", reason),
               F_STR ("stage", self->stage->name), F_INT ("shard", shard->number));
    shard->dropped = shard->closing = true;
    self->announce_now = true;
    if (!shard->committing || shard->collecting)
        finish_drop (self, shard->number);
}

static void on_lost (void *arg, uint32_t number)
{
    worker_t *self = arg;
    if (self->shards[number])
        drop (self, self->shards[number], "its lock or its folder was removed or replaced");
    else
        shard_owner_release (self->owner, number);
}

static void look_at_stores (worker_t *self)
{
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (shard && !shard->dropped && !shard_store_is_in_place (shard->store))
            drop (self, shard, "its data.mdb was removed or replaced");
    }
}

/*  ---- rebuilt ---- */

bool worker_shard_is_behind (const worker_t *self, const shard_t *shard)
{
    return shard_is_behind (shard, is_listed, self->watermark);
}

/*  Where the least of the other shards of the stage stands: all of them read the same
 *  partitions. */
static void find_reach (const worker_t *self, shard_t *shard)
{
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        const shard_t *other = self->shards[i];
        if (!other || other->fresh || other->reach.count || other->dropped)
            continue;
        for (uint32_t at = 0; at < other->applied.count; at++) {
            vector_entry_t entry = other->applied.entries[at], known = vector_get (&shard->reach, at);
            if (entry.next != VECTOR_ABSENT && (known.next == VECTOR_ABSENT || entry.next < known.next))
                vector_set (&shard->reach, at, entry);
        }
        if (other->watermark_ms < shard->past_ms || shard->past_ms == EVENT_TIME_NONE)
            shard->past_ms = other->watermark_ms;
    }
}

/*  Partitions that the source does not have any more cannot be read again: what they had in
 *  store is missing. */
static void miss_unlisted (const worker_t *self, shard_t *shard)
{
    for (uint32_t i = 0; i < shard->reach.count; i++) {
        vector_entry_t entry = shard->reach.entries[i];
        if (entry.next == VECTOR_ABSENT || watermark_is_listed (self->watermark, i))
            continue;
        if (entry.greatest_ms > shard->exact_from_ms)
            shard->exact_from_ms = entry.greatest_ms;
        log_warning ("a shard is rebuilt without a partition that is no longer there: its first windows are "
                     "inexact",
                     F_STR ("stage", self->stage->name), F_INT ("shard", shard->number),
                     F_SPAN ("partition", partition_names_get (self->partitions, i)));
    }
}

/*  A shard that begins without state among others that have some: it computes the past anew. */
static void judge_fresh (worker_t *self, shard_t *shard)
{
    shard->judged = true;
    if (!shard->reach.count)
        find_reach (self, shard);
    if (!shard->reach.count)
        return;
    log_warning ("a shard has no stored state: it is rebuilt from the oldest kept offsets of the source",
                 F_STR ("stage", self->stage->name), F_INT ("shard", shard->number));
    miss_unlisted (self, shard);
    shard->changed = true;
}

void worker_judge_rebuilt (worker_t *self)
{
    bool fresh = false, heard = false;
    for (uint32_t i = 0; i < self->layout.shard_count; i++)
        fresh |= self->shards[i] && self->shards[i]->fresh && !self->shards[i]->judged;
    for (uint32_t i = 0; fresh && i < partition_names_count (self->partitions) && !heard; i++)
        heard = watermark_is_listed (self->watermark, i);
    for (uint32_t i = 0; heard && i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (shard && shard->fresh && !shard->judged)
            judge_fresh (self, shard);
    }
}

/*  Is its watermark short of where it stood, and about to move? Where it is not, waiting would not help: a
 *  watermark that idle partitions let go on is not found again in offsets. */
static bool is_behind_in_time (const worker_t *self, const shard_t *shard)
{
    return shard->watermark_ms < shard->past_ms &&
           shard->watermark_ms < watermark_of (self->watermark, &shard->applied);
}

/*  It has reached where it stood, and its windows are new again: the newest is sent once more,
 *  as such. */
void worker_catch_up (worker_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (!shard || !shard->reach.count || (shard->fresh && !shard->judged) ||
            worker_shard_is_behind (self, shard) || is_behind_in_time (self, shard))
            continue;
        vector_free (&shard->reach);
        shard->past_ms = EVENT_TIME_NONE;
        shard->changed = true;
        stage_time_t time = shard_time (shard, now_ms);
        shard->stage->refresh (shard->state, &time, (stage_refresh_t){0});
        log_info ("a shard that was rebuilt has caught up", F_STR ("stage", self->stage->name),
                  F_INT ("shard", i));
    }
}

/*  ---- commits ---- */

void worker_take_commits (worker_t *self, int64_t now_ms)
{
    for (commit_job_t *job; (job = committer_take (self->committer)) != NULL;) {
        shard_t *shard = job->owner;
        shard_committed (shard, job, self->settings->commit_interval_ms, now_ms);
        self->counts.commits += !job->fault;
        self->counts.failed_commits += job->fault != SHARD_FAULT_NONE;
        self->counts.commit_ms += (uint64_t)job->took_ms;
        commit_job_destroy (&job);
        CRASH_POINT (COMMIT_NOTED);
        self->announce_now = true;
        shard->precommitted |= shard->leaving && !shard->fault;
        if (shard->dropped)
            finish_drop (self, shard->number);
        else if (shard_is_lost (shard))
            drop (self, shard, shard->trouble);
    }
}

static void had_nothing_to_commit (worker_t *self, shard_t *shard)
{
    if (shard->closing) {
        let_go (self, shard->number);
        return;
    }
    shard->precommitted = shard->leaving;
    shard->next_commit_ms = clock_ms () + self->settings->commit_interval_ms;
}

/*  Begins the commit of a shard, or goes on with it. Is there more to collect? Else it is on its way. */
static bool commit_some (worker_t *self, shard_t *shard)
{
    if (!shard->collecting && !shard_collect (shard)) {
        had_nothing_to_commit (self, shard);
        return false;
    }
    commit_job_t *job = shard_collect_more (shard);
    if (!job)
        return true;
    CRASH_POINT (COMMIT_COLLECTED);
    committer_submit (self->committer, &job);
    return false;
}

static bool is_commit_due (const shard_t *shard, int64_t now_ms)
{
    if (!shard || shard->committing || shard->dropped)
        return false;
    /* What is owed by its newest events goes with them: where this turn had no time for that, a later one has. */
    if (shard->touched && shard_may_advance (shard))
        return false;
    /* The end of all input: as soon as everything is acknowledged, not at the next interval. */
    bool last = shard->finished && shard->changed && owed_count (shard->owed) == 0;
    last |= shard->closing || (shard->leaving && !shard->precommitted);
    return (last && !shard_is_stuck (shard)) || now_ms >= shard->next_commit_ms;
}

/*  May shards be closed now, or do others move, or have just moved? A drain that takes long
 *  takes all at once. */
static bool may_close (const worker_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        const shard_t *shard = self->shards[i];
        if (!shard || !shard->leaving || shard->dropped || shard_is_stuck (shard))
            continue;
        if (shard->closing || !shard->precommitted)
            return false;
    }
    return now_ms - self->gave_ms >= WORKER_MOVE_REST_MS ||
           (self->draining && now_ms - self->drain_ms > WORKER_DRAIN_MS / 2);
}

/*  Shards that leave are committed once while they still take events, then closed together and
 *  committed again: the second time there is little, and the events of all partitions wait no
 *  longer than for that, and until the new owner has read the state: where there is much of it,
 *  some shards go after the others. */
static void close_leaving (worker_t *self, int64_t now_ms)
{
    size_t bytes = 0;
    bool late = self->draining && now_ms - self->drain_ms > WORKER_DRAIN_MS / 2;
    if (!may_close (self, now_ms))
        return;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (!shard || !shard->leaving || shard->closing || !shard->precommitted)
            continue;
        size_t own = shard_store_bytes (shard->store);
        if (bytes && !late && bytes + own > WORKER_MOVE_BYTES)
            continue;
        bytes += own;
        if (shard->touched && shard_may_advance (shard)) /* as before each commit */
            shard_advance (shard, self->watermark, self->once, now_ms);
        shard->closing = true;
        self->announce_now = true;
    }
}

/*  Who waits longest is first, so that none waits for ever. */
static shard_t *next_to_commit (const worker_t *self, int64_t now_ms)
{
    shard_t *due = NULL;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (is_commit_due (shard, now_ms) && (!due || shard->next_commit_ms < due->next_commit_ms))
            due = shard;
    }
    return due;
}

/*  A few at once: shards come due together, and each set of changes is a copy. */
void worker_commit_due (worker_t *self, int64_t now_ms)
{
    uint32_t committing = 0;
    shard_t *collecting = NULL;
    self->uncollected = false;
    worker_begin_part (self);
    close_leaving (self, now_ms);
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        committing += self->shards[i] && self->shards[i]->committing;
        if (self->shards[i] && self->shards[i]->collecting)
            collecting = self->shards[i];
    }
    for (bool first = true;; first = false) {
        shard_t *next = collecting;
        if (!next && committing < WORKER_COMMITS_MAX)
            next = next_to_commit (self, now_ms);
        if (!next)
            return;
        if (!worker_may_go_on (self, first)) {
            self->uncollected = true;
            return;
        }
        committing += !next->collecting;
        collecting = commit_some (self, next) ? next : NULL;
    }
}

/*  ---- steps ---- */

int worker_join_stage (worker_t *self, char *error, size_t error_size)
{
    char folder[FOLDER_BYTES_MAX];
    snprintf (folder, sizeof folder, "%s/%s", self->settings->state, self->stage->name);
    const shard_owner_events_t events = {self, on_taken, on_surplus, on_lost};
    self->careful = shard_check_any (folder, self->layout.shard_count);
    self->owner = shard_owner_new (folder, self->name, self->layout.shard_count, &events, error,
                                   error_size);
    return self->owner ? 0 : -1;
}

void worker_step_ownership (worker_t *self, int64_t now_ms)
{
    char error[512];
    if (!live_config_ready (self->config) || now_ms < self->step_due_ms || self->end_code)
        return;
    if (state_layout_check (self->settings->state, &self->layout, error, sizeof error) != 0) {
        end (self, EX_TEMPFAIL, error);
        return;
    }
    look_at_stores (self);
    int64_t wait_ms = shard_owner_step (self->owner, now_ms, error, sizeof error);
    if (wait_ms < 0)
        end (self, EX_TEMPFAIL, error);
    self->step_due_ms = now_ms + wait_ms;
}
