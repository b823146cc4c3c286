/*  log_line: see log_line.h. */
#include "common/log_line.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include "common/utf8.h"

/*  Kept free behind the fields for what ends a line. */
#define TAIL_BYTES_MAX (sizeof (",\"truncated\":true}\n") - 1)

typedef struct {
    char *bytes;
    size_t size;
    bool full; /* something did not fit: what was put since the last mark is to be dropped */
    bool json;
} line_t;

static void put (line_t *self, const char *bytes, size_t size)
{
    if (self->full || LOG_LINE_BYTES_MAX - TAIL_BYTES_MAX - self->size < size) {
        self->full = true;
        return;
    }
    memcpy (self->bytes + self->size, bytes, size);
    self->size += size;
}

static void put_text (line_t *self, const char *text)
{
    put (self, text, strlen (text));
}

/*  One character that does not stand for itself. */
static void put_escaped (line_t *self, unsigned code)
{
    char text[8];
    const char *known = code == '\n' ? "\\n" : code == '\r' ? "\\r" : code == '\t' ? "\\t" : NULL;
    if (known)
        snprintf (text, sizeof (text), "%s", known);
    else if (code == '"' || code == '\\')
        snprintf (text, sizeof (text), "\\%c", (int)code);
    else
        snprintf (text, sizeof (text), "\\u%04x", code & 0xffff);
    put_text (self, text);
}

static void put_quoted (line_t *self, span_t value, bool cut)
{
    put_text (self, "\"");
    for (size_t i = 0; i < value.size;) {
        unsigned char byte = (unsigned char)value.bytes[i];
        size_t bytes = utf8_sequence_bytes (value.bytes + i, value.size - i);
        if (bytes == 0) {
            put_text (self, "\\ufffd"); /* U+FFFD, the replacement character */
            bytes = 1;
        } else if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f) {
            put_escaped (self, byte);
        } else if (byte == 0xc2 && (unsigned char)value.bytes[i + 1] < 0xa0) {
            put_escaped (self, (unsigned char)value.bytes[i + 1]); /* U+0080 .. U+009F */
        } else {
            put (self, value.bytes + i, bytes);
        }
        i += bytes;
    }
    put_text (self, cut ? "...\"" : "\"");
}

/*  May logfmt show it without quotes? */
static bool is_plain (span_t value)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char byte = (unsigned char)value.bytes[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '=' || byte == '"' || byte == '\\')
            return false;
    }
    return value.size > 0;
}

static void put_value (line_t *self, span_t value)
{
    bool cut = value.size > LOG_VALUE_BYTES_MAX;
    if (cut) { /* not inside a character, where there are characters */
        value.size = LOG_VALUE_BYTES_MAX;
        for (int i = 0; i < 3 && ((unsigned char)value.bytes[value.size] & 0xc0) == 0x80; i++)
            value.size--;
    }
    if (!value.bytes)
        put_text (self, self->json ? "null" : "\"\"");
    else if (!self->json && !cut && is_plain (value))
        put (self, value.bytes, value.size);
    else
        put_quoted (self, value, cut);
}

static void put_key (line_t *self, const char *key)
{
    if (self->size > 0)
        put_text (self, self->json ? "," : " ");
    put_text (self, self->json ? (self->size ? "\"" : "{\"") : "");
    put_text (self, key);
    put_text (self, self->json ? "\":" : "=");
}

static void put_pair (line_t *self, const char *key, span_t value)
{
    put_key (self, key);
    put_value (self, value);
}

static void put_integer (line_t *self, const char *key, int64_t value)
{
    char text[24];
    snprintf (text, sizeof (text), "%lld", (long long)value);
    put_key (self, key);
    put_text (self, text);
}

static void put_field (line_t *self, const log_field_t *field)
{
    char text[32];
    switch (field->type) {
    case LOG_FIELD_SPAN:
        put_pair (self, field->key, field->span);
        break;
    case LOG_FIELD_INT:
        put_integer (self, field->key, field->integer);
        break;
    case LOG_FIELD_DOUBLE:
        snprintf (text, sizeof (text), "%.15g", field->real);
        put_key (self, field->key);
        put_text (self, self->json && !isfinite (field->real) ? "null" : text);
        break;
    }
}

/*  A field is there as a whole or not at all: is it? */
static bool put_or_drop (line_t *self, const log_field_t *field)
{
    size_t mark = self->size;
    put_field (self, field);
    if (!self->full)
        return true;
    self->size = mark;
    self->full = false;
    return false;
}

static void put_time (line_t *self, int64_t time_ms)
{
    char date[32], text[48];
    int64_t ms = (time_ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((time_ms - ms) / 1000);
    struct tm parts;
    if (!gmtime_r (&seconds, &parts) ||
        !strftime (date, sizeof (date), "%Y-%m-%dT%H:%M:%S", &parts))
        date[0] = '\0';
    snprintf (text, sizeof (text), "%s.%03dZ", date, (int)ms);
    put_pair (self, "time", span_of (text));
}

const char *log_line_level (log_level_t level)
{
    static const char *const NAMES[] = {"debug", "info", "warning", "error"};
    return NAMES[level];
}

size_t log_line_write (const log_record_t *record, bool json, char bytes[LOG_LINE_BYTES_MAX])
{
    line_t line = {.bytes = bytes, .json = json};
    put_time (&line, record->time_ms);
    put_pair (&line, "level", span_of (log_line_level (record->level)));
    if (record->process[0])
        put_pair (&line, "process", span_of (record->process));
    log_field_t message = F_STR ("msg", record->message);
    bool fits = put_or_drop (&line, &message);
    if (record->held_back) {
        log_field_t held_back = F_INT ("held_back", record->held_back);
        fits &= put_or_drop (&line, &held_back);
    }
    for (const log_field_t *field = record->fields; field->key; field++)
        fits &= put_or_drop (&line, field);

    const char *tail =
        json ? (fits ? "}\n" : ",\"truncated\":true}\n") : (fits ? "\n" : " truncated=true\n");
    memcpy (bytes + line.size, tail, strlen (tail));
    return line.size + strlen (tail);
}
