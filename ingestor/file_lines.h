/*  file_lines: what is pure about files of lines: cutting a buffer into lines, which lines count as
 *  blank, the name of a partition, and which ingestor reads a path. No file is opened here.
 */
#ifndef HOTPATH_FILE_LINES_H
#define HOTPATH_FILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/span.h"

/*  Takes the next whole line of `text` from *at on: *line without its newline, *at behind it. False
 *  where no newline is left (*at stays: the rest is a part of a line). */
bool file_lines_next (span_t text, size_t *at, span_t *line);
/*  Nothing but ASCII white space (also nothing at all)? */
bool file_lines_is_blank (span_t line);
/*  "path#" and the XXH3 (64 bits, 16 hexadecimal digits) of the first line without its newline; of
 * a line beyond EVENT_MESSAGE_BYTES_MAX its first EVENT_MESSAGE_BYTES_MAX bytes. The caller frees
 * it. */
char *file_lines_partition_name (const char *path, span_t first_line);
/*  The name of a file that has no first line yet: "path#empty". The caller frees it. */
char *file_lines_empty_name (const char *path);
/*  Which of `count` (> 0) ingestors reads this path: XXH3 of the path modulo count. */
uint32_t file_lines_reader (const char *path, uint32_t count);

#endif
