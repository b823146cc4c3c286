#include "configd/scenario_file.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"
#include "common/json_text.h"
#include "common/key_hash.h"
#include "common/scenario_outline.h"
#include "common/percent.h"

enum { NAME_BYTES_MAX = 200 };

static void put (yyjson_mut_doc *document, yyjson_mut_val *object, const char *key,
                 yyjson_mut_val *value)
{
    CHECK (value && yyjson_mut_obj_put (object, yyjson_mut_str (document, key), value));
}

/*  A JSON text as a value; it is one of ours. */
static yyjson_mut_val *value_of (yyjson_mut_doc *document, const char *json)
{
    yyjson_doc *read = yyjson_read (json, strlen (json), YYJSON_READ_NOFLAG);
    CHECK (read);
    yyjson_mut_val *value = yyjson_val_mut_copy (document, yyjson_doc_get_root (read));
    yyjson_doc_free (read);
    return value;
}

void scenario_file_make (const store_new_t *made, buffer_t *text)
{
    yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
    yyjson_mut_val *root = yyjson_mut_obj (document), *config = yyjson_mut_obj (document);
    yyjson_mut_doc_set_root (document, root);
    put (document, root, "tenant_id",
         yyjson_mut_strncpy (document, made->tenant.bytes, made->tenant.size));
    put (document, root, "scenario_id",
         yyjson_mut_strncpy (document, made->scenario.bytes, made->scenario.size));
    if (made->type)
        put (document, root, "scenario_type", yyjson_mut_strcpy (document, made->type));
    put (document, root, "status", yyjson_mut_strcpy (document, made->status));
    put (document, root, "config", config);
    if (made->stored)
        put (document, config, "realtime_compute", value_of (document, made->stored));
    put (document, root, SCENARIO_NOTE_KEY, revision_note_write (made->note, document));
    json_text_pretty (document, text);
}

static store_outcome_t set_config (yyjson_mut_doc *document, yyjson_mut_val *root,
                                   const char *stored, char *error)
{
    yyjson_mut_val *config = yyjson_mut_obj_get (root, "config");
    if (config && !yyjson_mut_is_obj (config) && !yyjson_mut_is_null (config)) {
        snprintf (error, STORE_ERROR_BYTES, "config of the document is not an object");
        return STORE_CONFLICT;
    }
    if (!yyjson_mut_is_obj (config) && stored) {
        config = yyjson_mut_obj (document);
        put (document, root, "config", config);
    }
    if (stored)
        put (document, config, "realtime_compute", value_of (document, stored));
    else if (yyjson_mut_is_obj (config))
        yyjson_mut_obj_remove_key (config, "realtime_compute");
    return STORE_OK;
}

store_outcome_t scenario_file_change (span_t text, const store_change_t *change, buffer_t *to,
                                      char *error)
{
    yyjson_doc *before = yyjson_read (text.bytes, text.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_mut_doc *after = before ? yyjson_doc_mut_copy (before, NULL) : NULL;
    yyjson_doc_free (before);
    yyjson_mut_val *root = yyjson_mut_doc_get_root (after);
    store_outcome_t outcome = STORE_OK;
    if (!yyjson_mut_is_obj (root)) {
        snprintf (error, STORE_ERROR_BYTES, "the document is not a JSON object");
        outcome = STORE_CONFLICT;
    } else if (change->sets_config)
        outcome = set_config (after, root, change->stored, error);
    if (outcome != STORE_OK) {
        yyjson_mut_doc_free (after);
        return outcome;
    }
    if (change->status)
        put (after, root, "status", yyjson_mut_strcpy (after, change->status));
    if (change->note)
        put (after, root, SCENARIO_NOTE_KEY, revision_note_write (change->note, after));
    json_text_pretty (after, to);
    return STORE_OK;
}

void scenario_file_name (span_t tenant, span_t scenario, int attempt, char *name, size_t size)
{
    buffer_t text = {0};
    char again[16] = "";
    if (attempt)
        snprintf (again, sizeof again, "-%d", attempt + 1);
    percent_encode (tenant, &text);
    buffer_append (&text, ".", 1);
    percent_encode (scenario, &text);
    /* A name of ours is never hidden, and never too long for a file system. */
    if (text.size + sizeof again > NAME_BYTES_MAX || text.bytes[0] == '.')
        snprintf (name, size, "scenario-%016llx%s.json",
                  (unsigned long long)key_hash_scenario (tenant, scenario), again);
    else
        snprintf (name, size, "%.*s%s.json", (int)text.size, (const char *)text.bytes, again);
    buffer_free (&text);
}
