/*  digest: SHA-256, comparison in constant time, random bytes: the one file that knows libsodium.
 */
#ifndef HOTPATH_DIGEST_H
#define HOTPATH_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/span.h"

enum { DIGEST_BYTES = 32, DIGEST_HEX_BYTES = 64, DIGEST_RANDOM_BYTES_MAX = 64 };

typedef struct {
    uint8_t bytes[DIGEST_BYTES];
} digest_t;

digest_t digest_of (span_t text);
/*  Takes the same time whether and wherever they differ. */
bool digest_equal (const digest_t *a, const digest_t *b);
/*  64 lower-case hexadecimal digits and a NUL. */
void digest_write (const digest_t *self, char hex[DIGEST_HEX_BYTES + 1]);
/*  False where it is not 64 hexadecimal digits of either case. */
bool digest_read (span_t hex, digest_t *digest);
/*  digest_of and digest_write. */
void digest_hex (span_t text, char hex[DIGEST_HEX_BYTES + 1]);

/*  2 * `count` hexadecimal digits of random bytes (1 .. DIGEST_RANDOM_BYTES_MAX) and a NUL. */
void digest_random (char *hex, size_t count);

#endif
