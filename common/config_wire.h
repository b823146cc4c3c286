/*  config_wire: the frames between configd and everybody who runs by its config (Clone pattern):
 *  the one place that knows their layout.
 *
 *  configd -> all, PUB, one part: topic bytes, then msgpack values:
 *    snapshot  on the asker's own topic, in chunks (i of n): every scenario
 *    update    one scenario that changed (also: it became inactive); each takes the next sequence
 *    beacon    every 250 ms: so that a lost last update is noticed
 *  all -> configd, PUSH to the endpoint beside the PUB's, one part of msgpack values:
 *    wanted    asks for a snapshot on a topic
 *    applied   what the process runs now
 *    scenario  an event came of a scenario that the process has no config of
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
    CONFIG_WIRE_VERSION = 1,
    CONFIG_TOPIC_BYTES = 17, /* of an asker: 'S' and 16 hexadecimal digits */
    CONFIG_ENDPOINT_BYTES_MAX = 512,
    CONFIG_PROCESS_BYTES_MAX = 256,
    CONFIG_ID_BYTES_MAX = 256, /* of a tenant, of a scenario: 1 to this, no NUL */
    CONFIG_JSON_BYTES_MAX = 4 << 20,
    CONFIG_SCENARIOS_MAX = 65536,
    CONFIG_CHUNK_BYTES_GOAL = 64 << 10, /* a chunk of a snapshot ends once it has grown to this */
    CONFIG_CHUNKS_MAX = CONFIG_SCENARIOS_MAX + 1,
    CONFIG_BEACON_MS = 250,
};

/*  Topic of updates and beacons: a subscriber needs this one and its own. */
#define CONFIG_TOPIC_ALL "U"

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
    CONFIG_WIRE_SCENARIO = 3
} config_request_kind_t;

typedef struct {
    config_request_kind_t kind;
    span_t process;                 /* who: "scorer-0" */
    uint64_t process_incarnation;   /* one life of it */
    span_t topic;                   /* wanted: where to answer, CONFIG_TOPIC_BYTES */
    uint64_t incarnation, sequence; /* applied: of the publisher */
    span_t tenant, scenario;        /* scenario: which one */
} config_request_t;

void config_wire_write_message (buffer_t *frame, span_t topic, const config_message_t *message);
void config_wire_write_entry (buffer_t *frame, const config_entry_t *entry);
/*  False where the frame is none of ours, or of another version; then its entries are read with
 *  *entries. */
bool config_wire_read_message (span_t frame, config_message_t *message, cursor_t *entries);
/*  Leaves entries->failed set on anything that is not valid. */
void config_wire_read_entry (cursor_t *entries, config_entry_t *entry);

void config_wire_write_request (buffer_t *frame, const config_request_t *request);
bool config_wire_read_request (span_t frame, config_request_t *request);

/*  The topic of an asker, NUL-terminated. */
void config_wire_topic (span_t process, uint64_t process_incarnation,
                        char topic[CONFIG_TOPIC_BYTES + 1]);
/*  The endpoint of requests, from the PUB's: tcp: the next port; ipc, inproc: the same with
 *  ".requests". -1 where the endpoint is none of these or has no number for a port. */
int config_wire_requests_endpoint (const char *endpoint, char *requests, size_t size);

#endif
