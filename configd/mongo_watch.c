/*  mongo_watch: see mongo_watch.h. */
#include "configd/mongo_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/scenario_outline.h"
#include "configd/mongo_document.h"
#include "configd/mongo_link.h"

enum {
    DOCUMENTS_MAX = 65536,
    AWAIT_MS = 250, /* how long the server may hold a question for changes */
    PAUSE_FIRST_MS = 250,
    PAUSE_MOST_MS = 5000,
    RESYNC_MS = 15000,       /* a full read beside the stream: whatever it did not tell */
    STREAM_RETRY_MS = 30000, /* a server that refused a change stream is asked again */
    STEP_MAX = 4096,
};

typedef enum { TOLD_BEGIN, TOLD_DOCUMENT, TOLD_REMOVED, TOLD_END } told_kind_t;

/*  One message of the pipe: a pointer, owned by whoever reads it. */
typedef struct {
    told_kind_t kind;
    char *name, *text;
    size_t size;
} told_t;

struct mongo_watch {
    mongo_listener_t listener;
    int64_t poll_ms;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    atomic_bool away, failed; /* set by the thread */
    int pipe[2]; /* read by mongo_watch_step, written by the thread */
    /* of the thread: */
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    int64_t pause_ms, stream_retry_ms;
    uint64_t told_hash; /* of the last full read that was handed over; 0: changes came since */
};

/*  ---- what is handed over ---- */

static void free_told (told_t *told)
{
    free (told->name);
    free (told->text);
    free (told);
}

/*  Waits while the pipe is full. -1 once nobody reads any more. */
static int hand_over (mongo_watch_t *self, told_t *told)
{
    while (write (self->pipe[1], &told, sizeof told) != sizeof told) {
        if (errno == EINTR && !atomic_load (&self->stop))
            continue;
        free_told (told);
        return -1;
    }
    return 0;
}

static told_t *told_new (told_kind_t kind)
{
    told_t *told = memory_new (sizeof *told);
    told->kind = kind;
    return told;
}

static told_t *told_of (const bson_t *document)
{
    told_t *told = told_new (TOLD_DOCUMENT);
    told->name = mongo_document_name (document);
    if (!told->name) {
        free_told (told);
        return NULL;
    }
    told->text = mongo_document_text (document, &told->size);
    return told;
}

/*  ---- reading ---- */

static void warn (const char *message, const bson_error_t *error)
{
    log_warning (message, F_STR ("reason", error->message), F_INT ("code", error->code));
}

/*  Sleeps in small steps, so that a stop is noticed. */
static void rest (mongo_watch_t *self, int64_t ms)
{
    int64_t end_ms = clock_ms () + ms;
    while (!atomic_load (&self->stop) && clock_ms () < end_ms)
        usleep (20000);
}

typedef struct {
    told_t **list;
    size_t count, capacity;
    uint64_t hash;
} reading_t;

static void add (reading_t *reading, told_t *told)
{
    if (reading->count == reading->capacity) {
        reading->capacity = reading->capacity ? reading->capacity * 2 : 64;
        reading->list = memory_resize (reading->list, reading->capacity * sizeof *reading->list);
    }
    reading->list[reading->count++] = told;
    if (told->name) {
        uint64_t name = XXH3_64bits (told->name, strlen (told->name));
        /* a sum: the order in which a server returns documents means nothing */
        reading->hash += XXH3_64bits_withSeed (told->text, told->size, name);
    }
}

static bson_t *reading_options (void)
{
    return BCON_NEW ("projection", "{", "tenant_id", BCON_INT32 (1), "scenario_id", BCON_INT32 (1),
                     "status", BCON_INT32 (1), "config.realtime_compute", BCON_INT32 (1),
                     SCENARIO_NOTE_KEY, BCON_INT32 (1), "}");
}

/*  Reads all documents, then hands them over if they are not those handed over last. -1: not read.
 */
