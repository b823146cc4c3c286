/*  event: one valid behaviour event, parsed once; and the outcome of parsing a message.
 *
 *  All spans borrow from the parser (event_json, event_msgpack) and from the message, and hold until
 *  the parser's next call. What is checked here and nowhere else: the input table of the design (3).
 *  Not checked here: whether the scenario exists, whether the event is in the future.
 */
#ifndef HOTPATH_EVENT_H
#define HOTPATH_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"

enum {
    EVENT_ID_BYTES_MAX = 256,
    EVENT_ACTION_BYTES_MAX = 64,
    EVENT_LABEL_BYTES_MAX = 256, /* category, tag */
    EVENT_TAGS_MAX = 64,
    EVENT_MESSAGE_BYTES_MAX = 1 << 20,
    EVENT_DEPTH_MAX = 16,
    EVENT_WATCHED_MS_MAX = 7 * 86400 * 1000,
};
#define EVENT_TIME_NONE INT64_MIN /* as a time: none; as a watermark: before everything */
#define EVENT_MS_NONE   INT64_C (-1) /* a duration that is not known */

/*  Is the known completion rate above 0.8? */
typedef enum { EVENT_RATE_UNKNOWN, EVENT_RATE_LOW, EVENT_RATE_DONE } event_rate_t;

typedef struct {
    span_t tenant, scenario, user, item; /* trimmed, 1 .. 256 bytes, no NUL, valid UTF-8 */
    span_t action;                       /* trimmed, lower case, 1 .. 64 bytes */
    int action_known;                    /* its number (actions.h) or -1: the scenario's own or other */
    int64_t time_ms;                     /* event time; never negative */
    span_t category;                     /* absent: bytes == NULL */
    span_t tags[EVENT_TAGS_MAX];         /* distinct, in order of appearance */
    uint32_t tag_count;
    int64_t watched_ms;                  /* 0 .. EVENT_WATCHED_MS_MAX or EVENT_MS_NONE */
    event_rate_t rate;
    uint32_t wrong_types;                /* optional fields taken as absent for their type or range */
} event_t;

/*  Why a message is not valid: goes to the dead letters by its name. */
#define EVENT_REASON_LIST(X)                                                                       \
    X (NONE, "none")                                                                               \
    X (EMPTY, "empty")                 /* no value (a tombstone) or nothing but white space */     \
    X (TOO_LARGE, "too_large")                                                                     \
    X (TOO_DEEP, "too_deep")                                                                       \
    X (SYNTAX, "syntax")               /* not JSON / not msgpack, invalid UTF-8, trailing bytes */ \
    X (NOT_AN_OBJECT, "not_an_object")                                                             \
    X (TENANT, "tenant_id")            /* absent, of a wrong type, empty, too long, a NUL inside */ \
    X (SCENARIO, "scenario_id")                                                                    \
    X (USER, "user_id")                                                                            \
    X (ITEM, "item_id")                                                                            \
    X (ACTION, "action_type")                                                                      \
    X (TIMESTAMP, "timestamp")                                                                     \
    X (FUTURE, "future")               /* judged by the ingestor */

typedef enum {
#define EVENT_REASON_ENUM(symbol, name) EVENT_REASON_##symbol,
    EVENT_REASON_LIST (EVENT_REASON_ENUM)
#undef EVENT_REASON_ENUM
        EVENT_REASON_COUNT,
} event_reason_t;

/*  Static name of a reason. */
const char *event_reason_name (event_reason_t reason);

/*  A parser's scratch memory: one per thread, reused, so that parsing allocates nothing once warm. */
typedef struct event_parser event_parser_t;
event_parser_t *event_parser_new (void);
void event_parser_destroy (event_parser_t **self_p);

/*  Parses one message: JSON, or msgpack where its first byte is a msgpack map (0x80..0x8f, 0xde,
 *  0xdf: never the first byte of JSON text). `record_time_ms` is the Kafka record's timestamp or
 *  EVENT_TIME_NONE (then a timestamp is required). `message` must stay until the next call; it is not
 *  changed. Returns EVENT_REASON_NONE with *event filled, or the reason (then *event is unspecified,
 *  except that ids already found may be set).
 */
event_reason_t event_parse (event_parser_t *self, span_t message, int64_t record_time_ms,
                            event_t *event);

#endif
