/*  kafka_end: see kafka_end.h. */
#include "ingestor/kafka_end.h"
#include "common/log.h"

enum {
    ASK_INTERVAL_MS = 1000,
    ASK_AGAIN_MS = 30000, /* no answer: a seek outdates the fetch under way, so not soon */
};

static bool is_due (const kafka_partition_t *partition, int64_t now_ms)
{
    bool stands = partition->started && partition->fetching && partition->active &&
                  !partition->failed && !partition->paused && !partition->lost &&
                  partition->seek_to < 0 && partition->from == partition->to &&
                  partition->end_told == partition->position;
    int64_t interval_ms = partition->end_awaited ? ASK_AGAIN_MS : ASK_INTERVAL_MS;
    return stands && now_ms - partition->end_asked_ms >= interval_ms;
}

void kafka_end_ask (kafka_source_t *self, int64_t now_ms)
{
    if (self->once)
        return; /* ends are those recorded at the start */
    rd_kafka_topic_partition_list_t *list = NULL;
    for (uint32_t i = 0; i < self->table.count; i++) {
        kafka_partition_t *partition = self->table.partitions[i];
        if (!is_due (partition, now_ms))
            continue;
        partition->end_asked_ms = now_ms;
        partition->end_awaited = true;
        if (!list)
            list = rd_kafka_topic_partition_list_new (16);
        rd_kafka_topic_partition_list_add (list, partition->topic, partition->number)->offset =
            partition->position;
    }
    if (!list)
        return;
    rd_kafka_error_t *error = rd_kafka_seek_partitions (self->handle, list, 0);
    if (error) {
        log_warning ("Kafka: cannot ask for the ends of partitions; trying again",
                     F_STR ("error", rd_kafka_error_string (error)));
        rd_kafka_error_destroy (error);
    }
    rd_kafka_topic_partition_list_destroy (list);
}

void kafka_end_take (kafka_source_t *self, kafka_partition_t *partition, int64_t offset)
{
    int64_t oldest, end;
    if (!partition->end_awaited)
        return;
    partition->end_awaited = false;
    /* The end behind all that was written, as of the same answer or a later one. */
    if (!rd_kafka_get_watermark_offsets (self->handle, partition->topic, partition->number, &oldest,
                                         &end) &&
        end == offset)
        partition->end_known_ms = partition->end_asked_ms;
}

void kafka_end_forget (kafka_partition_t *partition)
{
    partition->end_awaited = false;
    partition->end_asked_ms = partition->end_known_ms = 0;
}
