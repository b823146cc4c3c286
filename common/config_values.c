/*  config_values: see config_values.h. */
#include "common/config_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"
#include "common/memory.h"

/*  Result fields that definitions must not replace; those that end in _count are refused apart. */
static const char *const fields[] = {
    "ctr",
    "cvr",
    "watch_time",
    "watch_time_seconds",
    "avg_watch_time_seconds",
    "lineage",
    "active_users",
    "exposed_items",
    "completion_rate",
    "engagement_rate",
    "era",
    "action_counts",
    "total_actions",
    "window_start",
    "window_end",
    "revision",
    "shards",
    "complete",
    "exact",
    "changed",
    "revision_since",
    "computed_at",
};

static bool is_space (char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static span_t text_of (yyjson_val *value)
{
    return (span_t){yyjson_get_str (value), yyjson_get_len (value)};
}

const char *config_kind_of (yyjson_val *value)
{
    switch (yyjson_get_type (value)) {
    case YYJSON_TYPE_NULL:
        return "null";
    case YYJSON_TYPE_BOOL:
        return "true or false";
    case YYJSON_TYPE_NUM:
        return "a number";
    case YYJSON_TYPE_STR:
        return "a string";
    case YYJSON_TYPE_ARR:
        return "a list";
    default:
        return "an object";
    }
}

static char *read_action_name (span_t text, const char *path, config_errors_t *errors)
{
    while (text.size && is_space (text.bytes[0]))
        text.bytes++, text.size--;
    while (text.size && is_space (text.bytes[text.size - 1]))
        text.size--;
    if (text.size < 1 || text.size > CONFIG_NAME_BYTES_MAX) {
        config_errors_add (errors, path, "an action name has 1 to %d bytes, not %zu",
                           CONFIG_NAME_BYTES_MAX, text.size);
        return NULL;
    }
    if (memchr (text.bytes, 0, text.size)) {
        config_errors_add (errors, path, "an action name holds no NUL byte");
        return NULL;
    }
    char *name = memory_copy_string (text.bytes, text.size);
    for (char *byte = name; *byte; byte++)
        if (*byte >= 'A' && *byte <= 'Z')
            *byte = (char)(*byte + ('a' - 'A'));
    return name;
}

char *config_read_action (yyjson_val *value, const char *path, config_errors_t *errors)
{
    if (!yyjson_is_str (value)) {
        config_errors_add (errors, path, "must be an action name (a string), not %s",
                           config_kind_of (value));
        return NULL;
    }
    return read_action_name (text_of (value), path, errors);
}

static int compare_weights (const void *a, const void *b)
{
    return strcmp (((const config_weight_t *)a)->name, ((const config_weight_t *)b)->name);
}

static int compare_names (const void *a, const void *b)
{
    return strcmp (*(char *const *)a, *(char *const *)b);
}

static int compare_definitions (const void *a, const void *b)
{
    return strcmp (((const config_definition_t *)a)->name, ((const config_definition_t *)b)->name);
}

void config_sort_names (char **names, uint32_t count)
{
    if (count > 1)
        qsort (names, count, sizeof *names, compare_names);
}

void config_free_names (char **names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free (names[i]);
    free (names);
}

static bool read_weight (yyjson_val *value, const config_parameter_t *parameter, const char *path,
                         config_errors_t *errors, double *weight)
{
    if (!yyjson_is_num (value)) {
        config_errors_add (errors, path, "must be a number, not %s", config_kind_of (value));
        return false;
    }
    *weight = yyjson_get_num (value) + 0.0; /* no -0: equal configs have equal bytes */
    if (!isfinite (*weight) || *weight < parameter->least || *weight > parameter->most) {
        config_errors_add (errors, path, "must be from %g to %g, not %g", parameter->least,
                           parameter->most, *weight);
        return false;
    }
    return true;
}

void config_read_weights (yyjson_val *value, const config_parameter_t *parameter, const char *path,
                          config_weights_t *weights, config_errors_t *errors)
{
    CHECK (!weights->list);
    if (!yyjson_is_obj (value)) {
        config_errors_add (errors, path, "must be an object {action: weight}, not %s",
                           config_kind_of (value));
        return;
    }
    if (yyjson_obj_size (value) > CONFIG_ACTIONS_MAX) {
        config_errors_add (errors, path, "has %zu names; at most %d are allowed",
                           yyjson_obj_size (value), CONFIG_ACTIONS_MAX);
        return;
    }
    weights->list = memory_new_array (yyjson_obj_size (value), sizeof *weights->list);
    size_t index, count;
    yyjson_val *key, *number;
    yyjson_obj_foreach (value, index, count, key, number)
    {
        config_path_t at = config_path_child (path, text_of (key));
        double weight;
        if (!read_weight (number, parameter, at.text, errors, &weight))
            continue;
        char *name = read_action_name (text_of (key), at.text, errors);
        if (!name)
            continue;
        bool again = false;
        for (uint32_t i = 0; i < weights->count; i++)
            again |= strcmp (weights->list[i].name, name) == 0;
        if (again)
            config_errors_add (errors, at.text, "names the action \"%s\" a second time", name);
        else if (strcmp (name, "other") == 0)
            config_errors_add (errors, at.text,
                               "\"other\" is every action without a name: use default_weight");
        else {
            weights->list[weights->count++] = (config_weight_t){name, weight};
            continue;
        }
        free (name);
    }
    if (weights->count)
        qsort (weights->list, weights->count, sizeof *weights->list, compare_weights);
}

void config_default_weights (const config_named_t *defaults, config_weights_t *weights)
{
    uint32_t count = 0;
    while (defaults[count].name)
        count++;
    weights->list = memory_new_array (count, sizeof *weights->list);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = defaults[i].name;
        weights->list[i].name = memory_copy_string (name, strlen (name));
        weights->list[i].weight = defaults[i].number;
    }
    weights->count = count;
}

