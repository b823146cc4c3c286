/*  kafka_begin: see kafka_begin.h. */
#include "ingestor/kafka_begin.h"
#include "ingestor/kafka_end.h"
#include "ingestor/kafka_fetch.h"

enum { FIRST_COMMIT_MS_MAX = 2000 };

/*  Where the group begins for the first time; committed at once, so that it stays so. */
static outcome_t begin_origin (kafka_source_t *self, kafka_partition_t *partition, int64_t oldest,
                               int64_t end)
{
    kafka_place_t place = kafka_partition_place (partition);
    int64_t origin = self->from == KAFKA_FROM_LATEST ? end : oldest;
    if (self->from == KAFKA_FROM_TIME &&
        kafka_offsets_at_time (self->handle, place, self->from_time_ms, end, &origin))
        return OUTCOME_RETRY;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (1);
    kafka_offsets_add_commit (list, place, origin, origin);
    outcome_t outcome = kafka_offsets_commit_now (self->handle, list, FIRST_COMMIT_MS_MAX);
    rd_kafka_topic_partition_list_destroy (list);
    if (outcome == OUTCOME_OK) {
        partition->origin = origin;
        partition->origin_asked = true;
        partition->committed = origin;
    }
    return outcome;
}

/*  Finds where the group began. Its commits may have none of ours: then where they are, and where
 * they have expired though a vector goes on, the oldest offset. */
static outcome_t find_origin (kafka_source_t *self, kafka_partition_t *partition, bool from_oldest,
                              int64_t oldest, int64_t end)
{
    if (partition->origin_asked)
        return OUTCOME_OK;
    int64_t committed, origin;
    outcome_t outcome = kafka_offsets_committed (self->handle, kafka_partition_place (partition),
                                                 &committed, &origin);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (committed < 0 && from_oldest)
        return begin_origin (self, partition, oldest, end);
    partition->origin = origin >= 0 ? origin : committed >= 0 ? committed : oldest;
    partition->origin_asked = true;
    return OUTCOME_OK;
}

outcome_t kafka_begin_start (kafka_source_t *self, kafka_partition_t *partition, int64_t offset,
                             int64_t *base, bool *base_lost)
{
    int64_t oldest, end;
    bool from_oldest = offset == SOURCE_OLDEST;
    outcome_t outcome =
        kafka_offsets_range (self->handle, kafka_partition_place (partition), &oldest, &end);
    if (outcome == OUTCOME_OK)
        outcome = find_origin (self, partition, from_oldest, oldest, end);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (from_oldest)
        offset = partition->origin > oldest ? partition->origin : oldest;
    if (offset >= oldest && offset <= end) {
        outcome = kafka_fetch_from (self, partition, offset);
        if (outcome != OUTCOME_OK)
            return outcome;
        partition->lost = false;
    } else {
        kafka_partition_drop_batch (partition);
        kafka_partition_lose (partition, offset, oldest, end);
    }
    partition->started = true;
    partition->done = false;
    partition->position = offset;
    partition->end_told = -1;
    kafka_end_forget (partition);
    *base = offset;
    *base_lost = from_oldest && offset > 0;
    return OUTCOME_OK;
}
