/*  wire: the frames between ingestors, workers and sinks: the one place that knows their layout.
 *  (Those of configd are in config_wire.h; the bodies of results in results.h.)
 *
 *  A frame is one ZeroMQ message of one part: a flat run of msgpack values that begins with version,
 *  kind, sender and incarnation. 16 to 256 KiB when there is much to say; at most WIRE_FRAME_BYTES_MAX.
 *  Readers trust nothing: they return false (or leave cursor->failed) on anything that is not valid.
 *  All spans read borrow from the frame.
 *
 *  sections   ingestor -> worker    events of the worker's shards, each section one shard and one partition
 *  partitions ingestor -> worker    all partitions of the source; of its own: idle, ended
 *  announce   worker -> ingestor    shards owned, with vectors; rewinds wanted
 *  results    worker -> sink        owed results, chained by sequence (none: a greeting)
 *  acks       sink -> worker        up to which sequence Redis has them; gaps
 */
#ifndef HOTPATH_WIRE_H
#define HOTPATH_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/pack.h"
#include "common/span.h"

enum {
    WIRE_VERSION = 2, /* 1 had no empty_until_ms in parts of metrics */
    WIRE_FRAME_BYTES_MAX = 64 << 20,  /* refused beyond */
    WIRE_FRAME_BYTES_GOAL = 64 << 10, /* a frame is sent when it has grown to this */
    WIRE_MARK_NEXT = 0,  /* once a second: the sequence that comes next */
    WIRE_MARK_BEGIN = 1, /* to another life of the sink: sequences of this numbering begin here, and what had
                            lower ones is sent again by these */
    WIRE_CHUNK_BYTES_MAX = 192 << 10, /* a result's body beyond this is sent in chunks */
    WIRE_NAME_BYTES_MAX = 4096,       /* partition names, endpoints, senders: not empty, no NUL */
    WIRE_SHARDS_MAX = 1024,
    WIRE_PARTITIONS_MAX = 65536,
};
/*  Watermarks and idle times lie within -MAX .. MAX or are EVENT_TIME_NONE, greatest event times within
 *  0 .. EVENT_TIME_MS_MAX or are NONE: others are refused, so that sums with durations cannot overflow. */
#define WIRE_TIME_MS_MAX (INT64_C (1) << 53)

typedef enum {
    WIRE_SECTIONS = 1,
    WIRE_PARTITIONS = 2,
    WIRE_ANNOUNCE = 3,
    WIRE_RESULTS = 4,
    WIRE_ACKS = 5,
} wire_kind_t;

typedef struct {
    wire_kind_t kind;
    span_t sender;        /* "ingestor-0", "scorer-host-1234" */
    uint64_t incarnation; /* of the sender: one life of a process; greater is newer */
} wire_header_t;

void wire_write_header (buffer_t *frame, wire_kind_t kind, span_t sender, uint64_t incarnation);
/*  False for another version, an unknown kind or bytes that are no frame. */
bool wire_read_header (cursor_t *frame, wire_header_t *header);

/*  ---- sections ---- */

/*  Head of a frame of sections: then `scenario_count` pairs, `action_count` pairs, the sections. */
typedef struct {
    uint8_t stage;                                   /* stage_id_t of the worker it is for */
    uint64_t config_incarnation, config_sequence;    /* what the ingestor ran when it made it */
    uint32_t scenario_count, action_count, section_count;
} wire_sections_t;

typedef struct {
    uint32_t index; /* as the rows of this frame name it */
    uint64_t hash;  /* key_hash_scenario */
} wire_scenario_t;

typedef struct {
    uint16_t number; /* >= ACTION_CUSTOM, as the rows of this frame name it */
    span_t name;
} wire_action_t;

typedef struct {
    uint32_t shard;
    span_t partition;
    int64_t from, to;            /* offsets [from, to) of the partition */
    int64_t base;                /* the oldest kept offset, where the ingestor began there; else -1 */
    bool base_lost;              /* offsets before base existed once */
    int64_t greatest_from_ms;    /* greatest valid event time before `from`, or EVENT_TIME_NONE */
    int64_t greatest_to_ms;      /* the same before `to` */
    uint64_t rewinds;            /* rewind count of the partition in this ingestor incarnation */
    uint32_t event_count;
    span_t rows;                 /* see wire_event.h */
} wire_section_t;

void wire_write_sections (buffer_t *frame, const wire_sections_t *head);
void wire_write_scenario (buffer_t *frame, const wire_scenario_t *scenario);
void wire_write_action (buffer_t *frame, const wire_action_t *action);
void wire_write_section (buffer_t *frame, const wire_section_t *section);
void wire_read_sections (cursor_t *frame, wire_sections_t *head);
void wire_read_scenario (cursor_t *frame, wire_scenario_t *scenario);
void wire_read_action (cursor_t *frame, wire_action_t *action);
void wire_read_section (cursor_t *frame, wire_section_t *section);

/*  ---- partitions ---- */

/*  Then `partition_count` names (str), then `own_count` wire_own_partition_t. */
typedef struct {
    int64_t idle_time_ms; /* event time reached while all are idle; EVENT_TIME_NONE: not all are */
    bool once;            /* --once: partitions end */
    bool leaving;         /* it stops in order: nothing comes from it any more */
    uint32_t partition_count, own_count;
} wire_partitions_t;

