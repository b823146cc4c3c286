/*  config_table: every parameter of a scenario, once: its key, kind, range, default and meaning.
 *
 *  Parsing, writing and documentation all walk this table. What spans several parameters (size a
 *  multiple of slide, and the like) is in scenario_config.c. Pure data.
 */
#ifndef HOTPATH_CONFIG_TABLE_H
#define HOTPATH_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include "common/span.h"

typedef enum {
    CONFIG_FLAG,        /* true or false -> bool */
    CONFIG_REAL,        /* a number -> double */
    CONFIG_INTEGER,     /* a whole number -> uint32_t */
    CONFIG_TTL,         /* whole seconds -> int64_t ms */
    CONFIG_PERIOD,      /* <key>_minutes or <key>_seconds, whole s -> int64_t ms; range in ms */
    CONFIG_FINE_PERIOD, /* the same in whole ms */
    CONFIG_UNIT,        /* the name of a unit of time -> int64_t ms */
    CONFIG_WEIGHTS,     /* {action: weight} -> config_weights_t */
    CONFIG_ACTION,      /* an action name -> char * */
    CONFIG_METRICS,     /* [metric or definition] -> flags of config_metrics_t */
    CONFIG_DEFINITIONS, /* {name: {numerator, denominator}} -> config_metrics_t */
} config_kind_t;

typedef struct {
    const char *key;
    config_kind_t kind;
    size_t offset;            /* of its value in the block's struct */
    double least, most;       /* inclusive */
    double otherwise;         /* the default where it is a number */
    const char *default_text; /* the default as people read it */
    const char *help;
} config_parameter_t;

typedef struct {
    const char *key;
    size_t offset; /* in scenario_config_t */
    const config_parameter_t *parameters;
    uint32_t count;
} config_block_t;

enum { CONFIG_BLOCK_HOT_SCORE, CONFIG_BLOCK_PROFILE, CONFIG_BLOCK_METRICS, CONFIG_BLOCK_COUNT };
enum { CONFIG_PARAMETERS_MAX = 16 };

extern const config_block_t config_blocks[CONFIG_BLOCK_COUNT];

typedef struct {
    const char *name;
    int64_t ms;
    double number; /* the weight, in lists of weights */
} config_named_t;

/*  Units of time for decay_unit; ended by a NULL name. */
extern const config_named_t config_units[];
/*  Default weights of a block (CONFIG_BLOCK_HOT_SCORE or _PROFILE), by name; ended by a NULL name.
 */
const config_named_t *config_table_weights (int block);

typedef struct {
    const char *name;
    size_t offset; /* of a bool in config_metrics_t */
    int by_default;
} config_metric_t;

/*  What metrics_to_calculate may name besides definitions, in canonical order; ended by NULL. */
extern const config_metric_t config_metrics[];

#endif
