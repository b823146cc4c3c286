#include "configd/scenario_change.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/config_table.h"
#include "common/json_text.h"
#include "common/memory.h"

static const char path[] = "config.realtime_compute";

bool scenario_version_of (const char *stored, scenario_version_t *version, config_errors_t *errors)
{
    *version = (scenario_version_t){0};
    span_t text = span_of (stored ? stored : "{}");
    if (stored)
        version->stored = memory_copy_string (text.bytes, text.size);
    if (!json_text_hash (text, version->stored_hash))
        digest_hex (text, version->stored_hash); /* no JSON, or too deep: its bytes name it */
    scenario_config_t *config = scenario_config_parse (text, path, errors);
    if (!config)
        return false;
    buffer_t json = {0};
    scenario_config_write (config, &json);
    version->effective = memory_copy_string ((const char *)json.bytes, json.size);
    digest_hex (span_of (version->effective), version->effective_hash);
    buffer_free (&json);
    scenario_config_destroy (&config);
    return true;
}

void scenario_version_free (scenario_version_t *self)
{
    free (self->stored);
    free (self->effective);
    *self = (scenario_version_t){0};
}

/*  ---- the patch ---- */

static span_t text_of (yyjson_mut_val *value)
{
    return (span_t){yyjson_mut_get_str (value), yyjson_mut_get_len (value)};
}

static bool has_suffix (span_t key, span_t stem, const char *suffix)
{
    return key.size == stem.size + strlen (suffix) &&
           memcmp (key.bytes, stem.bytes, stem.size) == 0 &&
           memcmp (key.bytes + stem.size, suffix, key.size - stem.size) == 0;
}

/*  The parameter that `key` names, or NULL. */
static const config_parameter_t *find_parameter (const config_block_t *block, span_t key)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const config_parameter_t *parameter = &block->parameters[i];
        span_t stem = span_of (parameter->key);
        bool period = parameter->kind == CONFIG_PERIOD || parameter->kind == CONFIG_FINE_PERIOD;
        if (period ? has_suffix (key, stem, "_minutes") || has_suffix (key, stem, "_seconds")
                   : span_equal (key, stem))
            return parameter;
    }
    return NULL;
}

/*  An action name as the config has it: trimmed, lower case. */
static yyjson_mut_val *folded (yyjson_mut_doc *to, span_t name)
{
    while (name.size && (name.bytes[0] == ' ' || (name.bytes[0] >= '\t' && name.bytes[0] <= '\r')))
        name.bytes++, name.size--;
    while (name.size && (name.bytes[name.size - 1] == ' ' || (name.bytes[name.size - 1] >= '\t' &&
                                                              name.bytes[name.size - 1] <= '\r')))
        name.size--;
    char *copy = memory_copy_string (name.bytes, name.size);
    for (size_t i = 0; i < name.size; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] + ('a' - 'A'));
    yyjson_mut_val *value = yyjson_mut_strncpy (to, copy, name.size);
    CHECK (value);
    free (copy);
    return value;
}

/*  Gives the keys of a map the form that the config has them in. Two that become one stay as they
 *  are, so that the validation names them. */
static void fold_keys (yyjson_mut_doc *to, yyjson_mut_val *map)
{
    yyjson_mut_val *made = yyjson_mut_obj (to);
    size_t index, count;
    yyjson_mut_val *key, *value;
    yyjson_mut_obj_foreach (map, index, count, key, value)
    {
        yyjson_mut_val *name = folded (to, text_of (key));
        if (yyjson_mut_obj_getn (made, text_of (name).bytes, text_of (name).size))
            return;
        CHECK (yyjson_mut_obj_add (made, name, yyjson_mut_val_mut_copy (to, value)));
    }
    yyjson_mut_obj_clear (map);
    yyjson_mut_obj_foreach (made, index, count, key, value)
    {
        CHECK (yyjson_mut_obj_add (map, yyjson_mut_val_mut_copy (to, key),
                                   yyjson_mut_val_mut_copy (to, value)));
    }
}

/*  The map of a parameter that is not stored, as its default has it. */
static yyjson_mut_val *default_map (yyjson_mut_doc *to, const config_block_t *block,
                                    const config_parameter_t *parameter)
{
    yyjson_mut_val *map = yyjson_mut_obj (to);
    if (parameter->kind != CONFIG_WEIGHTS)
        return map;
    const config_named_t *weight = config_table_weights ((int)(block - config_blocks));
    for (; weight->name; weight++) {
        bool whole = weight->number == (double)(int64_t)weight->number;
        yyjson_mut_val *number = whole ? yyjson_mut_sint (to, (int64_t)weight->number)
                                       : yyjson_mut_real (to, weight->number);
        CHECK (yyjson_mut_obj_add (map, yyjson_mut_str (to, weight->name), number));
    }
    return map;
}

