/*  http_client: one request of HTTP/1.1 and its answer, over a connection of its own, without TLS:
 *  for the admin API on this machine (or through a tunnel, or a proxy that ends TLS). Every wait
 *  has a bound.
 */
#ifndef HOTPATH_CTL_HTTP_CLIENT_H
#define HOTPATH_CTL_HTTP_CLIENT_H

#include <stddef.h>
#include "common/buffer.h"
#include "common/span.h"

enum { HTTP_ANSWER_BYTES_MAX = 64 << 20, HTTP_URL_BYTES_MAX = 1024 };

/*  Where it goes: http://HOST[:PORT][/PREFIX]. */
typedef struct {
    char host[256], port[8], prefix[512];
} http_url_t;

typedef struct {
    const char *method;
    const char *path;    /* with its query, behind the URL's prefix */
    const char *headers; /* whole lines, each ended by \r\n; or "" */
    span_t body;         /* absent: none */
} http_call_t;

typedef struct {
    int status;
    char *head;    /* of the answer: status line and headers, as they came */
    buffer_t body; /* NUL-terminated behind its size */
} http_answer_t;

/*  -1 with a sentence in error: https, no host, a port that is none. */
int http_url_parse (const char *url, http_url_t *parsed, char *error, size_t error_size);

/*  Asks; every step ends within `timeout_ms`. -1 with a sentence in error where there is no whole
 *  answer. */
int http_client_call (const http_url_t *url, const http_call_t *call, long timeout_ms,
                      http_answer_t *answer, char *error, size_t error_size);
void http_answer_free (http_answer_t *self);

/*  Reads a whole answer as it came (all bytes up to the end of the connection) into `answer`: the
 *  part of http_client_call that knows the form of it. Takes the bytes. -1 where it is not whole.
 */
int http_answer_read (buffer_t *bytes, http_answer_t *answer);
/*  The value of a header (by its name in any case) into `value`; empty where there is none. */
void http_answer_header (const http_answer_t *self, const char *name, char *value, size_t size);

#endif