static int read_all (mongo_watch_t *self)
{
    bson_t *filter = bson_new (), *options = reading_options ();
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts (self->collection, filter, options, NULL);
    reading_t reading = {.hash = 1};
    add (&reading, told_new (TOLD_BEGIN));
    const bson_t *document;
    bson_error_t error;
    while (reading.count <= DOCUMENTS_MAX + 1 && mongoc_cursor_next (cursor, &document)) {
        told_t *told = told_of (document);
        if (told)
            add (&reading, told);
    }
    add (&reading, told_new (TOLD_END));
    int result = 0;
    bool failed = mongoc_cursor_error (cursor, &error);
    if (failed) {
        warn ("cannot read the scenarios: trying again", &error);
        atomic_store (&self->failed, true);
    }
    if (!failed && reading.count > DOCUMENTS_MAX + 1) {
        log_error ("too many scenarios: all stay as they are", F_INT ("most", DOCUMENTS_MAX));
        failed = true;
    }
    bool known = failed || reading.hash == self->told_hash;
    for (size_t i = 0; i < reading.count; i++) {
        if (known || result != 0)
            free_told (reading.list[i]);
        else
            result = hand_over (self, reading.list[i]);
    }
    if (!known && result == 0)
        self->told_hash = reading.hash;
    free (reading.list);
    mongoc_cursor_destroy (cursor);
    bson_destroy (options);
    bson_destroy (filter);
    return failed ? -1 : result;
}

/*  Reads the document that an event names, as it is now, and hands it over, or that it is gone.
 *  What the event itself says of it may be older than what was read and handed over since: a batch
 *  of events waits here while everything is read again. 0, or 1: everything is to be read again. */
static int read_one (mongo_watch_t *self, const bson_t *key)
{
    bson_error_t error;
    const bson_t *document;
    bson_t *options = reading_options ();
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts (self->collection, key, options, NULL);
    told_t *told = NULL;
    if (mongoc_cursor_next (cursor, &document))
        told = told_of (document);
    bool failed = mongoc_cursor_error (cursor, &error);
    if (failed)
        warn ("cannot read a scenario: all are read again", &error);
    else if (!told) {
        told = told_new (TOLD_REMOVED);
        told->name = mongo_document_name (key);
    }
    mongoc_cursor_destroy (cursor);
    bson_destroy (options);
    if (!told || !told->name) {
        if (told)
            free_told (told);
        return 1;
    }
    self->told_hash = 0;
    hand_over (self, told);
    return 0;
}

/*  Takes one event of the stream. 1: everything is to be read again. */
static int take_event (mongo_watch_t *self, const bson_t *event)
{
    bson_iter_t iter;
    const char *type = "";
    static const char *const changes[] = {"insert", "update", "replace", "delete"};
    if (bson_iter_init_find (&iter, event, "operationType") && BSON_ITER_HOLDS_UTF8 (&iter))
        type = bson_iter_utf8 (&iter, NULL);
    size_t i = 0;
    while (i < 4 && strcmp (type, changes[i]) != 0)
        i++;
    if (i == 4) {
        log_info ("change stream: the scenarios are read again", F_STR ("operation", type));
        return 1;
    }
    const uint8_t *bytes;
    uint32_t size;
    bson_t key;
    if (!bson_iter_init_find (&iter, event, "documentKey") || !BSON_ITER_HOLDS_DOCUMENT (&iter))
        return 1;
    bson_iter_document (&iter, &size, &bytes);
    return bson_init_static (&key, bytes, size) ? read_one (self, &key) : 1;
}

/*  Of an event only what happened to which document is asked for. */
static mongoc_change_stream_t *open_stream (mongo_watch_t *self)
{
    bson_t *pipeline = BCON_NEW ("pipeline", "[", "{", "$project", "{", "operationType",
                                 BCON_INT32 (1), "documentKey", BCON_INT32 (1), "ns",
                                 BCON_INT32 (1), "}", "}", "]");
    bson_t *options = BCON_NEW ("maxAwaitTimeMS", BCON_INT64 (AWAIT_MS));
    mongoc_change_stream_t *stream = mongoc_collection_watch (self->collection, pipeline, options);
    bson_destroy (pipeline);
    bson_destroy (options);
    return stream;
}

