#include "configd/scenario_diff.h"

#include <string.h>
#include "common/check.h"
#include "common/json_text.h"

typedef struct {
    yyjson_mut_doc *document;
    yyjson_mut_val *list;
    buffer_t pointer;
} diff_t;

static void add (diff_t *self, yyjson_val *from, yyjson_val *to)
{
    yyjson_mut_doc *document = self->document;
    yyjson_mut_val *entry = yyjson_mut_arr_add_obj (document, self->list);
    CHECK (entry);
    CHECK (yyjson_mut_obj_add_val (
        document, entry, "pointer",
        yyjson_mut_strncpy (document, (const char *)self->pointer.bytes, self->pointer.size)));
    if (from)
        CHECK (yyjson_mut_obj_add_val (document, entry, "from",
                                       yyjson_val_mut_copy (document, from)));
    if (to)
        CHECK (yyjson_mut_obj_add_val (document, entry, "to", yyjson_val_mut_copy (document, to)));
}

static void compare (diff_t *self, yyjson_val *from, yyjson_val *to);

static void compare_member (diff_t *self, yyjson_val *key, yyjson_val *from, yyjson_val *to)
{
    size_t before = self->pointer.size;
    json_text_point (&self->pointer, (span_t){yyjson_get_str (key), yyjson_get_len (key)});
    compare (self, from, to);
    self->pointer.size = before;
}

static void compare (diff_t *self, yyjson_val *from, yyjson_val *to)
{
    if (!yyjson_is_obj (from) || !yyjson_is_obj (to)) {
        if (!from || !to || !yyjson_equals (from, to))
            add (self, from, to);
        return;
    }
    size_t index, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach (from, index, count, key, value)
    {
        compare_member (self, key, value,
                        yyjson_obj_getn (to, yyjson_get_str (key), yyjson_get_len (key)));
    }
    yyjson_obj_foreach (to, index, count, key, value)
    {
        if (!yyjson_obj_getn (from, yyjson_get_str (key), yyjson_get_len (key)))
            compare_member (self, key, NULL, value);
    }
}

yyjson_mut_val *scenario_diff (yyjson_mut_doc *to_document, const char *from, const char *to)
{
    diff_t self = {.document = to_document, .list = yyjson_mut_arr (to_document)};
    from = from ? from : "{}";
    to = to ? to : "{}";
    yyjson_doc *one = yyjson_read (from, strlen (from), YYJSON_READ_NOFLAG);
    yyjson_doc *other = yyjson_read (to, strlen (to), YYJSON_READ_NOFLAG);
    compare (&self, yyjson_doc_get_root (one), yyjson_doc_get_root (other));
    yyjson_doc_free (one);
    yyjson_doc_free (other);
    buffer_free (&self.pointer);
    return self.list;
}
