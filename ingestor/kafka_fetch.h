/*  kafka_fetch: lets librdkafka fetch one partition from an offset, into a queue of its own.
 * Private to kafka_source. Partitions are assigned one by one when they are started, not when the
 * group gives them.
 */
#ifndef HOTPATH_KAFKA_FETCH_H
#define HOTPATH_KAFKA_FETCH_H

#include "ingestor/kafka_state.h"

/*  What librdkafka writes into the eventfd `wake`. */
extern const uint64_t kafka_fetch_wake_payload;

/*  Fetches from `offset` on; what was fetched before is dropped. A partition whose fetcher is not
 * yet active seeks when it is (seek_to). */
outcome_t kafka_fetch_from (kafka_source_t *self, kafka_partition_t *partition, int64_t offset);
/*  Seeks without waiting; what is in its queue is outdated at once. */
outcome_t kafka_fetch_seek (kafka_source_t *self, kafka_partition_t *partition, int64_t offset);
/*  Fetches no more. */
void kafka_fetch_stop (kafka_source_t *self, kafka_partition_t *partition);
/*  Empties and releases its queue. */
void kafka_fetch_release (kafka_partition_t *partition);

/*  After a batch of `count` (> 0) messages of `bytes` in all was taken: sees that a queue that was
 * full is filled again in time. Does not wait. */
void kafka_fetch_refill (kafka_source_t *self, kafka_partition_t *partition, int64_t bytes,
                         uint32_t count);

#endif
