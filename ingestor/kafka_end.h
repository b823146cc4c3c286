/*  kafka_end: asks again and again whether a partition still stands at its end, without waiting. Private to
 *  kafka_source.
 *
 *  librdkafka tells an end once. A seek to the position that it is at makes it fetch from there anew, and
 *  tell the end again when a broker has answered a fetch that was sent after the seek: so the time of the
 *  seek is one at which there was nothing (docs/decisions/0006). It costs one small request a second for a
 *  partition that nothing comes of, and nothing for the others.
 */
#ifndef HOTPATH_KAFKA_END_H
#define HOTPATH_KAFKA_END_H

#include "ingestor/kafka_state.h"

/*  Asks of all partitions that stand at their ends and were not asked about for a second. */
void kafka_end_ask (kafka_source_t *self, int64_t now_ms);
/*  An end at `offset` was told, which is the partition's position: known where it answers a question, and
 *  nothing lies behind it that an open transaction holds back. */
void kafka_end_take (kafka_source_t *self, kafka_partition_t *partition, int64_t offset);
/*  It is begun anew: what was asked is not answered any more. */
void kafka_end_forget (kafka_partition_t *partition);

#endif
