/*  kafka_source: see kafka_source.h. */
#include "ingestor/kafka_source.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/check.h"
#include "common/clock.h"
#include "common/event.h"
#include "common/log.h"
#include "common/memory.h"
#include "ingestor/kafka_begin.h"
#include "ingestor/kafka_client.h"
#include "ingestor/kafka_commit.h"
#include "ingestor/kafka_end.h"
#include "ingestor/kafka_fetch.h"
#include "ingestor/kafka_generation.h"
#include "ingestor/kafka_group.h"
#include "ingestor/kafka_open.h"

enum {
    LAST_COMMIT_MS_MAX = 3000,
    LEAVE_MS_MAX = 2000,
    BATCHES_PER_POLL_MAX = 4,
    ASK_AGAIN_MS = 1500,
    VALUE_HEAD_BYTES = 64 << 10, /* what is given of a value beyond the cap */
};

static kafka_source_t *self_of (source_t *base)
{
    return (kafka_source_t *)base;
}

static const kafka_source_t *self_of_const (const source_t *base)
{
    return (const kafka_source_t *)base;
}

static kafka_partition_t *partition_at (const kafka_source_t *self, uint32_t index)
{
    CHECK (index < self->table.count);
    return self->table.partitions[index];
}

/*  May its questions be asked? Each waits up to a second for brokers that are away, and the loop with it. So
 *  when one was waited for in vain none is asked for a while, and that one for longer: others come first. */
static bool may_ask (const kafka_source_t *self, const kafka_partition_t *partition)
{
    int64_t now_ms = clock_ms ();
    return partition->own && partition->told && partition->listed &&
           now_ms >= self->ask_after_ms && now_ms >= partition->ask_after_ms;
}

static outcome_t asked (kafka_source_t *self, kafka_partition_t *partition, int64_t began_ms,
                        outcome_t outcome)
{
    int64_t now_ms = clock_ms ();
    bool waited = now_ms - began_ms >= KAFKA_ASK_MS_MAX / 2;
    partition->ask_after_ms = outcome == OUTCOME_OK ? 0 : now_ms + ASK_AGAIN_MS;
    self->ask_after_ms = outcome != OUTCOME_OK && waited ? now_ms + KAFKA_ASK_MS_MAX : 0;
    return outcome;
}

static void list_again (kafka_source_t *self, int64_t now_ms)
{
    if (self->once || now_ms - self->listed_ms < self->list_interval_ms)
        return;
    rd_kafka_resp_err_t code;
    if (kafka_table_list (&self->table, self->handle, KAFKA_ASK_MS_MAX, &code))
        log_warning ("Kafka: cannot list the partitions; trying again",
                     F_STR ("error", rd_kafka_err2str (code)));
    else
        self->heard_ms = now_ms;
    self->listed_ms = clock_ms ();
}

/*  With once the list is closed: what came later is not read. */
static bool is_listed (const kafka_source_t *self, const kafka_partition_t *partition)
{
    return partition->listed && (!self->once || partition->recorded_end >= 0);
}

static void tell_list (kafka_source_t *self)
{
    const source_events_t *events = &self->events;
    if (self->table.changed) {
        self->table.changed = false;
        events->listed (events->arg);
    }
    for (uint32_t i = 0; i < self->table.count; i++) {
        kafka_partition_t *partition = self->table.partitions[i];
        if (partition->replaced && partition->told) {
            partition->told = false;
            events->revoked (events->arg, i);
        }
        if (!partition->own || partition->told || !is_listed (self, partition))
            continue;
        partition->told = true;
        events->assigned (events->arg, i);
    }
}

/*  ---- reading ---- */

static void tell_lost (kafka_source_t *self, kafka_partition_t *partition)
{
    partition->lost = partition->out_of_range = partition->suspect = false;
    partition->started = false;
    self->events.lost (self->events.arg, partition->index, partition->lost_wanted,
                       partition->lost_oldest, partition->lost_end);
}

