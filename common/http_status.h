/*  http_status: the HTTP server of a process: /livez, /readyz and /metrics, by GET and HEAD. The
 * only file that knows libmicrohttpd.
 *
 *  A thread of libmicrohttpd answers from a snapshot that the working loop publishes: it reads no
 * state of the loop, so a loop that hangs is noticed, and a slow client holds nobody up.
 *
 *      /livez            200 as long as the loop has turned within HTTP_STATUS_ALIVE_MS (and before
 * its first turn: a start may wait for a server), else 503 /readyz           200 or 503; 503 names
 * each part that holds it back; ?verbose names all parts /metrics          Prometheus text
 *
 *  No TLS, no authentication: it tells no secret and changes nothing; whoever names an address
 * beyond loopback shows it there. Not here: what is told (status.h).
 */
#ifndef HOTPATH_HTTP_STATUS_H
#define HOTPATH_HTTP_STATUS_H

#include <stddef.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/readiness.h"

enum {
    HTTP_STATUS_ALIVE_MS = 10000,
    HTTP_STATUS_CONNECTIONS_MAX = 32,
    HTTP_STATUS_REQUEST_BYTES_MAX = 16 << 10, /* of a connection: its request line and headers */
    HTTP_STATUS_IDLE_S = 10, /* a connection that says nothing for so long is closed */
};

typedef struct http_status http_status_t;

/*  Listens on `listen`: HOST:PORT, [IPV6]:PORT; port 0: any. NULL with a sentence in error. */
http_status_t *http_status_new (const char *listen, char *error, size_t error_size);
/*  Ends its thread; open connections are closed. */
void http_status_destroy (http_status_t **self_p);
/*  The port that it listens on. */
uint16_t http_status_port (const http_status_t *self);

/*  All by the loop's thread: it turned now (monotonic clock); this is how ready it is; these are
 * its metrics. All is copied. */
void http_status_turned (http_status_t *self, int64_t now_ms);
void http_status_set_readiness (http_status_t *self, const readiness_t *readiness);
void http_status_set_metrics (http_status_t *self, const buffer_t *text);

#endif
