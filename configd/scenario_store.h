/*  scenario_store: where scenario documents and their history are kept, as the admin API and the
 *  history's keeper see it: MongoDB (mongo_store) or a folder of files (dir_store). A table of
 *  functions; any thread may call any of them, and each call ends within STORE_CALL_MS or so,
 *  whatever the server does.
 *
 *  A document is changed only if it still is what was read: replace compares, and says LOST. Keys
 *  of the document that are not config.realtime_compute, status or hotpath are left as they are.
 */
#ifndef HOTPATH_SCENARIO_STORE_H
#define HOTPATH_SCENARIO_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/span.h"
#include "configd/revision_note.h"

enum { STORE_CALL_MS = 8000, STORE_ERROR_BYTES = 256, STORE_PAGE_MAX = 200 };

typedef enum {
    STORE_OK,
    STORE_ABSENT,    /* there is no such document, or revision */
    STORE_LOST,      /* it is not what was read any more: nothing was changed */
    STORE_EXISTS,    /* there is one already */
    STORE_CONFLICT,  /* several documents are of this scenario, or it is no document to change */
    STORE_TOO_LARGE, /* the document would be too large for the store */
    STORE_AWAY,      /* no answer, or not now: the change may have been made or not */
    STORE_REFUSED,   /* the store does not let us (permissions, a read-only disk) */
} store_outcome_t;

/*  A document, as far as it is ours. Free with stored_scenario_free. */
typedef struct {
    char *source; /* its name: of the file, or _id */
    char *type;   /* scenario_type, or NULL */
    char *status; /* or NULL */
    char *stored; /* JSON text of config.realtime_compute, or NULL */
    bool noted;   /* it has a note … */
    revision_note_t note;
    void *version; /* the store's: what replace compares with */
    void (*free_version) (void *version);
} stored_scenario_t;

/*  What to make of a document. */
typedef struct {
    bool sets_config;
    const char *stored;          /* sets_config: realtime_compute; NULL: take it away */
    const char *status;          /* NULL: stays */
    const revision_note_t *note; /* NULL: stays */
} store_change_t;

typedef struct {
    span_t tenant, scenario;
    const char *type;   /* or NULL */
    const char *status; /* "active" … */
    const char *stored; /* or NULL */
    const revision_note_t *note;
} store_new_t;

typedef struct scenario_store scenario_store_t;

/*  Each function writes a sentence into `error` (STORE_ERROR_BYTES) unless it returns OK; it tells
 *  no secret. */
struct scenario_store {
    const char *name; /* "mongodb", "files" */
    void (*destroy) (scenario_store_t *self);

    /*  `source`: the name of its document as far as known, or NULL. */
    store_outcome_t (*read) (scenario_store_t *self, span_t tenant, span_t scenario,
                             const char *source, stored_scenario_t *found, char *error);
    store_outcome_t (*replace) (scenario_store_t *self, span_t tenant, span_t scenario,
                                const stored_scenario_t *read, const store_change_t *change,
                                char *error);
    store_outcome_t (*create) (scenario_store_t *self, const store_new_t *made, char *error);

    /*  The newest revision; ABSENT where there is none. */
    store_outcome_t (*newest) (scenario_store_t *self, span_t tenant, span_t scenario,
                               revision_record_t *record, char *error);
    store_outcome_t (*revision) (scenario_store_t *self, span_t tenant, span_t scenario,
                                 uint64_t number, revision_record_t *record, char *error);
    /*  Up to `*count` (at most STORE_PAGE_MAX) revisions below `below`, the newest first. */
    store_outcome_t (*revisions) (scenario_store_t *self, span_t tenant, span_t scenario,
                                  uint64_t below, revision_record_t *records, uint32_t *count,
                                  char *error);
    /*  The newest revision that a request with this Idempotency-Key made. */
    store_outcome_t (*by_key) (scenario_store_t *self, span_t tenant, span_t scenario,
                               const char *key, revision_record_t *record, char *error);
    /*  Adds one. OK also where it is there already with the same hash; EXISTS: another one has
     *  this number. */
    store_outcome_t (*add) (scenario_store_t *self, span_t tenant, span_t scenario,
                            const revision_record_t *record, char *error);
};

static inline void scenario_store_destroy (scenario_store_t **self_p)
{
    if (*self_p)
        (*self_p)->destroy (*self_p);
    *self_p = NULL;
}

void stored_scenario_free (stored_scenario_t *self);
/*  For people: "MongoDB does not answer" and the like. */
const char *store_outcome_text (store_outcome_t outcome);

#endif
