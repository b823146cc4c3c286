/*  config_block: see config_block.h. */
#include "common/config_block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "common/config_values.h"
#include "common/memory.h"

static bool is_period (config_kind_t kind)
{
    return kind == CONFIG_PERIOD || kind == CONFIG_FINE_PERIOD;
}

/*  Does `key` name this parameter? Its suffix then, else NULL. */
static const char *match (const config_parameter_t *parameter, span_t key)
{
    static const char *const suffixes[] = {"_minutes", "_seconds"};
    span_t stem = span_of (parameter->key);
    if (!is_period (parameter->kind))
        return span_equal (key, stem) ? "" : NULL;
    if (key.size < stem.size || memcmp (key.bytes, stem.bytes, stem.size) != 0)
        return NULL;
    span_t rest = {key.bytes + stem.size, key.size - stem.size};
    for (int i = 0; i < 2; i++)
        if (span_equal (rest, span_of (suffixes[i])))
            return suffixes[i];
    return NULL;
}

static config_path_t path_of (const config_reading_t *self, uint32_t index)
{
    const config_parameter_t *parameter = &self->block->parameters[index];
    const char *suffix = self->suffixes[index];
    if (!suffix)
        suffix = is_period (parameter->kind) ? "_minutes" : "";
    char key[64];
    snprintf (key, sizeof key, "%s%s", parameter->key, suffix);
    return config_path_child (self->path, span_of (key));
}

static void refuse_key (const config_reading_t *self, span_t key)
{
    char known[240];
    size_t size = 0;
    for (uint32_t i = 0; i < self->block->count && size < sizeof known; i++) {
        const config_parameter_t *parameter = &self->block->parameters[i];
        size += (size_t)snprintf (known + size, sizeof known - size, "%s%s%s", i ? ", " : "",
                                  parameter->key,
                                  is_period (parameter->kind) ? "_(minutes|seconds)" : "");
    }
    config_path_t at = config_path_child (self->path, key);
    config_errors_add (self->errors, at.text, "unknown key; known: %s", known);
}

/*  Sorts the block's keys to its parameters; null is as absent. */
static void collect (config_reading_t *self, yyjson_val *object)
{
    size_t index, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach (object, index, count, key, value)
    {
        span_t name = {yyjson_get_str (key), yyjson_get_len (key)};
        const char *suffix = NULL;
        uint32_t i = 0;
        while (i < self->block->count && !(suffix = match (&self->block->parameters[i], name)))
            i++;
        if (!suffix)
            refuse_key (self, name);
        else if (yyjson_is_null (value))
            continue;
        else if (self->values[i]) {
            config_path_t at = config_path_child (self->path, name);
            config_path_t first = path_of (self, i);
            config_errors_add (self->errors, at.text, "%s was given already; give one of them",
                               strrchr (first.text, '.') ? strrchr (first.text, '.') + 1
                                                         : first.text);
        } else {
            self->values[i] = value;
            self->suffixes[i] = suffix;
        }
    }
}

/*  Reads a number in [least, most] that is a whole multiple of `step` (0: any) once multiplied by
 *  `factor`. False with an error otherwise. */
static bool read_number (const config_reading_t *self, uint32_t index, double factor, double step,
                         const char *whole, double *number)
{
    const config_parameter_t *parameter = &self->block->parameters[index];
    yyjson_val *value = self->values[index];
    config_path_t at = path_of (self, index);
    if (!yyjson_is_num (value)) {
        config_errors_add (self->errors, at.text, "must be a number, not %s",
                           config_kind_of (value));
        return false;
    }
    double given = yyjson_get_num (value) + 0.0, result = given * factor;
    if (!isfinite (result) || result < parameter->least || result > parameter->most) {
        config_errors_add (self->errors, at.text, "must be from %.10g to %.10g, not %.10g",
                           parameter->least / factor, parameter->most / factor, given);
        return false;
    }
    if (step > 0.0) {
        /* A fraction of a minute such as 0.1 is not exact in binary. */
        double steps = nearbyint (result / step);
        if (fabs (result - steps * step) > 1e-6) {
            config_errors_add (self->errors, at.text, "must be a whole number%s, not %.10g", whole,
                               given);
            return false;
        }
        result = steps * step;
    }
    *number = result;
    return true;
}

static double period_factor (const char *suffix)
{
    return strcmp (suffix, "_seconds") == 0 ? 1000.0 : 60000.0;
}

static void read_unit (const config_reading_t *self, uint32_t index, int64_t *unit_ms)
{
    yyjson_val *value = self->values[index];
    for (const config_named_t *unit = config_units; unit->name; unit++)
        if (yyjson_equals_str (value, unit->name)) {
            *unit_ms = unit->ms;
            return;
        }
    config_errors_add (self->errors, path_of (self, index).text,
                       "must be \"second\", \"minute\", \"hour\" or \"day\"");
}

