/*  watermark: how far event time is complete, from a shard's vector and from what the ingestors say of
 *  their partitions (design 5, "Time"). Pure.
 *
 *  wm = least over all listed partitions that are not idle of (greatest event time - out-of-orderness);
 *  -inf while one of them has not been heard of. While all are idle: it stays, or follows the event time
 *  that the ingestors let go on. It never goes back (the caller keeps the greatest). An ingestor's silence is
 *  never idleness; an end (--once) stays one, whoever is silent.
 */
#ifndef HOTPATH_WATERMARK_H
#define HOTPATH_WATERMARK_H

#include <stdbool.h>
#include <stdint.h>
#include "common/partition_names.h"
#include "common/span.h"
#include "common/vector.h"

typedef struct watermark watermark_t;

enum {
    WATERMARK_SENDERS_MAX = 1024,
    WATERMARK_SENDER_TTL_MS = 60000,
    /* A sender speaks at least once a second: after this its partitions are idle no longer, since what it
     * last said may have ceased to be true. */
    WATERMARK_SILENCE_MS = 5000,
    /* What one pause of the listener counts for at most; after a longer one it is behind. */
    WATERMARK_PAUSE_MS = 1000,
    /* … for at least as long: what the kernel still holds then is not seen at once. */
    WATERMARK_BEHIND_LEAST_MS = 250,
};

/*  `partitions` is borrowed for life. */
watermark_t *watermark_new (partition_names_t *partitions, int64_t out_of_orderness_ms);
void watermark_destroy (watermark_t **self_p);

/*  Senders are silent only as long as somebody listens: to be called whenever the frames that had come were
 *  taken (now_ms: own clock, monotonic), `drained` where none is left. After a pause of its own (frozen,
 *  waiting for a disk or a config) the listener is behind: what the frames that wait say of idleness may be
 *  old, and more input of that partition may wait behind them. So nothing is idle until they are drained
 *  (WATERMARK_BEHIND_LEAST_MS or more after the pause), or have been listened to for WATERMARK_SILENCE_MS. */
void watermark_listen (watermark_t *self, int64_t now_ms, bool drained);

/*  A frame `partitions` of one ingestor: begin (a newer incarnation of a sender replaces the older; a stale
 *  one is ignored: false; so is one sender too many), then its list and its own partitions, then end. It is
 *  all that the sender says: of a partition that it no longer names nothing is known until another does. A
 *  sender that is silent for WATERMARK_SENDER_TTL_MS while others speak no longer adds to the list. A
 *  partition is idle for a vector that stands at `at`, ended for one that has reached it. */
bool watermark_begin (watermark_t *self, span_t sender, uint64_t incarnation, int64_t idle_time_ms);
void watermark_list (watermark_t *self, uint32_t partition);
void watermark_own (watermark_t *self, uint32_t partition, bool idle, bool ended, int64_t at);
void watermark_end (watermark_t *self);

/*  The watermark of a shard whose vector this is, or EVENT_TIME_NONE. */
int64_t watermark_of (const watermark_t *self, const vector_t *vector);
/*  Has every listed partition ended, and the vector reached those ends (--once)? False before any list. */
bool watermark_all_ended (const watermark_t *self, const vector_t *vector);
/*  Is the partition idle, as its ingestor says and is not silent? Has it ended, as one last said? */
bool watermark_is_idle (const watermark_t *self, uint32_t partition);
bool watermark_is_ended (const watermark_t *self, uint32_t partition);
bool watermark_is_listed (const watermark_t *self, uint32_t partition);

#endif
