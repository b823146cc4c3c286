/*  kafka_group: see kafka_group.h. */
#include "ingestor/kafka_group.h"
#include "common/log.h"
#include "ingestor/kafka_fetch.h"

enum { COMMIT_INTERVAL_MS = 1000, SERVED_PER_POLL_MAX = 16 };

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
        partition->origin_asked = false;
        partition->durable = partition->committed = -1;
        if (partition->told && !self->closing)
            self->events.revoked (self->events.arg, partition->index);
        partition->told = false;
    }
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

void kafka_group_on_commit (rd_kafka_t *handle, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
    (void)handle;
    kafka_source_t *self = opaque;
    if (!code || code == RD_KAFKA_RESP_ERR__NO_OFFSET || self->closing)
        return;
    log_warning ("Kafka: commit failed; trying again", F_STR ("error", rd_kafka_err2str (code)));
    for (int i = 0; offsets && i < offsets->cnt; i++) {
        kafka_partition_t *partition =
            kafka_table_get (&self->table, offsets->elems[i].topic, offsets->elems[i].partition);
        partition->committed = -1;
    }
}

rd_kafka_topic_partition_list_t *kafka_group_due_commits (const kafka_source_t *self)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (16);
    for (uint32_t i = 0; i < self->table.count; i++) {
        kafka_partition_t *partition = self->table.partitions[i];
        /* A commit must not be made to a topic that was made anew since: it would look as if it had not been
         * (kafka_generation). */
        bool sound = partition->listed && partition->started && !partition->failed;
        if (!partition->own || !sound || partition->durable <= partition->committed ||
            !partition->origin_asked)
            continue;
        partition->committed = partition->durable;
        kafka_offsets_add_commit (list, kafka_partition_place (partition), partition->durable,
                                  (kafka_mark_t){partition->origin, partition->generation.number});
    }
    return list;
}

void kafka_group_commit (kafka_source_t *self, int64_t now_ms)
{
    if (now_ms - self->committed_ms < COMMIT_INTERVAL_MS)
        return;
    self->committed_ms = now_ms;
    rd_kafka_topic_partition_list_t *list = kafka_group_due_commits (self);
    if (list->cnt) {
        rd_kafka_resp_err_t code = rd_kafka_commit (self->handle, list, 1);
        if (code)
            kafka_group_on_commit (self->handle, code, list, self);
    }
    rd_kafka_topic_partition_list_destroy (list);
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
