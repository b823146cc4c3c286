/*  revision_keep: brings the history up to what a document says: the one place that decides which
 *  number a config has in it, and who made it. Both the admin API (before it changes a document)
 *  and the keeper (after every revision that is published) call it; several configds may at once.
 *
 *  A change is written to its document first, with its note, and to the history then. A crash in
 *  between is mended here, from the note. A config that no note tells of was written by others.
 */
#ifndef HOTPATH_REVISION_KEEP_H
#define HOTPATH_REVISION_KEEP_H

#include "configd/scenario_change.h"
#include "configd/scenario_store.h"

typedef struct {
    span_t tenant, scenario;
    const scenario_version_t *version; /* valid */
    const revision_note_t *note;       /* of the document, or NULL */
    uint64_t least;                    /* the number is at least this */
    bool published; /* `least` is its number: it has been published by it (or by a greater one) */
    bool by_default;                   /* nobody wrote it: there is no document */
    bool stale; /* published, and the document has moved on: its number is another's? so be it */
    const stored_scenario_t *read; /* not published: the document that it was read from */
    int64_t wall_ms;
} revision_keep_t;

/*  Makes the newest revision of the history be this config (one that is published: makes the
 *  history have it by its number, or by a greater one where another has that), and returns it in
 *  *kept (OK: free it). Adds nothing where it is there. LOST: it would have to be added, but the
 *  document is not what was read any more. Otherwise as the store. */
store_outcome_t revision_keep (scenario_store_t *store, const revision_keep_t *config,
                               revision_record_t *kept, char *error);

#endif
