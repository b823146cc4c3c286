/*  redis_url: see redis_url.h. */
#include "sink/redis_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum { PORT_DEFAULT = 6379, PORT_MAX = 65535, DATABASE_MAX = 1 << 20 };
static const char wrong_login[] = "the password is empty or wrongly percent-encoded";

static int hex_value (char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr (digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/*  A decoded copy; NULL where a % is not followed by two digits, or it would hold a NUL. */
static char *decode (const char *bytes, size_t size)
{
    char *text = memory_copy_string (bytes, size);
    size_t to = 0;
    for (size_t i = 0; i < size; i++) {
        char byte = bytes[i];
        if (byte == '%') {
            int high = i + 2 < size ? hex_value (bytes[i + 1]) : -1;
            int low = i + 2 < size ? hex_value (bytes[i + 2]) : -1;
            int value = high >= 0 && low >= 0 ? high << 4 | low : 0;
            byte = (char)value;
            i += 2;
        }
        if (!byte) {
            free (text);
            return NULL;
        }
        text[to++] = byte;
    }
    text[to] = 0;
    return text;
}

static int parse_number (const char *text, const char *end, int least, int most, int *number)
{
    long value = 0;
    if (text == end || end - text > 7)
        return -1;
    for (const char *c = text; c < end; c++) {
        if (*c < '0' || *c > '9')
            return -1;
        value = value * 10 + (*c - '0');
    }
    if (value < least || value > most)
        return -1;
    *number = (int)value;
    return 0;
}

static int parse_login (const char *text, const char *end, redis_url_t *url)
{
    const char *colon = memchr (text, ':', (size_t)(end - text));
    const char *password = colon ? colon + 1 : text;
    if (colon && colon > text) {
        url->user = decode (text, (size_t)(colon - text));
        if (!url->user)
            return -1;
    }
    url->password = decode (password, (size_t)(end - password));
    return url->password && *url->password ? 0 : -1;
}

static int parse_place (const char *text, const char *end, redis_url_t *url, const char **reason)
{
    const char *host = text, *host_end, *rest;
    if (*text == '[') {
        host = text + 1;
        host_end = memchr (host, ']', (size_t)(end - host));
        rest = host_end ? host_end + 1 : end;
    } else {
        host_end = memchr (host, ':', (size_t)(end - host));
        host_end = host_end ? host_end : end;
        rest = host_end;
    }
    *reason = "the host is missing";
    if (!host_end || host_end == host)
        return -1;
    *reason = "the port is not a number of 1 to 65535";
    if (rest < end && (*rest != ':' || parse_number (rest + 1, end, 1, PORT_MAX, &url->port)))
        return -1;
    url->host = memory_copy_string (host, (size_t)(host_end - host));
    return 0;
}

static int parse_network (const char *at, redis_url_t *url, const char **reason)
{
    const char *login_end = strrchr (at, '@');
    if (login_end) {
        *reason = wrong_login;
        if (parse_login (at, login_end, url) != 0)
            return -1;
        at = login_end + 1;
    }
    const char *slash = strchr (at, '/');
    const char *end = slash ? slash : at + strlen (at);
    if (parse_place (at, end, url, reason) != 0)
        return -1;
    *reason = "the database is not a number";
    return slash && slash[1] ? parse_number (slash + 1, slash + strlen (slash), 0, DATABASE_MAX,
                                             &url->database)
                             : 0;
}

static int parse_unix (const char *at, redis_url_t *url, const char **reason)
{
    const char *path = strchr (at, '/');
    *reason = "the path of the socket is missing: unix:///PATH";
    if (!path || !path[1])
        return -1;
    if (path > at) {
        *reason = wrong_login;
        if (path[-1] != '@' || parse_login (at, path - 1, url) != 0)
            return -1;
    }
    const char *query = strchr (path, '?');
    const char *end = query ? query : path + strlen (path);
    url->path = memory_copy_string (path, (size_t)(end - path));
    *reason = "what follows the path is not ?db=NUMBER";
    if (!query)
        return 0;
    return strncmp (query, "?db=", 4) == 0 ? parse_number (query + 4, query + strlen (query), 0,
                                                           DATABASE_MAX, &url->database)
                                           : -1;
}

/*  HOST:PORT, with brackets around an address of IPv6; or the path. */
static char *make_place (const redis_url_t *url)
{
    char port[16];
    if (url->path)
        return memory_copy_string (url->path, strlen (url->path));
    snprintf (port, sizeof port, "%d", url->port);
    bool brackets = strchr (url->host, ':') != NULL;
    size_t size = strlen (url->host) + strlen (port) + 4;
    char *place = memory_new (size);
    snprintf (place, size, brackets ? "[%s]:%s" : "%s:%s", url->host, port);
    return place;
}

int redis_url_parse (const char *text, redis_url_t *url, const char **reason)
{
    static const char network[] = "redis://", local[] = "unix://", encrypted[] = "rediss://";
    int status = -1;
    *url = (redis_url_t){.port = PORT_DEFAULT};
    *reason = "it does not begin with redis:// or unix://";
    if (strncmp (text, network, sizeof network - 1) == 0)
        status = parse_network (text + sizeof network - 1, url, reason);
    else if (strncmp (text, local, sizeof local - 1) == 0)
        status = parse_unix (text + sizeof local - 1, url, reason);
    else if (strncmp (text, encrypted, sizeof encrypted - 1) == 0)
        *reason = "TLS (rediss://) is not spoken here: put a local TLS proxy in between";
    if (status != 0) {
        redis_url_free (url);
        return -1;
    }
    url->place = make_place (url);
    return 0;
}

static bool same_text (const char *a, const char *b)
{
    return a && b ? strcmp (a, b) == 0 : a == b;
}

bool redis_url_equal (const redis_url_t *a, const redis_url_t *b)
{
    return same_text (a->host, b->host) && a->port == b->port && same_text (a->path, b->path) &&
           same_text (a->user, b->user) && same_text (a->password, b->password) &&
           a->database == b->database;
}

void redis_url_free (redis_url_t *url)
{
    free (url->host);
    free (url->path);
    free (url->user);
    free (url->password);
    free (url->place);
    *url = (redis_url_t){0};
}
