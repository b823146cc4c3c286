/*  kafka_commit: see kafka_commit.h. */
#include "ingestor/kafka_commit.h"
#include "common/log.h"

/*  A question is to end by an answer or a broken connection: librdkafka 2.0 aborts where the answer to one that timed out
 *  while the group had no coordinator comes after all. The longest that it takes. */
enum { COMMIT_INTERVAL_MS = 1000, ASK_MS_MAX = 3600000 };

void kafka_commit_on_answer (rd_kafka_t *handle, rd_kafka_resp_err_t code,
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

static bool is_due (const kafka_partition_t *partition)
{
    return partition->own && partition->listed && partition->started && !partition->failed &&
           !partition->suspect && partition->origin_asked &&
           partition->durable > partition->committed;
}

/*  Those that are due, as a list of their places. NULL: none. */
static rd_kafka_topic_partition_list_t *list_due (kafka_source_t *self)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    for (uint32_t i = 0; i < self->table.count; i++) {
        kafka_partition_t *partition = self->table.partitions[i];
        if (!is_due (partition))
            continue;
        if (!list)
            list = rd_kafka_topic_partition_list_new (16);
        rd_kafka_topic_partition_list_add (list, partition->topic, partition->number);
        partition->asked_at = partition->position;
    }
    return list;
}

/*  Where the group's commits are still there, adds the next ones. */
static rd_kafka_topic_partition_list_t *
next_commits (kafka_source_t *self, const rd_kafka_topic_partition_list_t *present)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (present->cnt);
    for (int i = 0; i < present->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &present->elems[i];
        kafka_partition_t *partition =
            kafka_table_find (&self->table, entry->topic, entry->partition);
        if (!partition || entry->err || !is_due (partition))
            continue;
        if (entry->offset < 0 && partition->had_commit) {
            partition->suspect = true;
            continue;
        }
        partition->known_at = partition->asked_at;
        partition->committed = partition->durable;
        kafka_offsets_add_commit (list, kafka_partition_place (partition), partition->durable,
                                  (kafka_mark_t){partition->origin, partition->generation.number});
    }
    return list;
}

static void ask (kafka_source_t *self, const rd_kafka_topic_partition_list_t *due)
{
    char reason[256];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new (self->handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets_t *request =
        rd_kafka_ListConsumerGroupOffsets_new (self->group, due);
    rd_kafka_AdminOptions_set_request_timeout (options, ASK_MS_MAX, reason, sizeof reason);
    if (!self->commit_answers)
        self->commit_answers = rd_kafka_queue_new (self->handle);
    rd_kafka_ListConsumerGroupOffsets (self->handle, &request, 1, options, self->commit_answers);
    rd_kafka_ListConsumerGroupOffsets_destroy (request);
    rd_kafka_AdminOptions_destroy (options);
    self->commit_asked = true;
}

static void commit (kafka_source_t *self, const rd_kafka_topic_partition_list_t *present)
{
    rd_kafka_topic_partition_list_t *list = next_commits (self, present);
    if (list->cnt) {
        rd_kafka_resp_err_t code = rd_kafka_commit (self->handle, list, 1);
        if (code)
            kafka_commit_on_answer (self->handle, code, list, self);
    }
    rd_kafka_topic_partition_list_destroy (list);
}

static void take_answer (kafka_source_t *self)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll (self->commit_answers, 0);
    if (!event)
        return;
    self->commit_asked = false;
    size_t count = 0;
    const rd_kafka_ListConsumerGroupOffsets_result_t *result =
        rd_kafka_event_ListConsumerGroupOffsets_result (event);
    const rd_kafka_group_result_t **groups =
        result ? rd_kafka_ListConsumerGroupOffsets_result_groups (result, &count) : NULL;
    if (rd_kafka_event_error (event))
        log_warning ("Kafka: cannot look at the group's commits; trying again",
                     F_STR ("error", rd_kafka_event_error_string (event)));
    else if (count && rd_kafka_group_result_error (groups[0]))
        log_warning (
            "Kafka: cannot look at the group's commits; trying again",
            F_STR ("error", rd_kafka_error_string (rd_kafka_group_result_error (groups[0]))));
    else if (count && rd_kafka_group_result_partitions (groups[0]))
        commit (self, rd_kafka_group_result_partitions (groups[0]));
    rd_kafka_event_destroy (event);
}

void kafka_commit_step (kafka_source_t *self, int64_t now_ms)
{
    if (self->commit_asked) {
        take_answer (self);
        return;
    }
    if (now_ms - self->committed_ms < COMMIT_INTERVAL_MS)
        return;
    self->committed_ms = now_ms;
    rd_kafka_topic_partition_list_t *due = list_due (self);
    if (!due)
        return;
    ask (self, due);
    rd_kafka_topic_partition_list_destroy (due);
}

void kafka_commit_last (kafka_source_t *self, int timeout_ms)
{
    for (uint32_t i = 0; i < self->table.count; i++)
        if (self->table.partitions[i]->durable >= 0)
            self->table.partitions[i]->committed = -1;
    rd_kafka_topic_partition_list_t *due = list_due (self);
    if (!due)
        return;
    rd_kafka_resp_err_t code = rd_kafka_committed (self->handle, due, timeout_ms);
    if (code)
        log_warning ("Kafka: the last offsets are not committed (the shards have them)",
                     F_STR ("error", rd_kafka_err2str (code)));
    else {
        rd_kafka_topic_partition_list_t *list = next_commits (self, due);
        kafka_offsets_commit_now (self->handle, list, timeout_ms);
        rd_kafka_topic_partition_list_destroy (list);
    }
    rd_kafka_topic_partition_list_destroy (due);
}

void kafka_commit_close (kafka_source_t *self)
{
    if (self->commit_answers)
        rd_kafka_queue_destroy (self->commit_answers);
    self->commit_answers = NULL;
}
