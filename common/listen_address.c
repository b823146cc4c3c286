#include "common/listen_address.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LISTEN_BYTES_MAX = 512 };

int listen_address_find (const char *setting, const char *listen, struct addrinfo **found,
                         char *error, size_t error_size)
{
    char host[LISTEN_BYTES_MAX];
    const char *colon = strrchr (listen, ':');
    size_t size = colon ? (size_t)(colon - listen) : 0;
    size_t digits = colon ? strspn (colon + 1, "0123456789") : 0;
    if (!size || size >= sizeof host || digits < 1 || digits > 5 || colon[1 + digits] ||
        atoi (colon + 1) > UINT16_MAX) {
        snprintf (error, error_size, "%s: %s is not HOST:PORT", setting, listen);
        return -1;
    }
    bool bracketed = listen[0] == '[' && listen[size - 1] == ']';
    snprintf (host, sizeof host, "%.*s", (int)(size - 2 * bracketed), listen + bracketed);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    int failed = getaddrinfo (host, colon + 1, &hints, found);
    if (failed)
        snprintf (error, error_size, "%s: %s: %s", setting, listen, gai_strerror (failed));
    return failed ? -1 : 0;
}

bool listen_address_is_loopback (const struct addrinfo *address)
{
    if (address->ai_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address->ai_addr;
        return ntohl (v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address->ai_addr;
    return IN6_IS_ADDR_LOOPBACK (&v6->sin6_addr);
}
