/*  scenario_document: whole documents of scenario_config.h: whose config it is, whether it runs.
 *  Reads nothing but tenant_id, scenario_id, status and config.realtime_compute.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>
#include "common/check.h"
#include "common/config_errors.h"
#include "common/config_values.h"
#include "common/memory.h"
#include "common/scenario_config.h"

enum { ID_BYTES_MAX = 256 };

static bool is_space (char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/*  An id as the input table has it: 1 .. 256 bytes once trimmed, or an integer as its digits. */
static char *read_id (yyjson_val *root, const char *key, config_errors_t *errors)
{
    yyjson_val *value = yyjson_obj_get (root, key);
    char digits[24];
    if (yyjson_is_uint (value)) {
        snprintf (digits, sizeof digits, "%" PRIu64, yyjson_get_uint (value));
        return memory_copy_string (digits, strlen (digits));
    }
    if (yyjson_is_sint (value)) {
        snprintf (digits, sizeof digits, "%" PRId64, yyjson_get_sint (value));
        return memory_copy_string (digits, strlen (digits));
    }
    if (!yyjson_is_str (value)) {
        config_errors_add (errors, key, "must be a string%s%s", value ? ", not " : ": it is absent",
                           value ? config_kind_of (value) : "");
        return NULL;
    }
    span_t id = {yyjson_get_str (value), yyjson_get_len (value)};
    while (id.size && is_space (id.bytes[0]))
        id.bytes++, id.size--;
    while (id.size && is_space (id.bytes[id.size - 1]))
        id.size--;
    if (id.size < 1 || id.size > ID_BYTES_MAX) {
        config_errors_add (errors, key, "must have 1 to %d bytes, not %zu", ID_BYTES_MAX, id.size);
        return NULL;
    }
    if (memchr (id.bytes, 0, id.size)) {
        config_errors_add (errors, key, "must hold no NUL byte");
        return NULL;
    }
    return memory_copy_string (id.bytes, id.size);
}

static bool read_status (yyjson_val *root, config_errors_t *errors)
{
    yyjson_val *status = yyjson_obj_get (root, "status");
    if (status && !yyjson_is_null (status) && !yyjson_is_str (status))
        config_errors_add (errors, "status", "must be a string, not %s", config_kind_of (status));
    return yyjson_equals_str (status, "active");
}

static void add_all (config_errors_t *errors, const config_errors_t *more)
{
    for (uint32_t i = 0; i < more->count; i++)
        if (i < CONFIG_ERRORS_MAX)
            config_errors_add (errors, more->list[i].path, "%s", more->list[i].reason);
        else
            errors->count++;
}

static scenario_config_t *read_config (yyjson_val *root, config_errors_t *errors)
{
    static const char path[] = "config.realtime_compute";
    yyjson_val *config = yyjson_obj_get (root, "config"), *compute = NULL;
    if (yyjson_is_obj (config))
        compute = yyjson_obj_get (config, "realtime_compute");
    else if (config && !yyjson_is_null (config))
        config_errors_add (errors, "config", "must be an object, not %s", config_kind_of (config));
    size_t size = 0;
    char *text = compute ? yyjson_val_write (compute, YYJSON_WRITE_NOFLAG, &size) : NULL;
    CHECK (!compute || text);
    config_errors_t *own = memory_new (sizeof *own);
    scenario_config_t *parsed =
        scenario_config_parse (text ? (span_t){text, size} : span_of ("{}"), path, own);
    add_all (errors, own);
    free (own);
    free (text);
    return parsed;
}

scenario_document_t *scenario_document_parse (span_t json, config_errors_t *errors, char **tenant,
                                              char **scenario)
{
    errors->count = 0;
    if (tenant)
        *tenant = NULL;
    if (scenario)
        *scenario = NULL;
    yyjson_read_err failure;
    yyjson_doc *text = yyjson_read_opts ((char *)(uintptr_t)json.bytes, json.size,
                                         YYJSON_READ_NOFLAG, NULL, &failure);
    if (!text) {
        CHECK (failure.code != YYJSON_READ_ERROR_MEMORY_ALLOCATION);
        config_errors_add (errors, "document", "is not JSON: %s at byte %zu", failure.msg,
                           failure.pos);
        return NULL;
    }
    yyjson_val *root = yyjson_doc_get_root (text);
    scenario_document_t *document = NULL;
    if (!yyjson_is_obj (root)) {
        config_errors_add (errors, "document", "must be an object, not %s", config_kind_of (root));
        goto cleanup;
    }
    document = memory_new (sizeof *document);
    document->tenant = read_id (root, "tenant_id", errors);
    document->scenario = read_id (root, "scenario_id", errors);
    document->active = read_status (root, errors);
    document->config = read_config (root, errors);
    if (errors->count) {
        if (tenant) {
            *tenant = document->tenant;
            document->tenant = NULL;
        }
        if (scenario) {
            *scenario = document->scenario;
            document->scenario = NULL;
        }
        scenario_document_destroy (&document);
    }
cleanup:
    yyjson_doc_free (text);
    return document;
}

void scenario_document_destroy (scenario_document_t **self_p)
{
    scenario_document_t *self = *self_p;
    if (!self)
        return;
    free (self->tenant);
    free (self->scenario);
    scenario_config_destroy (&self->config);
    free (self);
    *self_p = NULL;
}
