#include "common/http_status.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/listen_address.h"
#include "common/memory.h"

struct http_status {
    struct MHD_Daemon *daemon;
    atomic_llong turned_ms; /* 0: not yet */
    pthread_mutex_t lock;   /* of what follows */
    buffer_t good, bad;     /* lines of readiness */
    buffer_t metrics;
    bool said; /* readiness was told once */
};

static void append_text (buffer_t *text, const char *more)
{
    buffer_append (text, more, strlen (more));
}

/*  ---- answers: text and status code ---- */

/*  Milliseconds since the loop turned; 0 before its first turn. */
static int64_t silent_ms (http_status_t *self)
{
    int64_t turned_ms = atomic_load (&self->turned_ms);
    return turned_ms ? clock_ms () - turned_ms : 0;
}

static void append_silence (buffer_t *text, int64_t ms)
{
    char line[128];
    snprintf (line, sizeof line, "[-] loop: has not turned for %lld s\n", (long long)(ms / 1000));
    append_text (text, line);
}

static unsigned answer_alive (http_status_t *self, buffer_t *text)
{
    int64_t ms = silent_ms (self);
    if (ms <= HTTP_STATUS_ALIVE_MS) {
        append_text (text, "alive\n");
        return MHD_HTTP_OK;
    }
    append_silence (text, ms);
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned answer_ready (http_status_t *self, bool verbose, buffer_t *text)
{
    buffer_t good = {0};
    int64_t ms = silent_ms (self);
    if (ms > HTTP_STATUS_ALIVE_MS)
        append_silence (text, ms);
    pthread_mutex_lock (&self->lock);
    if (!self->said)
        append_text (text, "[-] start: not finished\n");
    buffer_append (text, self->bad.bytes, self->bad.size);
    if (verbose)
        buffer_append (&good, self->good.bytes, self->good.size);
    pthread_mutex_unlock (&self->lock);
    bool ready = text->size == 0;
    buffer_append (text, good.bytes, good.size);
    buffer_free (&good);
    append_text (text, ready ? "ready\n" : "not ready\n");
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned answer_metrics (http_status_t *self, buffer_t *text)
{
    pthread_mutex_lock (&self->lock);
    buffer_append (text, self->metrics.bytes, self->metrics.size);
    bool said = self->metrics.size > 0;
    pthread_mutex_unlock (&self->lock);
    if (!said)
        append_text (text, "# starting\n");
    return MHD_HTTP_OK;
}

/*  ---- HTTP ---- */

static enum MHD_Result send_text (struct MHD_Connection *connection, unsigned code,
                                  const char *type, buffer_t *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer (
        text->size, text->size ? (void *)text->bytes : (void *)"", MHD_RESPMEM_MUST_COPY);
    buffer_free (text);
    if (!response)
        return MHD_NO;
    MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header (response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header (response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response (connection, code, response);
    MHD_destroy_response (response);
    return result;
}

static enum MHD_Result on_request (void *arg, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_size, void **request)
{
    static char begun;
    http_status_t *self = arg;
    const char *type = "text/plain; charset=utf-8";
    unsigned code = MHD_HTTP_NOT_FOUND;
    buffer_t text = {0};
    (void)version;
    (void)upload;
    (void)upload_size;
    if (strcmp (method, MHD_HTTP_METHOD_GET) != 0 && strcmp (method, MHD_HTTP_METHOD_HEAD) != 0) {
        append_text (&text, "only GET and HEAD\n");
        return send_text (connection, MHD_HTTP_METHOD_NOT_ALLOWED, type, &text);
    }
    /* An answer to the first call, which has the headers only, would end the connection. */
    if (!*request) {
        *request = &begun;
        return MHD_YES;
    }
    if (strcmp (url, "/livez") == 0) {
        code = answer_alive (self, &text);
    } else if (strcmp (url, "/readyz") == 0) {
        /* "?verbose" has no value, and MHD_lookup_connection_value cannot tell it from none. */
        const char *value = NULL;
        bool verbose = MHD_lookup_connection_value_n (connection, MHD_GET_ARGUMENT_KIND, "verbose",
                                                      strlen ("verbose"), &value, NULL) == MHD_YES;
        code = answer_ready (self, verbose, &text);
    } else if (strcmp (url, "/metrics") == 0) {
        type = "text/plain; version=0.0.4; charset=utf-8";
        code = answer_metrics (self, &text);
    } else {
        append_text (&text, "there are /livez, /readyz, /readyz?verbose and /metrics\n");
    }
    return send_text (connection, code, type, &text);
}

/*  What a client did wrong is no event of ours. */
static void drop_message (void *arg, const char *format, va_list args)
{
    (void)arg;
    (void)format;
    (void)args;
}

/*  ---- life ---- */

http_status_t *http_status_new (const char *listen, char *error, size_t error_size)
{
    struct addrinfo *address = NULL;
    sigset_t all, before;
    if (listen_address_find ("--status-listen", listen, &address, error, error_size) != 0)
        return NULL;
    http_status_t *self = memory_new (sizeof *self);
    pthread_mutex_init (&self->lock, NULL);
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ERROR_LOG |
                     (address->ai_family == AF_INET6 ? (unsigned)MHD_USE_IPv6 : 0);
    /* Signals are the loop's: one that its thread does not get does not wake it. */
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    errno = 0;
    self->daemon = MHD_start_daemon (
        flags, 0, NULL, NULL, on_request, self, MHD_OPTION_EXTERNAL_LOGGER, drop_message, NULL,
        MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HTTP_STATUS_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_STATUS_REQUEST_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_STATUS_IDLE_S, MHD_OPTION_END);
    int reason = errno;
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    freeaddrinfo (address);
    if (!self->daemon) {
        snprintf (error, error_size, "--status-listen: cannot listen on %s: %s", listen,
                  strerror (reason));
        http_status_destroy (&self);
    }
    return self;
}

void http_status_destroy (http_status_t **self_p)
{
    http_status_t *self = *self_p;
    if (!self)
        return;
    if (self->daemon)
        MHD_stop_daemon (self->daemon);
    pthread_mutex_destroy (&self->lock);
    buffer_free (&self->good);
    buffer_free (&self->bad);
    buffer_free (&self->metrics);
    free (self);
    *self_p = NULL;
}

uint16_t http_status_port (const http_status_t *self)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

/*  ---- the loop's side ---- */

static void copy_text (buffer_t *to, const buffer_t *from)
{
    buffer_clear (to);
    buffer_append (to, from->bytes, from->size);
}

void http_status_turned (http_status_t *self, int64_t now_ms)
{
    atomic_store (&self->turned_ms, now_ms);
}

void http_status_set_readiness (http_status_t *self, const readiness_t *readiness)
{
    pthread_mutex_lock (&self->lock);
    copy_text (&self->good, &readiness->good);
    copy_text (&self->bad, &readiness->bad);
    self->said = true;
    pthread_mutex_unlock (&self->lock);
}

void http_status_set_metrics (http_status_t *self, const buffer_t *text)
{
    pthread_mutex_lock (&self->lock);
    copy_text (&self->metrics, text);
    pthread_mutex_unlock (&self->lock);
}
