#include "common/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"

bool json_text_within (yyjson_val *value, int most)
{
    if (!yyjson_is_ctn (value))
        return true;
    if (most == 0)
        return false;
    size_t index, count;
    yyjson_val *key, *element;
    if (yyjson_is_arr (value)) {
        yyjson_arr_foreach (value, index, count, element)
        {
            if (!json_text_within (element, most - 1))
                return false;
        }
    } else {
        yyjson_obj_foreach (value, index, count, key, element)
        {
            if (!json_text_within (element, most - 1))
                return false;
        }
    }
    return true;
}

/*  ---- canonical text ---- */

typedef struct {
    yyjson_val *key, *value;
} member_t;

static span_t text_of (yyjson_val *value)
{
    return (span_t){yyjson_get_str (value), yyjson_get_len (value)};
}

static int compare_members (const void *a, const void *b)
{
    const member_t *one = a, *other = b;
    int order = span_compare (text_of (one->key), text_of (other->key));
    return order ? order : (one->key > other->key) - (one->key < other->key);
}

static yyjson_mut_val *canonical (yyjson_mut_doc *to, yyjson_val *value);

static yyjson_mut_val *canonical_object (yyjson_mut_doc *to, yyjson_val *object)
{
    size_t index, count, size = yyjson_obj_size (object);
    member_t *members = memory_new_array (size ? size : 1, sizeof *members);
    yyjson_val *key, *value;
    yyjson_obj_foreach (object, index, count, key, value)
    {
        members[index] = (member_t){key, value};
    }
    qsort (members, size, sizeof *members, compare_members);
    yyjson_mut_val *made = yyjson_mut_obj (to);
    for (size_t i = 0; i < size; i++)
        CHECK (yyjson_mut_obj_add (made, yyjson_val_mut_copy (to, members[i].key),
                                   canonical (to, members[i].value)));
    free (members);
    return made;
}

static yyjson_mut_val *canonical (yyjson_mut_doc *to, yyjson_val *value)
{
    if (yyjson_is_obj (value))
        return canonical_object (to, value);
    if (yyjson_is_arr (value)) {
        size_t index, count;
        yyjson_val *element;
        yyjson_mut_val *made = yyjson_mut_arr (to);
        yyjson_arr_foreach (value, index, count, element)
        {
            CHECK (yyjson_mut_arr_append (made, canonical (to, element)));
        }
        return made;
    }
    if (yyjson_is_real (value)) {
        double number = yyjson_get_real (value);
        if (number == nearbyint (number) && fabs (number) < 9e15)
            return yyjson_mut_sint (to, (int64_t)number);
    }
    return yyjson_val_mut_copy (to, value);
}

static void write_out (yyjson_mut_doc *document, yyjson_write_flag flags, buffer_t *text)
{
    size_t size = 0;
    char *written = yyjson_mut_write (document, flags, &size);
    CHECK (written);
    buffer_append (text, written, size);
    free (written);
    yyjson_mut_doc_free (document);
}

void json_text_pretty (yyjson_mut_doc *document, buffer_t *text)
{
    write_out (document, YYJSON_WRITE_PRETTY_TWO_SPACES, text);
    buffer_append (text, "\n", 1);
}

void json_text_canonical (yyjson_val *value, buffer_t *text)
{
    yyjson_mut_doc *made = yyjson_mut_doc_new (NULL);
    CHECK (made);
    yyjson_mut_doc_set_root (made, canonical (made, value));
    write_out (made, YYJSON_WRITE_NOFLAG, text);
}

bool json_text_hash (span_t json, char hex[DIGEST_HEX_BYTES + 1])
{
    yyjson_doc *document =
        yyjson_read_opts ((char *)(uintptr_t)json.bytes, json.size, YYJSON_READ_NOFLAG, NULL, NULL);
    yyjson_val *root = yyjson_doc_get_root (document);
    bool good = root && json_text_within (root, JSON_DEPTH_MAX);
    if (good) {
        buffer_t text = {0};
        json_text_canonical (root, &text);
        digest_hex ((span_t){(const char *)text.bytes, text.size}, hex);
        buffer_free (&text);
    }
    yyjson_doc_free (document);
    return good;
}

/*  ---- pointers ---- */

void json_text_point (buffer_t *pointer, span_t key)
{
    buffer_append (pointer, "/", 1);
    for (size_t i = 0; i < key.size; i++) {
        if (key.bytes[i] == '~')
            buffer_append (pointer, "~0", 2);
        else if (key.bytes[i] == '/')
            buffer_append (pointer, "~1", 2);
        else
            buffer_append (pointer, &key.bytes[i], 1);
    }
}

/*  Bytes of `path` that name a key of `object`: the longest there is; else up to the next mark. */
static size_t key_bytes (yyjson_val *object, const char *path)
{
    size_t longest = 0, index, count;
    yyjson_val *key, *value;
    if (!yyjson_is_obj (object))
        return strcspn (path, ".[");
    yyjson_obj_foreach (object, index, count, key, value)
    {
        size_t size = yyjson_get_len (key);
        bool here = size > longest && strncmp (path, yyjson_get_str (key), size) == 0;
        if (here && (!path[size] || path[size] == '.' || path[size] == '['))
            longest = size;
    }
    return longest ? longest : strcspn (path, ".[");
}

void json_text_pointer (yyjson_val *root, const char *path, buffer_t *pointer)
{
    yyjson_val *at = root;
    while (*path) {
        if (*path == '[') {
            size_t digits = strspn (path + 1, "0123456789");
            json_text_point (pointer, (span_t){path + 1, digits});
            at = yyjson_arr_get (at, strtoul (path + 1, NULL, 10));
            path += 1 + digits;
            path += *path == ']';
        } else {
            size_t size = key_bytes (at, path);
            json_text_point (pointer, (span_t){path, size});
            at = yyjson_obj_getn (at, path, size);
            path += size;
        }
        path += *path == '.';
    }
}
