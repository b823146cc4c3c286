/*  distinct: how many different hashes were added: exactly up to a limit, by HyperLogLog beyond.
 *
 *  The state depends on the set alone, not on the order of adds and merges: a set of hashes up to the
 *  limit, registers beyond. Estimator: O. Ertl, "New cardinality estimation algorithms for HyperLogLog
 *  sketches" (2017), as in Redis. No C library of it is packaged in Debian (postgresql-hll is an
 *  extension of a server, the others are Go and Perl), so it is written here.
 */
#ifndef HOTPATH_DISTINCT_H
#define HOTPATH_DISTINCT_H

#include <stdint.h>
#include "common/buffer.h"
#include "common/pack.h"

typedef struct {
    uint8_t register_bits; /* registers: 2^bits */
    uint16_t exact_max;    /* exact up to this many */
} distinct_shape_t;

#define DISTINCT_METRICS ((distinct_shape_t){.register_bits = 14, .exact_max = 256})
#define DISTINCT_ITEM    ((distinct_shape_t){.register_bits = 10, .exact_max = 64})

typedef struct distinct distinct_t;

distinct_t *distinct_new (distinct_shape_t shape);
void distinct_destroy (distinct_t **self_p);
/*  Adds a 64-bit hash of good quality (XXH3). Returns 1 where the state changed, else 0. */
int distinct_add (distinct_t *self, uint64_t hash);
/*  Asks the processor for what an add of that hash will touch. */
void distinct_prefetch (const distinct_t *self, uint64_t hash);
/*  self = union of both; shapes must be equal. */
void distinct_merge (distinct_t *self, const distinct_t *other);
/*  Empties it. */
void distinct_clear (distinct_t *self);
/*  The count: exact up to exact_max, else the estimate, rounded to the nearest. */
uint64_t distinct_count (const distinct_t *self);
size_t distinct_memory_bytes (const distinct_t *self);
/*  Appends it as one msgpack bin; equal sets give equal bytes. */
void distinct_write (const distinct_t *self, buffer_t *to);
/*  Reads into self (emptied first; its shape must be that written); cursor->failed on bad bytes. */
void distinct_read (distinct_t *self, cursor_t *cursor);

#endif
