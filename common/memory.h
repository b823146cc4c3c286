/*  memory: allocation that cannot fail. Running out of memory aborts here and nowhere else:
 *  every structure of ours is bounded, so an allocation that fails is not something to handle
 *  on the hot path, and a supervisor that restarts a process loses nothing.
 */
#ifndef HOTPATH_MEMORY_H
#define HOTPATH_MEMORY_H

#include <stddef.h>

/*  A zeroed block of `size` bytes (0 counts as 1); the caller frees it with free (). */
void *memory_new (size_t size);
/*  A zeroed array; aborts where count * size overflows. */
void *memory_new_array (size_t count, size_t size);
/*  realloc that cannot fail; added bytes are not zeroed. */
void *memory_resize (void *block, size_t size);
/*  A copy of `size` bytes followed by one NUL byte; the caller frees it. */
char *memory_copy_string (const char *bytes, size_t size);

/*  Zeroed pages of the kernel's, for many small blocks that live together: `bytes` is a multiple of
 * a page. From MEMORY_HUGE_BYTES on they are aligned to it, and the kernel is asked to map them by
 * huge pages. */
enum { MEMORY_HUGE_BYTES = 2 << 20 };
void *memory_map (size_t bytes);
void memory_unmap (void *start, size_t bytes);

#endif
