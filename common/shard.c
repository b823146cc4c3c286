#include "common/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/pack.h"
#include "common/shard_check.h"
#include "common/state_clock.h"

enum {
    COMMIT_REST_FACTOR = 10,
    COMMIT_RETRY_MS = 1000,
    TROUBLE_SAY_MS = 30000,
    HEAD_FORMAT = 2, /* 1 had no reach */
    PROGRESS_RECORDS = 16384,
    PATH_BYTES_MAX = 4096,
};

/*  The record of everything that is not the stage's: vector by name, watermark, counters. */
static const uint8_t head_key[] = {'h'};

static void write_vector (const shard_t *self, buffer_t *value, const vector_t *vector)
{
    uint32_t present = 0;
    for (uint32_t i = 0; i < vector->count; i++)
        present += vector->entries[i].next != VECTOR_ABSENT;
    pack_uint (value, present);
    for (uint32_t i = 0; i < vector->count; i++) {
        vector_entry_t entry = vector->entries[i];
        if (entry.next == VECTOR_ABSENT)
            continue;
        pack_span (value, partition_names_get (self->partitions, i));
        pack_int (value, entry.next);
        pack_int (value, entry.greatest_ms);
    }
}

static void read_vector (shard_t *self, cursor_t *cursor, vector_t *vector)
{
    uint64_t present = cursor_uint (cursor);
    for (uint64_t i = 0; i < present && !cursor->failed; i++) {
        span_t name = cursor_span (cursor, SIZE_MAX);
        vector_entry_t entry = {cursor_int (cursor), 0};
        entry.greatest_ms = cursor_int (cursor);
        if (!cursor->failed)
            vector_set (vector, partition_names_intern (self->partitions, name), entry);
    }
}

static void write_head (const shard_t *self, buffer_t *value)
{
    pack_uint (value, HEAD_FORMAT);
    pack_int (value, self->watermark_ms);
    pack_int (value, self->exact_from_ms);
    pack_int (value, self->past_ms);
    pack_uint (value, self->counts.counted);
    pack_uint (value, self->counts.late);
    pack_uint (value, self->counts.skipped);
    write_vector (self, value, &self->applied);
    write_vector (self, value, &self->reach);
}

static shard_fault_t read_head (shard_t *self, const uint8_t *value, size_t value_size)
{
    cursor_t cursor = cursor_of (value, value_size);
    uint64_t format = cursor_uint (&cursor);
    if (!cursor.failed && format != HEAD_FORMAT) {
        snprintf (self->trouble, sizeof self->trouble,
                  "the shard's head is of format %llu, this program knows %d: run the %s version, or move "
                  "its data.mdb away: the shard is then rebuilt from the source",
                  (unsigned long long) format, HEAD_FORMAT, format < HEAD_FORMAT ? "older" : "newer");
        return SHARD_FAULT_FORMAT;
    }
    self->watermark_ms = cursor_int (&cursor);
    self->exact_from_ms = cursor_int (&cursor);
    self->past_ms = cursor_int (&cursor);
    self->counts.counted = cursor_uint (&cursor);
    self->counts.late = cursor_uint (&cursor);
    self->counts.skipped = cursor_uint (&cursor);
    read_vector (self, &cursor, &self->applied);
    read_vector (self, &cursor, &self->reach);
    return cursor_finished (&cursor) ? SHARD_FAULT_NONE : SHARD_FAULT_BROKEN;
}

typedef struct {
    shard_t *shard;
    const shard_options_t *options;
    uint64_t records;
} loading_t;

static shard_fault_t load_record (void *arg, const uint8_t *key, size_t key_size,
                                  const uint8_t *value, size_t value_size)
{
    CRASH_POINT (LOAD_DURING);
    loading_t *loading = arg;
    shard_t *self = loading->shard;
    int failed = -1;
    if (++loading->records % PROGRESS_RECORDS == 0 && loading->options->progress)
        loading->options->progress (loading->options->arg);
    if (key[0] == 'h') {
        shard_fault_t fault = read_head (self, value, value_size);
        if (fault != SHARD_FAULT_BROKEN)
            return fault;
    } else if (key[0] == 'o') {
        failed = owed_load (self->owed, key, key_size, value, value_size);
    } else if (key[0] == 'r') {
        failed = retired_load (self->retired, key, key_size, value, value_size);
    } else if (key[0] == 'c') {
        failed = self->stage->load (self->state, key, key_size, value, value_size);
    }
    if (!failed)
        return SHARD_FAULT_NONE;
    snprintf (self->trouble, sizeof self->trouble, "a record of kind %02x, of %zu bytes, cannot be read",
              key[0], value_size);
    return SHARD_FAULT_BROKEN;
}

