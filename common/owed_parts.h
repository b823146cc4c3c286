/*  owed_parts: what the files of owed share: owed.c (what is owed, and the pipes) and owed_store.c. Private to them. */
#ifndef HOTPATH_OWED_PARTS_H
#define HOTPATH_OWED_PARTS_H

#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "common/byte_queue.h"
#include "common/owed.h"
#include "common/owed_index.h"

enum { OWED_SINKS_MAX = 64, OWED_BODY_BYTES_MAX = 1 << 26 };

typedef struct {
    uint64_t id;
    uint32_t pending;
    UT_hash_handle hh;
} owed_watch_t;

/*  There may be one for each user: kept small. */
typedef struct owed_entry {
    uint8_t key[OWED_KEY_BYTES_MAX];
    uint64_t hash; /* of the key */
    uint64_t route;
    uint64_t version; /* rises with each put: an acknowledgement of an older one does not settle it */
    uint8_t *body;    /* NULL: rendered when it is sent */
    uint32_t body_size;
    uint32_t flights; /* chunks in the pipe that name it: it stays in memory for them */
    uint8_t key_size, sink;
    bool waiting; /* in the sink's queue */
    bool changed; /* in the list of what the next commit writes */
    bool stored;  /* a commit holds a record of it */
    bool settled; /* no longer owed */
    owed_watch_t *watch;         /* that waits for it; or NULL */
    uint64_t watch_version; /* … as it was then, or later */
    struct owed_entry *prev, *next;                 /* the queue */
    struct owed_entry *changed_prev, *changed_next; /* what changed */
} owed_entry_t;

typedef struct {
    owed_entry_t *entry;
    uint64_t version;
    uint64_t sequence;
    uint32_t chunk, chunk_count;
    uint8_t *bytes;
    size_t size;
} owed_flight_t;

/*  The pipe to one sink. */
typedef struct {
    owed_entry_t *queue;
    owed_flight_t *flights; /* ring of sent and unsent chunks, in order of sequence */
    size_t first, count, capacity;
    size_t sent; /* of the `count`, how many have been sent */
    size_t bytes;
    byte_queue_t queued; /* the flights' bytes */
    uint64_t last_sequence;
    uint64_t base;   /* sequences below were of an earlier numbering */
    bool begin_due;  /* the sink has to be told of the base */
    uint64_t generation;
    bool generation_changed; /* since the last collect */
} owed_pipe_t;

struct owed {
    owed_index_t entries;
    owed_entry_t *changed;
    owed_watch_t *watches;
    owed_watch_t *watching; /* what is put belongs to it; or NULL */
    change_set_t removals;
    uint32_t sink_count;
    uint64_t version;
    owed_pipe_t pipes[OWED_SINKS_MAX];
};

owed_entry_t *owed_find (const owed_t *self, const void *key, size_t key_size);

/*  It is not in the list of what the next commit writes. */
static inline void owed_unmark_changed (owed_t *self, owed_entry_t *entry)
{
    if (entry->changed)
        DL_DELETE2 (self->changed, entry, changed_prev, changed_next);
    entry->changed = false;
}

/*  Key of its record; its size. */
static inline size_t owed_record_key (const owed_entry_t *entry, uint8_t *key)
{
    key[0] = 'o';
    memcpy (key + 1, entry->key, entry->key_size);
    return entry->key_size + 1;
}

#endif
