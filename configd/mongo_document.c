/*  mongo_document: see mongo_document.h. */
#include "configd/mongo_document.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/memory.h"

enum { DEPTH_MAX = 32 }; /* of documents whose decimals are turned into numbers */

static void copy_plain (const bson_t *from, bson_t *to, int depth);

static void copy_value (bson_iter_t *from, bson_t *to, int depth)
{
    const char *key = bson_iter_key (from);
    int size = (int)bson_iter_key_len (from);
    bson_type_t type = bson_iter_type (from);
    if (type == BSON_TYPE_DECIMAL128) {
        bson_decimal128_t decimal;
        char text[BSON_DECIMAL128_STRING];
        CHECK (bson_iter_decimal128 (from, &decimal));
        bson_decimal128_to_string (&decimal, text);
        CHECK (bson_append_double (to, key, size, strtod (text, NULL)));
        return;
    }
    const uint8_t *bytes = NULL;
    uint32_t length = 0;
    if (type == BSON_TYPE_DOCUMENT)
        bson_iter_document (from, &length, &bytes);
    else if (type == BSON_TYPE_ARRAY)
        bson_iter_array (from, &length, &bytes);
    bson_t inner, child;
    if (!bytes || depth >= DEPTH_MAX || !bson_init_static (&inner, bytes, length)) {
        CHECK (bson_append_iter (to, key, size, from));
        return;
    }
    bool array = type == BSON_TYPE_ARRAY;
    CHECK (array ? bson_append_array_begin (to, key, size, &child)
                 : bson_append_document_begin (to, key, size, &child));
    copy_plain (&inner, &child, depth + 1);
    CHECK (array ? bson_append_array_end (to, &child) : bson_append_document_end (to, &child));
}

/*  Copies with every decimal as a double: relaxed JSON has no plain form of it. */
static void copy_plain (const bson_t *from, bson_t *to, int depth)
{
    bson_iter_t iter;
    if (!bson_iter_init (&iter, from))
        return;
    while (bson_iter_next (&iter))
        copy_value (&iter, to, depth);
}

/*  Relaxed JSON of a document: its integers and finite doubles are plain numbers; NaN and the
 *  infinities become objects, which no parameter takes. A document that has no JSON (invalid
 *  UTF-8) becomes an empty text, which is not valid either. */
char *mongo_document_text (const bson_t *document, size_t *size)
{
    bson_t plain = BSON_INITIALIZER;
    copy_plain (document, &plain, 0);
    char *json = bson_as_relaxed_extended_json (&plain, size);
    if (!json)
        *size = 0;
    char *text = memory_copy_string (json, *size);
    bson_free (json);
    bson_destroy (&plain);
    return text;
}

char *mongo_document_name (const bson_t *document)
{
    bson_iter_t iter;
    if (!bson_iter_init_find (&iter, document, "_id"))
        return NULL;
    bson_t key = BSON_INITIALIZER;
    CHECK (bson_append_iter (&key, "_id", 3, &iter));
    size_t size;
    char *json = bson_as_relaxed_extended_json (&key, &size);
    char *name = json ? memory_copy_string (json, size) : NULL;
    bson_free (json);
    bson_destroy (&key);
    return name;
}
