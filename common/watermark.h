/*  watermark: how far event time is complete, from a shard's vector and from what the ingestors say of
 *  their partitions (design 5, "Time"). Pure.
 *
 *  wm = least over all listed partitions that are not idle of (greatest event time - out-of-orderness);
 *  -inf while one of them has not been heard of. While all are idle: it stays, or follows the event time
 *  that the ingestors let go on. It never goes back (the caller keeps the greatest).
 */
#ifndef HOTPATH_WATERMARK_H
#define HOTPATH_WATERMARK_H

#include <stdbool.h>
#include <stdint.h>
#include "common/partition_names.h"
#include "common/span.h"
#include "common/vector.h"

typedef struct watermark watermark_t;

enum { WATERMARK_SENDER_TTL_MS = 60000, WATERMARK_SENDERS_MAX = 1024 };

/*  `partitions` is borrowed for life. */
watermark_t *watermark_new (partition_names_t *partitions, int64_t out_of_orderness_ms);
void watermark_destroy (watermark_t **self_p);

/*  A frame `partitions` of one ingestor: begin (a newer incarnation of a sender replaces the older, and what
 *  that said of partitions is forgotten; a stale one is ignored: false; so is one sender too many), then its
 *  list and its own partitions, then end. A sender that is silent for 60 s while others speak no longer adds
 *  to the list. A partition is idle for a vector that stands at `at`, ended for one that has reached it. */
bool watermark_begin (watermark_t *self, span_t sender, uint64_t incarnation, int64_t idle_time_ms,
                      int64_t now_ms);
void watermark_list (watermark_t *self, uint32_t partition);
void watermark_own (watermark_t *self, uint32_t partition, bool idle, bool ended, int64_t at);
void watermark_end (watermark_t *self);

/*  The watermark of a shard whose vector this is, or EVENT_TIME_NONE. */
int64_t watermark_of (const watermark_t *self, const vector_t *vector);
/*  Has every listed partition ended, and the vector reached those ends (--once)? False before any list. */
bool watermark_all_ended (const watermark_t *self, const vector_t *vector);
/*  Is the partition idle (ended), as its ingestor last said? */
bool watermark_is_idle (const watermark_t *self, uint32_t partition);
bool watermark_is_ended (const watermark_t *self, uint32_t partition);
bool watermark_is_listed (const watermark_t *self, uint32_t partition);

#endif
