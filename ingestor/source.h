/*  source: where events come from, behind one small interface: kafka_source and file_source.
 *
 *  A source owns partitions for a while (all calls back come from source_poll, in the caller's thread):
 *  it says which partitions there are and which are this ingestor's; the ingestor answers with
 *  source_start, at an offset of its choice, and then gets the partition's records in order. Nothing
 *  comes from a partition that has not been started. Not here: what records mean, who gets them.
 */
#ifndef HOTPATH_SOURCE_H
#define HOTPATH_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/outcome.h"
#include "common/span.h"

#define SOURCE_OLDEST INT64_C (-1) /* as a start: the oldest kept offset (or --from, without commits) */

typedef struct {
    uint32_t partition;     /* the source's own dense index, stable for its life */
    int64_t offset;         /* Kafka's, or the byte position of the line */
    int64_t next;           /* the offset after it: offset + 1, or the byte behind the newline */
    int64_t record_time_ms; /* Kafka record's timestamp, or EVENT_TIME_NONE (files) */
    span_t value;           /* holds during the call; bytes NULL: no value. Of a message beyond the cap
                             * only the first 64 KiB are given */
    uint64_t value_bytes;   /* its whole size */
    span_t key;             /* Kafka's, or absent */
} source_record_t;

typedef struct {
    void *arg;
    /*  A record of a started partition; offsets strictly rise until the next start. */
    void (*record) (void *arg, const source_record_t *record);
    /*  The list of all partitions of the source was read anew (also those of other ingestors): call
     *  source_partition_count / source_partition_name. */
    void (*listed) (void *arg);
    /*  This ingestor now owns the partition; it waits for source_start. */
    void (*assigned) (void *arg, uint32_t partition);
    /*  It no longer owns it; no record of it comes any more. */
    void (*revoked) (void *arg, uint32_t partition);
    /*  The position moved past offsets that hold no event (blank lines, transaction markers, compacted or
     *  aborted ones): every offset below `next` has been given or is none. */
    void (*position) (void *arg, uint32_t partition, int64_t next);
    /*  It has reached its present end (`at`); with --once its recorded end: nothing more will come. */
    void (*end) (void *arg, uint32_t partition, int64_t at);
    /*  The offset it was started at (`wanted`) is below the oldest kept one, or it ends below an offset that
     *  was started with (truncated, or made anew): lost offsets. The partition is stopped; `oldest` and `end`
     *  are what there is. To go on: where wanted < oldest start it again at SOURCE_OLDEST, else renew. */
    void (*lost) (void *arg, uint32_t partition, int64_t wanted, int64_t oldest, int64_t end);
} source_events_t;

typedef struct source source_t;

typedef struct {
    bool offsets_are_bytes; /* else messages */
    void (*destroy) (source_t **self_p);
    /*  Waits at most timeout_ms for something and calls back; handles at most a bounded number of records. */
    void (*poll) (source_t *self, int timeout_ms);
    /*  Own clock (clock_ms) when whoever keeps the partitions last answered about all of them; 0: it is not asked
     *  (files). */
    int64_t (*heard_ms) (const source_t *self);
    /*  All partitions of the source now (0 before the first listing). */
    uint32_t (*partition_count) (const source_t *self);
    /*  Name of any partition index ever given: "topic/3", or "path#hash-of-first-line", of later
     *  generations with an end as in generation.h; for the life. */
    const char *(*partition_name) (const source_t *self, uint32_t partition);
    /*  Is it in the present list (a deleted topic's or ended file's is not)? */
    bool (*partition_listed) (const source_t *self, uint32_t partition);
    /*  Has it left the list since what held it was deleted (a topic)? */
    bool (*partition_gone) (const source_t *self, uint32_t partition);
    /*  Starts (or seeks) an owned partition at an offset, or SOURCE_OLDEST: then *base gets the offset it
     *  begins at and *base_lost whether older ones existed. `most` is the greatest offset that was ever read
     *  of it (or -1): it must not lie beyond the end. RETRY: not possible just now, call again soon. A pause
     *  stays as it is. */
    outcome_t (*start) (source_t *self, uint32_t partition, int64_t offset, int64_t most,
                        int64_t *base, bool *base_lost);
    /*  An owned partition that ends below what was read of it goes on as its next generation: another
     *  partition, listed and assigned by the next poll, while this one is revoked and leaves the list. It
     *  begins at its oldest offset where it was made anew, at its present end where it was cut. RETRY: call
     *  again soon. */
    outcome_t (*renew) (source_t *self, uint32_t partition);
    /*  A partition of this name is known downstream: where it is a later generation of a listed one, that
     *  one goes on as it, as by renew. Names of others change nothing. */
    void (*learn) (source_t *self, span_t name);
    /*  Paused: no record of it comes; also over a start, until it is called with false. */
    void (*pause) (source_t *self, uint32_t partition, bool paused);
    /*  Every offset below `next` is durable downstream: Kafka commits it (asynchronously; the last one is
     *  committed synchronously by destroy). Files: nothing to do. */
    void (*commit) (source_t *self, uint32_t partition, int64_t next);
    /*  Own clock (clock_ms) at the latest moment of which it is known that the partition had nothing behind its
     *  present position; 0: not known. Known anew about once a second while it stands at its end, is not
     *  paused, and whoever keeps it answers: an end that was told once says nothing of now. */
    int64_t (*end_known_ms) (const source_t *self, uint32_t partition);
    /*  Offsets between `next` and the end, or -1 where not known. */
    int64_t (*lag) (const source_t *self, uint32_t partition, int64_t next);
} source_ops_t;

/*  Every source's first member. */
struct source {
    const source_ops_t *ops;
};

#endif
