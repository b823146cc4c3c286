/*  span: bytes that somebody else owns, with their size; never NUL-terminated by promise. */
#ifndef HOTPATH_SPAN_H
#define HOTPATH_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct {
    const char *bytes; /* NULL: absent (an empty string has bytes) */
    size_t size;
} span_t;

static inline span_t span_of (const char *text)
{
    return (span_t){text, text ? strlen (text) : 0};
}

static inline bool span_equal (span_t a, span_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp (a.bytes, b.bytes, a.size) == 0);
}

/*  Bytewise order (as memcmp; a prefix comes first): <0, 0, >0. */
static inline int span_compare (span_t a, span_t b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp (a.bytes, b.bytes, shorter) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

#endif
