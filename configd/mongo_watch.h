/*  mongo_watch: the documents of one MongoDB collection, followed by a change stream where the
 *  server has one, by polling elsewhere. A thread of its own reads, and hands over through a
 *  pipe; callbacks come in the thread that calls mongo_watch_step.
 *
 *  Whatever goes wrong (network, a lost resume token, an invalidate, a dropped or renamed
 *  collection) ends in a full read with a growing pause, never in an end. Reads tenant_id,
 *  scenario_id, status, config.realtime_compute and the note of the last change (revision_note),
 *  nothing else; never writes (mongo_store does). Judges no document.
 */
#ifndef HOTPATH_MONGO_WATCH_H
#define HOTPATH_MONGO_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/span.h"

/*  What is found; names are the documents' _id as text; all hold for the call. */
typedef struct {
    void *arg;
    void (*begin) (void *arg); /* a full read: documents that are not told until `end` are gone */
    void (*document) (void *arg, const char *name, span_t text);
    void (*removed) (void *arg, const char *name);
    void (*end) (void *arg);
} mongo_listener_t;

typedef struct mongo_watch mongo_watch_t;

/*  Starts reading `collection` of `database`; polls every `poll_ms` where it must. NULL with a
 *  line in `error` where the URL is not valid (it is not shown: it may hold a password). */
mongo_watch_t *mongo_watch_new (const char *url, const char *database, const char *collection,
                                int64_t poll_ms, const mongo_listener_t *listener, char *error,
                                size_t error_size);
/*  Ends the thread; waits until it has noticed (a few seconds at most). */
void mongo_watch_destroy (mongo_watch_t **self_p);

/*  The descriptor to poll for reading. */
int mongo_watch_fd (const mongo_watch_t *self);
/*  Did the server not answer when it was last asked (or not yet)? */
bool mongo_watch_is_away (const mongo_watch_t *self);
/*  Did it not answer, even once, in this life? */
bool mongo_watch_has_failed (const mongo_watch_t *self);
/*  Calls back for what was handed over. */
void mongo_watch_step (mongo_watch_t *self);

#endif
