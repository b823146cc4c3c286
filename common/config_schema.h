/*  config_schema: the JSON Schema (2020-12) of realtime_compute, made from config_table: the table
 *  that validates. What spans several parameters (a size that is a multiple of its slide, and the
 *  like) no schema can say: that is scenario_config's. Pure.
 */
#ifndef HOTPATH_CONFIG_SCHEMA_H
#define HOTPATH_CONFIG_SCHEMA_H

#include "common/buffer.h"

/*  Appends the schema, pretty-printed, with a newline at its end. */
void config_schema_write (buffer_t *text);

#endif
