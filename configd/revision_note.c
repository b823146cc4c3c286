#include "configd/revision_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/check.h"
#include "common/memory.h"
#include "common/utf8.h"

void revision_note_free (revision_note_t *self)
{
    free (self->author);
    free (self->reason);
    free (self->from);
    free (self->request);
    free (self->key);
    *self = (revision_note_t){0};
}

void revision_record_free (revision_record_t *self)
{
    revision_note_free (&self->note);
    free (self->stored);
    free (self->effective);
    *self = (revision_record_t){0};
}

char *revision_note_text (span_t text)
{
    size_t size = 0;
    while (size < text.size) {
        size_t more = utf8_sequence_bytes (text.bytes + size, text.size - size);
        if (!more || size + more > NOTE_TEXT_BYTES_MAX)
            break;
        size += more;
    }
    return size ? memory_copy_string (text.bytes, size) : NULL;
}

static char *copy (const char *text)
{
    return text ? memory_copy_string (text, strlen (text)) : NULL;
}

void revision_note_copy (revision_note_t *to, const revision_note_t *from)
{
    *to = *from;
    to->author = copy (from->author);
    to->reason = copy (from->reason);
    to->from = copy (from->from);
    to->request = copy (from->request);
    to->key = copy (from->key);
}

/*  ---- time ---- */

void note_time_write (int64_t ms, char text[NOTE_TIME_BYTES])
{
    time_t seconds = (time_t)(ms < 0 ? 0 : ms / 1000);
    struct tm parts;
    gmtime_r (&seconds, &parts);
    size_t size = strftime (text, NOTE_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf (text + size, NOTE_TIME_BYTES - size, ".%03dZ", (int)(ms < 0 ? 0 : ms % 1000));
}

int64_t note_time_read (const char *text)
{
    struct tm parts = {0};
    const char *rest = text ? strptime (text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    int ms = 0, used = 0;
    if (!rest || sscanf (rest, ".%3dZ%n", &ms, &used) != 1 || used != 5 || rest[used])
        return -1;
    return (int64_t)timegm (&parts) * 1000 + ms;
}

/*  ---- JSON ---- */

static void put (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, const char *text)
{
    if (text && *text)
        CHECK (yyjson_mut_obj_add_strcpy (to, object, key, text));
}

yyjson_mut_val *revision_note_write (const revision_note_t *self, yyjson_mut_doc *to)
{
    char at[NOTE_TIME_BYTES];
    note_time_write (self->at_ms, at);
    yyjson_mut_val *object = yyjson_mut_obj (to);
    CHECK (yyjson_mut_obj_add_uint (to, object, "revision", self->number));
    put (to, object, "hash", self->hash);
    put (to, object, "at", at);
    put (to, object, "author", self->author);
    put (to, object, "from", self->from);
    put (to, object, "reason", self->reason);
    put (to, object, "request", self->request);
    put (to, object, "idempotency_key", self->key);
    put (to, object, "fingerprint", self->fingerprint);
    return object;
}

static char *read_text (yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get (object, key);
    return yyjson_is_str (value) ? revision_note_text ((span_t){yyjson_get_str (value),
                                                                yyjson_get_len (value)})
                                 : NULL;
}

static void read_hash (yyjson_val *object, const char *key, char hash[DIGEST_HEX_BYTES + 1])
{
    yyjson_val *value = yyjson_obj_get (object, key);
    digest_t digest;
    *hash = '\0';
    if (yyjson_is_str (value) &&
        digest_read ((span_t){yyjson_get_str (value), yyjson_get_len (value)}, &digest))
        digest_write (&digest, hash);
}

bool revision_note_read (yyjson_val *value, revision_note_t *note)
{
    *note = (revision_note_t){0};
    yyjson_val *number = yyjson_obj_get (value, "revision");
    if (!yyjson_is_uint (number) || !yyjson_get_uint (number) ||
        yyjson_get_uint (number) > INT64_MAX)
        return false;
    note->number = yyjson_get_uint (number);
    read_hash (value, "hash", note->hash);
    read_hash (value, "fingerprint", note->fingerprint);
    int64_t at_ms = note_time_read (yyjson_get_str (yyjson_obj_get (value, "at")));
    note->at_ms = at_ms < 0 ? 0 : at_ms;
    note->author = read_text (value, "author");
    note->reason = read_text (value, "reason");
    note->from = read_text (value, "from");
    note->request = read_text (value, "request");
    note->key = read_text (value, "idempotency_key");
    return true;
}

bool revision_note_parse (span_t json, revision_note_t *note)
{
    yyjson_doc *document = json.bytes ? yyjson_read (json.bytes, json.size, YYJSON_READ_NOFLAG)
                                      : NULL;
    bool good = revision_note_read (yyjson_doc_get_root (document), note);
    yyjson_doc_free (document);
    return good;
}