/*  Takes the other of <stem>_minutes and <stem>_seconds away: the patch gives one of them anew. */
static void drop_other_unit (yyjson_mut_val *base, const config_parameter_t *parameter, span_t key)
{
    static const char *const suffixes[] = {"_minutes", "_seconds"};
    char other[64];
    size_t stem = strlen (parameter->key);
    for (int i = 0; i < 2; i++) {
        size_t size = stem + strlen (suffixes[i]);
        CHECK (size < sizeof other);
        memcpy (other, parameter->key, stem);
        memcpy (other + stem, suffixes[i], size - stem + 1);
        if (!span_equal (key, span_of (other)))
            yyjson_mut_obj_remove_keyn (base, other, size);
    }
}

/*  Makes one block of the base ready for the patch, and the patch for it. */
static void prepare_block (yyjson_mut_doc *to, const config_block_t *block, yyjson_mut_val *base,
                           yyjson_mut_val *patch)
{
    size_t index, count;
    yyjson_mut_val *key, *value;
    yyjson_mut_obj_foreach (patch, index, count, key, value)
    {
        const config_parameter_t *parameter = find_parameter (block, text_of (key));
        if (!parameter)
            continue;
        if (parameter->kind == CONFIG_PERIOD || parameter->kind == CONFIG_FINE_PERIOD)
            drop_other_unit (base, parameter, text_of (key));
        bool is_map = parameter->kind == CONFIG_WEIGHTS || parameter->kind == CONFIG_DEFINITIONS;
        if (!is_map || !yyjson_mut_is_obj (value))
            continue;
        yyjson_mut_val *map = yyjson_mut_obj_get (base, parameter->key);
        if (!map || yyjson_mut_is_null (map)) {
            map = default_map (to, block, parameter);
            CHECK (yyjson_mut_obj_put (base, yyjson_mut_str (to, parameter->key), map));
        }
        if (parameter->kind == CONFIG_WEIGHTS && yyjson_mut_is_obj (map)) {
            fold_keys (to, map);
            fold_keys (to, value);
        }
    }
}

static yyjson_mut_val *merge (yyjson_mut_doc *to, yyjson_mut_val *base, yyjson_val *given)
{
    yyjson_mut_val *patch = yyjson_val_mut_copy (to, given);
    CHECK (patch);
    for (int i = 0; i < CONFIG_BLOCK_COUNT && yyjson_mut_is_obj (patch); i++) {
        const config_block_t *block = &config_blocks[i];
        yyjson_mut_val *change = yyjson_mut_obj_get (patch, block->key);
        if (!yyjson_mut_is_obj (change))
            continue;
        yyjson_mut_val *present = yyjson_mut_obj_get (base, block->key);
        if (!yyjson_mut_is_obj (present)) {
            present = yyjson_mut_obj (to);
            CHECK (yyjson_mut_obj_put (base, yyjson_mut_str (to, block->key), present));
        }
        prepare_block (to, block, present, change);
    }
    yyjson_mut_val *merged = yyjson_mut_merge_patch (to, base, patch);
    CHECK (merged);
    return merged;
}

static char *patched (const char *stored, yyjson_val *given)
{
    span_t text = span_of (stored ? stored : "{}");
    yyjson_doc *before =
        yyjson_read_opts ((char *)(uintptr_t)text.bytes, text.size, YYJSON_READ_NOFLAG, NULL, NULL);
    yyjson_mut_doc *after = yyjson_mut_doc_new (NULL);
    CHECK (after);
    yyjson_val *root = yyjson_doc_get_root (before);
    bool usable = yyjson_is_obj (root) && json_text_within (root, JSON_DEPTH_MAX);
    yyjson_mut_val *base = usable ? yyjson_val_mut_copy (after, root) : yyjson_mut_obj (after);
    yyjson_mut_doc_set_root (after, merge (after, base, given));
    char *made = yyjson_mut_write (after, YYJSON_WRITE_NOFLAG, NULL);
    CHECK (made);
    yyjson_mut_doc_free (after);
    yyjson_doc_free (before);
    return made;
}

bool scenario_change_apply (change_kind_t kind, const char *stored, yyjson_val *given,
                            scenario_version_t *made, config_errors_t *errors)
{
    char *text = NULL;
    bool none = kind == CHANGE_RESET || !given || yyjson_is_null (given);
    if (!none && kind == CHANGE_PATCH)
        text = patched (stored, given);
    else if (!none)
        text = yyjson_val_write (given, YYJSON_WRITE_NOFLAG, NULL);
    CHECK (none || text);
    bool good = scenario_version_of (text, made, errors);
    free (text);
    return good;
}
