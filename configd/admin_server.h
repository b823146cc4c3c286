/*  admin_server: HTTP around admin_api: the only file of configd that knows libmicrohttpd. A
 *  thread for each connection, so that one that waits for the store, or for a revision to be
 *  applied, holds nobody up.
 *
 *  Limits: ADMIN_CONNECTIONS_MAX connections; a request has ADMIN_REQUEST_MS to come in whole; its
 *  line and headers ADMIN_HEADER_BYTES_MAX, its body ADMIN_BODY_BYTES_MAX; a connection that says
 *  nothing for ADMIN_IDLE_S is closed.
 */
#ifndef HOTPATH_ADMIN_SERVER_H
#define HOTPATH_ADMIN_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include "configd/admin_api.h"

enum {
    ADMIN_CONNECTIONS_MAX = 128,
    ADMIN_HEADER_BYTES_MAX = 32 << 10,
    ADMIN_IDLE_S = 10,
    ADMIN_REQUEST_MS = 30000,
};

typedef struct admin_server admin_server_t;

/*  Listens on HOST:PORT (port 0: any); beyond loopback only if `anywhere`: it is not encrypted.
 *  Borrows `api`. NULL with a sentence in error. */
admin_server_t *admin_server_new (admin_api_t *api, const char *listen, bool anywhere, char *error,
                                  size_t error_size);
/*  Waits for the requests that are under way. */
void admin_server_destroy (admin_server_t **self_p);
uint16_t admin_server_port (const admin_server_t *self);

#endif
