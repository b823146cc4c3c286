/*  base64: see base64.h. */
#include "ingestor/base64.h"
#include <stdint.h>

void base64_append (buffer_t *out, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;
    buffer_reserve (out, (size + 2) / 3 * 4);
    uint8_t *to = out->bytes + out->size;
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t group = (uint32_t)from[at] << 16;
        if (left > 1)
            group |= (uint32_t)from[at + 1] << 8;
        if (left > 2)
            group |= from[at + 2];
        *to++ = (uint8_t)digits[group >> 18];
        *to++ = (uint8_t)digits[group >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)digits[group >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)digits[group & 63] : '=';
    }
    out->size += (size + 2) / 3 * 4;
}
