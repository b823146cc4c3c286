/*  kafka_feed: messages to a topic, over its partitions in turn, with acks=all. A full queue makes the
 *  sender wait, and a message that Kafka refuses makes the end fail: none is lost in silence.
 */
#ifndef HOTPATH_BENCH_KAFKA_FEED_H
#define HOTPATH_BENCH_KAFKA_FEED_H

#include "common/span.h"

#include <stdint.h>

typedef struct kafka_feed kafka_feed_t;

/*  The topic must exist. `compression`: none, lz4 and so on. NULL, said on stderr, where it does not work. */
kafka_feed_t *kafka_feed_new (const char *brokers, const char *topic, const char *compression,
                              int64_t linger_ms);
/*  Copies the message. `time_ms`: that of the record. 0, or -1 said on stderr. */
int kafka_feed_send (kafka_feed_t *self, span_t message, int64_t time_ms);
/*  Lets the library tell what has become of messages. */
void kafka_feed_poll (kafka_feed_t *self);
/*  Waits until all are acknowledged; 0, or -1 said on stderr. */
int kafka_feed_flush (kafka_feed_t *self);
void kafka_feed_destroy (kafka_feed_t **self_p);

#endif
