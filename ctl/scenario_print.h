/*  scenario_print: answers of the admin API as people read them. Writes to stdout.
 */
#ifndef HOTPATH_CTL_SCENARIO_PRINT_H
#define HOTPATH_CTL_SCENARIO_PRINT_H

#include <yyjson.h>

/*  One page of the list; the header only before the first. */
void scenario_print_list (yyjson_val *body, int page);
void scenario_print_one (yyjson_val *body);
/*  What a change made, or would make. */
void scenario_print_change (yyjson_val *body);
void scenario_print_validation (yyjson_val *body);
void scenario_print_history (yyjson_val *body);
void scenario_print_diff (yyjson_val *body);
void scenario_print_preview (yyjson_val *body);
void scenario_print_applied (yyjson_val *body);
/*  A problem, to stderr. */
void scenario_print_problem (yyjson_val *body, int status);

#endif
