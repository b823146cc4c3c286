/*  config_block: reads one block (hot_score, user_profile, metrics) of a scenario document by
 *  config_table: known keys only, each of its kind and in its range, defaults for the rest. What
 *  spans several parameters is checked by scenario_config. Pure.
 */
#ifndef HOTPATH_CONFIG_BLOCK_H
#define HOTPATH_CONFIG_BLOCK_H

#include <yyjson.h>
#include "common/config_errors.h"
#include "common/config_table.h"

/*  One block on its way: the document's values by parameter, and the keys they came under. */
typedef struct {
    const config_block_t *block;
    char *base;       /* the block's struct, zeroed */
    const char *path; /* prefix.block */
    config_errors_t *errors;
    yyjson_val *values[CONFIG_PARAMETERS_MAX];   /* NULL: not given */
    const char *suffixes[CONFIG_PARAMETERS_MAX]; /* "_minutes", "_seconds" or ""; NULL: not given */
} config_reading_t;

/*  Reads `object` (NULL: all defaults) into the block's struct; errors go to self->errors. */
void config_block_read (config_reading_t *self, yyjson_val *object);
/*  Path of the parameter `stem` by the key that it was given under. */
config_path_t config_block_path (const config_reading_t *self, const char *stem);

#endif
