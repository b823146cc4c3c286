/*  kafka_offsets: questions to the brokers about topics and offsets, each waiting a bounded time.
 *  Private to the kafka_* files of this folder.
 */
#ifndef HOTPATH_KAFKA_OFFSETS_H
#define HOTPATH_KAFKA_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <librdkafka/rdkafka.h>
#include "common/outcome.h"

/*  Where a group without commits begins. */
typedef enum { KAFKA_FROM_EARLIEST, KAFKA_FROM_LATEST, KAFKA_FROM_TIME } kafka_from_t;

/*  "earliest", "latest", or a time: whole ms since the epoch, or text as in event_time.h. -1 where
 * it is none of these. Pure. */
int kafka_from_parse (const char *text, kafka_from_t *from, int64_t *time_ms);

typedef struct {
    const char *topic;
    int32_t partition;
} kafka_place_t;

/*  What a commit says beside its offset, as metadata: "origin=1500 generation=1". */
typedef struct {
    int64_t origin;      /* where the group once began to read (this generation of) it; -1: not said */
    uint32_t generation; /* of the partition: see generation.h */
} kafka_mark_t;

/*  Reads a commit's metadata: not said is {-1, 0}. Pure. */
kafka_mark_t kafka_mark_parse (const void *metadata, size_t size);

/*  Oldest kept offset, and the last stable offset (the end of what read_committed gives). */
outcome_t kafka_offsets_range (rd_kafka_t *handle, kafka_place_t place, int64_t *oldest,
                               int64_t *end);
/*  The group's commit: *offset (-1: none) and its mark. */
outcome_t kafka_offsets_committed (rd_kafka_t *handle, kafka_place_t place, int64_t *offset,
                                   kafka_mark_t *mark);
/*  The first offset whose record's time is at or after time_ms; the end where there is none. */
outcome_t kafka_offsets_at_time (rd_kafka_t *handle, kafka_place_t place, int64_t time_ms,
                                 int64_t end, int64_t *offset);

/*  Adds a commit of `next` that carries the mark. */
void kafka_offsets_add_commit (rd_kafka_topic_partition_list_t *list, kafka_place_t place,
                               int64_t next, kafka_mark_t mark);
/*  Commits and waits at most timeout_ms for the answer. */
outcome_t kafka_offsets_commit_now (rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *list,
                                    int timeout_ms);

#endif
