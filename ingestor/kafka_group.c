/*  kafka_group: see kafka_group.h. */
#include "ingestor/kafka_group.h"
#include "common/log.h"
#include "ingestor/kafka_fetch.h"

enum { SERVED_PER_POLL_MAX = 16 };

/*  For a rebalance librdkafka pauses what is fetched, and resumes it where it believes that we are. It takes an
 *  end that was told for a message (2.8, rd_kafka_consume_batch_queue), and would pass over the next one: so it
 *  is told. These seeks come between its pausing and its resuming. */
static void say_positions (kafka_source_t *self)
{
    for (uint32_t i = 0; i < self->table.count; i++) {
        kafka_partition_t *partition = self->table.partitions[i];
        if (!partition->own || !partition->started || !partition->fetching || !partition->active ||
            partition->failed)
            continue;
        kafka_partition_drop_batch (partition);
        kafka_fetch_seek (self, partition, partition->position);
    }
}

/*  Called by rd_kafka_consumer_poll: the group gives or takes partitions. A given one is not
 * fetched before it is started; the empty call tells librdkafka that the rebalance is done. */
void kafka_group_rebalance (rd_kafka_t *handle, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    kafka_source_t *self = opaque;
    bool gives = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    rd_kafka_topic_partition_list_t *fetched = rd_kafka_topic_partition_list_new (partitions->cnt);
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &partitions->elems[i];
        kafka_partition_t *partition =
            kafka_table_get (&self->table, entry->topic, entry->partition);
        partition->own = gives;
        if (gives)
            continue;
        if (partition->fetching)
            rd_kafka_topic_partition_list_add (fetched, entry->topic, entry->partition);
        partition->fetching = false;
        kafka_fetch_stop (self, partition);
        partition->origin_asked = partition->suspect = false;
        partition->durable = partition->committed = -1;
        if (partition->told && !self->closing)
            self->events.revoked (self->events.arg, partition->index);
        partition->told = false;
    }
    say_positions (self);
    rd_kafka_error_t *error = gives ? rd_kafka_incremental_assign (handle, fetched)
                                    : rd_kafka_incremental_unassign (handle, fetched);
    if (error) {
        log_error ("Kafka: rebalance failed", F_STR ("error", rd_kafka_error_string (error)));
        rd_kafka_error_destroy (error);
    }
    log_info (gives ? "Kafka: partitions assigned" : "Kafka: partitions revoked",
              F_INT ("count", partitions->cnt));
    rd_kafka_topic_partition_list_destroy (fetched);
}

/*  Serves the group: rebalances, answers to commits, errors. */
void kafka_group_serve (kafka_source_t *self)
{
    for (int i = 0; i < SERVED_PER_POLL_MAX; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll (self->handle, 0);
        if (!message)
            return;
        if (message->err)
            log_warning ("Kafka: consumer", F_STR ("error", rd_kafka_message_errstr (message)));
        rd_kafka_message_destroy (message);
    }
}