/*  The position is now `next` without an event; tells it, and its end where it is one. */
static void reach (kafka_source_t *self, kafka_partition_t *partition, int64_t next, bool is_end)
{
    const source_events_t *events = &self->events;
    bool recorded = self->once && next >= partition->recorded_end;
    if (recorded)
        next = partition->recorded_end;
    if (next > partition->position) {
        partition->position = next;
        events->position (events->arg, partition->index, next);
        if (partition->position != next || !partition->started)
            return;
    }
    if (self->once)
        is_end = recorded;
    if (!is_end || partition->end_told == partition->position)
        return;
    partition->end_told = partition->position;
    partition->done = recorded;
    events->end (events->arg, partition->index, partition->position);
}

static void give (kafka_source_t *self, kafka_partition_t *partition,
                  const rd_kafka_message_t *message)
{
    const source_events_t *events = &self->events;
    if (message->offset > partition->position) {
        reach (self, partition, message->offset, false);
        if (!partition->started || partition->done || partition->position != message->offset)
            return;
    }
    rd_kafka_timestamp_type_t type;
    int64_t time_ms = rd_kafka_message_timestamp (message, &type);
    size_t size = message->len;
    source_record_t record = {
        .partition = partition->index,
        .offset = message->offset,
        .next = message->offset + 1,
        .record_time_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? EVENT_TIME_NONE : time_ms,
        .value = {message->payload, size > EVENT_MESSAGE_BYTES_MAX ? VALUE_HEAD_BYTES : size},
        .value_bytes = size,
        .key = {message->key, message->key_len},
    };
    partition->position = record.next;
    events->record (events->arg, &record);
    if (self->once && partition->started && partition->position == partition->recorded_end)
        reach (self, partition, partition->recorded_end, true);
}

/*  The fetcher could not go on. */
static void take_error (kafka_partition_t *partition, const rd_kafka_message_t *message)
{
    log_warning ("Kafka: partition", F_STR ("partition", partition->name),
                 F_STR ("error", rd_kafka_message_errstr (message)));
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        partition->out_of_range = true;
        break;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        partition->suspect = true;
        break;
    default:
        return;
    }
    partition->failed = true;
    partition->known_at = partition->position;
}

/*  Its offset is out of range (of which?), or its topic was away (is it the same one?). False: not known yet. */
static bool look_again (kafka_source_t *self, kafka_partition_t *partition)
{
    int64_t oldest, end, committed, began_ms = clock_ms ();
    kafka_mark_t mark;
    kafka_place_t place = kafka_partition_place (partition);
    if (!may_ask (self, partition))
        return false;
    outcome_t outcome = kafka_offsets_range (self->handle, place, &oldest, &end);
    if (outcome == OUTCOME_OK)
        outcome = kafka_offsets_committed (self->handle, place, &committed, &mark);
    if (asked (self, partition, began_ms, outcome) != OUTCOME_OK)
        return false;
    if (partition->out_of_range || (committed < 0 && partition->had_commit)) {
        kafka_partition_lose (partition, partition->position, oldest, end);
        return true;
    }
    partition->suspect = partition->failed && kafka_fetch_from (self, partition, partition->position);
    partition->started = true;
    kafka_end_forget (partition);
    return !partition->suspect;
}

static void take_message (kafka_source_t *self, kafka_partition_t *partition,
                          const rd_kafka_message_t *message)
{
    partition->active = true;
    if (partition->seek_to >= 0) {
        kafka_fetch_seek (self, partition, partition->seek_to);
        kafka_partition_drop_batch (partition);
        return;
    }
    if (!message->err) {
        if (message->offset >= partition->position)
            give (self, partition, message);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (message->offset >= partition->position) {
            kafka_end_take (self, partition, message->offset);
            reach (self, partition, message->offset, true);
        }
    } else
        take_error (partition, message);
}

static void refill (kafka_source_t *self, kafka_partition_t *partition)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < partition->to; i++)
        bytes += (int64_t)partition->batch[i]->len;
    if (partition->to)
        kafka_fetch_refill (self, partition, bytes, partition->to);
}