typedef struct {
    span_t partition;
    bool idle;    /* does not hold the watermark back, for a vector that has reached `at` */
    bool ended;   /* --once: nothing comes behind `at` */
    int64_t at;   /* its position when that was said */
} wire_own_partition_t;

void wire_write_partitions (buffer_t *frame, const wire_partitions_t *head);
void wire_write_own_partition (buffer_t *frame, const wire_own_partition_t *own);
void wire_read_partitions (cursor_t *frame, wire_partitions_t *head);
void wire_read_own_partition (cursor_t *frame, wire_own_partition_t *own);

/*  ---- announce ---- */

/*  Then `partition_count` wire_known_partition_t (vectors name them by their index in this list), then
 *  `shard_count` shards, each followed by its `entry_count` entries, then `rewind_count` rewinds. */
typedef struct {
    uint8_t stage;
    span_t endpoint;       /* where it takes frames of sections */
    uint32_t shards_total; /* --shards */
    uint32_t partition_count, shard_count, rewind_count;
    bool leaving;          /* it drains: it will take nothing more */
} wire_announce_t;

typedef struct {
    span_t name;
    bool idle, ended;
} wire_known_partition_t;

typedef struct {
    uint32_t shard;
    uint64_t epoch;
    int64_t watermark_ms;
    bool settled; /* --once: all ended, finished, acknowledged and committed */
    bool exact;   /* began with nothing lost */
    uint64_t counted, late, skipped; /* events of which this stage is the counting one, in this state */
    uint32_t entry_count;
} wire_shard_t;

typedef struct {
    uint32_t partition; /* index in the announce's list */
    int64_t next;       /* applied: next offset to apply */
    int64_t greatest_ms;/* greatest event time before it, or EVENT_TIME_NONE */
    int64_t durable;    /* next offset of the committed vector, or -1 */
} wire_entry_t;

typedef struct {
    uint32_t shard, partition;
    int64_t next, greatest_ms; /* next < 0: from the oldest kept offset */
    span_t ingestor;           /* whose count it is */
    uint64_t incarnation, rewinds; /* only a request with the current count acts */
} wire_rewind_t;

void wire_write_announce (buffer_t *frame, const wire_announce_t *head);
void wire_write_known_partition (buffer_t *frame, const wire_known_partition_t *partition);
void wire_write_shard (buffer_t *frame, const wire_shard_t *shard);
void wire_write_entry (buffer_t *frame, const wire_entry_t *entry);
void wire_write_rewind (buffer_t *frame, const wire_rewind_t *rewind);
void wire_read_announce (cursor_t *frame, wire_announce_t *head);
void wire_read_known_partition (cursor_t *frame, wire_known_partition_t *partition);
void wire_read_shard (cursor_t *frame, wire_shard_t *shard);
void wire_read_entry (cursor_t *frame, wire_entry_t *entry);
void wire_read_rewind (cursor_t *frame, wire_rewind_t *rewind);

/*  ---- results ---- */

/*  Then `result_count` wire_result_t. A frame without results is a greeting, once a second: a sink that
 *  started anew answers it with its incarnation. */
typedef struct {
    span_t answers;            /* endpoint to which the sink sends acks */
    uint64_t lineage;          /* of the state folder: random, made with it */
    uint8_t stage;
    uint32_t sink_index;       /* the worker's number of this sink: repeated in the acks */
    uint32_t shards_total;
    uint64_t sink_incarnation; /* to which the sequences belong; 0: not known yet (a greeting) */
    uint32_t result_count;
} wire_results_t;

typedef struct {
    uint32_t shard;
    uint64_t epoch;
    uint64_t sequence; /* 1, 2, 3 … for each (shard, epoch); each chunk has its own */
    uint32_t chunk, chunk_count; /* chunk 0 .. chunk_count - 1 of the body, sent in order; of 0 chunks: a mark
                                    (chunk: WIRE_MARK_NEXT, WIRE_MARK_BEGIN) */
    span_t body;
} wire_result_t;

void wire_write_results (buffer_t *frame, const wire_results_t *head);
void wire_write_result (buffer_t *frame, const wire_result_t *result);
void wire_read_results (cursor_t *frame, wire_results_t *head);
void wire_read_result (cursor_t *frame, wire_result_t *result);

/*  ---- acks ---- */

/*  The header's incarnation is the sink's. Then `ack_count` wire_ack_t. */
typedef struct {
    uint32_t sink_index;       /* as the worker's frames of results said it */
    uint64_t redis_generation; /* another than the last one told: Redis lost what it had; send all that is live */
    uint32_t ack_count;
} wire_acks_t;

typedef struct {
    uint32_t shard;
    uint64_t epoch;
    uint64_t executed; /* Redis has every sequence <= this (0: none) */
    uint64_t expected; /* the next sequence it will take; with `gap` everything from here is to be sent again */
    bool gap;
} wire_ack_t;

void wire_write_acks (buffer_t *frame, const wire_acks_t *head);
void wire_write_ack (buffer_t *frame, const wire_ack_t *ack);
void wire_read_acks (cursor_t *frame, wire_acks_t *head);
void wire_read_ack (cursor_t *frame, wire_ack_t *ack);

#endif
