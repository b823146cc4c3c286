/*  redis_url: see redis_url.h. */
#include "sink/redis_url.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum { PORT_DEFAULT = 6379, PORT_MAX = 65535, DATABASE_MAX = 1 << 20 };

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

int redis_url_parse (const char *text, redis_url_t *url, const char **reason)
{
    static const char scheme[] = "redis://";
    *url = (redis_url_t){.port = PORT_DEFAULT};
    *reason = "it does not begin with redis://";
    if (strncmp (text, scheme, sizeof scheme - 1) != 0)
        return -1;
    const char *at = text + sizeof scheme - 1;
    const char *login_end = strrchr (at, '@');
    if (login_end) {
        *reason = "the password is empty or wrongly percent-encoded";
        if (parse_login (at, login_end, url) != 0)
            goto failed;
        at = login_end + 1;
    }
    const char *slash = strchr (at, '/');
    const char *end = slash ? slash : at + strlen (at);
    if (parse_place (at, end, url, reason) != 0)
        goto failed;
    *reason = "the database is not a number";
    if (slash && slash[1] &&
        parse_number (slash + 1, slash + strlen (slash), 0, DATABASE_MAX, &url->database) != 0)
        goto failed;
    return 0;
failed:
    redis_url_free (url);
    return -1;
}

void redis_url_free (redis_url_t *url)
{
    free (url->host);
    free (url->user);
    free (url->password);
    *url = (redis_url_t){0};
}
