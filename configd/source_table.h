/*  source_table: which document (a file, a MongoDB document) is whose config, and what follows:
 *  none or an inactive one: the scenario does not run; one that is valid: its config; one that is
 *  not valid, or several for one scenario: the last good stays. A scenario may also be begun by
 *  default, without a document: that holds until the first valid one of its own. Pure.
 */
#ifndef HOTPATH_SOURCE_TABLE_H
#define HOTPATH_SOURCE_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"

enum { SOURCE_TABLE_MAX = 65536, SOURCE_LEAVE_MS = 1000 };

/*  What the table tells. Spans and texts hold for the call. */
typedef struct {
    void *arg;
    /*  A scenario should be this now; json absent: keep the last good config, inactive.
     *  `by_default`: it was begun without a document. */
    void (*want) (void *arg, span_t tenant, span_t scenario, bool active, span_t json,
                  bool by_default);
    /*  A document is not valid, or several have one scenario. `tenant` and `scenario` may be NULL.
     */
    void (*problem) (void *arg, const char *source, const char *tenant, const char *scenario,
                     const char *path, const char *reason);
} source_listener_t;

typedef struct source_table source_table_t;

/*  With `tenant` (and `scenario`) not NULL every other scenario is left out: the dedicated mode. */
source_table_t *source_table_new (const source_listener_t *listener, const char *tenant,
                                  const char *scenario);
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
