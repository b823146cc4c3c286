/*  owners: what the workers announced: who owns each shard of each stage, how far it has applied and
 *  committed each partition. Soft state: all of it is learned again from the next announcements.
 *
 *  In: announce frames. It holds no socket: workers are numbered, and whoever sends to them keeps theirs.
 */
#ifndef HOTPATH_OWNERS_H
#define HOTPATH_OWNERS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/partition_names.h"
#include "common/vector.h"
#include "common/wire.h"

enum { OWNERS_WORKERS_MAX = 1024, OWNERS_NOBODY = -1, OWNERS_WORKER_TTL_MS = 30000 };

typedef struct {
    char *name, *endpoint;
    uint64_t incarnation;
    uint8_t stage;
    int64_t heard_ms;
    bool live;     /* false: this number is free */
    bool *knows;   /* by partition: its last announce was about it */
    uint32_t knows_count;
    bool changed;  /* another endpoint or incarnation since owners_take: connect anew */
} owners_worker_t;

/*  One shard of one stage (a slot of offset_ledger). */
typedef struct {
    int32_t worker;  /* or OWNERS_NOBODY */
    uint64_t epoch;
    int64_t heard_ms; /* when its owner last said so */
    bool settled;
    int64_t watermark_ms;
    vector_t applied;
    int64_t *durable; /* by partition; next offset of the committed vector, or -1 */
    uint32_t durable_count;
} owners_slot_t;

typedef struct {
    void *arg;
    /*  A slot has another owner than before (or the same one anew): what was sent may be lost. */
    void (*owned) (void *arg, uint32_t slot);
    /*  A rewind is asked for: entry.next VECTOR_ABSENT means from the base. */
    void (*rewind) (void *arg, uint32_t slot, uint32_t partition, vector_entry_t entry,
                    uint64_t rewinds);
} owners_events_t;

typedef struct owners owners_t;

/*  stages: bit i is set where stage i takes part. `partitions` is borrowed. `self_name` and
 *  `self_incarnation` are the ingestor's: whose rewind count a request means. */
owners_t *owners_new (uint32_t stages, uint32_t shard_count, partition_names_t *partitions,
                      span_t self_name, uint64_t self_incarnation, const owners_events_t *events);
void owners_destroy (owners_t **self_p);

/*  Takes a frame (behind its header). -1: not valid, nothing was changed; -2: another number of shards. */
int owners_take (owners_t *self, const wire_header_t *header, cursor_t *frame, int64_t now_ms);
/*  Forgets workers that were silent for 30 s and own nothing. */
void owners_sweep (owners_t *self, int64_t now_ms);

uint32_t owners_slot_count (const owners_t *self);
const owners_slot_t *owners_slot (const owners_t *self, uint32_t slot);
/*  Does the slot take part (its stage is in `stages`)? */
bool owners_takes_part (const owners_t *self, uint32_t slot);
owners_worker_t *owners_worker (owners_t *self, uint32_t worker); /* 0 .. OWNERS_WORKERS_MAX - 1 */
uint32_t owners_worker_count (const owners_t *self);
/*  Has every shard of every stage an owner? */
bool owners_complete (const owners_t *self);
/*  Has the owner of every shard announced with the partition in mind? Before, an absent entry may be one that the
 *  worker keeps apart until it hears that the partition is there (again). */
bool owners_know (const owners_t *self, uint32_t partition);
/*  Have all settled (--once)? */
bool owners_settled (const owners_t *self);
/*  Least next offset of the committed vectors over all shards of all stages, or -1. */
int64_t owners_durable (const owners_t *self, uint32_t partition);
/*  Least next offset applied over all shards of all stages, or -1. */
int64_t owners_applied (const owners_t *self, uint32_t partition);
/*  Greatest event time applied of a partition by any shard, or EVENT_TIME_NONE. */
int64_t owners_greatest_ms (const owners_t *self, uint32_t partition);
/*  Greatest watermark that a shard has reached, or EVENT_TIME_NONE. */
int64_t owners_watermark_ms (const owners_t *self);
/*  Is the partition idle (ended), as a worker last heard? */
bool owners_partition_idle (const owners_t *self, uint32_t partition);

#endif
