/*  config_wire: the frames between configd and everybody who runs by its config (Clone pattern):
 *  the one place that knows their layout.
 *
 *  configd -> all, PUB, one part: topic bytes, then msgpack values:
 *    snapshot  on the asker's own topic, in chunks (i of n): every scenario
 *    update    one scenario that changed (also: it became inactive); each takes the next sequence
 *    beacon    every 250 ms: so that a lost last update is noticed
 *    question  to scorers, on a topic of its own: what would a config rank? No part of the sequence
 *  all -> configd, PUSH to the endpoint beside the PUB's, one part of msgpack values:
 *    wanted    asks for a snapshot on a topic
 *    applied   what the process runs now, its shards, and of which scenarios the sinks have written
 *              a first result since a revision came
 *    scenario  an event came of a scenario that the process has no config of
 *    answer    to a question: one shard's best items, by the config that runs and by the asked one
 *
 *  Bytes come from outside: readers trust nothing and borrow from the frame.
 */
#ifndef HOTPATH_CONFIG_WIRE_H
#define HOTPATH_CONFIG_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/pack.h"
#include "common/span.h"

enum {
    CONFIG_WIRE_VERSION = 2,
    CONFIG_TOPIC_BYTES = 17, /* of an asker: 'S' and 16 hexadecimal digits */
    CONFIG_ENDPOINT_BYTES_MAX = 512,
    CONFIG_PROCESS_BYTES_MAX = 256,
    CONFIG_ID_BYTES_MAX = 256, /* of a tenant, of a scenario: 1 to this, no NUL */
    CONFIG_JSON_BYTES_MAX = 4 << 20,
    CONFIG_SCENARIOS_MAX = 65536,
    CONFIG_CHUNK_BYTES_GOAL = 64 << 10, /* a chunk of a snapshot ends once it has grown to this */
    CONFIG_CHUNKS_MAX = CONFIG_SCENARIOS_MAX + 1,
    CONFIG_BEACON_MS = 250,
    CONFIG_WRITTEN_MAX = 512,  /* scenarios in one "applied" */
    CONFIG_SHARDS_MAX = 65536,
    CONFIG_ANSWER_ITEMS_MAX = 100,
};

/*  Topic of updates and beacons: a subscriber needs this one and its own. */
#define CONFIG_TOPIC_ALL "U"
/*  Topic of questions: of scorers alone. */
#define CONFIG_TOPIC_QUESTIONS "Q"

typedef enum {
    CONFIG_WIRE_SNAPSHOT = 1,
    CONFIG_WIRE_UPDATE = 2,
    CONFIG_WIRE_BEACON = 3
} config_wire_kind_t;

typedef struct {
    config_wire_kind_t kind;
    uint64_t incarnation;        /* one life of the publisher */
    uint64_t sequence;           /* of the last update that it holds (an update: its own) */
    int64_t wall_ms;             /* the publisher's clock, for people */
    uint32_t chunk, chunk_count; /* of a snapshot; else 0 of 1 */
    uint32_t entry_count;        /* entries that follow; an update has one, a beacon none */
} config_message_t;

typedef struct {
    span_t tenant, scenario;
    bool active;
    uint64_t era, number; /* revision */
    span_t json;          /* effective config (scenario_config_write); empty: it never had one */
} config_entry_t;

typedef enum {
    CONFIG_WIRE_WANTED = 1,
    CONFIG_WIRE_APPLIED = 2,
    CONFIG_WIRE_SCENARIO = 3,
    CONFIG_WIRE_ANSWER = 4
} config_request_kind_t;

/*  What kind of process it is; only the first two have shards whose results a change touches. */
typedef enum {
    CONFIG_ROLE_OTHER = 0,
    CONFIG_ROLE_SCORER = 1,
    CONFIG_ROLE_METRICS = 2,
    CONFIG_ROLE_PROFILER = 3,
} config_role_t;

/*  Of this scenario (key_hash_scenario) the sinks have written what the process computed first by
 *  this revision, or there was nothing to compute. */
typedef struct {
    uint64_t hash, era, number;
} config_written_t;

/*  What would this config rank? */
typedef struct {
    uint64_t question;
    span_t tenant, scenario;
    span_t json;    /* effective config */
    uint32_t limit; /* items to tell: 1 .. CONFIG_ANSWER_ITEMS_MAX */
} config_question_t;

typedef struct {
    span_t item;
    double score;
} config_ranked_t;

/*  One shard's ranking of one config: the items that follow in the frame, best first. */
typedef struct {
    bool has; /* false: it has none (disabled, no window yet, not known) */
    int64_t start_ms, end_ms;
    uint32_t item_count; /* that follow */
} config_ranking_t;

typedef struct {
    uint64_t question;
    uint32_t shard, shard_count;
    uint64_t era, number; /* of the config that runs there */
} config_answer_t;

typedef struct {
    config_request_kind_t kind;
    span_t process;                 /* who: "scorer-0" */
    uint64_t process_incarnation;   /* one life of it */
    span_t topic;                   /* wanted: where to answer, CONFIG_TOPIC_BYTES */
    uint64_t incarnation, sequence; /* applied: of the publisher */
    span_t tenant, scenario;        /* scenario: which one */
    config_role_t role;             /* applied */
    uint32_t shards_owned, shard_count;
    const config_written_t *written; /* applied, when writing; reading: see config_wire_written */
    uint32_t written_count;
    config_answer_t answer; /* answer; its rankings follow in `rest` */
    cursor_t rest;          /* when reading */
} config_request_t;

void config_wire_write_message (buffer_t *frame, span_t topic, const config_message_t *message);
void config_wire_write_entry (buffer_t *frame, const config_entry_t *entry);
/*  False where the frame is none of ours, or of another version; then its entries are read with
 *  *entries. */
bool config_wire_read_message (span_t frame, config_message_t *message, cursor_t *entries);
/*  Leaves entries->failed set on anything that is not valid. */
void config_wire_read_entry (cursor_t *entries, config_entry_t *entry);

void config_wire_write_request (buffer_t *frame, const config_request_t *request);
/*  False where the frame is none of ours, of another version, or not whole. */
bool config_wire_read_request (span_t frame, config_request_t *request);
/*  The next of request->written_count entries of an "applied" that was read. */
config_written_t config_wire_written (config_request_t *request);

void config_wire_write_question (buffer_t *frame, const config_question_t *question);
bool config_wire_read_question (span_t frame, config_question_t *question);
/*  The two rankings of an answer, in this order: by the config that runs, by the asked one; written
 *  behind config_wire_write_request, read one by one from request->rest, each item by
 *  config_wire_ranked. */
void config_wire_write_ranking (buffer_t *frame, const config_ranking_t *ranking);
void config_wire_write_ranked (buffer_t *frame, const config_ranked_t *ranked);
void config_wire_read_ranking (cursor_t *cursor, config_ranking_t *ranking);
config_ranked_t config_wire_ranked (cursor_t *cursor);

/*  The topic of an asker, NUL-terminated. */
void config_wire_topic (span_t process, uint64_t process_incarnation,
                        char topic[CONFIG_TOPIC_BYTES + 1]);
/*  The endpoint of requests, from the PUB's: tcp: the next port; ipc, inproc: the same with
 *  ".requests". -1 where the endpoint is none of these or has no number for a port. */
int config_wire_requests_endpoint (const char *endpoint, char *requests, size_t size);

#endif
