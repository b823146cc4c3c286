/*  revision_store: revisions that never go back: per (tenant, scenario) the number, the effective
 *  config, whether it was active and whether it ran by default, in an LMDB environment of its own
 * under the state folder, with the era (the wall clock when this record was begun). A lock keeps a
 * second configd out. One thread.
 */
#ifndef HOTPATH_REVISION_STORE_H
#define HOTPATH_REVISION_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/span.h"

typedef struct revision_store revision_store_t;

typedef struct {
    span_t tenant, scenario;
    uint64_t number; /* 1, 2, 3 … */
    bool active;
    span_t json;     /* canonical effective config */
    bool by_default; /* that is all defaults, since no document was ever valid */
} revision_t;

/*  Opens `folder` (made with its parents). `wall_ms` becomes the era of a new record. NULL with a
 *  line in `error` otherwise (also: its format is another); *busy: another process holds it. */
revision_store_t *revision_store_open (const char *folder, int64_t wall_ms, bool *busy, char *error,
                                       size_t error_size);
void revision_store_close (revision_store_t **self_p);

uint64_t revision_store_era (const revision_store_t *self);
/*  Incarnation of this life of the publisher: above every earlier one of this record. */
uint64_t revision_store_incarnation (const revision_store_t *self);

/*  Calls `each` with every revision (spans hold for the call). -1 with a line in the log where
 *  one cannot be read: it is left out. */
int revision_store_load (revision_store_t *self,
                         void (*each) (void *arg, const revision_t *revision), void *arg);

/*  Adds a revision to the transaction that is open, or to a new one. 0, or -1 (logged; the
 *  transaction is gone, with all that was put into it). */
int revision_store_put (revision_store_t *self, const revision_t *revision);
/*  Makes durable what was put. 0 (also with nothing put), or -1 (logged; nothing of it is kept). */
int revision_store_commit (revision_store_t *self);

#endif