/*  Gives a batch of one partition; a callback may pause it (the rest waits) or start it anew (the
 *  rest is dropped). True where there may be more. */
static bool read_batch (kafka_source_t *self, kafka_partition_t *partition)
{
    bool unsure = partition->out_of_range || partition->suspect;
    if (unsure && !partition->lost && !look_again (self, partition))
        return false;
    if (partition->lost) {
        tell_lost (self, partition);
        return true;
    }
    if (self->once && partition->position >= partition->recorded_end) {
        reach (self, partition, partition->recorded_end, true);
        return true;
    }
    if (partition->from == partition->to) {
        ssize_t count =
            rd_kafka_consume_batch_queue (partition->queue, 0, partition->batch, KAFKA_BATCH_MAX);
        partition->from = 0;
        partition->to = count > 0 ? (uint32_t)count : 0;
        refill (self, partition);
    }
    bool some = partition->from < partition->to;
    while (partition->from < partition->to && !partition->paused && !partition->done) {
        rd_kafka_message_t *message = partition->batch[partition->from++];
        take_message (self, partition, message);
        rd_kafka_message_destroy (message);
        if (partition->failed)
            break;
    }
    return some;
}

static bool read_some (kafka_source_t *self)
{
    uint32_t idle = 0;
    int batches = 0;
    while (idle < self->table.count && batches < BATCHES_PER_POLL_MAX) {
        self->turn = (self->turn + 1) % self->table.count;
        kafka_partition_t *partition = self->table.partitions[self->turn];
        bool reads = partition->started && !partition->paused && !partition->done;
        if (reads && read_batch (self, partition)) {
            batches++;
            idle = 0;
        } else
            idle++;
    }
    return batches > 0;
}

static void do_poll (source_t *base, int timeout_ms)
{
    kafka_source_t *self = self_of (base);
    uint64_t wakes;
    if (read (self->wake, &wakes, sizeof wakes) < 0 && errno != EAGAIN)
        log_error ("cannot read an eventfd", F_STR ("error", strerror (errno)));
    int64_t now_ms = clock_ms ();
    kafka_group_serve (self);
    list_again (self, now_ms);
    tell_list (self);
    kafka_commit_step (self, now_ms);
    bool some = read_some (self);
    kafka_end_ask (self, now_ms);
    if (some || timeout_ms <= 0)
        return;
    struct pollfd wait = {.fd = self->wake, .events = POLLIN};
    poll (&wait, 1, timeout_ms);
}

/*  ---- the rest of the interface ---- */

static int64_t do_heard_ms (const source_t *base)
{
    const kafka_source_t *self = self_of_const (base);
    return self->once ? 0 : self->heard_ms;
}

static uint32_t do_partition_count (const source_t *base)
{
    return self_of_const (base)->table.count;
}

static const char *do_partition_name (const source_t *base, uint32_t index)
{
    return partition_at (self_of_const (base), index)->name;
}

static bool do_partition_listed (const source_t *base, uint32_t index)
{
    const kafka_source_t *self = self_of_const (base);
    return is_listed (self, partition_at (self, index));
}

static bool do_partition_gone (const source_t *base, uint32_t index)
{
    return partition_at (self_of_const (base), index)->gone;
}

static outcome_t do_start (source_t *source, uint32_t index, int64_t offset, int64_t most,
                           int64_t *base, bool *base_lost)
{
    kafka_source_t *self = self_of (source);
    kafka_partition_t *partition = partition_at (self, index);
    if (!may_ask (self, partition))
        return OUTCOME_RETRY;
    int64_t began_ms = clock_ms ();
    outcome_t outcome = kafka_begin_start (self, partition, offset, most, base, base_lost);
    return asked (self, partition, began_ms, outcome);
}

