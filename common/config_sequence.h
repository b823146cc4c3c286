/*  config_sequence: where a subscriber stands in the publisher's sequence, and what each message
 *  means for it: the Clone pattern without its sockets. Pure.
 *
 *  One PUB socket sends all in order, so whatever comes before the end of a snapshot is in it:
 *  updates need not be held back while one is awaited.
 */
#ifndef HOTPATH_CONFIG_SEQUENCE_H
#define HOTPATH_CONFIG_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/config_wire.h"

enum { CONFIG_ASK_FIRST_MS = 200, CONFIG_ASK_MOST_MS = 3200 };

typedef struct {
    bool ready;                     /* a whole snapshot was taken once */
    bool wanting;                   /* a snapshot is needed (again) */
    uint64_t incarnation, sequence; /* of the publisher: what is applied */
    uint64_t seen_incarnation;      /* of the publisher last heard of */
    uint64_t chunk_incarnation, chunk_sequence;
    uint32_t chunk_next, chunk_count; /* the next chunk of the snapshot that is coming in */
    int64_t ask_ms;                   /* when to ask next */
    int64_t ask_wait_ms;
} config_sequence_t;

/*  What to do with the entries of a message; several may be set, in this order. */
typedef struct {
    bool empty; /* forget what was staged */
    bool stage; /* stage its entries */
    bool swap;  /* what is staged is the whole config now */
    bool apply; /* its entry is the next change */
} config_verdict_t;

config_sequence_t config_sequence_start (void);
config_verdict_t config_sequence_take (config_sequence_t *self, const config_message_t *message,
                                       int64_t now_ms);
/*  True if a snapshot is to be asked for now; then waits longer each time. */
bool config_sequence_ask (config_sequence_t *self, int64_t now_ms);

#endif
