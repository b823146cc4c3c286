/*  registry: what is published of each scenario, and what should be: from it come revisions. A
 *  change of the effective config takes the next number, or the one that it is known by elsewhere
 *  if that is greater; nothing is told before it is durable. One thread.
 */
#ifndef HOTPATH_REGISTRY_H
#define HOTPATH_REGISTRY_H

#include <stdint.h>
#include "common/config_wire.h"
#include "configd/revision_store.h"

typedef struct registry registry_t;

/*  Loads every stored revision; borrows `store`. */
registry_t *registry_new (revision_store_t *store);
void registry_destroy (registry_t **self_p);

/*  What a scenario should be from now on. */
typedef struct {
    span_t tenant, scenario;
    bool active;
    span_t json;     /* effective config; absent: its last one */
    bool by_default; /* that is all defaults since no document was ever valid; kept with it (json
                      * absent: it stays) */
    uint64_t number; /* it is known by this number elsewhere: it gets that one or a greater; or 0 */
    span_t stored, note; /* handed on to `told` */
} registry_want_t;

/*  A scenario that never had a config and gets none stays unknown. */
void registry_want (registry_t *self, const registry_want_t *want);

/*  A change that is durable now. Spans hold for the call. */
typedef struct {
    config_entry_t entry;
    bool numbered;       /* with a number that it did not have before */
    bool by_default;     /* nobody wrote it */
    span_t stored, note; /* as they were wanted; absent */
} registry_change_t;

/*  Makes durable whatever is wanted and not so yet, then calls `told` for each change of it.
 *  Returns the number of changes; -1 if it could not be stored (then a later call tries again). */
int registry_flush (registry_t *self, void (*told) (void *arg, const registry_change_t *change),
                    void *arg);

/*  The config `json` of a scenario is known by this number elsewhere: where it runs by a lesser one
 *  it is wanted with this one. */
void registry_renumber (registry_t *self, span_t tenant, span_t scenario, span_t json,
                        uint64_t number);

/*  The i-th scenario as published; false past the last. Spans hold until the next flush. */
bool registry_at (const registry_t *self, uint32_t index, config_entry_t *entry);
/*  The same with what it came from. */
bool registry_change_at (const registry_t *self, uint32_t index, registry_change_t *change);
uint32_t registry_count (const registry_t *self);
/*  Is its config, active or not, the one that it began with by default? */
bool registry_is_default (const registry_t *self, uint32_t index);
/*  Is the scenario published (so that whoever follows knows it, active or not)? */
bool registry_publishes (const registry_t *self, span_t tenant, span_t scenario);

#endif
