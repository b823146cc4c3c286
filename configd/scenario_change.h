/*  scenario_change: what a request makes of a scenario's stored realtime_compute. Pure.
 *
 *  A patch is a JSON merge patch (RFC 7396) over the effective config: what it does not name stays.
 *  Only what it names is stored, each parameter whole: a map of weights or of definitions that it
 *  touches is written with all its entries, so that the stored document says what runs. A parameter
 *  that it does not name stays as stored, or as absent: one whose default follows another
 *  (metrics.window_slide) still follows. null takes a parameter, or an entry of a map, away.
 */
#ifndef HOTPATH_SCENARIO_CHANGE_H
#define HOTPATH_SCENARIO_CHANGE_H

#include <stdbool.h>
#include <yyjson.h>
#include "common/digest.h"
#include "common/scenario_config.h"

typedef enum {
    CHANGE_PATCH,   /* merge `given` */
    CHANGE_REPLACE, /* `given` is the whole of it */
    CHANGE_RESET,   /* none: all defaults */
} change_kind_t;

/*  A realtime_compute as it is, or would be, stored. */
typedef struct {
    char *stored;    /* JSON text; NULL: the document has none, all defaults */
    char *effective; /* canonical (scenario_config_write); NULL: not valid */
    char stored_hash[DIGEST_HEX_BYTES + 1];    /* of the canonical text of `stored` ("{}": NULL) */
    char effective_hash[DIGEST_HEX_BYTES + 1]; /* "" where not valid */
} scenario_version_t;

/*  What `stored` (JSON text or NULL; copied) means. False with errors where it is not valid: then
 *  it has no effective text; paths begin with config.realtime_compute. */
bool scenario_version_of (const char *stored, scenario_version_t *version,
                          config_errors_t *errors);
void scenario_version_free (scenario_version_t *self);

/*  Applies `given` (the value of config.realtime_compute in a request, NULL or null: none; at most
 *  JSON_DEPTH_MAX deep) to `stored`. False with errors where the outcome is not valid; *made is set
 *  also then, without its effective text (free it in any case). */
bool scenario_change_apply (change_kind_t kind, const char *stored, yyjson_val *given,
                            scenario_version_t *made, config_errors_t *errors);

#endif
