/*  vector: per partition the next offset to apply and the greatest event time before it; and the rule by
 *  which sections are chained to it. Partitions are numbers of partition_names. Pure.
 */
#ifndef HOTPATH_VECTOR_H
#define HOTPATH_VECTOR_H

#include <stdint.h>
#include "common/event.h"

#define VECTOR_ABSENT INT64_C (-1) /* as `next`: nothing of that partition was ever applied */

typedef struct {
    int64_t next;        /* or VECTOR_ABSENT */
    int64_t greatest_ms; /* or EVENT_TIME_NONE */
} vector_entry_t;

typedef struct {
    vector_entry_t *entries; /* by partition number; read with vector_get */
    uint32_t count;
} vector_t;

typedef enum {
    VECTOR_APPLY,  /* from <= next < to: apply the events at offsets >= next, then vector_set */
    VECTOR_REPEAT, /* to <= next: nothing new; not an error */
    VECTOR_GAP,    /* from > next: refused; the sender must rewind to next */
} vector_verdict_t;

/*  The entry, absent where there is none. */
vector_entry_t vector_get (const vector_t *self, uint32_t partition);
void vector_set (vector_t *self, uint32_t partition, vector_entry_t entry);
/*  Greatest event time over all entries, or EVENT_TIME_NONE. */
int64_t vector_greatest_ms (const vector_t *self);
void vector_copy (vector_t *self, const vector_t *other);
void vector_free (vector_t *self);

/*  Judges a section [from, to). `base` is the oldest kept offset at which the ingestor began, or -1: it
 *  stands in for an absent entry, and for one below it (its offsets are gone and are skipped, as told). An empty range (from == to) at `next` is a REPEAT, except that one with
 *  `base` begins an absent entry. */
vector_verdict_t vector_judge (vector_entry_t entry, int64_t from, int64_t to, int64_t base);

#endif
