/*  redis_marker: the text of the key by which a sink knows Redis again: which generation of its contents
 *  this is, which server with which history held them, and which life of the sink wrote last. Pure.
 *
 *      1795372489677 dee4bbc1…c40 8be3…01f 1795372489112        generation, run_id, replication id, life
 */
#ifndef HOTPATH_SINK_REDIS_MARKER_H
#define HOTPATH_SINK_REDIS_MARKER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"

enum { REDIS_ID_BYTES = 64, REDIS_MARKER_BYTES = 256 };

typedef struct {
    uint64_t generation;              /* 0: there is no marker */
    char run_id[REDIS_ID_BYTES];      /* of one life of a server; "unknown" where it does not tell */
    char history_id[REDIS_ID_BYTES];  /* master_replid: another after each failover; or "unknown" */
    uint64_t life;                    /* of the sink that wrote it: a greater one has taken over */
} redis_marker_t;

/*  What is not a marker gives one of generation 0. */
redis_marker_t redis_marker_parse (span_t text);
void redis_marker_write (const redis_marker_t *self, char text[REDIS_MARKER_BYTES]);
/*  Are both of the same server with the same history? */
bool redis_marker_same_server (const redis_marker_t *a, const redis_marker_t *b);

#endif
