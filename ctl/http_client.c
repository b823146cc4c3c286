#include "ctl/http_client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/memory.h"

enum { PIECE_BYTES = 64 << 10 };

int http_url_parse (const char *url, http_url_t *parsed, char *error, size_t error_size)
{
    static const char scheme[] = "http://";
    size_t size = strlen (scheme);
    *parsed = (http_url_t){.port = "80"};
    if (strncmp (url, scheme, size) != 0) {
        snprintf (error, error_size,
                  "%s is not http://HOST:PORT (TLS is for a tunnel or a proxy to end)", url);
        return -1;
    }
    const char *host = url + size, *slash = host + strcspn (host, "/");
    size_t host_size = (size_t)(slash - host);
    const char *bracket = *host == '[' ? memchr (host, ']', host_size) : NULL;
    const char *from = bracket ? bracket : host;
    const char *colon = memchr (from, ':', (size_t)(slash - from));
    const char *end = colon ? colon : slash;
    if (bracket) {
        host++;
        end = bracket;
    }
    size_t digits = colon ? strspn (colon + 1, "0123456789") : 1;
    bool good = end > host && (size_t)(end - host) < sizeof parsed->host &&
                strlen (slash) < sizeof parsed->prefix && digits >= 1 && digits <= 5 &&
                (!colon || colon + 1 + digits == slash);
    if (!good) {
        snprintf (error, error_size, "%s is not http://HOST:PORT", url);
        return -1;
    }
    memcpy (parsed->host, host, (size_t)(end - host));
    if (colon)
        snprintf (parsed->port, sizeof parsed->port, "%.*s", (int)digits, colon + 1);
    snprintf (parsed->prefix, sizeof parsed->prefix, "%s", slash);
    size = strlen (parsed->prefix);
    if (size && parsed->prefix[size - 1] == '/')
        parsed->prefix[size - 1] = '\0';
    return 0;
}

/*  ---- the connection ---- */

