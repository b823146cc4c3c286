/*  scenario_diff: which parameters differ between two effective configs. Pure.
 */
#ifndef HOTPATH_SCENARIO_DIFF_H
#define HOTPATH_SCENARIO_DIFF_H

#include <yyjson.h>

/*  A list of {"pointer": …, "from": …, "to": …} in `to_document`, one for each value that differs;
 *  "from" is absent where it is new, "to" where it is gone. Objects are compared key by key, lists
 *  as a whole. The pointers are below realtime_compute. Either text may be NULL: an empty object.
 *  Both are JSON (an effective config of ours). */
yyjson_mut_val *scenario_diff (yyjson_mut_doc *to_document, const char *from, const char *to);

#endif
