#include "common/config_schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>
#include "common/check.h"
#include "common/config_table.h"
#include "common/json_text.h"
#include "common/scenario_config.h"

typedef yyjson_mut_doc doc_t;
typedef yyjson_mut_val val_t;

static void put (doc_t *to, val_t *object, const char *key, val_t *value)
{
    CHECK (value && yyjson_mut_obj_add (object, yyjson_mut_strcpy (to, key), value));
}

static void put_text (doc_t *to, val_t *object, const char *key, const char *text)
{
    put (to, object, key, yyjson_mut_strcpy (to, text));
}

static val_t *number_of (doc_t *to, double number)
{
    bool whole = number == nearbyint (number) && fabs (number) < 9e15;
    return whole ? yyjson_mut_sint (to, (int64_t)number) : yyjson_mut_real (to, number);
}

/*  A value of this type, or null, which is as absent. */
static void put_type (doc_t *to, val_t *schema, const char *type)
{
    val_t *types = yyjson_mut_arr (to);
    CHECK (yyjson_mut_arr_add_strcpy (to, types, type) &&
           yyjson_mut_arr_add_str (to, types, "null"));
    put (to, schema, "type", types);
}

static void put_range (doc_t *to, val_t *schema, const config_parameter_t *parameter, double factor)
{
    put (to, schema, "minimum", number_of (to, parameter->least / factor));
    put (to, schema, "maximum", number_of (to, parameter->most / factor));
}

static val_t *string_of (doc_t *to, int most)
{
    val_t *schema = yyjson_mut_obj (to);
    put_text (to, schema, "type", "string");
    put (to, schema, "minLength", yyjson_mut_sint (to, 1));
    put (to, schema, "maxLength", yyjson_mut_sint (to, most));
    return schema;
}

static void put_weights (doc_t *to, val_t *schema, const config_block_t *block,
                         const config_parameter_t *parameter)
{
    val_t *weight = yyjson_mut_obj (to), *map = yyjson_mut_obj (to);
    put_type (to, schema, "object");
    put_text (to, weight, "type", "number");
    put_range (to, weight, parameter, 1);
    put (to, schema, "additionalProperties", weight);
    put (to, schema, "maxProperties", yyjson_mut_sint (to, CONFIG_ACTIONS_MAX));
    const config_named_t *named = config_table_weights ((int)(block - config_blocks));
    for (; named->name; named++)
        put (to, map, named->name, number_of (to, named->number));
    put (to, schema, "default", map);
}

static val_t *list_of (doc_t *to, int least, int most, val_t *items)
{
    val_t *schema = yyjson_mut_obj (to);
    put_text (to, schema, "type", "array");
    if (least)
        put (to, schema, "minItems", yyjson_mut_sint (to, least));
    if (most)
        put (to, schema, "maxItems", yyjson_mut_sint (to, most));
    put (to, schema, "items", items);
    return schema;
}

static void put_definitions (doc_t *to, val_t *schema)
{
    static const char *const keys[] = {"numerator", "denominator"};
    val_t *definition = yyjson_mut_obj (to), *properties = yyjson_mut_obj (to);
    val_t *required = yyjson_mut_arr (to);
    for (int i = 0; i < 2; i++) {
        put (to, properties, keys[i],
             list_of (to, 1, CONFIG_ACTIONS_MAX, string_of (to, CONFIG_NAME_BYTES_MAX)));
        CHECK (yyjson_mut_arr_add_str (to, required, keys[i]));
    }
    put_type (to, schema, "object");
    put_text (to, definition, "type", "object");
    put (to, definition, "properties", properties);
    put (to, definition, "required", required);
    put (to, definition, "additionalProperties", yyjson_mut_false (to));
    put (to, schema, "additionalProperties", definition);
    put (to, schema, "maxProperties", yyjson_mut_sint (to, CONFIG_DEFINITIONS_MAX));
}

static void put_metrics (doc_t *to, val_t *schema)
{
    val_t *list = yyjson_mut_arr (to);
    put_type (to, schema, "array");
    put (to, schema, "items", string_of (to, CONFIG_NAME_BYTES_MAX));
    for (const config_metric_t *metric = config_metrics; metric->name; metric++)
        if (metric->by_default)
            CHECK (yyjson_mut_arr_add_str (to, list, metric->name));
    put (to, schema, "default", list);
}

static void put_units (doc_t *to, val_t *schema, const char *otherwise)
{
    val_t *list = yyjson_mut_arr (to);
    for (const config_named_t *unit = config_units; unit->name; unit++)
        CHECK (yyjson_mut_arr_add_str (to, list, unit->name));
    CHECK (yyjson_mut_arr_add_null (to, list));
    put (to, schema, "enum", list);
    put_text (to, schema, "default", otherwise);
}

