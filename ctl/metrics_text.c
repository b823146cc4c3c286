#include "ctl/metrics_text.h"

#include <stdlib.h>
#include <string.h>

/*  The end of the labels that begin at '{': quotes may hold braces. NULL: there is none. */
static const char *skip_labels (const char *at, const char *end)
{
    bool quoted = false;
    for (; at < end; at++) {
        if (quoted && *at == '\\')
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == '}' && !quoted)
            return at + 1;
    }
    return NULL;
}

static void add (metrics_number_t *number, double value)
{
    if (!number->count || value < number->least)
        number->least = value;
    if (!number->count || value > number->most)
        number->most = value;
    number->sum += value;
    number->count++;
}

bool metrics_text_find (const char *text, const char *name, const char *label,
                        metrics_number_t *number)
{
    size_t size = strlen (name), label_size = label ? strlen (label) : 0;
    *number = (metrics_number_t){0};
    for (const char *line = text, *next; line && *line; line = next) {
        const char *end = strchr (line, '\n');
        next = end ? end + 1 : NULL;
        end = end ? end : line + strlen (line);
        if ((size_t)(end - line) <= size || memcmp (line, name, size) != 0 ||
            (line[size] != ' ' && line[size] != '{'))
            continue;
        const char *at = line + size;
        const char *value = *at == '{' ? skip_labels (at, end) : at;
        bool fits = value && (!label || memmem (at, (size_t)(value - at), label, label_size));
        char *stop = NULL;
        double found = fits ? strtod (value, &stop) : 0;
        if (fits && stop > value)
            add (number, found);
    }
    return number->count > 0;
}

double metrics_text_sum (const char *text, const char *name, const char *label, double otherwise)
{
    metrics_number_t number;
    return metrics_text_find (text, name, label, &number) ? number.sum : otherwise;
}
