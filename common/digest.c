#include "common/digest.h"

#include <sodium.h>
#include "common/check.h"

_Static_assert(DIGEST_BYTES == crypto_hash_sha256_BYTES, "SHA-256");

digest_t digest_of (span_t text)
{
    digest_t digest;
    crypto_hash_sha256 (digest.bytes, (const unsigned char *)text.bytes, text.size);
    return digest;
}

bool digest_equal (const digest_t *a, const digest_t *b)
{
    return sodium_memcmp (a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void digest_write (const digest_t *self, char hex[DIGEST_HEX_BYTES + 1])
{
    sodium_bin2hex (hex, DIGEST_HEX_BYTES + 1, self->bytes, sizeof self->bytes);
}

bool digest_read (span_t hex, digest_t *digest)
{
    size_t size = 0;
    const char *end = NULL;
    return hex.size == DIGEST_HEX_BYTES &&
           sodium_hex2bin (digest->bytes, sizeof digest->bytes, hex.bytes, hex.size, NULL, &size,
                           &end) == 0 &&
           size == sizeof digest->bytes && end == hex.bytes + hex.size;
}

void digest_hex (span_t text, char hex[DIGEST_HEX_BYTES + 1])
{
    digest_t digest = digest_of (text);
    digest_write (&digest, hex);
}

void digest_random (char *hex, size_t count)
{
    unsigned char bytes[DIGEST_RANDOM_BYTES_MAX];
    CHECK (count >= 1 && count <= sizeof bytes);
    CHECK (sodium_init () >= 0);
    randombytes_buf (bytes, count);
    sodium_bin2hex (hex, 2 * count + 1, bytes, count);
}
