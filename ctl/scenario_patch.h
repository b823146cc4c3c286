/*  scenario_patch: what is given on a command line as the body of a request: assignments such as
 *  hot_score.action_weights.purchase=15, or a file. Pure.
 */
#ifndef HOTPATH_CTL_SCENARIO_PATCH_H
#define HOTPATH_CTL_SCENARIO_PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>
#include "common/span.h"

enum { PATCH_DEPTH_MAX = 8 };

/*  Puts one assignment PATH=VALUE into the object `patch`. PATH: keys separated by dots
 *  (hot_score.top_k; config.realtime_compute. before it may be left out), or a JSON pointer below
 *  realtime_compute (/hot_score/action_weights/a.b). VALUE: JSON; what is no JSON is a string; null
 *  takes away. -1 with a sentence in error. */
int scenario_patch_assign (yyjson_mut_doc *to, yyjson_mut_val *patch, const char *assignment,
                           char *error, size_t error_size);

/*  The realtime_compute of a file's text: a whole document, {"config": {"realtime_compute": …}}, or
 *  realtime_compute itself. NULL with a sentence in error. */
yyjson_mut_val *scenario_patch_of_file (yyjson_mut_doc *to, span_t text, char *error,
                                        size_t error_size);

#endif
