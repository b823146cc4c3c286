#include "common/shard.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/pack.h"

enum { COMMIT_REST_FACTOR = 10, COMMIT_RETRY_MS = 1000, HEAD_FORMAT = 1 };

/*  The record of everything that is not the stage's: vector by name, watermark, counters. */
static const uint8_t head_key[] = {'h'};
/*  The generations of Redis, by sink: with the owed results in one transaction, so that neither a restart nor
 *  a move of the shard forgets that Redis lost what had been acknowledged. */
static const uint8_t generations_key[] = {'g'};

static void write_head (const shard_t *self, buffer_t *value)
{
    uint32_t present = 0;
    for (uint32_t i = 0; i < self->applied.count; i++)
        present += self->applied.entries[i].next != VECTOR_ABSENT;
    pack_uint (value, HEAD_FORMAT);
    pack_int (value, self->watermark_ms);
    pack_int (value, self->exact_from_ms);
    pack_uint (value, self->counts.counted);
    pack_uint (value, self->counts.late);
    pack_uint (value, self->counts.skipped);
    pack_uint (value, present);
    for (uint32_t i = 0; i < self->applied.count; i++) {
        vector_entry_t entry = self->applied.entries[i];
        if (entry.next == VECTOR_ABSENT)
            continue;
        pack_span (value, partition_names_get (self->partitions, i));
        pack_int (value, entry.next);
        pack_int (value, entry.greatest_ms);
    }
}

static int read_head (shard_t *self, const uint8_t *value, size_t value_size)
{
    cursor_t cursor = cursor_of (value, value_size);
    if (cursor_uint (&cursor) != HEAD_FORMAT)
        return -1;
    self->watermark_ms = cursor_int (&cursor);
    self->exact_from_ms = cursor_int (&cursor);
    self->counts.counted = cursor_uint (&cursor);
    self->counts.late = cursor_uint (&cursor);
    self->counts.skipped = cursor_uint (&cursor);
    uint64_t present = cursor_uint (&cursor);
    for (uint64_t i = 0; i < present && !cursor.failed; i++) {
        span_t name = cursor_span (&cursor, SIZE_MAX);
        vector_entry_t entry = {cursor_int (&cursor), 0};
        entry.greatest_ms = cursor_int (&cursor);
        if (!cursor.failed)
            vector_set (&self->applied, partition_names_intern (self->partitions, name), entry);
    }
    return cursor_finished (&cursor) ? 0 : -1;
}

static void write_generations (const shard_t *self, change_set_t *changes)
{
    buffer_t value = {0};
    for (uint32_t i = 0; i < self->sink_count; i++)
        pack_uint (&value, self->generations[i]);
    change_set_put (changes, generations_key, sizeof generations_key, value.bytes, value.size);
    buffer_free (&value);
}

/*  Those of another number of sinks say nothing: results went other ways then. */
static int read_generations (shard_t *self, const uint8_t *value, size_t value_size)
{
    cursor_t cursor = cursor_of (value, value_size);
    uint32_t count = 0;
    while (!cursor_finished (&cursor) && !cursor.failed) {
        uint64_t generation = cursor_uint (&cursor);
        if (count < self->sink_count)
            self->generations[count] = generation;
        count++;
    }
    for (uint32_t i = 0; i < self->sink_count && count != self->sink_count; i++)
        self->generations[i] = 0;
    return cursor.failed ? -1 : 0;
}

static int load_record (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value,
                        size_t value_size)
{
    shard_t *self = arg;
    self->stored = true;
    switch (key[0]) {
    case 'g':
        return read_generations (self, value, value_size);
    case 'h':
        return read_head (self, value, value_size);
    case 'o':
        return owed_load (self->owed, key, key_size, value, value_size);
    case 'c':
        return self->stage->load (self->state, key, key_size, value, value_size);
    default:
        return -1;
    }
}

/*  The epoch is durable before anything bears it. */
static int take_epoch (shard_t *self, int64_t wall_ms, char *error, size_t error_size)
{
    uint64_t stored = shard_store_epoch (self->store);
    self->epoch = stored + 1 > (uint64_t) wall_ms ? stored + 1 : (uint64_t) wall_ms;
    const change_set_t nothing = {0};
    return shard_store_commit (self->store, &nothing, self->epoch, error, error_size) == OUTCOME_OK
               ? 0
               : -1;
}

