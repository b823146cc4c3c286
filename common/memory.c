#include "common/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
