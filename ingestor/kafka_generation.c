/*  kafka_generation: see kafka_generation.h. */
#include "ingestor/kafka_generation.h"
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/memory.h"
#include "ingestor/kafka_fetch.h"

enum { AGREE_MS_MAX = 2000 };

bool kafka_generation_enter (kafka_source_t *self, kafka_partition_t *partition,
                             generation_t generation)
{
    if (generation_compare (partition->generation, generation) >= 0)
        return false;
    kafka_fetch_stop (self, partition);
    kafka_partition_t *next = kafka_table_replace (&self->table, partition, generation);
    log_info ("Kafka: a partition goes on as another generation", F_STR ("partition", next->name),
              F_INT ("begin", generation.begin));
    return true;
}

static outcome_t agree (kafka_source_t *self, const kafka_partition_t *partition,
                        generation_t generation)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (1);
    kafka_offsets_add_commit (list, kafka_partition_place (partition), generation.begin,
                              (kafka_mark_t){generation.begin, generation.number});
    outcome_t outcome = kafka_offsets_commit_now (self->handle, list, AGREE_MS_MAX);
    rd_kafka_topic_partition_list_destroy (list);
    return outcome;
}

outcome_t kafka_generation_renew (kafka_source_t *self, kafka_partition_t *partition)
{
    int64_t oldest, end, committed;
    kafka_mark_t mark;
    kafka_place_t place = kafka_partition_place (partition);
    outcome_t outcome = kafka_offsets_range (self->handle, place, &oldest, &end);
    if (outcome == OUTCOME_OK)
        outcome = kafka_offsets_committed (self->handle, place, &committed, &mark);
    if (outcome != OUTCOME_OK)
        return outcome;
    /* Agreed on already, by one who did not come to tell it. */
    if (committed >= 0 &&
        kafka_generation_enter (self, partition, (generation_t){mark.generation, mark.origin}))
        return OUTCOME_OK;
    /* Kafka deletes a topic's commits with it. Where they are still there, its end was cut off, and all that
     * is left was read before. */
    bool made_anew = committed < 0;
    /* What was given before that was noticed may be of the new one, and must not come again. */
    int64_t unread = partition->position > partition->known_at ? partition->position : oldest;
    generation_t next = {partition->generation.number + 1, made_anew ? unread : end};
    outcome = agree (self, partition, next);
    if (outcome != OUTCOME_OK)
        return outcome;
    log_warning (made_anew ? "Kafka: the partition was made anew: what was not read of it is read"
                           : "Kafka: the partition was cut: it is read from its present end",
                 F_STR ("partition", partition->name), F_INT ("begin", next.begin),
                 F_INT ("committed", committed), F_INT ("oldest", oldest), F_INT ("end", end));
    kafka_generation_enter (self, partition, next);
    return OUTCOME_OK;
}

void kafka_generation_learn (kafka_source_t *self, span_t name)
{
    span_t base;
    generation_t generation = generation_parse (name, &base);
    const char *slash = generation.number ? memrchr (base.bytes, '/', base.size) : NULL;
    if (!slash)
        return;
    char *topic = memory_copy_string (base.bytes, (size_t)(slash - base.bytes));
    size_t digits = base.size - (size_t)(slash + 1 - base.bytes);
    char *number = memory_copy_string (slash + 1, digits);
    bool valid = digits > 0 && digits < 10 && strspn (number, "0123456789") == digits;
    kafka_partition_t *partition =
        valid ? kafka_table_find (&self->table, topic, (int32_t)strtol (number, NULL, 10)) : NULL;
    if (partition)
        kafka_generation_enter (self, partition, generation);
    free (number);
    free (topic);
}
