#include "configd/admin_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "common/check.h"
#include "common/clock.h"
#include "common/listen_address.h"
#include "common/log.h"
#include "common/memory.h"

enum {
    STACK_BYTES = 2 << 20,
    SWEEP_MS = 1000,
    DISCARD_BYTES_MAX = 8 << 20, /* of a body that is too large, before the connection is closed */
    NAME_BYTES_MAX = 64,
};

/*  One connection. */
typedef struct {
    bool used, busy; /* busy: its request is being answered */
    MHD_socket socket;
    int64_t since_ms; /* when its request, or the wait for the next, began */
} slot_t;

struct admin_server {
    admin_api_t *api;
    struct MHD_Daemon *daemon;
    pthread_t sweeper;
    bool sweeping;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool stop;
    slot_t slots[ADMIN_CONNECTIONS_MAX];
};

/*  A request that is coming in. */
typedef struct {
    buffer_t body;
    size_t discarded;
} incoming_t;

/*  ---- connections ---- */

static void on_connection (void *arg, struct MHD_Connection *connection, void **context,
                           enum MHD_ConnectionNotificationCode code)
{
    admin_server_t *self = arg;
    pthread_mutex_lock (&self->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        for (int i = 0; i < ADMIN_CONNECTIONS_MAX && info; i++)
            if (!self->slots[i].used) {
                self->slots[i] = (slot_t){
                    .used = true, .socket = info->connect_fd, .since_ms = clock_ms ()};
                *context = &self->slots[i];
                break;
            }
    } else if (*context) {
        ((slot_t *)*context)->used = false;
        *context = NULL;
    }
    pthread_mutex_unlock (&self->lock);
}

static void set_busy (admin_server_t *self, struct MHD_Connection *connection, bool busy)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    slot_t *slot = info ? info->socket_context : NULL;
    if (!slot)
        return;
    pthread_mutex_lock (&self->lock);
    slot->busy = busy;
    slot->since_ms = clock_ms ();
    pthread_mutex_unlock (&self->lock);
}

/*  Ends connections whose request takes too long to come in: one that sends a byte now and then is
 *  never idle. */
static void *sweep (void *arg)
{
    admin_server_t *self = arg;
    pthread_mutex_lock (&self->lock);
    while (!self->stop) {
        struct timespec until;
        clock_gettime (CLOCK_MONOTONIC, &until);
        until.tv_sec += SWEEP_MS / 1000;
        pthread_cond_timedwait (&self->wake, &self->lock, &until);
        int64_t now_ms = clock_ms ();
        for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
            slot_t *slot = &self->slots[i];
            if (slot->used && !slot->busy && now_ms - slot->since_ms > ADMIN_REQUEST_MS)
                shutdown (slot->socket, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

/*  ---- one request ---- */

static enum MHD_Result on_query (void *arg, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    admin_request_t *request = arg;
    (void)kind;
    if (request->query_count == ADMIN_QUERIES_MAX)
        request->too_many_queries = true;
    else
        request->queries[request->query_count++] = (admin_query_t){name, value};
    return MHD_YES;
}

static void name_peer (struct MHD_Connection *connection, char peer[NAME_BYTES_MAX])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    snprintf (peer, NAME_BYTES_MAX, "unknown");
    if (!info || !info->client_addr)
        return;
    if (info->client_addr->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)info->client_addr;
        inet_ntop (AF_INET, &v4->sin_addr, peer, NAME_BYTES_MAX);
    } else if (info->client_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)info->client_addr;
        inet_ntop (AF_INET6, &v6->sin6_addr, peer, NAME_BYTES_MAX);
    }
}

static const char *header (struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value (connection, MHD_HEADER_KIND, name);
}

static void put_header (struct MHD_Response *to, const char *name, const char *value)
{
    if (value && *value && MHD_add_response_header (to, name, value) != MHD_YES)
        log_warning ("a header of an answer cannot be sent", F_STR ("name", name));
}

