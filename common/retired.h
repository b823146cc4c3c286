/*  retired: where a shard stood in partitions that the source does not have any more (a rotated
 *  file, a deleted topic): kept apart from its vector by a hash of their names, stored once each,
 *  so that neither commits nor announcements grow with every file that ever was; and found again if
 *  one comes back, since what was applied of it must not count twice. Pure.
 *
 *  At most RETIRED_MAX are kept; beyond that the one with the least event time is forgotten.
 */
#ifndef HOTPATH_RETIRED_H
#define HOTPATH_RETIRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/change_set.h"
#include "common/span.h"
#include "common/vector.h"

enum { RETIRED_MAX = 65536, RETIRED_KEY_BYTES = 9 /* 'r' and the hash */ };

typedef struct retired retired_t;

retired_t *retired_new (void);
void retired_destroy (retired_t **self_p);

/*  The entry (not absent) goes from the vector to here. */
void retired_put (retired_t *self, span_t partition, vector_entry_t entry);
/*  It goes back: true with *entry, where it is here. */
bool retired_take (retired_t *self, span_t partition, vector_entry_t *entry);
uint32_t retired_count (const retired_t *self);
/*  Greatest event time of all that ever were here (in this life or stored), or EVENT_TIME_NONE. */
int64_t retired_greatest_ms (const retired_t *self);

/*  Records of what changed since the last call. */
void retired_collect (retired_t *self, change_set_t *changes);
/*  A stored record, key 'r' … -1: not readable. */
int retired_load (retired_t *self, const uint8_t *key, size_t key_size, const uint8_t *value,
                  size_t value_size);

#endif
