/*  kafka_begin: see kafka_begin.h. */
#include "ingestor/kafka_begin.h"
#include "common/log.h"
#include "ingestor/kafka_end.h"
#include "ingestor/kafka_fetch.h"
#include "ingestor/kafka_generation.h"

enum { FIRST_COMMIT_MS_MAX = 2000 };

/*  What there is of a partition now. */
typedef struct {
    int64_t oldest, end;
} range_t;

/*  A partition that came while the pipeline ran is read whole: --from is for what was there before it. */
static outcome_t choose_origin (kafka_source_t *self, const kafka_partition_t *partition,
                                range_t range, int64_t *origin)
{
    *origin = range.oldest;
    if (partition->generation.number)
        *origin = partition->generation.begin;
    else if (partition->later || partition->had_commit)
        return OUTCOME_OK;
    else if (self->from == KAFKA_FROM_LATEST)
        *origin = range.end;
    else if (self->from == KAFKA_FROM_TIME)
        return kafka_offsets_at_time (self->handle, kafka_partition_place (partition),
                                      self->from_time_ms, range.end, origin);
    return OUTCOME_OK;
}

/*  Where the group begins for the first time; committed at once, so that it stays so. */
static outcome_t begin_origin (kafka_source_t *self, kafka_partition_t *partition, range_t range)
{
    int64_t origin;
    outcome_t outcome = choose_origin (self, partition, range, &origin);
    if (outcome != OUTCOME_OK)
        return outcome;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (1);
    kafka_offsets_add_commit (list, kafka_partition_place (partition), origin,
                              (kafka_mark_t){origin, partition->generation.number});
    outcome = kafka_offsets_commit_now (self->handle, list, FIRST_COMMIT_MS_MAX);
    rd_kafka_topic_partition_list_destroy (list);
    if (outcome == OUTCOME_OK) {
        partition->origin = origin;
        partition->origin_asked = partition->had_commit = true;
        partition->committed = origin;
    }
    return outcome;
}

/*  Its commits may have no mark of ours: then where they are. */
static void take_origin (kafka_partition_t *partition, int64_t committed, kafka_mark_t mark)
{
    partition->origin = mark.origin >= 0 ? mark.origin : committed;
    partition->origin_asked = partition->had_commit = true;
    partition->made_anew = false;
}

/*  The group has no commit, though shards have read of the partition. */
static void miss_origin (kafka_partition_t *partition, bool cut, range_t range)
{
    partition->origin =
        partition->generation.number ? partition->generation.begin : range.oldest;
    partition->origin_asked = !cut && !partition->made_anew;
    if (partition->origin_asked)
        log_warning ("Kafka: the group has no commit of a partition that was read before: they have "
                     "expired, or this is another group (if the topic was made anew: go on with another "
                     "--state)",
                     F_STR ("partition", partition->name));
}

/*  Finds where the group began, in which generation, or begins. RETRY also where the partition goes on as
 *  another. */
static outcome_t find_origin (kafka_source_t *self, kafka_partition_t *partition, int64_t offset,
                              int64_t most, range_t range)
{
    if (partition->origin_asked)
        return OUTCOME_OK;
    int64_t committed;
    kafka_mark_t mark;
    outcome_t outcome = kafka_offsets_committed (self->handle, kafka_partition_place (partition),
                                                 &committed, &mark);
    if (outcome != OUTCOME_OK)
        return outcome;
    generation_t agreed = {mark.generation, mark.generation ? mark.origin : 0};
    if (committed >= 0 && kafka_generation_enter (self, partition, agreed))
        return OUTCOME_RETRY;
    if (committed >= 0 && mark.generation == partition->generation.number) {
        take_origin (partition, committed, mark);
        return OUTCOME_OK;
    }
    /* A commit that was seen in this life is gone: so is the topic that it was of. */
    partition->made_anew = partition->had_commit && committed < 0 && most >= 0;
    /* Where it was made anew, no commit may be made before that is settled (kafka_generation_renew). */
    bool cut = most > range.end;
    bool begins = offset == SOURCE_OLDEST || partition->generation.number;
    if (begins && !cut && !partition->made_anew)
        return begin_origin (self, partition, range);
    miss_origin (partition, cut, range);
    return OUTCOME_OK;
}

outcome_t kafka_begin_start (kafka_source_t *self, kafka_partition_t *partition, int64_t offset,
                             int64_t most, int64_t *base, bool *base_lost)
{
    range_t range;
    bool from_oldest = offset == SOURCE_OLDEST;
    if (most < offset)
        most = offset;
    outcome_t outcome = kafka_offsets_range (self->handle, kafka_partition_place (partition),
                                             &range.oldest, &range.end);
    if (outcome == OUTCOME_OK)
        outcome = find_origin (self, partition, offset, most, range);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (from_oldest)
        offset = partition->origin > range.oldest ? partition->origin : range.oldest;
    if (most < offset)
        most = offset;
    if (offset >= range.oldest && most <= range.end && !partition->made_anew) {
        outcome = kafka_fetch_from (self, partition, offset);
        if (outcome != OUTCOME_OK)
            return outcome;
        partition->lost = false;
    } else {
        kafka_partition_drop_batch (partition);
        kafka_partition_lose (partition, offset < range.oldest ? offset : most, range.oldest,
                              range.end);
    }
    partition->started = true;
    partition->done = false;
    partition->position = partition->known_at = offset;
    partition->end_told = -1;
    kafka_end_forget (partition);
    *base = offset;
    *base_lost = from_oldest && (offset > 0 || partition->generation.number);
    return OUTCOME_OK;
}
