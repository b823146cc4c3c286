/*  listen_address: HOST:PORT or [IPV6]:PORT as something to listen on.
 */
#ifndef HOTPATH_LISTEN_ADDRESS_H
#define HOTPATH_LISTEN_ADDRESS_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

/*  Looks it up; free with freeaddrinfo. -1 with a sentence in error that begins with `setting`. */
int listen_address_find (const char *setting, const char *listen, struct addrinfo **found,
                         char *error, size_t error_size);
/*  Is it of this machine alone? */
bool listen_address_is_loopback (const struct addrinfo *address);

#endif