/*  ---- opening ---- */

/*  The epoch is durable before anything bears it. */
static shard_fault_t take_epoch (shard_t *self, const shard_options_t *options, char *error,
                                 size_t error_size)
{
    uint64_t stored = shard_store_epoch (self->store);
    self->fresh = stored == 0;
    self->epoch = state_clock_next (options->state, stored + 1, options->wall_ms);
    const change_set_t nothing = {0};
    shard_fault_t fault =
        shard_store_commit (self->store, &nothing, self->epoch, error, error_size);
    if (!fault)
        CRASH_POINT (EPOCH_TAKEN);
    return fault;
}

/*  An empty state, as before anything was loaded. */
static void begin (shard_t *self, const shard_options_t *options)
{
    self->watermark_ms = EVENT_TIME_NONE;
    self->exact_from_ms = EVENT_TIME_NONE;
    self->past_ms = EVENT_TIME_NONE;
    self->counts = (shard_counts_t){0};
    self->owed = owed_new (options->sink_count);
    self->retired = retired_new ();
    stage_context_t own = *options->context;
    own.owed = self->owed;
    self->state = self->stage->open (&own);
}

static void forget (shard_t *self)
{
    self->stage->close (&self->state);
    shard_store_close (&self->store);
    owed_destroy (&self->owed);
    retired_destroy (&self->retired);
    vector_free (&self->applied);
    vector_free (&self->reach);
}

static shard_fault_t fill (shard_t *self, const shard_options_t *options, char *error,
                           size_t error_size)
{
    loading_t loading = {self, options, 0};
    const shard_check_options_t how = {options->bytes_max, options->careful, options->progress,
                                       options->arg};
    shard_fault_t fault;
    self->trouble[0] = '\0';
    self->store = shard_check_open (self->folder, &how, &fault, error, error_size);
    if (!fault)
        fault = take_epoch (self, options, error, error_size);
    if (!fault)
        fault = shard_store_load (self->store, load_record, &loading, error, error_size);
    if (fault && self->trouble[0])
        snprintf (error, error_size, "%s/data.mdb: %s", self->folder, self->trouble);
    self->trouble[0] = '\0';
    return fault;
}

static shard_fault_t set_aside (shard_t *self, const shard_options_t *options, char *error,
                                size_t error_size)
{
    char aside[PATH_BYTES_MAX];
    shard_fault_t fault = shard_check_set_aside (self->folder, options->wall_ms, aside,
                                                 sizeof aside, error, error_size);
    if (fault)
        return fault;
    log_error ("the store of a shard is broken and was set aside: the shard is rebuilt from the oldest kept "
               "offsets of the source",
               F_STR ("reason", error), F_STR ("stage", self->stage->name),
               F_INT ("shard", self->number), F_STR ("aside", aside));
    self->rebuilt = true;
    self->suspect = false;
    return SHARD_FAULT_NONE;
}

shard_t *shard_open (const shard_options_t *options, shard_fault_t *fault, char *error,
                     size_t error_size)
{
    shard_t *self = memory_new (sizeof *self);
    self->stage = options->stage;
    self->number = options->context->shard;
    self->partitions = options->partitions;
    self->folder = memory_copy_string (options->folder, strlen (options->folder));
    self->suspect = shard_check_is_suspect (self->folder);
    begin (self, options);
    *fault = fill (self, options, error, error_size);
    if (*fault == SHARD_FAULT_BROKEN) {
        forget (self);
        begin (self, options);
        *fault = set_aside (self, options, error, error_size);
        if (!*fault)
            *fault = fill (self, options, error, error_size);
    }
    if (*fault) {
        shard_destroy (&self);
        return NULL;
    }
    vector_copy (&self->durable, &self->applied);
    self->next_commit_ms = options->now_ms;
    stage_time_t time = shard_time (self, options->now_ms);
    self->stage->loaded (self->state, &time);
    self->stage->refresh (self->state, &time, (stage_refresh_t){0});
    CRASH_POINT (LOAD_AFTER);
    return self;
}