static char **read_actions (yyjson_val *value, const char *path, uint32_t *count_p,
                            config_errors_t *errors)
{
    *count_p = 0;
    if (!yyjson_is_arr (value)) {
        config_errors_add (errors, path, "must be a list of action names%s%s",
                           value ? ", not " : "", value ? config_kind_of (value) : "");
        return NULL;
    }
    if (yyjson_arr_size (value) < 1 || yyjson_arr_size (value) > CONFIG_ACTIONS_MAX) {
        config_errors_add (errors, path, "has %zu action names; 1 to %d are allowed",
                           yyjson_arr_size (value), CONFIG_ACTIONS_MAX);
        return NULL;
    }
    char **names = memory_new_array (yyjson_arr_size (value), sizeof *names);
    size_t index, count;
    yyjson_val *element;
    yyjson_arr_foreach (value, index, count, element)
    {
        config_path_t at = config_path_index (path, index);
        char *name = config_read_action (element, at.text, errors);
        bool again = false;
        for (uint32_t i = 0; name && i < *count_p; i++)
            again |= strcmp (names[i], name) == 0;
        if (again) {
            config_errors_add (errors, at.text, "names the action \"%s\" a second time", name);
            free (name);
        } else if (name)
            names[(*count_p)++] = name;
    }
    config_sort_names (names, *count_p);
    return names;
}

static bool check_definition_name (span_t name, const char *path, config_errors_t *errors)
{
    if (name.size < 1 || name.size > CONFIG_NAME_BYTES_MAX) {
        config_errors_add (errors, path, "a definition's name has 1 to %d bytes, not %zu",
                           CONFIG_NAME_BYTES_MAX, name.size);
        return false;
    }
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.bytes[i] <= ' ' || name.bytes[i] == 0x7f) {
            config_errors_add (errors, path, "a definition's name holds no space or control byte");
            return false;
        }
    bool taken =
        name.size >= 6 && span_equal ((span_t){name.bytes + name.size - 6, 6}, span_of ("_count"));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        taken |= span_equal (name, span_of (fields[i]));
    if (taken)
        config_errors_add (errors, path, "is the name of a built-in field; choose another");
    return !taken;
}

/*  Reads one definition into `definition`, whose lists it owns also after errors. */
static void read_definition (yyjson_val *value, const char *path, config_definition_t *definition,
                             config_errors_t *errors)
{
    if (!yyjson_is_obj (value)) {
        config_errors_add (errors, path, "must be an object {numerator, denominator}, not %s",
                           config_kind_of (value));
        return;
    }
    size_t index, count;
    yyjson_val *key, *list, *numerator = NULL, *denominator = NULL;
    yyjson_obj_foreach (value, index, count, key, list)
    {
        yyjson_val **place = yyjson_equals_str (key, "numerator")     ? &numerator
                             : yyjson_equals_str (key, "denominator") ? &denominator
                                                                      : NULL;
        if (place && !*place) {
            *place = list;
            continue;
        }
        config_path_t at = config_path_child (path, text_of (key));
        config_errors_add (errors, at.text, "%s",
                           place ? "given twice" : "unknown key; known: numerator, denominator");
    }
    config_path_t at = config_path_child (path, span_of ("numerator"));
    definition->numerator = read_actions (numerator, at.text, &definition->numerator_count, errors);
    at = config_path_child (path, span_of ("denominator"));
    definition->denominator =
        read_actions (denominator, at.text, &definition->denominator_count, errors);
}

