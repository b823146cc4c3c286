/*  file_dead_letters: dead letters as JSON lines appended to a file:
 *
 *      {"partition":"events.jsonl#…","offset":12,"reason":"syntax","time":1700000000000,"size":3,
 *       "truncated":false,"value":"base64 of the bytes, or null"}
 *
 *  time is when it was found, ms since the epoch. A full disk keeps them waiting, in a bounded
 *  queue. A file that is removed or moved away (rotated) is followed by a new one.
 */
#ifndef HOTPATH_FILE_DEAD_LETTERS_H
#define HOTPATH_FILE_DEAD_LETTERS_H

#include <stddef.h>
#include "ingestor/dead_letters.h"

/*  Appends to the file at `path` (made where absent). NULL with a message in error. */
dead_letters_t *file_dead_letters_new (const char *path, char *error, size_t error_size);

#endif
