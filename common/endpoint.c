#include "common/endpoint.h"

#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/memory.h"

static bool is_loopback (const char *endpoint)
{
    static const char *const hosts[] = {"tcp://127.", "tcp://localhost:", "tcp://[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (strncmp (endpoint, hosts[i], strlen (hosts[i])) == 0)
            return true;
    }
    return false;
}

void endpoint_process_name (const char *kind, char *name, size_t size)
{
    char host[128] = "host";
    gethostname (host, sizeof host - 1);
    snprintf (name, size, "%s-%s-%ld", kind, host, (long)getpid ());
}

static void name_host (const char *bound, char *actual)
{
    char host[256] = "localhost";
    const char *port = strrchr (bound, ':');
    bool everywhere =
        strncmp (bound, "tcp://0.0.0.0:", 14) == 0 || strncmp (bound, "tcp://[::]:", 11) == 0;
    if (!everywhere || !port || gethostname (host, sizeof host - 1) != 0)
        snprintf (actual, ENDPOINT_BYTES_MAX, "%s", bound);
    else
        snprintf (actual, ENDPOINT_BYTES_MAX, "tcp://%s%s", host, port);
}

int endpoint_bind (zsock_t *socket, const char *endpoint, bool allow_plain_tcp, char *actual,
                   char *error, size_t error_size)
{
    if (strncmp (endpoint, "tcp://", 6) == 0 && !is_loopback (endpoint) && !allow_plain_tcp) {
        snprintf (error, error_size,
                  "%s is not loopback and its traffic would be plain: use tcp://127.0.0.1:PORT, or say "
                  "--allow-plain-tcp on a network you trust",
                  endpoint);
        return -1;
    }
    if (zsock_bind (socket, "%s", endpoint) == -1) {
        snprintf (error, error_size, "cannot listen on %s: %s", endpoint, zmq_strerror (zmq_errno ()));
        return -1;
    }
    name_host (zsock_endpoint (socket), actual);
    return 0;
}

void endpoint_beside (const char *endpoint, const char *suffix, char *beside)
{
    const char *port = strrchr (endpoint, ':');
    if (strncmp (endpoint, "tcp://", 6) == 0 && port)
        snprintf (beside, ENDPOINT_BYTES_MAX, "%.*s:*", (int)(port - endpoint), endpoint);
    else
        snprintf (beside, ENDPOINT_BYTES_MAX, "%s.%s", endpoint, suffix);
}

static void add (settings_list_t *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp (list->list[i], text) == 0)
            return;
    }
    list->list = memory_resize (list->list, (list->count + 1) * sizeof *list->list);
    list->list[list->count++] = memory_copy_string (text, strlen (text));
}

static bool does_not_exist (int code)
{
    return code == EAI_NONAME || code == EAI_NODATA;
}

/*  False: it cannot be looked up now. */
static bool add_addresses (settings_list_t *list, const char *endpoint)
{
    char host[256], text[ENDPOINT_BYTES_MAX], address[NI_MAXHOST];
    const char *port = strrchr (endpoint, ':');
    size_t size = (size_t)(port - (endpoint + 6));
    if (size >= sizeof host)
        return true;
    memcpy (host, endpoint + 6, size);
    host[size] = '\0';
    /* IPv6 only where there is no IPv4: a process with both must not count as two. */
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int first = getaddrinfo (host, NULL, &hints, &found);
    if (first != 0) {
        hints.ai_family = AF_INET6;
        int second = getaddrinfo (host, NULL, &hints, &found);
        if (second != 0)
            return does_not_exist (first) && does_not_exist (second);
    }
    for (struct addrinfo *at = found; at; at = at->ai_next) {
        if (getnameinfo (at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0,
                         NI_NUMERICHOST) != 0)
            continue;
        snprintf (text, sizeof text, strchr (address, ':') ? "tcp://[%s]%s" : "tcp://%s%s", address,
                  port);
        add (list, text);
    }
    freeaddrinfo (found);
    return true;
}

static int by_text (const void *a, const void *b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

/*  A name that DNS may give several addresses for: not a literal address, not ipc. */
static bool has_name (const char *endpoint)
{
    const char *port = strrchr (endpoint, ':');
    return strncmp (endpoint, "tcp://", 6) == 0 && port > endpoint + 6 && endpoint[6] != '[' &&
           strspn (endpoint + 6, "0123456789.:") < strlen (endpoint + 6);
}

static void sort (settings_list_t *list)
{
    if (list->count)
        qsort (list->list, list->count, sizeof *list->list, by_text);
}

bool endpoint_any_name (const settings_list_t *names)
{
    bool any = false;
    for (size_t i = 0; i < names->count; i++)
        any |= has_name (names->list[i]);
    return any;
}

settings_list_t endpoint_resolve (const settings_list_t *names, bool *failed)
{
    settings_list_t list = {0};
    *failed = false;
    for (size_t i = 0; i < names->count; i++) {
        if (has_name (names->list[i]))
            *failed |= !add_addresses (&list, names->list[i]);
        else
            add (&list, names->list[i]);
    }
    sort (&list);
    return list;
}

settings_list_t endpoint_resolve_fixed (const settings_list_t *names)
{
    settings_list_t list = {0};
    for (size_t i = 0; i < names->count; i++) {
        settings_list_t found = {0};
        if (has_name (names->list[i]))
            add_addresses (&found, names->list[i]);
        if (found.count < 2)
            add (&list, names->list[i]);
        for (size_t at = 0; found.count > 1 && at < found.count; at++)
            add (&list, found.list[at]);
        endpoint_list_free (&found);
    }
    sort (&list);
    return list;
}

void endpoint_list_free (settings_list_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        free (list->list[i]);
    free (list->list);
    *list = (settings_list_t){0};
}
