/*  kafka_fetch: see kafka_fetch.h. */
#include "ingestor/kafka_fetch.h"
#include "common/log.h"

enum {
    REFILL_BYTES_MIN = 1 << 20,         /* a queue that never had as much was not full */
    BACKOFF_SINCE_VERSION = 0x02020000, /* of librdkafka: fetch.queue.backoff.ms */
};

const uint64_t kafka_fetch_wake_payload = 1;

/*  Gives the partition a queue of its own: only messages of it come there, callbacks never. */
static void take_queue (kafka_source_t *self, kafka_partition_t *partition)
{
    if (partition->queue)
        return;
    partition->queue =
        rd_kafka_queue_get_partition (self->handle, partition->topic, partition->number);
    if (!partition->queue)
        return;
    rd_kafka_queue_forward (partition->queue, NULL);
    rd_kafka_queue_io_event_enable (partition->queue, self->wake, &kafka_fetch_wake_payload,
                                    sizeof kafka_fetch_wake_payload);
}

/*  What is left in the queue (an error of a deleted topic) refers to librdkafka's partition, which
 *  refers to the queue: without this the handle could not be destroyed. */
void kafka_fetch_release (kafka_partition_t *partition)
{
    if (!partition->queue)
        return;
    do {
        kafka_partition_drop_batch (partition);
        ssize_t count =
            rd_kafka_consume_batch_queue (partition->queue, 0, partition->batch, KAFKA_BATCH_MAX);
        partition->to = count > 0 ? (uint32_t)count : 0;
    } while (partition->to);
    rd_kafka_queue_destroy (partition->queue);
    partition->queue = NULL;
}

static rd_kafka_topic_partition_list_t *list_of (const kafka_partition_t *partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (1);
    rd_kafka_topic_partition_list_add (list, partition->topic, partition->number)->offset = offset;
    return list;
}

/*  Logs and frees an error; OUTCOME_OK where there was none. */
static outcome_t outcome_of (rd_kafka_error_t *error, const kafka_partition_t *partition)
{
    if (!error)
        return OUTCOME_OK;
    log_warning ("Kafka: cannot begin a partition now; trying again",
                 F_STR ("partition", partition->name),
                 F_STR ("error", rd_kafka_error_string (error)));
    rd_kafka_error_destroy (error);
    return OUTCOME_RETRY;
}

void kafka_fetch_stop (kafka_source_t *self, kafka_partition_t *partition)
{
    kafka_partition_drop_batch (partition);
    partition->started = partition->active = partition->failed = partition->out_of_range = false;
    partition->seek_to = -1;
    if (!partition->fetching)
        return;
    partition->fetching = false;
    rd_kafka_topic_partition_list_t *list = list_of (partition, RD_KAFKA_OFFSET_INVALID);
    outcome_of (rd_kafka_incremental_unassign (self->handle, list), partition);
    rd_kafka_topic_partition_list_destroy (list);
}

outcome_t kafka_fetch_seek (kafka_source_t *self, kafka_partition_t *partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = list_of (partition, offset);
    /*  With timeout 0 it does not wait; what was fetched before is outdated at once. */
    outcome_t outcome = outcome_of (rd_kafka_seek_partitions (self->handle, list, 0), partition);
    rd_kafka_topic_partition_list_destroy (list);
    partition->seek_to = -1;
    return outcome;
}

/*  Lets it fetch from an offset. */
outcome_t kafka_fetch_from (kafka_source_t *self, kafka_partition_t *partition, int64_t offset)
{
    if (partition->failed)
        kafka_fetch_stop (self, partition);
    kafka_partition_drop_batch (partition);
    if (partition->fetching && partition->active)
        return kafka_fetch_seek (self, partition, offset);
    if (partition->fetching) {
        partition->seek_to = offset;
        return OUTCOME_OK;
    }
    take_queue (self, partition);
    if (!partition->queue)
        return OUTCOME_RETRY;
    rd_kafka_topic_partition_list_t *list = list_of (partition, offset);
    outcome_t outcome = outcome_of (rd_kafka_incremental_assign (self->handle, list), partition);
    rd_kafka_topic_partition_list_destroy (list);
    partition->fetching = outcome == OUTCOME_OK;
    return outcome;
}

/*  librdkafka before 2.2 fetches nothing for a full queue, and looks again only when something else
 *  wakes the broker's thread, or after a second: measured, 30,000 records a second instead of
 * 600,000 with a limit of 1 MiB. Any question to that broker wakes it; this one is not waited for.
 */
void kafka_fetch_refill (kafka_source_t *self, kafka_partition_t *partition, int64_t bytes,
                         uint32_t count)
{
    if (rd_kafka_version () >= BACKOFF_SINCE_VERSION)
        return;
    int64_t queued = (int64_t)rd_kafka_queue_length (partition->queue) * bytes / count;
    if (queued > partition->queued_peak_bytes)
        partition->queued_peak_bytes = queued;
    if (partition->queued_peak_bytes < REFILL_BYTES_MIN ||
        queued > partition->queued_peak_bytes / 2)
        return;
    partition->queued_peak_bytes = 0;
    rd_kafka_topic_partition_list_t *list = list_of (partition, 0);
    rd_kafka_offsets_for_times (self->handle, list, 0);
    rd_kafka_topic_partition_list_destroy (list);
}
