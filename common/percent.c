#include "common/percent.h"

#include <stdio.h>
#include "common/utf8.h"

static int digit (char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int percent_decode (span_t from, char *to, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < from.size; i++) {
        char byte = from.bytes[i];
        if (byte == '%') {
            int high = i + 2 < from.size ? digit (from.bytes[i + 1]) : -1;
            int low = i + 2 < from.size ? digit (from.bytes[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            byte = (char)(high << 4 | low);
            i += 2;
        }
        if (!byte || count + 1 >= size)
            return -1;
        to[count++] = byte;
    }
    to[count] = '\0';
    return utf8_valid ((span_t){to, count}) ? (int)count : -1;
}

void percent_encode (span_t from, buffer_t *to)
{
    for (size_t i = 0; i < from.size; i++) {
        char c = from.bytes[i], text[4];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            buffer_append (to, &c, 1);
        else {
            snprintf (text, sizeof text, "%%%02X", (unsigned char)c);
            buffer_append (to, text, 3);
        }
    }
}
