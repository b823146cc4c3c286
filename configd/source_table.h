/*  source_table: which document (a file, a MongoDB document) is whose config, and what follows:
 *  none or an inactive one: the scenario does not run; one that is valid: its config; one that is
 *  not valid, or several for one scenario: the last good stays. A scenario may also be begun by
 *  default, without a document: that holds until the first valid one of its own. Pure.
 */
#ifndef HOTPATH_SOURCE_TABLE_H
#define HOTPATH_SOURCE_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/scenario_scope.h"
#include "common/span.h"

enum { SOURCE_TABLE_MAX = 65536, SOURCE_LEAVE_MS = 1000 };

/*  What a scenario should be from now on. */
typedef struct {
    span_t tenant, scenario;
    bool active;
    span_t json;     /* effective config; absent: keep the last good one, inactive */
    bool by_default; /* it was begun without a document */
    span_t stored;   /* realtime_compute as the document has it; absent: none */
    span_t note;     /* JSON of its note (revision_note.h), or absent */
} source_want_t;

typedef enum {
    SOURCE_NONE,     /* no document names it (any more) */
    SOURCE_VALID,
    SOURCE_INVALID,  /* … as `path` and `reason` say, the first of `errors` */
    SOURCE_CONFLICT, /* several documents are of it */
} source_state_t;

/*  How the document of a scenario stands. */
typedef struct {
    span_t tenant, scenario;
    source_state_t state;
    const char *source, *status;  /* names of the document and its status; NULL where not known */
    const char *path, *reason;    /* what is wrong, or NULL */
    uint32_t errors;
} source_standing_t;

/*  What the table tells. Spans and texts hold for the call. */
typedef struct {
    void *arg;
    void (*want) (void *arg, const source_want_t *want);
    /*  A document is not valid, or several have one scenario. `tenant` and `scenario` may be NULL.
     */
    void (*problem) (void *arg, const char *source, const char *tenant, const char *scenario,
                     const char *path, const char *reason);
    /*  May be NULL. */
    void (*standing) (void *arg, const source_standing_t *standing);
} source_listener_t;

typedef struct source_table source_table_t;

/*  Scenarios that `scope` leaves out do not exist here (the dedicated mode). Borrows it for life;
 *  NULL: none is. */
source_table_t *source_table_new (const source_listener_t *listener, const scenario_scope_t *scope);
void source_table_destroy (source_table_t **self_p);

/*  The document of `source` (a name that stays its own) is this text now. */
void source_table_put (source_table_t *self, const char *source, span_t text);
/*  It cannot be read at all (too large, no permission): a problem, and the last good stays. */
void source_table_fail (source_table_t *self, const char *source, const char *reason);
/*  It is gone. */
void source_table_remove (source_table_t *self, const char *source);
/*  It is gone, but may be back soon: counts as gone SOURCE_LEAVE_MS later; does not conflict
 *  meanwhile. */
void source_table_leave (source_table_t *self, const char *source, int64_t now_ms);
/*  Removes what left long enough ago. */
void source_table_step (source_table_t *self, int64_t now_ms);

/*  A full read: begin, put each, end: what was not put is gone. */
void source_table_begin (source_table_t *self);
void source_table_end (source_table_t *self);

/*  Begins a scenario with all defaults, active, unless a valid document is its config already:
 *  documents that come later replace that once one is valid, for good. Ids of 1 .. 256 bytes, no
 *  NUL. False in the dedicated mode of another. */
bool source_table_begin_default (source_table_t *self, span_t tenant, span_t scenario);

/*  Does any document, valid or not, name this scenario? */
bool source_table_names (const source_table_t *self, span_t tenant, span_t scenario);
/*  Documents, and those that are not valid or in conflict. */
void source_table_count (const source_table_t *self, uint32_t *all, uint32_t *invalid);

#endif
