/*  kafka_commit: commits to the group what is durable, for lag displays and for its marks (kafka_offsets.h); and
 *  sees that a topic was made anew, since Kafka deletes a topic's commits with it. Private to kafka_source.
 *
 *  Each commit is preceded by a question whether the last one is still there: a commit that was made to a topic
 *  of the same name would hide that it is another one.
 */
#ifndef HOTPATH_KAFKA_COMMIT_H
#define HOTPATH_KAFKA_COMMIT_H

#include "ingestor/kafka_state.h"

/*  librdkafka's callback; opaque is the source. */
void kafka_commit_on_answer (rd_kafka_t *handle, rd_kafka_resp_err_t code,
                             rd_kafka_topic_partition_list_t *offsets, void *opaque);
/*  Asks and commits at most once a second, without waiting. */
void kafka_commit_step (kafka_source_t *self, int64_t now_ms);
/*  Commits what is durable and waits for the answer, at most timeout_ms, and as long for a question before. */
void kafka_commit_last (kafka_source_t *self, int timeout_ms);
/*  Releases what it holds of the handle. */
void kafka_commit_close (kafka_source_t *self);

#endif
