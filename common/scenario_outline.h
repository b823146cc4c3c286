/*  scenario_outline: what of a scenario document is not its config: whose it is, its type and
 *  status, the config's text as it is stored, and the note of the last change. Judges nothing.
 *  Pure.
 */
#ifndef HOTPATH_SCENARIO_OUTLINE_H
#define HOTPATH_SCENARIO_OUTLINE_H

#include <stdbool.h>
#include <yyjson.h>
#include "common/span.h"

/*  Key of the note in a document (configd/revision_note.h). */
#define SCENARIO_NOTE_KEY "hotpath"

/*  Each NULL where the document has none (or not of its kind). */
typedef struct {
    char *tenant, *scenario; /* trimmed, 1 .. 256 bytes; an integer as its digits */
    char *type, *status;
    char *stored; /* JSON text of config.realtime_compute (of null too) */
    char *note;   /* JSON text of the note, an object */
} scenario_outline_t;

/*  False where the text is no JSON object (then all is NULL). Free it in any case. */
bool scenario_outline_of (span_t json, scenario_outline_t *outline);
void scenario_outline_free (scenario_outline_t *self);

/*  An id as documents have it: NULL where `value` is none. The caller's. */
char *scenario_outline_id (yyjson_val *value);

#endif
