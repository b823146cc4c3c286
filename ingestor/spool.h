/*  spool: standard input (or any pipe) written to a file, so that it can be read again from any
 *  offset. Each life begins the file anew at 0. It is read at most `ahead` bytes beyond what its
 *  reader wants, so that a pipe waits for a slow reader and the file is what grows, not memory.
 *  Not here: lines, names.
 */
#ifndef HOTPATH_SPOOL_H
#define HOTPATH_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPOOL_AHEAD_BYTES = 64 << 20 };

typedef struct spool spool_t;

/*  Makes folder/stdin.spool anew (the folder too, where it is absent); reads from `input`, which
 * stays the caller's. NULL with a message in error[0 .. error_size). */
spool_t *spool_new (const char *folder, int input, char *error, size_t error_size);
/*  Removes the file. */
void spool_destroy (spool_t **self_p);
/*  Takes over what the input has now, as far as `wanted` + SPOOL_AHEAD_BYTES and at most 1 MiB a
 * call, without waiting. A full disk: logged, tried again by the next call. True where something
 * came. */
bool spool_fill (spool_t *self, int64_t wanted);
/*  The file's descriptor, borrowed. */
int spool_fd (const spool_t *self);
/*  Bytes in it so far. */
int64_t spool_size (const spool_t *self);
/*  The input has ended and all of it is in the file. */
bool spool_ended (const spool_t *self);
/*  The input's descriptor, to wait for; -1 where nothing is wanted of it now. */
int spool_wait_fd (const spool_t *self, int64_t wanted);
/*  Nobody needs the bytes below `offset` any more: their room is given back, in steps of 1 MiB.
 *  Returns the oldest offset that is kept. */
int64_t spool_forget (spool_t *self, int64_t offset);

#endif