/*  Waits until the socket can be read or written; 0, or -1 with errno. */
static int await (int socket_fd, short events, int64_t until_ms)
{
    for (;;) {
        int64_t left_ms = until_ms - clock_ms ();
        struct pollfd one = {.fd = socket_fd, .events = events};
        int found = left_ms > 0 ? poll (&one, 1, (int)left_ms) : 0;
        if (found > 0)
            return 0;
        if (found == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        if (errno != EINTR)
            return -1;
    }
}

static int connect_one (const struct addrinfo *address, int64_t until_ms)
{
    int error = 0;
    socklen_t size = sizeof error;
    int made = socket (address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0)
        return -1;
    if (connect (made, address->ai_addr, address->ai_addrlen) == 0)
        return made;
    if (errno == EINPROGRESS && await (made, POLLOUT, until_ms) == 0 &&
        getsockopt (made, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && !error)
        return made;
    if (error)
        errno = error;
    error = errno;
    close (made);
    errno = error;
    return -1;
}

static int open_connection (const http_url_t *url, int64_t until_ms, char *error,
                            size_t error_size)
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int failed = getaddrinfo (url->host, url->port, &hints, &found), made = -1;
    if (failed) {
        snprintf (error, error_size, "%s: %s", url->host, gai_strerror (failed));
        return -1;
    }
    for (const struct addrinfo *at = found; at && made < 0; at = at->ai_next)
        made = connect_one (at, until_ms);
    if (made < 0)
        snprintf (error, error_size, "cannot reach %s:%s: %s", url->host, url->port,
                  strerror (errno));
    freeaddrinfo (found);
    return made;
}

static int send_all (int socket_fd, const buffer_t *bytes, int64_t until_ms)
{
    for (size_t at = 0; at < bytes->size;) {
        ssize_t sent = send (socket_fd, bytes->bytes + at, bytes->size - at, MSG_NOSIGNAL);
        if (sent > 0)
            at += (size_t)sent;
        else if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        else if (await (socket_fd, POLLOUT, until_ms) != 0)
            return -1;
    }
    return 0;
}

static int receive_all (int socket_fd, buffer_t *bytes, int64_t until_ms)
{
    for (;;) {
        buffer_reserve (bytes, PIECE_BYTES);
        ssize_t got = recv (socket_fd, bytes->bytes + bytes->size, PIECE_BYTES, 0);
        if (got == 0)
            return 0;
        if (got > 0)
            bytes->size += (size_t)got;
        else if (errno != EAGAIN && errno != EINTR)
            return -1;
        else if (await (socket_fd, POLLIN, until_ms) != 0)
            return -1;
        if (bytes->size > HTTP_ANSWER_BYTES_MAX) {
            errno = EMSGSIZE;
            return -1;
        }
    }
}

/*  ---- the answer ---- */

void http_answer_header (const http_answer_t *self, const char *name, char *value, size_t size)
{
    size_t name_size = strlen (name);
    *value = '\0';
    for (const char *line = strstr (self->head, "\r\n"); line; line = strstr (line, "\r\n")) {
        line += 2;
        if (strncasecmp (line, name, name_size) != 0 || line[name_size] != ':')
            continue;
        const char *from = line + name_size + 1;
        from += strspn (from, " \t");
        snprintf (value, size, "%.*s", (int)strcspn (from, "\r\n"), from);
        return;
    }
}

int http_answer_read (buffer_t *bytes, http_answer_t *answer)
{
    char length[32];
    *answer = (http_answer_t){0};
    const char *text = (const char *)bytes->bytes;
    const char *end = bytes->size ? memmem (text, bytes->size, "\r\n\r\n", 4) : NULL;
    if (!end || bytes->size < 12 || strncmp (text, "HTTP/1.", 7) != 0) {
        buffer_free (bytes);
        return -1;
    }
    answer->head = memory_copy_string (text, (size_t)(end - text) + 2);
    answer->status = atoi (text + 9);
    size_t from = (size_t)(end - text) + 4;
    buffer_append (&answer->body, bytes->bytes + from, bytes->size - from);
    http_answer_header (answer, "Content-Length", length, sizeof length);
    bool whole = *length && strtoull (length, NULL, 10) == answer->body.size;
    buffer_append (&answer->body, "", 1);
    answer->body.size--;
    buffer_free (bytes);
    if (whole && answer->status >= 200 && answer->status < 600)
        return 0;
    http_answer_free (answer);
    return -1;
}

void http_answer_free (http_answer_t *self)
{
    free (self->head);
    buffer_free (&self->body);
    *self = (http_answer_t){0};
}

/*  ---- the call ---- */

static void write_call (const http_url_t *url, const http_call_t *call, buffer_t *to)
{
    char length[64] = "";
    if (call->body.bytes)
        snprintf (length, sizeof length, "Content-Length: %zu\r\n", call->body.size);
    const char *const parts[] = {call->method, " ", url->prefix, call->path,
                                 " HTTP/1.1\r\nConnection: close\r\nHost: ",
                                 url->host, ":", url->port, "\r\n", call->headers, length, "\r\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        buffer_append (to, parts[i], strlen (parts[i]));
    buffer_append (to, call->body.bytes, call->body.size);
}

int http_client_call (const http_url_t *url, const http_call_t *call, long timeout_ms,
                      http_answer_t *answer, char *error, size_t error_size)
{
    int64_t until_ms = clock_ms () + timeout_ms;
    buffer_t sent = {0}, received = {0};
    *answer = (http_answer_t){0};
    int connection = open_connection (url, until_ms, error, error_size), result = -1;
    if (connection < 0)
        return -1;
    write_call (url, call, &sent);
    if (send_all (connection, &sent, until_ms) != 0 ||
        receive_all (connection, &received, until_ms) != 0)
        snprintf (error, error_size, "%s:%s does not answer: %s", url->host, url->port,
                  strerror (errno));
    else if (http_answer_read (&received, answer) != 0)
        snprintf (error, error_size, "%s:%s did not answer as the admin API does", url->host,
                  url->port);
    else
        result = 0;
    close (connection);
    buffer_free (&sent);
    buffer_free (&received);
    return result;
}