static enum MHD_Result respond (struct MHD_Connection *connection,
                                const admin_response_t *response)
{
    const buffer_t *body = &response->body;
    char etag[ADMIN_ETAG_BYTES + 3], retry[16];
    struct MHD_Response *made = MHD_create_response_from_buffer (
        body->size, body->size ? (void *)body->bytes : (void *)"", MHD_RESPMEM_MUST_COPY);
    if (!made)
        return MHD_NO;
    snprintf (etag, sizeof etag, "\"%s\"", response->etag);
    snprintf (retry, sizeof retry, "%u", response->retry_after_s);
    put_header (made, MHD_HTTP_HEADER_CONTENT_TYPE, response->type);
    put_header (made, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    put_header (made, "X-Content-Type-Options", "nosniff");
    put_header (made, "X-Request-Id", response->request_id);
    put_header (made, MHD_HTTP_HEADER_ETAG, *response->etag ? etag : NULL);
    put_header (made, MHD_HTTP_HEADER_LOCATION, response->location);
    put_header (made, "Link", response->link);
    put_header (made, MHD_HTTP_HEADER_ALLOW, response->allow);
    put_header (made, MHD_HTTP_HEADER_RETRY_AFTER, response->retry_after_s ? retry : NULL);
    put_header (made, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                response->authenticate ? "Bearer realm=\"hotpath\"" : NULL);
    enum MHD_Result result = MHD_queue_response (connection, response->status, made);
    MHD_destroy_response (made);
    return result;
}

static enum MHD_Result answer (admin_server_t *self, struct MHD_Connection *connection,
                               const char *method, const char *path, const incoming_t *incoming)
{
    char peer[NAME_BYTES_MAX];
    admin_response_t response = {0};
    name_peer (connection, peer);
    admin_request_t request = {.method = method,
                               .path = path,
                               .peer = peer,
                               .authorization = header (connection, "Authorization"),
                               .tenant = header (connection, "X-Tenant-Id"),
                               .content_type = header (connection, "Content-Type"),
                               .if_match = header (connection, "If-Match"),
                               .idempotency_key = header (connection, "Idempotency-Key"),
                               .body = {(const char *)incoming->body.bytes, incoming->body.size},
                               .body_too_large = incoming->discarded > 0};
    MHD_get_connection_values (connection, MHD_GET_ARGUMENT_KIND, on_query, &request);
    set_busy (self, connection, true);
    admin_api_answer (self->api, &request, &response);
    enum MHD_Result result = respond (connection, &response);
    admin_response_free (&response);
    return result;
}

static enum MHD_Result on_request (void *arg, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_size, void **context)
{
    incoming_t *incoming = *context;
    (void)version;
    if (!incoming) { /* the headers are there */
        *context = memory_new (sizeof *incoming);
        return MHD_YES;
    }
    if (!*upload_size)
        return answer (arg, connection, method, url, incoming);
    if (incoming->discarded || incoming->body.size + *upload_size > ADMIN_BODY_BYTES_MAX)
        incoming->discarded += *upload_size;
    else
        buffer_append (&incoming->body, upload, *upload_size);
    *upload_size = 0;
    return incoming->discarded > DISCARD_BYTES_MAX ? MHD_NO : MHD_YES;
}

static void on_completed (void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_RequestTerminationCode code)
{
    incoming_t *incoming = *context;
    (void)code;
    set_busy (arg, connection, false);
    if (!incoming)
        return;
    buffer_free (&incoming->body);
    free (incoming);
    *context = NULL;
}

/*  Ids may hold encoded slashes: whoever reads the path decodes it. */
static size_t leave_encoded (void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen (text);
}

/*  What a client did wrong is no event of ours. */
static void drop_message (void *arg, const char *format, va_list args)
{
    (void)arg;
    (void)format;
    (void)args;
}

/*  ---- life ---- */

static void start (admin_server_t *self, const struct addrinfo *address)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_POLL | MHD_USE_ERROR_LOG |
                     (address->ai_family == AF_INET6 ? (unsigned)MHD_USE_IPv6 : 0);
    self->daemon = MHD_start_daemon (
        flags, 0, NULL, NULL, on_request, self, MHD_OPTION_EXTERNAL_LOGGER, drop_message, NULL,
        MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)ADMIN_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)ADMIN_HEADER_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)ADMIN_IDLE_S,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, self, MHD_OPTION_NOTIFY_CONNECTION, on_connection, self,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
        MHD_OPTION_END);
}

static void init_lock (admin_server_t *self)
{
    pthread_condattr_t attributes;
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->wake, &attributes);
    pthread_condattr_destroy (&attributes);
}

admin_server_t *admin_server_new (admin_api_t *api, const char *listen, bool anywhere, char *error,
                                  size_t error_size)
{
    struct addrinfo *address = NULL;
    sigset_t all, before;
    if (listen_address_find ("--admin-listen", listen, &address, error, error_size) != 0)
        return NULL;
    if (!anywhere && !listen_address_is_loopback (address)) {
        snprintf (error, error_size,
                  "--admin-listen: %s is beyond loopback, and tokens would pass unencrypted: put a "
                  "proxy with TLS before it, or say --allow-plain-tcp",
                  listen);
        freeaddrinfo (address);
        return NULL;
    }
    admin_server_t *self = memory_new (sizeof *self);
    self->api = api;
    init_lock (self);
    /* Signals are the loop's: one that its thread does not get does not wake it. */
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    errno = 0;
    start (self, address);
    int reason = errno;
    self->sweeping = self->daemon && pthread_create (&self->sweeper, NULL, sweep, self) == 0;
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    freeaddrinfo (address);
    if (!self->daemon || !self->sweeping) {
        snprintf (error, error_size, "--admin-listen: cannot listen on %s: %s", listen,
                  strerror (reason));
        admin_server_destroy (&self);
    }
    return self;
}

void admin_server_destroy (admin_server_t **self_p)
{
    admin_server_t *self = *self_p;
    if (!self)
        return;
    if (self->daemon)
        MHD_stop_daemon (self->daemon);
    if (self->sweeping) {
        pthread_mutex_lock (&self->lock);
        self->stop = true;
        pthread_cond_signal (&self->wake);
        pthread_mutex_unlock (&self->lock);
        pthread_join (self->sweeper, NULL);
    }
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

uint16_t admin_server_port (const admin_server_t *self)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}