static void read_definitions (yyjson_val *value, const char *path, config_metrics_t *metrics,
                              config_errors_t *errors)
{
    if (!yyjson_is_obj (value)) {
        config_errors_add (errors, path, "must be an object of definitions, not %s",
                           config_kind_of (value));
        return;
    }
    if (yyjson_obj_size (value) > CONFIG_DEFINITIONS_MAX) {
        config_errors_add (errors, path, "has %zu definitions; at most %d are allowed",
                           yyjson_obj_size (value), CONFIG_DEFINITIONS_MAX);
        return;
    }
    metrics->definitions = memory_new_array (yyjson_obj_size (value), sizeof *metrics->definitions);
    size_t index, count;
    yyjson_val *key, *body;
    yyjson_obj_foreach (value, index, count, key, body)
    {
        span_t name = text_of (key);
        config_path_t at = config_path_child (path, name);
        if (!check_definition_name (name, at.text, errors))
            continue;
        bool again = false;
        for (uint32_t i = 0; i < metrics->definition_count; i++)
            again |= span_equal (span_of (metrics->definitions[i].name), name);
        if (again) {
            config_errors_add (errors, at.text, "given twice");
            continue;
        }
        config_definition_t *definition = &metrics->definitions[metrics->definition_count++];
        definition->name = memory_copy_string (name.bytes, name.size);
        read_definition (body, at.text, definition, errors);
    }
    if (metrics->definition_count)
        qsort (metrics->definitions, metrics->definition_count, sizeof *metrics->definitions,
               compare_definitions);
}

/*  Marks what one element of metrics_to_calculate names. */
static void want (yyjson_val *element, const char *path, config_metrics_t *metrics, bool *wanted,
                  config_errors_t *errors)
{
    if (!yyjson_is_str (element)) {
        config_errors_add (errors, path, "must be the name of a metric, not %s",
                           config_kind_of (element));
        return;
    }
    span_t name = text_of (element);
    for (const config_metric_t *metric = config_metrics; metric->name; metric++)
        if (span_equal (name, span_of (metric->name))) {
            *(bool *)((char *)metrics + metric->offset) = true;
            return;
        }
    for (uint32_t i = 0; i < metrics->definition_count; i++)
        if (span_equal (name, span_of (metrics->definitions[i].name))) {
            wanted[i] = true;
            return;
        }
    config_errors_add (errors, path,
                       "unknown metric; known: ctr, cvr, watch_time, completion_rate, "
                       "engagement_rate, active_users, exposed_items, action_counts, and what "
                       "definitions names");
}

/*  Puts the definitions that nothing names behind the others, both kept in order. */
static void part_unused (config_metrics_t *metrics, const bool *wanted)
{
    config_definition_t unused[CONFIG_DEFINITIONS_MAX];
    uint32_t count = metrics->definition_count, kept = 0, left = 0;
    for (uint32_t i = 0; i < count; i++)
        if (wanted[i])
            metrics->definitions[kept++] = metrics->definitions[i];
        else
            unused[left++] = metrics->definitions[i];
    if (left)
        memcpy (metrics->definitions + kept, unused, left * sizeof *unused);
    metrics->definition_count = kept;
    metrics->unused_count = left;
}

void config_read_metrics (yyjson_val *list, yyjson_val *definitions, const char *block,
                          config_metrics_t *metrics, config_errors_t *errors)
{
    bool wanted[CONFIG_DEFINITIONS_MAX] = {false};
    config_path_t path = config_path_child (block, span_of ("definitions"));
    if (definitions)
        read_definitions (definitions, path.text, metrics, errors);
    path = config_path_child (block, span_of ("metrics_to_calculate"));
    if (!list) {
        for (const config_metric_t *metric = config_metrics; metric->name; metric++)
            *(bool *)((char *)metrics + metric->offset) = metric->by_default;
    } else if (!yyjson_is_arr (list)) {
        config_errors_add (errors, path.text, "must be a list of names, not %s",
                           config_kind_of (list));
    } else {
        size_t index, count;
        yyjson_val *element;
        yyjson_arr_foreach (list, index, count, element)
        {
            config_path_t at = config_path_index (path.text, index);
            want (element, at.text, metrics, wanted, errors);
        }
    }
    part_unused (metrics, wanted);
}
