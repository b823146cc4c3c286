#include "configd/admin_message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"
#include "common/json_text.h"
#include "common/utf8.h"

#define CONFIG_POINTER "/config/realtime_compute"
#define CONFIG_PATH    "config.realtime_compute"

enum { DETAIL_BYTES_MAX = 1024 };

void admin_response_free (admin_response_t *self)
{
    buffer_free (&self->body);
    free (self->location);
    free (self->link);
    *self = (admin_response_t){0};
}

static void write_body (admin_response_t *self, yyjson_mut_doc *document)
{
    size_t size = 0;
    char *text = yyjson_mut_write (document, YYJSON_WRITE_NOFLAG, &size);
    CHECK (text);
    buffer_clear (&self->body);
    buffer_append (&self->body, text, size);
    buffer_append (&self->body, "\n", 1);
    free (text);
    yyjson_mut_doc_free (document);
}

void admin_response_json (admin_response_t *self, unsigned status, yyjson_mut_doc *document)
{
    self->status = status;
    self->type = "application/json";
    self->retry_after_s = 0; /* of a problem that has passed */
    write_body (self, document);
}

/*  ---- members ---- */

void admin_put (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, yyjson_mut_val *value)
{
    CHECK (value && yyjson_mut_obj_add (object, yyjson_mut_str (to, key), value));
}

void admin_put_text (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, const char *text)
{
    if (text)
        admin_put (to, object, key, yyjson_mut_strcpy (to, text));
}

void admin_put_span (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, span_t text)
{
    admin_put (to, object, key, yyjson_mut_strncpy (to, text.bytes, text.size));
}

void admin_put_uint (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, uint64_t number)
{
    admin_put (to, object, key, yyjson_mut_uint (to, number));
}

void admin_put_bool (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, bool value)
{
    admin_put (to, object, key, yyjson_mut_bool (to, value));
}

void admin_put_json (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, const char *json)
{
    yyjson_doc *read = json ? yyjson_read (json, strlen (json), YYJSON_READ_NOFLAG) : NULL;
    yyjson_val *root = yyjson_doc_get_root (read);
    admin_put (to, object, key, root ? yyjson_val_mut_copy (to, root) : yyjson_mut_null (to));
    yyjson_doc_free (read);
}

/*  ---- problems ---- */

static yyjson_mut_val *begin_problem (admin_response_t *self, yyjson_mut_doc *document,
                                      unsigned status, const char *name, const char *title)
{
    char type[128];
    yyjson_mut_val *root = yyjson_mut_obj (document);
    yyjson_mut_doc_set_root (document, root);
    snprintf (type, sizeof type, "urn:hotpath:problem:%s", name);
    admin_put_text (document, root, "type", type);
    admin_put_text (document, root, "title", title);
    admin_put_uint (document, root, "status", status);
    self->status = status;
    self->type = "application/problem+json";
    return root;
}

/*  A text that was cut may end within a character: up to there. */
static void put_printed (yyjson_mut_doc *document, yyjson_mut_val *root, const char *key,
                         const char *text)
{
    size_t size = 0, all = strlen (text), more = 1;
    while (size < all && more) {
        more = utf8_sequence_bytes (text + size, all - size);
        size += more;
    }
    admin_put_span (document, root, key, (span_t){text, size});
}

static void end_problem (admin_response_t *self, yyjson_mut_doc *document, yyjson_mut_val *root)
{
    char instance[64];
    snprintf (instance, sizeof instance, "urn:hotpath:request:%s", self->request_id);
    admin_put_text (document, root, "instance", instance);
    write_body (self, document);
}

void admin_problem (admin_response_t *self, unsigned status, const char *name, const char *title,
                    const char *format, ...)
{
    char detail[DETAIL_BYTES_MAX];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (detail, sizeof detail, format, arguments);
    va_end (arguments);
    yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
    yyjson_mut_val *root = begin_problem (self, document, status, name, title);
    put_printed (document, root, "detail", detail);
    end_problem (self, document, root);
}

/*  ---- several errors ---- */

static void add_copy (admin_errors_t *self, const char *pointer, size_t pointer_size,
                      const char *detail)
{
    self->all++;
    if (self->count == ADMIN_PROBLEMS_MAX)
        return;
    self->list[self->count].pointer = memory_copy_string (pointer, pointer_size);
    self->list[self->count++].detail = memory_copy_string (detail, strlen (detail));
}

void admin_errors_add (admin_errors_t *self, const char *pointer, const char *format, ...)
{
    char detail[DETAIL_BYTES_MAX];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (detail, sizeof detail, format, arguments);
    va_end (arguments);
    add_copy (self, pointer, strlen (pointer), detail);
}

void admin_errors_of_config (admin_errors_t *self, const config_errors_t *errors,
                             const char *stored)
{
    yyjson_doc *document =
        stored ? yyjson_read (stored, strlen (stored), YYJSON_READ_NOFLAG) : NULL;
    for (uint32_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++) {
        const char *path = errors->list[i].path;
        buffer_t pointer = {0};
        if (strncmp (path, CONFIG_PATH, strlen (CONFIG_PATH)) == 0) {
            path += strlen (CONFIG_PATH);
            path += *path == '.';
            buffer_append (&pointer, CONFIG_POINTER, strlen (CONFIG_POINTER));
        }
        json_text_pointer (yyjson_doc_get_root (document), path, &pointer);
        add_copy (self, (const char *)pointer.bytes, pointer.size, errors->list[i].reason);
        buffer_free (&pointer);
    }
    if (errors->count > CONFIG_ERRORS_MAX)
        self->all += errors->count - CONFIG_ERRORS_MAX;
    yyjson_doc_free (document);
}

void admin_errors_free (admin_errors_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        free (self->list[i].pointer);
        free (self->list[i].detail);
    }
    self->count = self->all = 0;
}

yyjson_mut_val *admin_errors_write (const admin_errors_t *self, yyjson_mut_doc *to)
{
    yyjson_mut_val *list = yyjson_mut_arr (to);
    for (uint32_t i = 0; i < self->count; i++) {
        yyjson_mut_val *entry = yyjson_mut_arr_add_obj (to, list);
        CHECK (entry);
        put_printed (to, entry, "pointer", self->list[i].pointer);
        put_printed (to, entry, "detail", self->list[i].detail);
    }
    return list;
}

void admin_problem_errors (admin_response_t *self, const admin_errors_t *errors)
{
    char detail[64];
    yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
    yyjson_mut_val *root =
        begin_problem (self, document, 422, "invalid", "The request is not valid");
    snprintf (detail, sizeof detail, "%u %s wrong: see errors", errors->all,
              errors->all == 1 ? "thing is" : "things are");
    admin_put_text (document, root, "detail", detail);
    admin_put (document, root, "errors", admin_errors_write (errors, document));
    end_problem (self, document, root);
}
