/*  config_write: the canonical form of scenario_config.h, written by walking config_table. */
#include <math.h>
#include <stdlib.h>
#include <yyjson.h>
#include "common/check.h"
#include "common/config_table.h"
#include "common/scenario_config.h"

/*  A number as people write it: whole ones without a fraction; the shortest that reads back. */
static yyjson_mut_val *write_number (yyjson_mut_doc *json, double number)
{
    if (number == nearbyint (number) && fabs (number) < 9e15)
        return yyjson_mut_sint (json, (int64_t)number);
    return yyjson_mut_real (json, number);
}

static yyjson_mut_val *write_text (yyjson_mut_doc *json, const char *text)
{
    return yyjson_mut_str (json, text);
}

static yyjson_mut_val *write_names (yyjson_mut_doc *json, char *const *names, uint32_t count)
{
    yyjson_mut_val *list = yyjson_mut_arr (json);
    for (uint32_t i = 0; i < count; i++)
        CHECK (yyjson_mut_arr_append (list, write_text (json, names[i])));
    return list;
}

static yyjson_mut_val *write_weights (yyjson_mut_doc *json, const config_weights_t *weights)
{
    yyjson_mut_val *map = yyjson_mut_obj (json);
    for (uint32_t i = 0; i < weights->count; i++)
        CHECK (yyjson_mut_obj_add (map, write_text (json, weights->list[i].name),
                                   write_number (json, weights->list[i].weight)));
    return map;
}

static yyjson_mut_val *write_metrics (yyjson_mut_doc *json, const config_metrics_t *metrics)
{
    yyjson_mut_val *list = yyjson_mut_arr (json);
    for (const config_metric_t *metric = config_metrics; metric->name; metric++)
        if (*(const bool *)((const char *)metrics + metric->offset))
            CHECK (yyjson_mut_arr_append (list, write_text (json, metric->name)));
    for (uint32_t i = 0; i < metrics->definition_count; i++)
        CHECK (yyjson_mut_arr_append (list, write_text (json, metrics->definitions[i].name)));
    return list;
}

static yyjson_mut_val *write_definitions (yyjson_mut_doc *json, const config_metrics_t *metrics)
{
    yyjson_mut_val *map = yyjson_mut_obj (json);
    for (uint32_t i = 0; i < metrics->definition_count + metrics->unused_count; i++) {
        const config_definition_t *definition = &metrics->definitions[i];
        yyjson_mut_val *body = yyjson_mut_obj (json);
        CHECK (yyjson_mut_obj_add_val (
            json, body, "numerator",
            write_names (json, definition->numerator, definition->numerator_count)));
        CHECK (yyjson_mut_obj_add_val (
            json, body, "denominator",
            write_names (json, definition->denominator, definition->denominator_count)));
        CHECK (yyjson_mut_obj_add (map, write_text (json, definition->name), body));
    }
    return map;
}

static const char *unit_name (int64_t unit_ms)
{
    const config_named_t *unit = config_units;
    while (unit->name && unit->ms != unit_ms)
        unit++;
    CHECK (unit->name);
    return unit->name;
}

static yyjson_mut_val *write_value (yyjson_mut_doc *json, const config_parameter_t *parameter,
                                    const char *base)
{
    const void *place = base + parameter->offset;
    switch (parameter->kind) {
    case CONFIG_FLAG:
        return yyjson_mut_bool (json, *(const bool *)place);
    case CONFIG_REAL:
        return write_number (json, *(const double *)place);
    case CONFIG_INTEGER:
        return yyjson_mut_uint (json, *(const uint32_t *)place);
    case CONFIG_TTL:
        return yyjson_mut_sint (json, *(const int64_t *)place / 1000);
    case CONFIG_PERIOD:
    case CONFIG_FINE_PERIOD: {
        int64_t ms = *(const int64_t *)place;
        return ms % 60000 == 0 ? yyjson_mut_sint (json, ms / 60000)
                               : write_number (json, (double)ms / 1000.0);
    }
    case CONFIG_UNIT:
        return write_text (json, unit_name (*(const int64_t *)place));
    case CONFIG_WEIGHTS:
        return write_weights (json, place);
    case CONFIG_ACTION:
        return write_text (json, *(char *const *)place);
    case CONFIG_METRICS:
        return write_metrics (json, place);
    case CONFIG_DEFINITIONS:
        return write_definitions (json, place);
    }
    return NULL;
}

static yyjson_mut_val *write_block (yyjson_mut_doc *json, const scenario_config_t *config,
                                    const config_block_t *block)
{
    const char *base = (const char *)config + block->offset;
    yyjson_mut_val *object = yyjson_mut_obj (json);
    for (uint32_t i = 0; i < block->count; i++) {
        const config_parameter_t *parameter = &block->parameters[i];
        const char *suffix = "";
        if (parameter->kind == CONFIG_PERIOD || parameter->kind == CONFIG_FINE_PERIOD) {
            const void *place = base + parameter->offset;
            suffix = *(const int64_t *)place % 60000 == 0 ? "_minutes" : "_seconds";
        }
        yyjson_mut_val *key = yyjson_mut_strcpy (json, parameter->key);
        if (*suffix) {
            char joined[64];
            size_t stem = strlen (parameter->key), end = strlen (suffix);
            CHECK (stem + end <= sizeof joined);
            memcpy (joined, parameter->key, stem);
            memcpy (joined + stem, suffix, end);
            key = yyjson_mut_strncpy (json, joined, stem + end);
        }
        CHECK (yyjson_mut_obj_add (object, key, write_value (json, parameter, base)));
    }
    return object;
}

static void write_blocks (const scenario_config_t *self, int first, int last, buffer_t *bytes)
{
    yyjson_mut_doc *json = yyjson_mut_doc_new (NULL);
    CHECK (json);
    yyjson_mut_val *root = yyjson_mut_obj (json);
    yyjson_mut_doc_set_root (json, root);
    for (int i = first; i <= last; i++)
        CHECK (yyjson_mut_obj_add (root, write_text (json, config_blocks[i].key),
                                   write_block (json, self, &config_blocks[i])));
    size_t size = 0;
    char *text = yyjson_mut_write (json, YYJSON_WRITE_NOFLAG, &size);
    CHECK (text);
    buffer_append (bytes, text, size);
    free (text);
    yyjson_mut_doc_free (json);
}

void scenario_config_write (const scenario_config_t *self, buffer_t *json)
{
    write_blocks (self, 0, CONFIG_BLOCK_COUNT - 1, json);
}

void scenario_config_write_metrics (const scenario_config_t *self, buffer_t *json)
{
    write_blocks (self, CONFIG_BLOCK_METRICS, CONFIG_BLOCK_METRICS, json);
}

scenario_config_t *scenario_config_parse_metrics (span_t json)
{
    config_errors_t errors;
    return scenario_config_parse (json, "", &errors);
}
