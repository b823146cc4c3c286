#include "ctl/scenario_patch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/buffer.h"
#include "common/check.h"
#include "common/json_text.h"

#define PREFIX "config.realtime_compute."

/*  The next key of a path, unescaped where it is a pointer's; the caller's. */
static char *next_key (const char **path, bool pointer)
{
    size_t size = strcspn (*path, pointer ? "/" : ".");
    char *key = memory_copy_string (*path, size), *to = key;
    *path += size;
    *path += **path != '\0';
    for (const char *from = key; pointer && *from; to++) {
        bool escaped = from[0] == '~' && (from[1] == '0' || from[1] == '1');
        *to = escaped ? (from[1] == '0' ? '~' : '/') : *from;
        from += 1 + escaped;
    }
    if (pointer)
        *to = '\0';
    return key;
}

static yyjson_mut_val *read_value (yyjson_mut_doc *to, const char *text)
{
    yyjson_doc *read = yyjson_read (text, strlen (text), YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root (read);
    yyjson_mut_val *value =
        root ? yyjson_val_mut_copy (to, root) : yyjson_mut_strcpy (to, text);
    CHECK (value);
    yyjson_doc_free (read);
    return value;
}

int scenario_patch_assign (yyjson_mut_doc *to, yyjson_mut_val *patch, const char *assignment,
                           char *error, size_t error_size)
{
    const char *equals = strchr (assignment, '=');
    if (!equals || equals == assignment) {
        snprintf (error, error_size,
                  "'%s' is not PATH=VALUE, as hot_score.action_weights.purchase=15", assignment);
        return -1;
    }
    char *whole = memory_copy_string (assignment, (size_t)(equals - assignment));
    bool pointer = *whole == '/';
    const char *path = whole + pointer;
    if (!pointer && strncmp (path, PREFIX, strlen (PREFIX)) == 0)
        path += strlen (PREFIX);
    yyjson_mut_val *at = patch;
    const char *wrong = NULL;
    for (int depth = 0; *path && !wrong; depth++) {
        char *key = next_key (&path, pointer);
        yyjson_mut_val *child = yyjson_mut_obj_get (at, key);
        if (!*key)
            wrong = "has an empty key in its path";
        else if (depth == PATCH_DEPTH_MAX)
            wrong = "has a path that is too deep";
        else if (!*path)
            CHECK (yyjson_mut_obj_put (at, yyjson_mut_strcpy (to, key),
                                       read_value (to, equals + 1)));
        else if (child && !yyjson_mut_is_obj (child))
            wrong = "goes below a value that was given before";
        else if (!child) {
            child = yyjson_mut_obj (to);
            CHECK (yyjson_mut_obj_put (at, yyjson_mut_strcpy (to, key), child));
        }
        at = child;
        free (key);
    }
    free (whole);
    if (!wrong)
        return 0;
    snprintf (error, error_size, "'%s' %s", assignment, wrong);
    return -1;
}

yyjson_mut_val *scenario_patch_of_file (yyjson_mut_doc *to, span_t text, char *error,
                                        size_t error_size)
{
    yyjson_read_err failure;
    yyjson_doc *read = yyjson_read_opts ((char *)(uintptr_t)text.bytes, text.size,
                                         YYJSON_READ_NOFLAG, NULL, &failure);
    yyjson_val *root = yyjson_doc_get_root (read);
    yyjson_val *config = yyjson_obj_get (root, "config");
    yyjson_val *compute = config ? yyjson_obj_get (config, "realtime_compute") : root;
    yyjson_mut_val *value = NULL;
    if (!read)
        snprintf (error, error_size, "is not JSON: %s at byte %zu", failure.msg, failure.pos);
    else if (!yyjson_is_obj (root))
        snprintf (error, error_size, "is not a JSON object");
    else if (!compute)
        snprintf (error, error_size, "has no config.realtime_compute");
    else if (!json_text_within (compute, JSON_DEPTH_MAX))
        snprintf (error, error_size, "is nested too deeply");
    else
        value = yyjson_val_mut_copy (to, compute);
    yyjson_doc_free (read);
    return value;
}
