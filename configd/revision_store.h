/*  revision_store: revisions that never go back: per (tenant, scenario) the number, the effective
 *  config, whether it was active and whether it ran by default, with the era (when this record was
 *  begun), in STATE/configd, stored as a shard is (shard_store: one transaction a commit,
 *  checksums). A lock keeps a second configd out. One thread.
 *
 *  A record that is broken is set aside and another begun: its era is greater, so that what is
 *  computed by it replaces what was.
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

/*  Opens STATE/configd (made with its parents). A new record's era is at least `wall_ms`. NULL
 *  with a line in `error` and a sysexits code in *code otherwise: 73 cannot be made or locked,
 *  75 no room or not readable now, 78 of another format. */
revision_store_t *revision_store_open (const char *state, int64_t wall_ms, int *code, char *error,
                                       size_t error_size);
void revision_store_close (revision_store_t **self_p);
/*  Is it still where it was opened? -1 with a line in `error` where its folder was removed or
 *  replaced, or a commit found it so or broken: what is told from now on is kept nowhere. */
int revision_store_check (const revision_store_t *self, char *error, size_t error_size);

uint64_t revision_store_era (const revision_store_t *self);
/*  Incarnation of this life of the publisher: above every earlier one of this record. */
uint64_t revision_store_incarnation (const revision_store_t *self);

/*  Calls `each` with every revision (spans hold for the call). -1 with a line in the log where
 *  one cannot be read: it is left out. */
int revision_store_load (revision_store_t *self,
                         void (*each) (void *arg, const revision_t *revision), void *arg);

/*  Adds a revision to those that the next commit writes. */
void revision_store_put (revision_store_t *self, const revision_t *revision);
/*  Makes durable what was put. 0 (also with nothing put), or -1 (logged; nothing of it is kept). */
int revision_store_commit (revision_store_t *self);
/*  Why the last commit failed, or "". Borrowed. */
const char *revision_store_trouble (const revision_store_t *self);

#endif
