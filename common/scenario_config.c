/*  scenario_config: see scenario_config.h. Reads each block (config_block), then checks what spans
 *  several parameters and derives the rest. Writing is in config_write.c, whole documents are in
 *  scenario_document.c.
 */
#include "common/scenario_config.h"

#include <stdlib.h>
#include <yyjson.h>
#include "common/check.h"
#include "common/config_block.h"
#include "common/config_errors.h"
#include "common/config_table.h"
#include "common/config_values.h"
#include "common/memory.h"

#define SLICES_MAX INT64_C (4096)
#define SLIDES_MAX INT64_C (1440)
#define MS_PER_DAY 86400000.0

/*  The longest divisor of the slide that keeps (lambda * slice / 2)^3 / 6 <= 1e-7; 0 if none. */
static int64_t longest_slice (double lambda_per_ms, int64_t slide_ms)
{
    int64_t longest = 0;
    for (int64_t low = 1; low * low <= slide_ms; low++) {
        if (slide_ms % low)
            continue;
        const int64_t divisors[] = {low, slide_ms / low};
        for (int i = 0; i < 2; i++) {
            double half = lambda_per_ms * (double)divisors[i] / 2.0;
            if (half * half * half / 6.0 <= 1e-7 && divisors[i] > longest)
                longest = divisors[i];
        }
    }
    return longest;
}

static bool check_window (const config_reading_t *self, int64_t size_ms, int64_t slide_ms)
{
    config_path_t at = config_block_path (self, "window_slide");
    double size = (double)size_ms / 1000.0, slide = (double)slide_ms / 1000.0;
    if (slide_ms > size_ms)
        config_errors_add (self->errors, at.text,
                           "a slide of %g s is longer than the window's %g s", slide, size);
    else if (size_ms % slide_ms)
        config_errors_add (self->errors, at.text,
                           "the window's %g s must be a multiple of the slide's %g s", size, slide);
    else if (size_ms / slide_ms > SLIDES_MAX)
        config_errors_add (self->errors, at.text,
                           "the window has %lld slides; at most %lld are allowed",
                           (long long)(size_ms / slide_ms), (long long)SLIDES_MAX);
    else
        return true;
    return false;
}

static int64_t at_least (int64_t ttl_ms, int64_t period_ms)
{
    int64_t least_ms = 2 * period_ms + CONFIG_TTL_SLACK_MS;
    least_ms = (least_ms + 999) / 1000 * 1000;
    return ttl_ms < least_ms ? least_ms : ttl_ms;
}

static void derive_hot_score (const config_reading_t *self, config_hot_score_t *hot)
{
    if (!check_window (self, hot->size_ms, hot->slide_ms))
        return;
    hot->ttl_ms = at_least (hot->ttl_ms, hot->slide_ms);
    hot->lambda_per_ms = hot->lambda / (double)hot->decay_unit_ms;
    hot->slice_ms = longest_slice (hot->lambda_per_ms, hot->slide_ms);
    if (hot->slice_ms == 0 || hot->size_ms / hot->slice_ms > SLICES_MAX)
        config_errors_add (
            self->errors, config_block_path (self, "decay_lambda").text,
            "decays too fast for a window of %g s: it would be kept in slices of %lld ms, "
            "%lld of them, and at most %lld are allowed; lessen decay_lambda or the window",
            (double)hot->size_ms / 1000.0, (long long)hot->slice_ms,
            (long long)(hot->slice_ms ? hot->size_ms / hot->slice_ms : hot->size_ms),
            (long long)SLICES_MAX);
}

/*  Checks what spans several parameters; run only where each is right by itself. */
static void derive (const config_reading_t *self, scenario_config_t *config)
{
    switch (self->block - config_blocks) {
    case CONFIG_BLOCK_HOT_SCORE:
        derive_hot_score (self, &config->hot_score);
        break;
    case CONFIG_BLOCK_PROFILE:
        config->profile.decay_period_ms = config->profile.interest_decay_days * MS_PER_DAY;
        config->profile.ttl_ms = at_least (config->profile.ttl_ms, config->profile.update_ms);
        break;
    default:
        if (config->metrics.slide_ms == 0)
            config->metrics.slide_ms = config->metrics.size_ms;
        if (check_window (self, config->metrics.size_ms, config->metrics.slide_ms))
            config->metrics.ttl_ms = at_least (config->metrics.ttl_ms, config->metrics.slide_ms);
    }
}

static void read_block (scenario_config_t *config, const config_block_t *block, yyjson_val *object,
                        const char *prefix, config_errors_t *errors)
{
    uint32_t before = errors->count;
    config_path_t path = config_path_child (prefix, span_of (block->key));
    config_reading_t reading = {.block = block,
                                .base = (char *)config + block->offset,
                                .path = path.text,
                                .errors = errors};
    config_block_read (&reading, object);
    if (errors->count == before)
        derive (&reading, config);
}

static void add_name (char ***names, uint32_t *count, const char *name)
{
    (*names)[(*count)++] = memory_copy_string (name, strlen (name));
}

