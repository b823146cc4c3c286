/*  span: bytes that somebody else owns, with their size; never NUL-terminated by promise. */
#ifndef HOTPATH_SPAN_H
#define HOTPATH_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *bytes; /* NULL: absent (an empty string has bytes) */
    size_t size;
} span_t;

static inline span_t span_of (const char *text)
{
    return (span_t){text, text ? strlen (text) : 0};
}

/*  memcmp's answer without the call: ids and labels are short, and mostly equal where they are compared. The last
 * step looks at some bytes a second time. */
static inline bool span_same_bytes (const char *a, const char *b, size_t size)
{
    uint64_t x, y;
    if (size < sizeof x) {
        for (size_t i = 0; i < size; i++)
            if (a[i] != b[i])
                return false;
        return true;
    }
    for (size_t at = 0; at + sizeof x <= size; at += sizeof x) {
        memcpy (&x, a + at, sizeof x);
        memcpy (&y, b + at, sizeof y);
        if (x != y)
            return false;
    }
    memcpy (&x, a + size - sizeof x, sizeof x);
    memcpy (&y, b + size - sizeof y, sizeof y);
    return x == y;
}

static inline bool span_equal (span_t a, span_t b)
{
    return a.size == b.size && span_same_bytes (a.bytes, b.bytes, a.size);
}

/*  Bytewise order (as memcmp; a prefix comes first): <0, 0, >0. */
static inline int span_compare (span_t a, span_t b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp (a.bytes, b.bytes, shorter) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

#endif