bool shard_is_behind (const shard_t *self, bool (*is_listed) (const void *arg, uint32_t partition),
                      const void *arg)
{
    for (uint32_t i = 0; i < self->reach.count && !self->finished; i++) {
        if (self->reach.entries[i].next > vector_get (&self->applied, i).next && is_listed (arg, i))
            return true;
    }
    return false;
}

void shard_destroy (shard_t **self_p)
{
    shard_t *self = *self_p;
    if (!self)
        return;
    CHECK (!self->committing || self->collecting);
    commit_job_destroy (&self->collecting);
    buffer_free (&self->head);
    forget (self);
    vector_free (&self->durable);
    free (self->folder);
    change_set_free (&self->failed);
    free (self);
    *self_p = NULL;
}

/*  What is missing, or gone, had times as well: the last windows of all shards are the same
 *  ones. */
static int64_t greatest_ms (const shard_t *self)
{
    int64_t greatest = vector_greatest_ms (&self->applied), retired = retired_greatest_ms (self->retired);
    greatest = retired > greatest ? retired : greatest;
    return self->exact_from_ms > greatest ? self->exact_from_ms : greatest;
}

stage_time_t shard_time (const shard_t *self, int64_t now_ms)
{
    return (stage_time_t){.watermark_ms = self->watermark_ms,
                          .greatest_ms = greatest_ms (self),
                          .exact_from_ms = self->exact_from_ms,
                          .now_ms = now_ms,
                          .past_ms = self->past_ms};
}

bool shard_may_advance (const shard_t *self)
{
    return !self->closing && !shard_is_stuck (self);
}

void shard_advance (shard_t *self, const watermark_t *watermark, bool once, int64_t now_ms)
{
    int64_t reached_ms = watermark_of (watermark, &self->applied);
    if (reached_ms > self->watermark_ms) {
        self->watermark_ms = reached_ms;
        self->changed = true;
    }
    stage_time_t time = shard_time (self, now_ms);
    self->stage->advance (self->state, &time);
    self->touched = false;
    self->advanced_ms = now_ms;
    if (once && !self->finished && watermark_all_ended (watermark, &self->applied)) {
        self->stage->finish (self->state, &time);
        self->finished = true;
        self->changed = true;
        self->next_commit_ms = now_ms;
    }
}

static bool is_durable (const shard_t *self)
{
    if (self->changed || self->committing || self->failed.count)
        return false;
    for (uint32_t i = 0; i < self->applied.count; i++) {
        if (self->applied.entries[i].next != vector_get (&self->durable, i).next)
            return false;
    }
    return true;
}

bool shard_settled (const shard_t *self, const watermark_t *watermark)
{
    return self->finished && owed_count (self->owed) == 0 && is_durable (self) &&
           watermark_all_ended (watermark, &self->applied);
}

static bool collect_some (shard_t *self, change_set_t *changes)
{
    return self->stage->collect_more && self->stage->collect_more (self->state, changes);
}

bool shard_collect (shard_t *self)
{
    if (self->committing)
        return false;
    commit_job_t *job = memory_new (sizeof *job);
    job->changes = self->failed;
    self->failed = (change_set_t){0};
    /* Where a set grows, all of it is copied: as much again, and some more, is asked for at once. */
    change_set_reserve (&job->changes, self->changes_bytes + self->changes_bytes / 4);
    self->stage->collect (self->state, &job->changes);
    owed_collect (self->owed, &job->changes);
    retired_collect (self->retired, &job->changes);
    self->uncollected = collect_some (self, &job->changes);
    if (!self->changed && !self->uncollected && !job->changes.count) {
        commit_job_destroy (&job);
        return false;
    }
    buffer_clear (&self->head);
    write_head (self, &self->head);
    job->owner = self;
    job->store = self->store;
    job->epoch = self->epoch;
    vector_copy (&job->vector, &self->applied);
    self->collecting = job;
    self->committing = true;
    self->changed = false;
    return true;
}