static bool is_period (const config_parameter_t *parameter)
{
    return parameter->kind == CONFIG_PERIOD || parameter->kind == CONFIG_FINE_PERIOD;
}

static val_t *schema_of (doc_t *to, const config_block_t *block,
                         const config_parameter_t *parameter)
{
    val_t *schema = yyjson_mut_obj (to);
    put_text (to, schema, "description", parameter->help);
    switch (parameter->kind) {
    case CONFIG_FLAG:
        put_type (to, schema, "boolean");
        put (to, schema, "default", yyjson_mut_bool (to, parameter->otherwise != 0));
        break;
    case CONFIG_REAL:
    case CONFIG_INTEGER:
    case CONFIG_TTL:
        put_type (to, schema, parameter->kind == CONFIG_REAL ? "number" : "integer");
        put_range (to, schema, parameter, 1);
        put (to, schema, "default", number_of (to, parameter->otherwise));
        break;
    case CONFIG_UNIT:
        put_units (to, schema, parameter->default_text);
        break;
    case CONFIG_WEIGHTS:
        put_weights (to, schema, block, parameter);
        break;
    case CONFIG_ACTION:
        put_type (to, schema, "string");
        put (to, schema, "minLength", yyjson_mut_sint (to, 1));
        put_text (to, schema, "default", parameter->default_text);
        break;
    case CONFIG_METRICS:
        put_metrics (to, schema);
        break;
    case CONFIG_DEFINITIONS:
        put_definitions (to, schema);
        break;
    case CONFIG_PERIOD:
    case CONFIG_FINE_PERIOD:
        break; /* two keys: put_period */
    }
    return schema;
}

/*  <key>_minutes or <key>_seconds; that only one of them is given is the block's to say. */
static void put_period (doc_t *to, val_t *properties, val_t *both,
                        const config_parameter_t *parameter)
{
    static const struct {
        const char *suffix;
        double factor;
    } units[] = {{"_minutes", 60000}, {"_seconds", 1000}};
    val_t *not = yyjson_mut_obj (to), *required = yyjson_mut_arr (to);
    val_t *clause = yyjson_mut_obj (to);
    for (int i = 0; i < 2; i++) {
        char key[64], help[256];
        val_t *schema = yyjson_mut_obj (to);
        snprintf (key, sizeof key, "%s%s", parameter->key, units[i].suffix);
        snprintf (help, sizeof help, "%s, in %s (default: %s)", parameter->help,
                  units[i].suffix + 1, parameter->default_text);
        put_text (to, schema, "description", help);
        put_type (to, schema, "number");
        put_range (to, schema, parameter, units[i].factor);
        put (to, properties, key, schema);
        CHECK (yyjson_mut_arr_add_strcpy (to, required, key));
    }
    put (to, clause, "required", required);
    put (to, not, "not", clause);
    CHECK (yyjson_mut_arr_append (both, not));
}

static val_t *schema_of_block (doc_t *to, const config_block_t *block)
{
    val_t *schema = yyjson_mut_obj (to), *properties = yyjson_mut_obj (to);
    val_t *both = yyjson_mut_arr (to);
    put_type (to, schema, "object");
    for (uint32_t i = 0; i < block->count; i++) {
        const config_parameter_t *parameter = &block->parameters[i];
        if (is_period (parameter))
            put_period (to, properties, both, parameter);
        else
            put (to, properties, parameter->key, schema_of (to, block, parameter));
    }
    put (to, schema, "properties", properties);
    put (to, schema, "additionalProperties", yyjson_mut_false (to));
    if (yyjson_mut_arr_size (both))
        put (to, schema, "allOf", both);
    return schema;
}

void config_schema_write (buffer_t *text)
{
    doc_t *to = yyjson_mut_doc_new (NULL);
    CHECK (to);
    val_t *root = yyjson_mut_obj (to), *properties = yyjson_mut_obj (to);
    yyjson_mut_doc_set_root (to, root);
    put_text (to, root, "$schema", "https://json-schema.org/draft/2020-12/schema");
    put_text (to, root, "$id", "urn:hotpath:realtime_compute");
    put_text (to, root, "title", "realtime_compute");
    put_text (to, root, "description",
              "What hotpath computes for a scenario: config.realtime_compute of its document. "
              "Everything is optional; null is as absent.");
    put_type (to, root, "object");
    for (int i = 0; i < CONFIG_BLOCK_COUNT; i++)
        put (to, properties, config_blocks[i].key, schema_of_block (to, &config_blocks[i]));
    put (to, root, "properties", properties);
    put (to, root, "additionalProperties", yyjson_mut_false (to));
    json_text_pretty (to, text);
}
