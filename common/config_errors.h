/*  config_errors: paths into a scenario document, and the list of what is wrong in it. Pure.
 */
#ifndef HOTPATH_CONFIG_ERRORS_H
#define HOTPATH_CONFIG_ERRORS_H

#include <stddef.h>
#include "common/scenario_config.h"
#include "common/span.h"

typedef struct {
    char text[256]; /* cut at a whole UTF-8 character where it would be longer */
} config_path_t;

/*  "parent.key"; "key" alone where the parent is empty. */
config_path_t config_path_child (const char *parent, span_t key);
/*  "parent[index]" */
config_path_t config_path_index (const char *parent, size_t index);

/*  Adds an error; past CONFIG_ERRORS_MAX it is only counted. */
void config_errors_add (config_errors_t *self, const char *path, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
