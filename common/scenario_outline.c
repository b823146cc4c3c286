#include "common/scenario_outline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"
#include "common/memory.h"

enum { ID_BYTES_MAX = 256, WORD_BYTES_MAX = 256 };

static bool is_space (char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

char *scenario_outline_id (yyjson_val *value)
{
    char digits[24];
    span_t id = {digits, 0};
    if (yyjson_is_uint (value))
        id.size = (size_t)snprintf (digits, sizeof digits, "%" PRIu64, yyjson_get_uint (value));
    else if (yyjson_is_sint (value))
        id.size = (size_t)snprintf (digits, sizeof digits, "%" PRId64, yyjson_get_sint (value));
    else if (yyjson_is_str (value))
        id = (span_t){yyjson_get_str (value), yyjson_get_len (value)};
    while (id.size && is_space (id.bytes[0]))
        id.bytes++, id.size--;
    while (id.size && is_space (id.bytes[id.size - 1]))
        id.size--;
    if (id.size < 1 || id.size > ID_BYTES_MAX || memchr (id.bytes, 0, id.size))
        return NULL;
    return memory_copy_string (id.bytes, id.size);
}

static char *word_of (yyjson_val *value)
{
    size_t size = yyjson_get_len (value);
    if (!yyjson_is_str (value) || size > WORD_BYTES_MAX)
        return NULL;
    const char *text = yyjson_get_str (value);
    return memchr (text, 0, size) ? NULL : memory_copy_string (text, size);
}

static char *text_of (yyjson_val *value)
{
    char *text = value ? yyjson_val_write (value, YYJSON_WRITE_NOFLAG, NULL) : NULL;
    CHECK (!value || text);
    return text;
}

bool scenario_outline_of (span_t json, scenario_outline_t *outline)
{
    *outline = (scenario_outline_t){0};
    yyjson_doc *document =
        yyjson_read_opts ((char *)(uintptr_t)json.bytes, json.size, YYJSON_READ_NOFLAG, NULL, NULL);
    yyjson_val *root = yyjson_doc_get_root (document);
    bool good = yyjson_is_obj (root);
    if (good) {
        yyjson_val *note = yyjson_obj_get (root, SCENARIO_NOTE_KEY);
        outline->tenant = scenario_outline_id (yyjson_obj_get (root, "tenant_id"));
        outline->scenario = scenario_outline_id (yyjson_obj_get (root, "scenario_id"));
        outline->type = word_of (yyjson_obj_get (root, "scenario_type"));
        outline->status = word_of (yyjson_obj_get (root, "status"));
        outline->stored =
            text_of (yyjson_obj_get (yyjson_obj_get (root, "config"), "realtime_compute"));
        outline->note = yyjson_is_obj (note) ? text_of (note) : NULL;
    }
    yyjson_doc_free (document);
    return good;
}

void scenario_outline_free (scenario_outline_t *self)
{
    free (self->tenant);
    free (self->scenario);
    free (self->type);
    free (self->status);
    free (self->stored);
    free (self->note);
    *self = (scenario_outline_t){0};
}
