#include "configd/mongo_value.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>
#include "common/json_text.h"
#include "common/memory.h"
#include "configd/mongo_document.h"

static bool append (bson_t *to, const char *key, yyjson_val *value);

static bool append_members (bson_t *to, yyjson_val *value)
{
    size_t index, count;
    yyjson_val *key, *element;
    if (yyjson_is_arr (value)) {
        yyjson_arr_foreach (value, index, count, element)
        {
            char buffer[16];
            const char *name;
            bson_uint32_to_string ((uint32_t)index, &name, buffer, sizeof buffer);
            if (!append (to, name, element))
                return false;
        }
        return true;
    }
    yyjson_obj_foreach (value, index, count, key, element)
    {
        const char *name = yyjson_get_str (key);
        if (strlen (name) != yyjson_get_len (key) || !append (to, name, element))
            return false;
    }
    return true;
}

static bool append_number (bson_t *to, const char *key, yyjson_val *value)
{
    if (yyjson_is_real (value))
        return bson_append_double (to, key, -1, yyjson_get_real (value));
    if (yyjson_is_uint (value) && yyjson_get_uint (value) > INT64_MAX)
        return bson_append_double (to, key, -1, (double)yyjson_get_uint (value));
    int64_t number = yyjson_get_sint (value);
    if (number >= INT32_MIN && number <= INT32_MAX)
        return bson_append_int32 (to, key, -1, (int32_t)number);
    return bson_append_int64 (to, key, -1, number);
}

static bool append (bson_t *to, const char *key, yyjson_val *value)
{
    bson_t child;
    bool good;
    switch (yyjson_get_type (value)) {
    case YYJSON_TYPE_NULL:
        return bson_append_null (to, key, -1);
    case YYJSON_TYPE_BOOL:
        return bson_append_bool (to, key, -1, yyjson_get_bool (value));
    case YYJSON_TYPE_NUM:
        return append_number (to, key, value);
    case YYJSON_TYPE_STR:
        return bson_append_utf8 (to, key, -1, yyjson_get_str (value), (int)yyjson_get_len (value));
    case YYJSON_TYPE_ARR:
        good = bson_append_array_begin (to, key, -1, &child);
        return good && append_members (&child, value) && bson_append_array_end (to, &child);
    case YYJSON_TYPE_OBJ:
        good = bson_append_document_begin (to, key, -1, &child);
        return good && append_members (&child, value) && bson_append_document_end (to, &child);
    default:
        return false;
    }
}

bool mongo_value_append (bson_t *to, const char *key, const char *json)
{
    yyjson_doc *document = yyjson_read (json, strlen (json), YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root (document);
    bool good = root && json_text_within (root, JSON_DEPTH_MAX) && append (to, key, root);
    yyjson_doc_free (document);
    return good;
}

static bool find (const bson_t *document, const char *path, bson_iter_t *found)
{
    bson_iter_t iter;
    return bson_iter_init (&iter, document) && bson_iter_find_descendant (&iter, path, found);
}

char *mongo_value_text (const bson_t *document, const char *path)
{
    bson_iter_t found;
    const uint8_t *bytes;
    uint32_t size;
    bson_t inner;
    if (!find (document, path, &found) || !BSON_ITER_HOLDS_DOCUMENT (&found))
        return NULL;
    bson_iter_document (&found, &size, &bytes);
    size_t text_size;
    return bson_init_static (&inner, bytes, size) ? mongo_document_text (&inner, &text_size) : NULL;
}

char *mongo_value_string (const bson_t *document, const char *path)
{
    bson_iter_t found;
    uint32_t size;
    if (!find (document, path, &found) || !BSON_ITER_HOLDS_UTF8 (&found))
        return NULL;
    const char *text = bson_iter_utf8 (&found, &size);
    return memory_copy_string (text, size);
}