commit_job_t *shard_collect_more (shard_t *self)
{
    commit_job_t *job = self->collecting;
    CHECK (job);
    if (self->uncollected)
        self->uncollected = collect_some (self, &job->changes);
    if (self->uncollected)
        return NULL;
    job->head_at = job->changes.log.size;
    job->head_count = job->changes.count;
    change_set_put (&job->changes, head_key, sizeof head_key, self->head.bytes, self->head.size);
    self->changes_bytes = job->changes.log.size;
    self->collecting = NULL;
    return job;
}

bool shard_retire (shard_t *self, uint32_t partition)
{
    static const vector_entry_t absent = {VECTOR_ABSENT, EVENT_TIME_NONE};
    vector_entry_t entry = vector_get (&self->applied, partition);
    if (entry.next == VECTOR_ABSENT || self->committing ||
        vector_get (&self->durable, partition).next != entry.next)
        return false;
    retired_put (self->retired, partition_names_get (self->partitions, partition), entry);
    vector_set (&self->applied, partition, absent);
    vector_set (&self->durable, partition, absent);
    self->changed = true;
    return true;
}

bool shard_revive (shard_t *self, uint32_t partition)
{
    vector_entry_t entry;
    if (!retired_count (self->retired) || vector_get (&self->applied, partition).next != VECTOR_ABSENT ||
        !retired_take (self->retired, partition_names_get (self->partitions, partition), &entry))
        return false;
    vector_set (&self->applied, partition, entry);
    vector_set (&self->durable, partition, entry);
    self->changed = true;
    return true;
}

bool shard_is_stuck (const shard_t *self)
{
    return self->fault == SHARD_FAULT_ROOM || self->fault == SHARD_FAULT_ACCESS;
}

bool shard_is_lost (const shard_t *self)
{
    return self->fault && !shard_is_stuck (self);
}

static void commit_succeeded (shard_t *self, commit_job_t *job, int64_t interval_ms, int64_t now_ms)
{
    if (self->fault)
        log_info ("commits again", F_STR ("stage", self->stage->name),
                  F_INT ("shard", self->number));
    self->fault = SHARD_FAULT_NONE;
    self->trouble[0] = '\0';
    if (self->suspect)
        shard_check_clear (self->folder);
    self->suspect = false;
    vector_free (&self->durable);
    self->durable = job->vector;
    job->vector = (vector_t){0};
    int64_t rest_ms = job->took_ms * COMMIT_REST_FACTOR;
    self->next_commit_ms = now_ms + (rest_ms > interval_ms ? rest_ms : interval_ms);
}

/*  Said when it begins or changes, and now and then while it lasts. */
static void say_trouble (shard_t *self, const commit_job_t *job, int64_t now_ms)
{
    if (self->fault == job->fault && strcmp (self->trouble, job->error) == 0 &&
        now_ms - self->said_ms < TROUBLE_SAY_MS)
        return;
    self->said_ms = now_ms;
    log_error ("a commit failed: the worker takes nothing more until it succeeds",
               F_STR ("reason", job->error), F_STR ("stage", self->stage->name),
               F_INT ("shard", self->number));
}

void shard_committed (shard_t *self, commit_job_t *job, int64_t interval_ms, int64_t now_ms)
{
    self->committing = false;
    if (!job->fault) {
        commit_succeeded (self, job, interval_ms, now_ms);
        return;
    }
    if (job->fault == SHARD_FAULT_ROOM || job->fault == SHARD_FAULT_ACCESS)
        say_trouble (self, job, now_ms);
    if (job->fault == SHARD_FAULT_BROKEN)
        shard_check_suspect (self->folder);
    self->fault = job->fault;
    snprintf (self->trouble, sizeof self->trouble, "%s", job->error);
    self->changed = true;
    /* The head is written anew by each try: kept, it would pile up as long as the disk is full. */
    change_set_cut (&job->changes, job->head_at, job->head_count);
    change_set_append (&self->failed, &job->changes);
    self->next_commit_ms = now_ms + COMMIT_RETRY_MS;
}