shard_t *shard_open (const stage_t *stage, const stage_context_t *context, uint32_t sink_count,
                     partition_names_t *partitions, const char *folder, int64_t wall_ms,
                     int64_t now_ms, char *error, size_t error_size)
{
    shard_t *self = memory_new (sizeof *self);
    self->stage = stage;
    self->number = context->shard;
    self->partitions = partitions;
    self->watermark_ms = EVENT_TIME_NONE;
    self->exact_from_ms = EVENT_TIME_NONE;
    self->owed = owed_new (sink_count);
    self->sink_count = sink_count;
    self->generations = memory_new_array (sink_count, sizeof *self->generations);
    stage_context_t own = *context;
    own.owed = self->owed;
    self->state = stage->open (&own);
    self->store = shard_store_open (folder, error, error_size);
    if (!self->store || take_epoch (self, wall_ms, error, error_size) != 0 ||
        shard_store_load (self->store, load_record, self, error, error_size) != 0) {
        shard_destroy (&self);
        return NULL;
    }
    vector_copy (&self->durable, &self->applied);
    self->next_commit_ms = now_ms;
    stage_time_t time = shard_time (self, now_ms);
    stage->loaded (self->state, &time);
    stage->refresh (self->state, &time, false);
    return self;
}

void shard_destroy (shard_t **self_p)
{
    shard_t *self = *self_p;
    if (!self)
        return;
    CHECK (!self->committing);
    self->stage->close (&self->state);
    shard_store_close (&self->store);
    owed_destroy (&self->owed);
    vector_free (&self->applied);
    vector_free (&self->durable);
    change_set_free (&self->failed);
    free (self->generations);
    free (self);
    *self_p = NULL;
}

stage_time_t shard_time (const shard_t *self, int64_t now_ms)
{
    return (stage_time_t){.watermark_ms = self->watermark_ms,
                          .greatest_ms = vector_greatest_ms (&self->applied),
                          .exact_from_ms = self->exact_from_ms,
                          .now_ms = now_ms};
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
    if (once && !self->finished && watermark_all_ended (watermark, &self->applied)) {
        self->stage->finish (self->state, &time);
        self->finished = true;
        self->changed = true;
        self->next_commit_ms = now_ms;
    }
}

void shard_follow_redis (shard_t *self, uint32_t sink, uint64_t generation, int64_t now_ms)
{
    uint64_t known = self->generations[sink];
    if (!generation || known == generation)
        return;
    self->generations[sink] = generation;
    self->generations_changed = true;
    stage_time_t time = shard_time (self, now_ms);
    if (known || self->stored)
        self->stage->refresh (self->state, &time, true);
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

commit_job_t *shard_collect (shard_t *self)
{
    if (self->committing)
        return NULL;
    change_set_t changes = self->failed;
    self->failed = (change_set_t){0};
    self->stage->collect (self->state, &changes);
    owed_collect (self->owed, &changes);
    if (self->generations_changed)
        write_generations (self, &changes);
    self->generations_changed = false;
    if (!self->changed && !changes.count) {
        change_set_free (&changes);
        return NULL;
    }
    buffer_t head = {0};
    write_head (self, &head);
    change_set_put (&changes, head_key, sizeof head_key, head.bytes, head.size);
    buffer_free (&head);
    commit_job_t *job = memory_new (sizeof *job);
    job->owner = self;
    job->store = self->store;
    job->changes = changes;
    job->epoch = self->epoch;
    vector_copy (&job->vector, &self->applied);
    self->committing = true;
    self->changed = false;
    return job;
}

void shard_committed (shard_t *self, commit_job_t *job, int64_t interval_ms, int64_t now_ms)
{
    self->committing = false;
    if (job->outcome == OUTCOME_OK) {
        if (self->storage_failed)
            log_info ("commits again", F_STR ("stage", self->stage->name),
                      F_INT ("shard", self->number));
        self->storage_failed = false;
        vector_free (&self->durable);
        self->durable = job->vector;
        job->vector = (vector_t){0};
        int64_t rest_ms = job->took_ms * COMMIT_REST_FACTOR;
        self->next_commit_ms = now_ms + (rest_ms > interval_ms ? rest_ms : interval_ms);
        return;
    }
    log_error ("the shard stands still until its commit succeeds", F_STR ("reason", job->error),
               F_STR ("stage", self->stage->name), F_INT ("shard", self->number));
    self->storage_failed = true;
    self->changed = true;
    change_set_append (&self->failed, &job->changes);
    self->next_commit_ms = now_ms + COMMIT_RETRY_MS;
}
