#include "common/counters.h"

#include <math.h>
#include <stdio.h>

#include "common/check.h"
#include "common/utf8.h"

typedef struct {
    counters_type_t type;
    const char *name, *help;
    buffer_t samples; /* their lines */
} family_t;

struct counters {
    family_t families[COUNTERS_FAMILIES_MAX];
    uint32_t family_count, sample_count;
    uint64_t left_out;
};

counters_t *counters_new (void)
{
    return memory_new (sizeof (counters_t));
}

void counters_destroy (counters_t **self_p)
{
    counters_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < COUNTERS_FAMILIES_MAX; i++)
        buffer_free (&self->families[i].samples);
    free (self);
    *self_p = NULL;
}

void counters_clear (counters_t *self)
{
    for (uint32_t i = 0; i < self->family_count; i++)
        buffer_clear (&self->families[i].samples);
    self->family_count = 0;
    self->sample_count = 0;
    self->left_out = 0;
}

static family_t *find (counters_t *self, const char *name)
{
    for (uint32_t i = 0; i < self->family_count; i++) {
        if (strcmp (self->families[i].name, name) == 0)
            return &self->families[i];
    }
    return NULL;
}

void counters_family (counters_t *self, counters_type_t type, const char *name, const char *help)
{
    if (find (self, name))
        return;
    CHECK (self->family_count < COUNTERS_FAMILIES_MAX);
    family_t *family = &self->families[self->family_count++];
    family->type = type;
    family->name = name;
    family->help = help;
}

static void append_text (buffer_t *text, const char *more)
{
    buffer_append (text, more, strlen (more));
}

/*  Backslash, quote and new line are escaped; a byte that is no UTF-8 becomes the text \xNN, so
 * that two values that differ stay different. */
static void append_value (buffer_t *text, span_t value)
{
    if (value.size > COUNTERS_VALUE_BYTES_MAX) {
        size_t cut = value.size - COUNTERS_VALUE_BYTES_MAX;
        while (cut < value.size && ((uint8_t)value.bytes[cut] & 0xc0) == 0x80)
            cut++;
        value = (span_t){value.bytes + cut, value.size - cut};
    }
    for (size_t at = 0; at < value.size;) {
        size_t size = utf8_sequence_bytes (value.bytes + at, value.size - at);
        char byte = value.bytes[at], escaped[8];
        if (byte == '\\' || byte == '"') {
            snprintf (escaped, sizeof escaped, "\\%c", byte);
            append_text (text, escaped);
        } else if (byte == '\n') {
            append_text (text, "\\n");
        } else if (size == 0) {
            snprintf (escaped, sizeof escaped, "\\\\x%02x", (uint8_t)byte);
            append_text (text, escaped);
        } else {
            buffer_append (text, value.bytes + at, size);
        }
        at += size ? size : 1;
    }
}

static void append_number (buffer_t *text, double value)
{
    char number[32];
    if (isnan (value))
        snprintf (number, sizeof number, "NaN");
    else if (isinf (value))
        snprintf (number, sizeof number, "%s", value > 0 ? "+Inf" : "-Inf");
    else if (value == floor (value) && fabs (value) < 9e15)
        snprintf (number, sizeof number, "%.0f", value);
    else
        snprintf (number, sizeof number, "%.15g", value);
    append_text (text, number);
}

void counters_add (counters_t *self, const char *name, double value, const counters_label_t *labels)
{
    family_t *family = find (self, name);
    CHECK (family);
    if (self->sample_count == COUNTERS_SAMPLES_MAX) {
        self->left_out++;
        return;
    }
    self->sample_count++;
    buffer_t *text = &family->samples;
    append_text (text, name);
    for (uint32_t i = 0; labels[i].name; i++) {
        append_text (text, i ? "," : "{");
        append_text (text, labels[i].name);
        append_text (text, "=\"");
        append_value (text, labels[i].value);
        append_text (text, "\"");
    }
    append_text (text, labels[0].name ? "} " : " ");
    append_number (text, value);
    append_text (text, "\n");
}

void counters_single (counters_t *self, counters_type_t type, const char *name, const char *help,
                      double value)
{
    counters_family (self, type, name, help);
    counters_put (self, name, value);
}

static void append_head (buffer_t *text, counters_type_t type, const char *name, const char *help)
{
    append_text (text, "# HELP ");
    append_text (text, name);
    append_text (text, " ");
    append_text (text, help);
    append_text (text, "\n# TYPE ");
    append_text (text, name);
    append_text (text, type == COUNTERS_COUNTER ? " counter\n" : " gauge\n");
}

void counters_write (const counters_t *self, buffer_t *text)
{
    static const char left_out[] = "hotpath_samples_left_out";
    for (uint32_t i = 0; i < self->family_count; i++) {
        const family_t *family = &self->families[i];
        if (!family->samples.size)
            continue;
        append_head (text, family->type, family->name, family->help);
        buffer_append (text, family->samples.bytes, family->samples.size);
    }
    append_head (text, COUNTERS_GAUGE, left_out, "Samples beyond the bound of this page.");
    append_text (text, left_out);
    append_text (text, " ");
    append_number (text, (double)self->left_out);
    append_text (text, "\n");
}
