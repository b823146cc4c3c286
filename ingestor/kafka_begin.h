/*  kafka_begin: where a partition begins: asks the brokers what there is, and where the group once
 * began. Private to kafka_source.
 */
#ifndef HOTPATH_KAFKA_BEGIN_H
#define HOTPATH_KAFKA_BEGIN_H

#include "ingestor/kafka_state.h"

/*  As source start; RETRY where the brokers do not answer. */
outcome_t kafka_begin_start (kafka_source_t *self, kafka_partition_t *partition, int64_t offset,
                             int64_t most, int64_t *base, bool *base_lost);

#endif
