/*  utf8: see utf8.h. The table of valid sequences is RFC 3629, section 4. */
#include "common/utf8.h"

#include <stdint.h>
#include <string.h>

static bool follows (unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t utf8_sequence_bytes (const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xC2 || at[0] > 0xF4)
        return 0;
    if (at[0] < 0xE0)
        return size >= 2 && follows (at[1]) ? 2 : 0;
    if (at[0] < 0xF0) {
        if (size < 3 || !follows (at[1]) || !follows (at[2]))
            return 0;
        bool overlong = at[0] == 0xE0 && at[1] < 0xA0;
        bool surrogate = at[0] == 0xED && at[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (size < 4 || !follows (at[1]) || !follows (at[2]) || !follows (at[3]))
        return 0;
    bool overlong = at[0] == 0xF0 && at[1] < 0x90;
    bool beyond = at[0] == 0xF4 && at[1] > 0x8F;
    return overlong || beyond ? 0 : 4;
}

bool utf8_valid (span_t text)
{
    size_t at = 0;
    while (at < text.size) {
        uint64_t eight;
        if (text.size - at >= sizeof (eight)) {
            memcpy (&eight, text.bytes + at, sizeof (eight));
            if (!(eight & UINT64_C (0x8080808080808080))) {
                at += sizeof (eight);
                continue;
            }
        }
        size_t bytes = utf8_sequence_bytes (text.bytes + at, text.size - at);
        if (!bytes)
            return false;
        at += bytes;
    }
    return true;
}
