#include "ingestor/generation.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/memory.h"

enum { SUFFIX_BYTES_MAX = 40 };

char *generation_name (const char *base, generation_t generation)
{
    size_t size = strlen (base) + SUFFIX_BYTES_MAX;
    char *name = memory_new (size);
    if (generation.number)
        snprintf (name, size, "%s+%" PRIu32 "@%" PRId64, base, generation.number, generation.begin);
    else
        snprintf (name, size, "%s", base);
    return name;
}

/*  Reads digits that end at *end and moves it before them; -1: none, a leading zero, or too many. */
static int64_t digits_before (span_t name, size_t *end)
{
    size_t begin = *end;
    while (begin > 0 && name.bytes[begin - 1] >= '0' && name.bytes[begin - 1] <= '9')
        begin--;
    size_t count = *end - begin;
    if (count == 0 || count > 18 || (count > 1 && name.bytes[begin] == '0'))
        return -1;
    int64_t number = 0;
    for (size_t i = begin; i < *end; i++)
        number = number * 10 + (name.bytes[i] - '0');
    *end = begin;
    return number;
}

generation_t generation_parse (span_t name, span_t *base)
{
    size_t end = name.size;
    *base = name;
    int64_t begin = digits_before (name, &end);
    if (begin < 0 || end == 0 || name.bytes[end - 1] != '@')
        return (generation_t){0};
    end--;
    int64_t number = digits_before (name, &end);
    if (number < 1 || number > GENERATION_MAX || end < 2 || name.bytes[end - 1] != '+')
        return (generation_t){0};
    base->size = end - 1;
    return (generation_t){(uint32_t)number, begin};
}

int generation_compare (generation_t a, generation_t b)
{
    if (a.number != b.number)
        return a.number < b.number ? -1 : 1;
    return (a.begin > b.begin) - (a.begin < b.begin);
}
