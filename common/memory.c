#include "common/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *or_abort (void *block, size_t size)
{
    if (!block) {
        fprintf (stderr, "level=error msg=\"out of memory\" bytes=%zu\n", size);
        abort ();
    }
    return block;
}

void *memory_new (size_t size)
{
    return or_abort (calloc (1, size ? size : 1), size);
}

void *memory_new_array (size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return or_abort (NULL, SIZE_MAX);
    return memory_new (count * size);
}

void *memory_resize (void *block, size_t size)
{
    return or_abort (realloc (block, size ? size : 1), size);
}

char *memory_copy_string (const char *bytes, size_t size)
{
    char *copy = or_abort (malloc (size + 1), size + 1);
    if (size)
        memcpy (copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

void *memory_map (size_t bytes)
{
    size_t more = bytes < MEMORY_HUGE_BYTES ? 0 : MEMORY_HUGE_BYTES;
    uint8_t *start = mmap (NULL, bytes + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return or_abort (NULL, bytes);
    if (!more)
        return start;
    size_t before = -(uintptr_t)start % MEMORY_HUGE_BYTES;
    if (before)
        munmap (start, before);
    if (more > before)
        munmap (start + before + bytes, more - before);
    (void)madvise (start + before, bytes, MADV_HUGEPAGE); /* where it is refused: slower, no more */
    return start + before;
}

void memory_unmap (void *start, size_t bytes)
{
    munmap (start, bytes);
}
