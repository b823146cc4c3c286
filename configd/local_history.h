/*  local_history: the history of revisions on this host's disk, for scenarios that are files: an
 *  LMDB environment under the state folder. Any thread; one process (the lock of revision_store).
 *  What its functions return is as scenario_store.h has it.
 */
#ifndef HOTPATH_LOCAL_HISTORY_H
#define HOTPATH_LOCAL_HISTORY_H

#include "configd/scenario_store.h"

enum {
    LOCAL_HISTORY_KEEP = 10000, /* newest revisions of a scenario */
    LOCAL_HISTORY_KEYS = 1000,  /* newest revisions of a scenario among which a key is looked for */
};

typedef struct local_history local_history_t;

/*  Opens `folder` (made; its parent is there). NULL with a sentence in error. */
local_history_t *local_history_open (const char *folder, char *error, size_t error_size);
void local_history_close (local_history_t **self_p);

store_outcome_t local_history_newest (local_history_t *self, span_t tenant, span_t scenario,
                                      revision_record_t *record, char *error);
store_outcome_t local_history_revision (local_history_t *self, span_t tenant, span_t scenario,
                                        uint64_t number, revision_record_t *record, char *error);
store_outcome_t local_history_revisions (local_history_t *self, span_t tenant, span_t scenario,
                                         uint64_t below, revision_record_t *records,
                                         uint32_t *count, char *error);
store_outcome_t local_history_by_key (local_history_t *self, span_t tenant, span_t scenario,
                                      const char *key, revision_record_t *record, char *error);
/*  Durable on return. */
store_outcome_t local_history_add (local_history_t *self, span_t tenant, span_t scenario,
                                   const revision_record_t *record, char *error);

#endif
