/*  http_fetch: several small texts by HTTP GET at once. The only file that knows libcurl.
 */
#ifndef HOTPATH_CTL_HTTP_FETCH_H
#define HOTPATH_CTL_HTTP_FETCH_H

#include <stddef.h>
#include "common/buffer.h"

enum { HTTP_FETCH_BYTES_MAX = 16 << 20, HTTP_FETCH_AT_ONCE_MAX = 64, HTTP_FETCH_ERROR_MAX = 256 };

typedef struct {
    char *url;      /* the caller's */
    long code;      /* of the answer; 0: there was none */
    buffer_t text;  /* the answer's body, with a NUL behind it that `size` does not count */
    char error[HTTP_FETCH_ERROR_MAX]; /* why there was none */
} http_fetch_t;

/*  Fetches all, each within timeout_ms. The caller frees the texts. */
void http_fetch_all (http_fetch_t *fetches, size_t count, long timeout_ms);

#endif