/*  Follows a change stream until it ends. False if the server has none to offer. */
static bool follow (mongo_watch_t *self)
{
    bson_error_t error;
    const bson_t *reply, *event;
    mongoc_change_stream_t *stream = open_stream (self);
    bool offered = !mongoc_change_stream_error_document (stream, &error, &reply);
    if (!offered) {
        warn ("no change stream: the scenarios are polled", &error);
        goto cleanup;
    }
    /* The stream is open before the read, so that nothing falls between the two. */
    if (read_all (self) != 0) {
        rest (self, self->pause_ms);
        self->pause_ms = self->pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : self->pause_ms * 2;
        goto cleanup;
    }
    self->pause_ms = PAUSE_FIRST_MS;
    log_info ("scenarios are followed by a change stream");
    int64_t resync_ms = clock_ms () + RESYNC_MS;
    while (!atomic_load (&self->stop)) {
        int64_t asked_ms = clock_ms ();
        if (asked_ms >= resync_ms) {
            read_all (self);
            resync_ms = clock_ms () + RESYNC_MS;
        }
        if (mongoc_change_stream_next (stream, &event)) {
            if (take_event (self, event) != 0)
                break;
            continue;
        }
        if (mongoc_change_stream_error_document (stream, &error, &reply)) {
            warn ("change stream lost: the scenarios are read again", &error);
            atomic_store (&self->away, true);
            rest (self, self->pause_ms);
            break;
        }
        if (clock_ms () - asked_ms < AWAIT_MS / 10) /* a server that does not wait for changes */
            rest (self, AWAIT_MS / 10);
    }
cleanup:
    mongoc_change_stream_destroy (stream);
    return offered;
}

/*  Is there a replica set or a sharded cluster behind it? -1: nobody answers. */
static int has_streams (mongo_watch_t *self)
{
    bson_t *command = BCON_NEW ("isMaster", BCON_INT32 (1)), reply;
    bson_error_t error;
    bson_iter_t iter;
    int result = 0;
    if (!mongoc_client_command_simple (self->client, "admin", command, NULL, &reply, &error)) {
        warn ("MongoDB cannot be reached: trying again", &error);
        atomic_store (&self->failed, true);
        result = -1;
    } else {
        bool set = bson_iter_init_find (&iter, &reply, "setName");
        bool sharded = bson_iter_init_find (&iter, &reply, "msg") && BSON_ITER_HOLDS_UTF8 (&iter) &&
                       strcmp (bson_iter_utf8 (&iter, NULL), "isdbgrid") == 0;
        result = set || sharded;
    }
    atomic_store (&self->away, result < 0);
    bson_destroy (&reply);
    bson_destroy (command);
    return result;
}

/*  Polls until the server fails or a change stream is worth another try. */
static void poll_documents (mongo_watch_t *self, bool try_stream_later)
{
    int64_t end_ms = clock_ms () + STREAM_RETRY_MS;
    log_info ("scenarios are polled", F_INT ("every_ms", self->poll_ms));
    while (!atomic_load (&self->stop) && !(try_stream_later && clock_ms () >= end_ms)) {
        if (read_all (self) != 0) {
            atomic_store (&self->away, true);
            rest (self, self->pause_ms);
            self->pause_ms =
                self->pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : self->pause_ms * 2;
            return;
        }
        self->pause_ms = PAUSE_FIRST_MS;
        rest (self, self->poll_ms);
    }
}

static void *run (void *arg)
{
    mongo_watch_t *self = arg;
    while (!atomic_load (&self->stop)) {
        int streams = has_streams (self);
        if (streams < 0) {
            rest (self, self->pause_ms);
            self->pause_ms =
                self->pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : self->pause_ms * 2;
        } else if (streams == 0 || !follow (self))
            poll_documents (self, streams != 0);
    }
    return NULL;
}

/*  ---- of the owner's thread ---- */

