/*  dead_letters: messages that are not valid, kept untouched: in the topic hotpath.dlq (Kafka
 * source) or as JSON lines in a file (file source; bytes as base64), with topic/partition, offset,
 * reason, time; of a message beyond the limit its first 64 KiB, its size and "truncated". A section
 * is handed out only when the dead letters below its end are safe (dead_letters_pending).
 */
#ifndef HOTPATH_DEAD_LETTERS_H
#define HOTPATH_DEAD_LETTERS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/event.h"
#include "common/outcome.h"
#include "ingestor/source.h"

typedef struct dead_letters dead_letters_t;

typedef struct {
    void (*destroy) (dead_letters_t **self_p); /* flushes, bounded */
    /*  Takes one. RETRY: its queue is full, call dead_letters poll and again. ERROR: it is refused for now (logged):
     *  again later. */
    outcome_t (*add) (dead_letters_t *self, const source_record_t *record,
                      const char *partition_name, event_reason_t reason, int64_t now_ms);
    /*  Serves acknowledgements / syncs what was added. */
    void (*poll) (dead_letters_t *self);
    /*  Is one of this partition (source index) not yet acknowledged or synced? */
    bool (*pending) (const dead_letters_t *self, uint32_t partition);
} dead_letters_ops_t;

struct dead_letters {
    const dead_letters_ops_t *ops;
};

#endif
