/*  file_set: which partitions the paths of the file source hold, now and over rotations; and what
 * of each there is. Private to file_source. Not here: reading lines, callbacks.
 */
#ifndef HOTPATH_FILE_SET_H
#define HOTPATH_FILE_SET_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"
#include "ingestor/file_input.h"
#include "ingestor/file_tail.h"
#include "ingestor/generation.h"
#include "ingestor/spool.h"

enum { FILE_SET_ROTATED_GRACE_MS = 5000 }; /* a writer may go on with a rotated file as long */

typedef struct file_set file_set_t;

typedef struct {
    file_set_t *set;
    uint32_t index, input;
    char *base, *name;      /* by the first line; and with the generation */
    generation_t generation;
    bool replaced;          /* by a later generation: this one is no more */
    bool listed, own, told; /* told: assigned was called, and revoked was not */
    bool empty;             /* no first line yet */
    bool overwritten;       /* in place, since it was read: none of its offsets is there any more */
    bool started, rotated;
    int64_t rotated_ms;
    int64_t recorded_end; /* with once: the end that was found, or -1 */
    int64_t end_told;     /* the end that was last told, or -1 */
    int64_t end_known_ms; /* when nothing was behind its position (clock_ms), or 0 */
    int64_t durable;      /* every byte below is durable downstream */
    int64_t lost_wanted;  /* an offset that is not there, to be told; or -1 */
    file_tail_t tail;     /* its fd is the partition's */
} file_partition_t;

typedef struct {
    file_input_t file;
    spool_t *spool; /* of standard input; else NULL */
    bool own;
    file_partition_t *current; /* what the path holds now; NULL: nothing yet */
} file_set_input_t;

struct file_set {
    bool follow, once, changed; /* changed: the list is another since the caller cleared it */
    file_set_input_t *inputs;
    uint32_t input_count;
    file_partition_t **partitions;
    uint32_t partition_count;
    int64_t looked_ms;
    char *buffer; /* scratch of FILE_TAIL_BUFFER_BYTES */
};

/*  Looks at one path; -1 where there is nothing (errno). */
int file_set_look_at (file_set_t *self, uint32_t index, int64_t now_ms);
/*  Looks at all paths where it is time, and drops rotated partitions that nobody needs. */
void file_set_look_around (file_set_t *self, int64_t now_ms);
/*  The spool that a partition is read from, or NULL. */
spool_t *file_partition_spool (const file_partition_t *self);
/*  Is there nothing of the partition at `wanted` (beyond its end, or the bytes are gone or others)? *end, if it
 *  can be told, gets its end. */
bool file_partition_is_beyond (const file_partition_t *self, int64_t wanted, int64_t *end);
/*  The oldest byte that is kept, of this generation. */
int64_t file_partition_oldest (const file_partition_t *self);
/*  A later generation takes the partition's place and what it owns; false: it is none. */
bool file_set_enter (file_set_t *self, file_partition_t *partition, generation_t generation);
/*  The partition (not replaced) of this base name, or NULL. */
file_partition_t *file_set_find (const file_set_t *self, span_t base);
/*  Closes what it holds; the struct itself is the owner's. */
void file_set_free (file_set_t *self);

#endif
