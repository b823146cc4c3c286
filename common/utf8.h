/*  utf8: strict UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF).
 *  Does not decode, normalise or fold.
 */
#ifndef HOTPATH_UTF8_H
#define HOTPATH_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include "common/span.h"

/*  Bytes of the sequence that `bytes` (`size` > 0 of them) begins with: 1 .. 4, or 0 where it is
 *  not valid or cut off.
 */
size_t utf8_sequence_bytes (const char *bytes, size_t size);
/*  Is all of the text valid? An empty one is; NUL is a character. */
bool utf8_valid (span_t text);

#endif
