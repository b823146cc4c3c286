/*  kafka_table: see kafka_table.h. */
#include "ingestor/kafka_table.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/memory.h"

enum { MISSED_LISTS = 2 };

int kafka_table_init (kafka_table_t *self, const char *pattern, char *error, size_t error_size)
{
    *self = (kafka_table_t){.pattern = pattern, .is_regex = pattern[0] == '^'};
    if (!self->is_regex)
        return 0;
    int code = regcomp (&self->regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (!code)
        return 0;
    char reason[128];
    regerror (code, &self->regex, reason, sizeof reason);
    snprintf (error, error_size, "topics %s: %s", pattern, reason);
    self->is_regex = false;
    return -1;
}

void kafka_partition_drop_batch (kafka_partition_t *self)
{
    while (self->from < self->to)
        rd_kafka_message_destroy (self->batch[self->from++]);
    self->from = self->to = 0;
}

void kafka_table_free (kafka_table_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        free (self->partitions[i]->name);
        free (self->partitions[i]->topic);
        free (self->partitions[i]);
    }
    free (self->partitions);
    if (self->is_regex)
        regfree (&self->regex);
}

bool kafka_table_matches (const kafka_table_t *self, const char *topic)
{
    if (!self->is_regex)
        return strcmp (self->pattern, topic) == 0;
    return regexec (&self->regex, topic, 0, NULL, 0) == 0;
}

kafka_partition_t *kafka_table_find (const kafka_table_t *self, const char *topic, int32_t number)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->partitions[i]->number == number && !self->partitions[i]->replaced &&
            strcmp (self->partitions[i]->topic, topic) == 0)
            return self->partitions[i];
    return NULL;
}

static kafka_partition_t *add (kafka_table_t *self, const char *topic, int32_t number,
                               generation_t generation)
{
    kafka_partition_t *partition = memory_new (sizeof *partition);
    partition->index = self->count;
    partition->topic = memory_copy_string (topic, strlen (topic));
    partition->number = number;
    partition->generation = generation;
    size_t size = strlen (topic) + 16;
    char *base = memory_new (size);
    snprintf (base, size, "%s/%" PRId32, topic, number);
    partition->name = generation_name (base, generation);
    free (base);
    partition->listed = true;
    partition->later = self->complete;
    partition->recorded_end = partition->end_told = partition->seek_to = -1;
    partition->origin = partition->durable = partition->committed = -1;
    self->partitions =
        memory_resize (self->partitions, (self->count + 1) * sizeof *self->partitions);
    self->partitions[self->count++] = partition;
    self->changed = true;
    return partition;
}

kafka_partition_t *kafka_table_get (kafka_table_t *self, const char *topic, int32_t number)
{
    kafka_partition_t *partition = kafka_table_find (self, topic, number);
    return partition ? partition : add (self, topic, number, (generation_t){0});
}

kafka_partition_t *kafka_table_replace (kafka_table_t *self, kafka_partition_t *partition,
                                        generation_t generation)
{
    kafka_partition_t *next = add (self, partition->topic, partition->number, generation);
    next->listed = partition->listed;
    next->own = partition->own;
    next->recorded_end = partition->recorded_end;
    next->queue = partition->queue;
    partition->queue = NULL;
    partition->replaced = true;
    partition->listed = partition->own = partition->lost = partition->gone = false;
    partition->durable = -1;
    return next;
}

/*  A topic that is just being made, or one whose leader is away, has no error of its own here that
 *  should take its partitions from the list. */
static bool is_gone (const rd_kafka_metadata_topic_t *topic)
{
    return topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/*  What is not listed holds nobody back: so one list without it, from a broker that has just started, say, is
 *  not enough. */
static void note_seen (kafka_table_t *self, kafka_partition_t *partition, bool seen)
{
    partition->missed = seen ? 0 : partition->missed + 1;
    bool listed = seen || (partition->listed && partition->missed < MISSED_LISTS);
    if (listed == partition->listed)
        return;
    partition->listed = listed;
    partition->gone = !listed;
    self->changed = true;
    if (listed)
        log_info ("Kafka: a partition is there again", F_STR ("partition", partition->name));
    else
        log_warning ("Kafka: a partition is gone, as if its topic was deleted: it is not waited for",
                     F_STR ("partition", partition->name));
}

outcome_t kafka_table_list (kafka_table_t *self, rd_kafka_t *handle, int timeout_ms,
                            rd_kafka_resp_err_t *code)
{
    const struct rd_kafka_metadata *found = NULL;
    *code = rd_kafka_metadata (handle, 1, NULL, &found, timeout_ms);
    if (*code)
        return OUTCOME_RETRY;
    uint32_t before = self->count;
    bool *seen = memory_new_array (before ? before : 1, sizeof *seen);
    for (int i = 0; i < found->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &found->topics[i];
        if (is_gone (topic) || !kafka_table_matches (self, topic->topic))
            continue;
        for (int j = 0; j < topic->partition_cnt; j++) {
            uint32_t index = kafka_table_get (self, topic->topic, topic->partitions[j].id)->index;
            if (index < before)
                seen[index] = true;
        }
    }
    for (uint32_t i = 0; i < before; i++) {
        if (!self->partitions[i]->replaced)
            note_seen (self, self->partitions[i], seen[i]);
    }
    self->complete = true;
    free (seen);
    rd_kafka_metadata_destroy (found);
    return OUTCOME_OK;
}

void kafka_partition_lose (kafka_partition_t *partition, int64_t wanted, int64_t oldest,
                           int64_t end)
{
    partition->lost = true;
    partition->lost_wanted = wanted;
    partition->lost_oldest = oldest;
    partition->lost_end = end;
}
