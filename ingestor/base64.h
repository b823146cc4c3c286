/*  base64: RFC 4648, standard alphabet, padded; encoding only. Pure. (OpenSSL has one, but nothing
 *  else of the ingestor needs it.)
 */
#ifndef HOTPATH_BASE64_H
#define HOTPATH_BASE64_H

#include <stddef.h>
#include "common/buffer.h"

/*  Appends the encoding of `size` bytes to `out`: 4 characters for each 3 bytes begun. */
void base64_append (buffer_t *out, const void *bytes, size_t size);

#endif
