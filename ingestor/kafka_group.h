/*  kafka_group: the consumer group: takes what it gives and takes away, and commits offsets to it.
 *  Private to kafka_source.
 */
#ifndef HOTPATH_KAFKA_GROUP_H
#define HOTPATH_KAFKA_GROUP_H

#include "ingestor/kafka_state.h"

/*  librdkafka's callbacks; opaque is the source. */
void kafka_group_rebalance (rd_kafka_t *handle, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *partitions, void *opaque);
void kafka_group_on_commit (rd_kafka_t *handle, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *offsets, void *opaque);
/*  Serves rebalances, answers to commits and errors, without waiting. */
void kafka_group_serve (kafka_source_t *self);
/*  Commits what is durable, at most once a second, without waiting. */
void kafka_group_commit (kafka_source_t *self, int64_t now_ms);
/*  What is durable and not yet committed; counts as committed then. The caller destroys the list.
 */
rd_kafka_topic_partition_list_t *kafka_group_due_commits (const kafka_source_t *self);

#endif