static mongoc_client_t *new_client (const char *url, char *error, size_t error_size)
{
    bson_error_t failure;
    mongoc_uri_t *uri = mongo_link_uri (url, error, error_size);
    if (!uri)
        return NULL;
    mongoc_client_t *client = mongoc_client_new_from_uri_with_error (uri, &failure);
    if (client)
        mongoc_client_set_appname (client, "hotpath-configd");
    else
        snprintf (error, error_size, "the MongoDB URL cannot be used: %s", failure.message);
    mongoc_uri_destroy (uri);
    return client;
}

mongo_watch_t *mongo_watch_new (const char *url, const char *database, const char *collection,
                                int64_t poll_ms, const mongo_listener_t *listener, char *error,
                                size_t error_size)
{
    mongo_watch_t *self = memory_new (sizeof *self);
    mongo_link_begin ();
    self->listener = *listener;
    self->poll_ms = poll_ms;
    self->pause_ms = PAUSE_FIRST_MS;
    atomic_store (&self->away, true);
    self->pipe[0] = self->pipe[1] = -1;
    self->client = new_client (url, error, error_size);
    if (!self->client)
        goto failed;
    self->collection = mongoc_client_get_collection (self->client, database, collection);
    /* A secondary may be behind: what was published would go back. */
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new (MONGOC_READ_PRIMARY);
    mongoc_collection_set_read_prefs (self->collection, primary);
    mongoc_read_prefs_destroy (primary);
    if (pipe2 (self->pipe, O_CLOEXEC) != 0 || fcntl (self->pipe[0], F_SETFL, O_NONBLOCK) != 0) {
        snprintf (error, error_size, "cannot make a pipe: %s", strerror (errno));
        goto failed;
    }
    int code = pthread_create (&self->thread, NULL, run, self);
    if (code) {
        snprintf (error, error_size, "cannot start a thread: %s", strerror (code));
        goto failed;
    }
    self->running = true;
    return self;
failed:
    mongo_watch_destroy (&self);
    return NULL;
}

/*  Reads the next message of the pipe, or NULL. */
static told_t *receive (mongo_watch_t *self)
{
    told_t *told;
    return read (self->pipe[0], &told, sizeof told) == sizeof told ? told : NULL;
}

void mongo_watch_destroy (mongo_watch_t **self_p)
{
    mongo_watch_t *self = *self_p;
    if (!self)
        return;
    atomic_store (&self->stop, true);
    told_t *told;
    bool ended = !self->running;
    while (!ended) { /* it may wait for room in the pipe */
        ended = pthread_tryjoin_np (self->thread, NULL) == 0;
        while ((told = receive (self)))
            free_told (told);
        if (!ended)
            usleep (5000);
    }
    if (self->pipe[0] >= 0)
        close (self->pipe[0]);
    if (self->pipe[1] >= 0)
        close (self->pipe[1]);
    mongoc_collection_destroy (self->collection);
    mongoc_client_destroy (self->client);
    mongo_link_end ();
    free (self);
    *self_p = NULL;
}

bool mongo_watch_is_away (const mongo_watch_t *self)
{
    return atomic_load (&self->away);
}

bool mongo_watch_has_failed (const mongo_watch_t *self)
{
    return atomic_load (&self->failed);
}

int mongo_watch_fd (const mongo_watch_t *self)
{
    return self->pipe[0];
}

void mongo_watch_step (mongo_watch_t *self)
{
    const mongo_listener_t *listener = &self->listener;
    for (int i = 0; i < STEP_MAX; i++) {
        told_t *told = receive (self);
        if (!told)
            break;
        switch (told->kind) {
        case TOLD_BEGIN:
            listener->begin (listener->arg);
            break;
        case TOLD_DOCUMENT:
            listener->document (listener->arg, told->name, (span_t){told->text, told->size});
            break;
        case TOLD_REMOVED:
            listener->removed (listener->arg, told->name);
            break;
        case TOLD_END:
            listener->end (listener->arg);
        }
        free_told (told);
    }
}
