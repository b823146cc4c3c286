/*  endpoint: ZeroMQ endpoints as settings name them: binding, what a process tells others of where it
 *  listens, and names that stand for several addresses.
 */
#ifndef HOTPATH_ENDPOINT_H
#define HOTPATH_ENDPOINT_H

#include <czmq.h>
#include <stdbool.h>
#include <stddef.h>
#include "common/settings.h"

enum { ENDPOINT_BYTES_MAX = 512 };

/*  Binds; `actual` gets the endpoint to tell others: with the port that was chosen for *, and the host's
 *  name where it listens on all addresses. Plain tcp on another address than loopback is refused unless
 *  `allow_plain_tcp`. 0, or -1 with a sentence in error that names the endpoint. */
int endpoint_bind (zsock_t *socket, const char *endpoint, bool allow_plain_tcp, char *actual,
                   char *error, size_t error_size);
/*  A second endpoint beside a first, to bind: the same address with a port of its own (tcp), the same path
 *  with ".suffix" (ipc, inproc). */
void endpoint_beside (const char *endpoint, const char *suffix, char *beside);

/*  KIND-HOST-PID: a name that no other process of the pipeline has. In a container the host's name is the
 *  container's and the pid stays the same, so that a restarted container keeps its name. */
void endpoint_process_name (const char *kind, char *name, size_t size);

/*  Every address that the endpoints of `names` stand for now: tcp://NAME:PORT once per IPv4 address
 *  of NAME (IPv6 where it has none), sorted and distinct; others as they are. A name that does not exist gives
 *  nothing (it may later); one that cannot be looked up now neither, and *failed is set. The caller empties the
 *  list with endpoint_list_free. Looks up DNS: may take a while (resolver.h). */
settings_list_t endpoint_resolve (const settings_list_t *names, bool *failed);
/*  Is any of them a name, that DNS is asked for? */
bool endpoint_any_name (const settings_list_t *names);
/*  As endpoint_resolve, for lists that are read once and whose order must be the same in every process: a
 *  name of one address, or of none yet, stays a name, which ZeroMQ looks up again at each connection. So a
 *  peer may come back at another address (a container made anew), and the order is that of the names. */
settings_list_t endpoint_resolve_fixed (const settings_list_t *names);
void endpoint_list_free (settings_list_t *list);

#endif
