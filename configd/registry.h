/*  registry: what is published of each scenario, and what should be: from it come revisions. A
 *  change of the effective config takes the next number; nothing is told before it is durable.
 *  One thread.
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

/*  What a scenario should be from now on: an effective config, or (json absent) its last one. A
 *  scenario that never had a config and gets none stays unknown. `by_default` says that the config
 *  is all defaults since no document was ever valid; it is kept with it (json absent: it stays). */
void registry_want (registry_t *self, span_t tenant, span_t scenario, bool active, span_t json,
                    bool by_default);

/*  Makes durable whatever is wanted and not so yet, then calls `told` for each change of it.
 *  Returns the number of changes; -1 if it could not be stored (then a later call tries again). */
int registry_flush (registry_t *self, void (*told) (void *arg, const config_entry_t *entry),
                    void *arg);

/*  The i-th scenario as published; false past the last. Spans hold until the next flush. */
bool registry_at (const registry_t *self, uint32_t index, config_entry_t *entry);
uint32_t registry_count (const registry_t *self);
/*  Is its config, active or not, the one that it began with by default? */
bool registry_is_default (const registry_t *self, uint32_t index);
/*  Is the scenario published (so that whoever follows knows it, active or not)? */
bool registry_publishes (const registry_t *self, span_t tenant, span_t scenario);

#endif
