/*  config_errors: see config_errors.h. Judges nothing itself. */
#include "common/config_errors.h"

#include <stdarg.h>
#include <stdio.h>

/*  Takes an incomplete UTF-8 character off the end of a text that snprintf may have cut. */
static void end_whole (char *text)
{
    size_t size = strlen (text), tail = 0;
    while (tail < size && tail < 3 && ((unsigned char)text[size - 1 - tail] & 0xc0) == 0x80)
        tail++;
    if (tail == size)
        return;
    unsigned char lead = (unsigned char)text[size - 1 - tail];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (wanted > 1 && tail + 1 < wanted)
        text[size - 1 - tail] = '\0';
}

config_path_t config_path_child (const char *parent, span_t key)
{
    config_path_t path;
    int size = key.size > sizeof path.text ? (int)sizeof path.text : (int)key.size;
    if (snprintf (path.text, sizeof path.text, "%s%s%.*s", parent, *parent ? "." : "", size,
                  key.bytes) >= (int)sizeof path.text)
        end_whole (path.text);
    return path;
}

config_path_t config_path_index (const char *parent, size_t index)
{
    config_path_t path;
    if (snprintf (path.text, sizeof path.text, "%s[%zu]", parent, index) >= (int)sizeof path.text)
        end_whole (path.text);
    return path;
}

void config_errors_add (config_errors_t *self, const char *path, const char *format, ...)
{
    if (self->count < CONFIG_ERRORS_MAX) {
        config_error_t *error = &self->list[self->count];
        if (snprintf (error->path, sizeof error->path, "%s", path) >= (int)sizeof error->path)
            end_whole (error->path);
        va_list arguments;
        va_start (arguments, format);
        if (vsnprintf (error->reason, sizeof error->reason, format, arguments) >=
            (int)sizeof error->reason)
            end_whole (error->reason);
        va_end (arguments);
    }
    self->count++;
}
