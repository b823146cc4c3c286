#include "common/key_hash.h"

#define XXH_INLINE_ALL /* most keys are shorter than a call is long */
#include <xxhash.h>

#include "common/check.h"

enum { PART_BYTES_MAX = 256 };

static size_t put (uint8_t *to, size_t at, span_t part)
{
    CHECK (part.size <= PART_BYTES_MAX);
    uint32_t size = (uint32_t)part.size;
    memcpy (to + at, &size, sizeof size);
    memcpy (to + at + sizeof size, part.bytes, part.size);
    return at + sizeof size + part.size;
}

uint64_t key_hash (span_t tenant, span_t scenario, span_t id)
{
    uint8_t bytes[3 * (PART_BYTES_MAX + 4)];
    size_t size = put (bytes, 0, tenant);
    size = put (bytes, size, scenario);
    size = put (bytes, size, id);
    return XXH3_64bits (bytes, size);
}

uint64_t key_hash_scenario (span_t tenant, span_t scenario)
{
    uint8_t bytes[2 * (PART_BYTES_MAX + 4)];
    size_t size = put (bytes, 0, tenant);
    size = put (bytes, size, scenario);
    return XXH3_64bits (bytes, size);
}
