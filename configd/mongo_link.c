#include "configd/mongo_link.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    SELECT_MS = 3000,
    CONNECT_MS = 3000,
    SOCKET_MS = 5000,
    POOL_WAIT_MS = 3000,
    HEARTBEAT_MS = 1000, /* who said that it is no primary is asked again within so much */
    /* server error codes */
    E_UNAUTHORIZED = 13,
    E_AUTHENTICATION = 18,
    E_PATH_NOT_VIABLE = 28,
    E_TOO_LARGE = 10334,
    E_TOO_LARGE_UPDATE = 17419,
    E_DUPLICATE = 11000,
    E_DUPLICATE_UPDATE = 11001,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int users;

void mongo_link_forget_counters (void)
{
    char name[32];
    snprintf (name, sizeof name, "/mongoc-%d", (int)getpid ());
    shm_unlink (name);
}

void mongo_link_begin (void)
{
    pthread_mutex_lock (&lock);
    if (users++ == 0) {
        mongoc_init ();
        mongoc_log_set_handler (NULL, NULL); /* its errors come back to us, and are logged there */
    }
    pthread_mutex_unlock (&lock);
}

/*  libmongoc cannot be begun again after its end: that is for the end of the process. */
void mongo_link_end (void)
{
    pthread_mutex_lock (&lock);
    if (--users == 0)
        mongoc_cleanup ();
    pthread_mutex_unlock (&lock);
}

mongoc_uri_t *mongo_link_uri (const char *url, char *error, size_t error_size)
{
    bson_error_t failure;
    mongoc_uri_t *uri = mongoc_uri_new_with_error (url, &failure);
    if (!uri) {
        snprintf (error, error_size, "the MongoDB URL is not valid: %s", failure.message);
        return NULL;
    }
    const struct {
        const char *name;
        int32_t value;
    } limits[] = {{MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECT_MS},
                  {MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS},
                  {MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS},
                  {MONGOC_URI_WAITQUEUETIMEOUTMS, POOL_WAIT_MS},
                  {MONGOC_URI_HEARTBEATFREQUENCYMS, HEARTBEAT_MS},
                  {MONGOC_URI_MAXPOOLSIZE, MONGO_POOL_MAX}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (!mongoc_uri_has_option (uri, limits[i].name))
            mongoc_uri_set_option_as_int32 (uri, limits[i].name, limits[i].value);
    return uri;
}

/*  Server errors that pass: no primary now, being shut down, interrupted, a write not yet on most
 *  members. */
static bool passes (uint32_t code)
{
    static const uint32_t codes[] = {6,    7,    50,   64,    89,    91,    112,   189,  202, 262,
                                     9001, 10058, 10107, 11600, 11601, 11602, 13435, 13436};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

store_outcome_t mongo_link_outcome (const bson_error_t *failure, char *text)
{
    snprintf (text, STORE_ERROR_BYTES, "MongoDB: %.200s", failure->message);
    bool of_server = failure->domain == MONGOC_ERROR_SERVER ||
                     failure->domain == MONGOC_ERROR_WRITE_CONCERN ||
                     failure->domain == MONGOC_ERROR_COLLECTION;
    if (!of_server)
        return STORE_AWAY;
    switch (failure->code) {
    case E_DUPLICATE:
    case E_DUPLICATE_UPDATE:
        return STORE_EXISTS;
    case E_TOO_LARGE:
    case E_TOO_LARGE_UPDATE:
        return STORE_TOO_LARGE;
    case E_PATH_NOT_VIABLE:
        return STORE_CONFLICT;
    case E_UNAUTHORIZED:
    case E_AUTHENTICATION:
        return STORE_REFUSED;
    default:
        return passes (failure->code) || failure->domain == MONGOC_ERROR_WRITE_CONCERN
                   ? STORE_AWAY
                   : STORE_REFUSED;
    }
}
