/*  file_source: files of JSON lines as a source.
 *
 *  A partition is a path and the hash of the file's first line ("path#0123456789abcdef"; as long as
 * there is no whole first line "path#empty"), an offset is the byte position of a line. Blank lines
 * are no events. A last line without newline counts where the file will not grow: with `once`, at
 * the end of standard input, and of a file that was rotated away 5 s ago; otherwise its newline is
 * waited for.
 *
 *  once    each file is read to the end that its first reader finds; that is the partition's end
 * for ever. follow  like tail -F: a file that is absent is waited for; when another file takes the
 * path, or the same file gets another first line, that is a new partition. The old one has ended
 * after its remaining bytes are read; it stays listed until what was read is durable (source
 * commit) and 5 s are over. else    the file that was opened is read, and what is appended to it;
 * its path is not looked at again.
 *
 *  "-" is standard input, spooled under spool_folder and read from there: it begins anew with each
 *  process, so when the same lines come again, the same partition goes on where it was started.
 * Several ingestors list all files, and each reads those whose path hashes to its index. Standard
 * input is known to its reader alone: the others list nothing for it, so it belongs with one
 * ingestor.
 *
 *  Not here: what a line means.
 */
#ifndef HOTPATH_FILE_SOURCE_H
#define HOTPATH_FILE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ingestor/source.h"

typedef struct {
    const char *const *paths; /* borrowed for the life of the source; "-": standard input */
    size_t path_count;
    bool follow, once;
    const char *spool_folder;            /* needed where "-" is among the paths */
    int input;                           /* the descriptor of standard input, borrowed */
    uint32_t reader_index, reader_count; /* which of how many ingestors this is */
} file_source_settings_t;

/*  NULL with a message in error and *exit_code (sysexits: 64 a path named twice, 66 a file that is
 *  absent or cannot be read without follow, 73 no spool). `events` is copied. */
source_t *file_source_new (const file_source_settings_t *settings, const source_events_t *events,
                           char *error, size_t error_size, int *exit_code);

#endif
