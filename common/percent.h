/*  percent: percent-encoding of ids in paths, queries and headers (RFC 3986). Pure.
 */
#ifndef HOTPATH_PERCENT_H
#define HOTPATH_PERCENT_H

#include <stddef.h>
#include "common/buffer.h"
#include "common/span.h"

/*  Decodes into `to` (of `size` bytes, with its NUL); the number of bytes. -1 where it does not
 *  fit, is encoded wrongly, holds a NUL byte, or is not UTF-8. */
int percent_decode (span_t from, char *to, size_t size);
/*  Appends with everything but unreserved characters as %XX. */
void percent_encode (span_t from, buffer_t *to);

#endif
