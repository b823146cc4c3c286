/*  kafka_group: the consumer group: takes what it gives and takes away. Private to kafka_source.
 */
#ifndef HOTPATH_KAFKA_GROUP_H
#define HOTPATH_KAFKA_GROUP_H

#include "ingestor/kafka_state.h"

/*  librdkafka's callback; opaque is the source. */
void kafka_group_rebalance (rd_kafka_t *handle, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *partitions, void *opaque);
/*  Serves rebalances, answers to commits and errors, without waiting. */
void kafka_group_serve (kafka_source_t *self);

#endif
