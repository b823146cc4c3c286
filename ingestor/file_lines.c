/*  file_lines: see file_lines.h. */
#include "ingestor/file_lines.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>
#include "common/event.h"
#include "common/memory.h"

bool file_lines_next (span_t text, size_t *at, span_t *line)
{
    if (*at >= text.size)
        return false;
    const char *begin = text.bytes + *at;
    const char *newline = memchr (begin, '\n', text.size - *at);
    if (!newline)
        return false;
    *line = (span_t){begin, (size_t)(newline - begin)};
    *at += line->size + 1;
    return true;
}

bool file_lines_is_blank (span_t line)
{
    for (size_t i = 0; i < line.size; i++) {
        char c = line.bytes[i];
        if (c != ' ' && !(c >= '\t' && c <= '\r'))
            return false;
    }
    return true;
}

static char *join_name (const char *path, const char *suffix)
{
    size_t path_size = strlen (path), suffix_size = strlen (suffix);
    char *name = memory_new (path_size + suffix_size + 2);
    memcpy (name, path, path_size);
    name[path_size] = '#';
    memcpy (name + path_size + 1, suffix, suffix_size);
    return name;
}

char *file_lines_partition_name (const char *path, span_t first_line)
{
    char digits[17];
    size_t size = first_line.size;
    if (size > EVENT_MESSAGE_BYTES_MAX)
        size = EVENT_MESSAGE_BYTES_MAX;
    snprintf (digits, sizeof digits, "%016" PRIx64, (uint64_t)XXH3_64bits (first_line.bytes, size));
    return join_name (path, digits);
}

char *file_lines_empty_name (const char *path)
{
    return join_name (path, "empty");
}

uint32_t file_lines_reader (const char *path, uint32_t count)
{
    return (uint32_t)(XXH3_64bits (path, strlen (path)) % count);
}