static outcome_t do_renew (source_t *source, uint32_t index)
{
    kafka_source_t *self = self_of (source);
    kafka_partition_t *partition = partition_at (self, index);
    if (!may_ask (self, partition))
        return OUTCOME_RETRY;
    int64_t began_ms = clock_ms ();
    outcome_t outcome = kafka_generation_renew (self, partition);
    return asked (self, partition, began_ms, outcome);
}

static void do_learn (source_t *source, span_t name)
{
    kafka_generation_learn (self_of (source), name);
}

static void do_pause (source_t *base, uint32_t index, bool paused)
{
    partition_at (self_of (base), index)->paused = paused;
}

static void do_commit (source_t *base, uint32_t index, int64_t next)
{
    kafka_partition_t *partition = partition_at (self_of (base), index);
    if (partition->own && next > partition->durable)
        partition->durable = next;
}

static int64_t do_lag (const source_t *base, uint32_t index, int64_t next)
{
    const kafka_source_t *self = self_of_const (base);
    const kafka_partition_t *partition = partition_at (self, index);
    int64_t oldest, end;
    if (!partition->fetching ||
        rd_kafka_get_watermark_offsets (self->handle, partition->topic, partition->number, &oldest,
                                        &end) ||
        end < 0)
        return -1;
    return end > next ? end - next : 0;
}

static int64_t do_end_known_ms (const source_t *base, uint32_t index)
{
    return partition_at (self_of_const (base), index)->end_known_ms;
}

static void close_consumer (rd_kafka_t *handle)
{
    rd_kafka_consumer_close (handle);
}

/*  Commits and leaves the group, bounded; -1 where the brokers do not let it go in time. */
static int leave_group (kafka_source_t *self)
{
    kafka_commit_last (self, LAST_COMMIT_MS_MAX / 2);
    kafka_commit_close (self);
    return kafka_client_bounded (close_consumer, self->handle, LEAVE_MS_MAX);
}

static void do_destroy (source_t **base_p)
{
    kafka_source_t *self = self_of (*base_p);
    if (!self)
        return;
    *base_p = NULL;
    self->closing = true;
    for (uint32_t i = 0; i < self->table.count; i++)
        kafka_partition_drop_batch (self->table.partitions[i]);
    if (self->handle && leave_group (self)) {
        /*  librdkafka's threads still use all of it; the process is about to end. */
        log_warning ("Kafka: did not leave the group in time");
        return;
    }
    for (uint32_t i = 0; i < self->table.count; i++)
        kafka_fetch_release (self->table.partitions[i]);
    if (self->group_queue)
        rd_kafka_queue_destroy (self->group_queue);
    if (self->handle && kafka_client_bounded (rd_kafka_destroy, self->handle, LEAVE_MS_MAX)) {
        log_warning ("Kafka: did not end in time");
        return;
    }
    if (self->wake >= 0)
        close (self->wake);
    kafka_table_free (&self->table);
    free (self);
}

static const source_ops_t kafka_source_ops = {
    .destroy = do_destroy,
    .poll = do_poll,
    .heard_ms = do_heard_ms,
    .partition_count = do_partition_count,
    .partition_name = do_partition_name,
    .partition_listed = do_partition_listed,
    .partition_gone = do_partition_gone,
    .start = do_start,
    .renew = do_renew,
    .learn = do_learn,
    .pause = do_pause,
    .commit = do_commit,
    .end_known_ms = do_end_known_ms,
    .lag = do_lag,
};

source_t *kafka_source_new (const kafka_source_settings_t *settings, const source_events_t *events,
                            char *error, size_t error_size, int *exit_code)
{
    kafka_source_t *self = memory_new (sizeof *self);
    self->base.ops = &kafka_source_ops;
    self->events = *events;
    self->once = settings->once;
    self->list_interval_ms = settings->list_interval_ms;
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = kafka_open (self, settings, error, error_size);
    self->table.changed = true;
    if (!code)
        return &self->base;
    source_t *base = &self->base;
    do_destroy (&base);
    *exit_code = code;
    return NULL;
}
