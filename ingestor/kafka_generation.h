/*  kafka_generation: which generation of a partition is read (generation.h, docs/decisions/0007). All members
 *  of the group and all shards must mean the same by one name. So it is agreed on before anything of it is
 *  handed out: by a commit whose mark says generation and beginning, which only the partition's owner can
 *  make. Where a shard has begun it, its name says the same, and reaches the others through the workers.
 *  Private to kafka_source.
 */
#ifndef HOTPATH_KAFKA_GENERATION_H
#define HOTPATH_KAFKA_GENERATION_H

#include "common/span.h"
#include "ingestor/kafka_state.h"

/*  Goes over to a later generation; false: it is none. The next poll tells it. */
bool kafka_generation_enter (kafka_source_t *self, kafka_partition_t *partition,
                             generation_t generation);
/*  As source renew. */
outcome_t kafka_generation_renew (kafka_source_t *self, kafka_partition_t *partition);
/*  As source learn. */
void kafka_generation_learn (kafka_source_t *self, span_t name);

#endif
