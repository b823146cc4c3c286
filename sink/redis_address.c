/*  redis_address: see redis_address.h. A request belongs to the thread that answers it and to us; who
 *  lets go last frees it.
 */
#include "sink/redis_address.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/memory.h"

enum { THREAD_STACK_BYTES = 256 << 10 };

typedef struct {
    char *host;
    struct addrinfo *found;
    int code;         /* of getaddrinfo */
    atomic_bool done; /* the two above may be read */
    atomic_int owners;
} request_t;

struct redis_address {
    request_t *request; /* under way, or NULL */
    uint32_t turn;      /* which of several addresses is next */
};

redis_address_t *redis_address_new (void)
{
    return memory_new (sizeof (redis_address_t));
}

static void let_go (request_t *request)
{
    if (atomic_fetch_sub (&request->owners, 1) > 1)
        return;
    if (request->found)
        freeaddrinfo (request->found);
    free (request->host);
    free (request);
}

void redis_address_destroy (redis_address_t **self_p)
{
    redis_address_t *self = *self_p;
    if (!self)
        return;
    if (self->request)
        let_go (self->request);
    free (self);
    *self_p = NULL;
}

static int look_up (const char *host, int flags, struct addrinfo **found)
{
    const struct addrinfo wanted = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    return getaddrinfo (host, NULL, &wanted, found);
}

static void *answer (void *arg)
{
    request_t *request = arg;
    request->code = look_up (request->host, AI_ADDRCONFIG, &request->found);
    atomic_store (&request->done, true);
    let_go (request);
    return NULL;
}

/*  NULL where no thread can be had. */
static request_t *begin (const char *host)
{
    request_t *request = memory_new (sizeof *request);
    pthread_attr_t attributes;
    pthread_t thread;
    request->host = memory_copy_string (host, strlen (host));
    atomic_init (&request->done, false);
    atomic_init (&request->owners, 2);
    pthread_attr_init (&attributes);
    pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize (&attributes, THREAD_STACK_BYTES);
    int failed = pthread_create (&thread, &attributes, answer, request);
    pthread_attr_destroy (&attributes);
    if (!failed)
        return request;
    atomic_store (&request->owners, 1);
    let_go (request);
    return NULL;
}

/*  The address at `turn`, counted round. */
static outcome_t pick (const struct addrinfo *found, uint32_t turn,
                       char address[REDIS_ADDRESS_BYTES], const char **reason)
{
    uint32_t count = 0;
    for (const struct addrinfo *at = found; at; at = at->ai_next)
        count++;
    for (uint32_t skip = count ? turn % count : 0; skip > 0; skip--)
        found = found->ai_next;
    if (found && getnameinfo (found->ai_addr, found->ai_addrlen, address, REDIS_ADDRESS_BYTES, NULL,
                              0, NI_NUMERICHOST) == 0)
        return OUTCOME_OK;
    *reason = "the name has no address";
    return OUTCOME_ERROR;
}

outcome_t redis_address_find (redis_address_t *self, const char *host,
                              char address[REDIS_ADDRESS_BYTES], const char **reason)
{
    struct addrinfo *found = NULL;
    if (look_up (host, AI_NUMERICHOST, &found) == 0) {
        outcome_t outcome = pick (found, 0, address, reason);
        freeaddrinfo (found);
        return outcome;
    }
    if (!self->request)
        self->request = begin (host);
    request_t *request = self->request;
    *reason = "no thread for a look-up";
    if (!request)
        return OUTCOME_ERROR;
    if (!atomic_load (&request->done))
        return OUTCOME_RETRY;
    self->request = NULL;
    outcome_t outcome = OUTCOME_RETRY; /* of another name, asked for before: ask again */
    if (strcmp (request->host, host) == 0) {
        *reason = request->code ? gai_strerror (request->code) : "";
        outcome = request->code ? OUTCOME_ERROR
                                : pick (request->found, self->turn++, address, reason);
    }
    let_go (request);
    return outcome;
}