/*  Gathers every action name of the config, sorted and distinct. */
static void name_actions (scenario_config_t *self)
{
    const config_metrics_t *metrics = &self->metrics;
    uint32_t definition_count = metrics->definition_count + metrics->unused_count;
    uint32_t most = self->hot_score.weights.count + self->profile.weights.count + 1;
    for (uint32_t i = 0; i < definition_count; i++)
        most += metrics->definitions[i].numerator_count + metrics->definitions[i].denominator_count;
    char **names = memory_new_array (most, sizeof *names);
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->hot_score.weights.count; i++)
        add_name (&names, &count, self->hot_score.weights.list[i].name);
    for (uint32_t i = 0; i < self->profile.weights.count; i++)
        add_name (&names, &count, self->profile.weights.list[i].name);
    add_name (&names, &count, metrics->ctr_denominator);
    for (uint32_t i = 0; i < definition_count; i++) {
        const config_definition_t *definition = &metrics->definitions[i];
        for (uint32_t j = 0; j < definition->numerator_count; j++)
            add_name (&names, &count, definition->numerator[j]);
        for (uint32_t j = 0; j < definition->denominator_count; j++)
            add_name (&names, &count, definition->denominator[j]);
    }
    config_sort_names (names, count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (kept && strcmp (names[kept - 1], names[i]) == 0)
            free (names[i]);
        else
            names[kept++] = names[i];
    self->actions = names;
    self->action_count = kept;
}

/*  Finds the blocks of `root` (NULL where absent or null); keys that are none of them are refused.
 */
static void find_blocks (yyjson_val *root, const char *prefix, yyjson_val **blocks,
                         config_errors_t *errors)
{
    bool given[CONFIG_BLOCK_COUNT] = {false};
    size_t index, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach (root, index, count, key, value)
    {
        config_path_t at =
            config_path_child (prefix, (span_t){yyjson_get_str (key), yyjson_get_len (key)});
        int i = 0;
        while (i < CONFIG_BLOCK_COUNT && !yyjson_equals_str (key, config_blocks[i].key))
            i++;
        if (i == CONFIG_BLOCK_COUNT)
            config_errors_add (errors, at.text,
                               "unknown key; known: hot_score, user_profile, metrics");
        else if (given[i])
            config_errors_add (errors, at.text, "given twice");
        else {
            given[i] = true;
            blocks[i] = yyjson_is_null (value) ? NULL : value;
        }
    }
}

scenario_config_t *scenario_config_parse (span_t json, const char *prefix, config_errors_t *errors)
{
    errors->count = 0;
    yyjson_read_err failure;
    yyjson_doc *document = yyjson_read_opts ((char *)(uintptr_t)json.bytes, json.size,
                                             YYJSON_READ_NOFLAG, NULL, &failure);
    if (!document) {
        CHECK (failure.code != YYJSON_READ_ERROR_MEMORY_ALLOCATION);
        config_errors_add (errors, prefix, "is not JSON: %s at byte %zu", failure.msg, failure.pos);
        return NULL;
    }
    yyjson_val *root = yyjson_doc_get_root (document);
    scenario_config_t *config = memory_new (sizeof *config);
    yyjson_val *blocks[CONFIG_BLOCK_COUNT] = {NULL};
    if (yyjson_is_obj (root))
        find_blocks (root, prefix, blocks, errors);
    else if (!yyjson_is_null (root))
        config_errors_add (errors, prefix, "must be an object, not %s", config_kind_of (root));
    for (int i = 0; i < CONFIG_BLOCK_COUNT; i++)
        read_block (config, &config_blocks[i], blocks[i], prefix, errors);
    yyjson_doc_free (document);
    if (errors->count)
        scenario_config_destroy (&config);
    else
        name_actions (config);
    return config;
}

static void free_weights (config_weights_t *weights)
{
    for (uint32_t i = 0; i < weights->count; i++)
        free (weights->list[i].name);
    free (weights->list);
}

void scenario_config_destroy (scenario_config_t **self_p)
{
    scenario_config_t *self = *self_p;
    if (!self)
        return;
    free_weights (&self->hot_score.weights);
    free_weights (&self->profile.weights);
    free (self->metrics.ctr_denominator);
    for (uint32_t i = 0; i < self->metrics.definition_count + self->metrics.unused_count; i++) {
        config_definition_t *definition = &self->metrics.definitions[i];
        free (definition->name);
        config_free_names (definition->numerator, definition->numerator_count);
        config_free_names (definition->denominator, definition->denominator_count);
    }
    free (self->metrics.definitions);
    config_free_names (self->actions, self->action_count);
    free (self);
    *self_p = NULL;
}

double config_weights_get (const config_weights_t *self, span_t action)
{
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = span_compare (action, span_of (self->list[middle].name));
        if (order == 0)
            return self->list[middle].weight;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return self->otherwise;
}

bool scenario_config_names_action (const scenario_config_t *self, span_t action)
{
    uint32_t low = 0, high = self->action_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = span_compare (action, span_of (self->actions[middle]));
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