static void read_flag (const config_reading_t *self, uint32_t index, bool *flag)
{
    yyjson_val *value = self->values[index];
    if (yyjson_is_bool (value))
        *flag = yyjson_get_bool (value);
    else
        config_errors_add (self->errors, path_of (self, index).text,
                           "must be true or false, not %s", config_kind_of (value));
}

static yyjson_val *value_of_kind (const config_reading_t *self, config_kind_t kind)
{
    for (uint32_t i = 0; i < self->block->count; i++)
        if (self->block->parameters[i].kind == kind)
            return self->values[i];
    return NULL;
}

static void read_parameter (const config_reading_t *self, uint32_t index)
{
    const config_parameter_t *parameter = &self->block->parameters[index];
    char *place = self->base + parameter->offset;
    double number = 0.0;
    switch (parameter->kind) {
    case CONFIG_FLAG:
        read_flag (self, index, (bool *)place);
        break;
    case CONFIG_REAL:
        read_number (self, index, 1.0, 0.0, "", (double *)place);
        break;
    case CONFIG_INTEGER:
        if (read_number (self, index, 1.0, 1.0, "", &number))
            *(uint32_t *)place = (uint32_t)number;
        break;
    case CONFIG_TTL:
        if (read_number (self, index, 1.0, 1.0, " of seconds", &number))
            *(int64_t *)place = (int64_t)number * 1000;
        break;
    case CONFIG_PERIOD:
        if (read_number (self, index, period_factor (self->suffixes[index]), 1000.0, " of seconds",
                         &number))
            *(int64_t *)place = (int64_t)number;
        break;
    case CONFIG_FINE_PERIOD:
        if (read_number (self, index, period_factor (self->suffixes[index]), 1.0,
                         " of milliseconds", &number))
            *(int64_t *)place = (int64_t)number;
        break;
    case CONFIG_UNIT:
        read_unit (self, index, (int64_t *)place);
        break;
    case CONFIG_WEIGHTS:
        config_read_weights (self->values[index], parameter, path_of (self, index).text,
                             (config_weights_t *)place, self->errors);
        break;
    case CONFIG_ACTION:
        *(char **)place =
            config_read_action (self->values[index], path_of (self, index).text, self->errors);
        break;
    case CONFIG_METRICS:
    case CONFIG_DEFINITIONS:
        break; /* the two depend on each other: read_block */
    }
}

static void set_default (const config_reading_t *self, uint32_t index)
{
    const config_parameter_t *parameter = &self->block->parameters[index];
    char *place = self->base + parameter->offset;
    switch (parameter->kind) {
    case CONFIG_FLAG:
        *(bool *)place = parameter->otherwise != 0.0;
        break;
    case CONFIG_REAL:
        *(double *)place = parameter->otherwise;
        break;
    case CONFIG_INTEGER:
        *(uint32_t *)place = (uint32_t)parameter->otherwise;
        break;
    case CONFIG_TTL:
        *(int64_t *)place = (int64_t)parameter->otherwise * 1000;
        break;
    case CONFIG_PERIOD:
    case CONFIG_FINE_PERIOD:
    case CONFIG_UNIT:
        *(int64_t *)place = (int64_t)parameter->otherwise;
        break;
    case CONFIG_WEIGHTS:
        config_default_weights (config_table_weights ((int)(self->block - config_blocks)),
                                (config_weights_t *)place);
        break;
    case CONFIG_ACTION:
        *(char **)place =
            memory_copy_string (parameter->default_text, strlen (parameter->default_text));
        break;
    case CONFIG_METRICS:
    case CONFIG_DEFINITIONS:
        break;
    }
}

config_path_t config_block_path (const config_reading_t *self, const char *stem)
{
    for (uint32_t i = 0; i < self->block->count; i++)
        if (strcmp (self->block->parameters[i].key, stem) == 0)
            return path_of (self, i);
    return config_path_child (self->path, span_of (stem));
}

void config_block_read (config_reading_t *self, yyjson_val *object)
{
    const config_block_t *block = self->block;
    if (object && !yyjson_is_obj (object))
        config_errors_add (self->errors, self->path, "must be an object, not %s",
                           config_kind_of (object));
    else if (object)
        collect (self, object);
    for (uint32_t i = 0; i < block->count; i++) {
        /* A map or a name is either the given one or the default: nothing to replace later. */
        if (!self->values[i] || (block->parameters[i].kind != CONFIG_WEIGHTS &&
                                 block->parameters[i].kind != CONFIG_ACTION))
            set_default (self, i);
        if (self->values[i])
            read_parameter (self, i);
    }
    if (block == &config_blocks[CONFIG_BLOCK_METRICS])
        config_read_metrics (value_of_kind (self, CONFIG_METRICS),
                             value_of_kind (self, CONFIG_DEFINITIONS), self->path,
                             (config_metrics_t *)(void *)self->base, self->errors);
}
