/*  config_values: reads the values of a scenario document that have a structure of their own:
 *  maps of weights, lists of actions, definitions of metrics. Pure; only the files of
 *  scenario_config use it.
 */
#ifndef HOTPATH_CONFIG_VALUES_H
#define HOTPATH_CONFIG_VALUES_H

#include <stdbool.h>
#include <yyjson.h>
#include "common/config_errors.h"
#include "common/config_table.h"
#include "common/scenario_config.h"

/*  Reads a string as an action name: trimmed, folded to lower case (ASCII), 1 .. 64 bytes, no NUL.
 *  Returns it (the caller's) or NULL with an error at `path`. */
char *config_read_action (yyjson_val *value, const char *path, config_errors_t *errors);

/*  Reads {action: weight} over `weights`, whose list must be empty; `otherwise` is not touched.
 *  What could be read is in it also after errors, so that it can be freed. */
void config_read_weights (yyjson_val *value, const config_parameter_t *parameter, const char *path,
                          config_weights_t *weights, config_errors_t *errors);
/*  Fills in the default map of a block. */
void config_default_weights (const config_named_t *defaults, config_weights_t *weights);

/*  Reads metrics_to_calculate and definitions (each may be NULL: the default) of the block whose
 *  path is `block`. Those that metrics_to_calculate does not name go behind those
 *  that it does.
 */
void config_read_metrics (yyjson_val *wanted, yyjson_val *definitions, const char *block,
                          config_metrics_t *metrics, config_errors_t *errors);

void config_free_names (char **names, uint32_t count);
/*  Sorts names bytewise. */
void config_sort_names (char **names, uint32_t count);
/*  What was read of a JSON value, for a message: "a string", "null", … */
const char *config_kind_of (yyjson_val *value);

#endif
