#include "common/owed.h"

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <uthash.h>
#include <utlist.h>

#include "common/byte_queue.h"
#include "common/check.h"
#include "common/memory.h"
#include "common/owed_index.h"
#include "common/pack.h"

enum { SINKS_MAX = 64, BODY_BYTES_MAX = 1 << 26, SETTLE_AHEAD = 8, LINE_BYTES = 64 };

typedef struct {
    uint64_t id;
    uint32_t pending;
    UT_hash_handle hh;
} watch_t;

/*  There may be one for each user: kept small. */
typedef struct entry {
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
    watch_t *watch;         /* that waits for it; or NULL */
    uint64_t watch_version; /* … as it was then, or later */
    struct entry *prev, *next;                 /* the queue */
    struct entry *changed_prev, *changed_next; /* what changed */
} entry_t;

typedef struct {
    entry_t *entry;
    uint64_t version;
    uint64_t sequence;
    uint32_t chunk, chunk_count;
    uint8_t *bytes;
    size_t size;
} flight_t;

/*  The pipe to one sink. */
typedef struct {
    entry_t *queue;
    flight_t *flights; /* ring of sent and unsent chunks, in order of sequence */
    size_t first, count, capacity;
    size_t sent; /* of the `count`, how many have been sent */
    size_t bytes;
    byte_queue_t queued; /* the flights' bytes */
    uint64_t last_sequence;
    uint64_t base;   /* sequences below were of an earlier numbering */
    bool begin_due;  /* the sink has to be told of the base */
    uint64_t generation;
    bool generation_changed; /* since the last collect */
} pipe_t;

struct owed {
    owed_index_t entries;
    entry_t *changed;
    watch_t *watches;
    watch_t *watching; /* what is put belongs to it; or NULL */
    change_set_t removals;
    uint32_t sink_count;
    uint64_t version;
    pipe_t pipes[SINKS_MAX];
};

owed_t *owed_new (uint32_t sink_count)
{
    CHECK (sink_count >= 1 && sink_count <= SINKS_MAX);
    owed_t *self = memory_new (sizeof *self);
    self->sink_count = sink_count;
    return self;
}

static flight_t *flight_at (pipe_t *pipe, size_t i)
{
    return &pipe->flights[(pipe->first + i) % pipe->capacity];
}

/*  Frees what is neither owed nor under way. */
static void release (entry_t *entry)
{
    if (!entry->settled || entry->flights)
        return;
    free (entry->body);
    free (entry);
}

static void pop_flight (pipe_t *pipe)
{
    flight_t *flight = flight_at (pipe, 0);
    pipe->bytes -= flight->size;
    flight->entry->flights--;
    release (flight->entry);
    byte_queue_pop (&pipe->queued);
    pipe->first = (pipe->first + 1) % pipe->capacity;
    pipe->count--;
    if (pipe->sent)
        pipe->sent--;
}

void owed_destroy (owed_t **self_p)
{
    owed_t *self = *self_p;
    if (!self)
        return;
    watch_t *watch, *next_watch;
    for (uint32_t i = 0; i < self->sink_count; i++) {
        while (self->pipes[i].count)
            pop_flight (&self->pipes[i]);
        free (self->pipes[i].flights);
        byte_queue_free (&self->pipes[i].queued);
    }
    for (uint32_t i = 0; i < self->entries.capacity; i++) {
        entry_t *entry = self->entries.places[i].entry;
        if (!entry)
            continue;
        entry->settled = true;
        release (entry);
    }
    owed_index_free (&self->entries);
    HASH_ITER (hh, self->watches, watch, next_watch) {
        HASH_DEL (self->watches, watch);
        free (watch);
    }
    change_set_free (&self->removals);
    free (self);
    *self_p = NULL;
}

static uint64_t hash_of (const void *key, size_t key_size)
{
    return XXH3_64bits (key, key_size);
}

static entry_t *find_hash (const owed_t *self, const void *key, size_t key_size, uint64_t hash)
{
    uint64_t at = OWED_INDEX_START;
    for (entry_t *entry; (entry = owed_index_next (&self->entries, hash, &at)) != NULL;)
        if (entry->key_size == key_size && memcmp (entry->key, key, key_size) == 0)
            return entry;
    return NULL;
}

static entry_t *find (const owed_t *self, const void *key, size_t key_size)
{
    return find_hash (self, key, key_size, hash_of (key, key_size));
}

static void prefetch (const entry_t *entry)
{
    for (size_t at = 0; at < sizeof *entry; at += LINE_BYTES)
        __builtin_prefetch ((const char *)entry + at, 1);
}

static void enqueue (owed_t *self, entry_t *entry)
{
    if (!entry->waiting)
        DL_APPEND (self->pipes[entry->sink].queue, entry);
    entry->waiting = true;
}

static void dequeue (owed_t *self, entry_t *entry)
{
    if (entry->waiting)
        DL_DELETE (self->pipes[entry->sink].queue, entry);
    entry->waiting = false;
}

static void mark_changed (owed_t *self, entry_t *entry)
{
    if (!entry->changed)
        DL_APPEND2 (self->changed, entry, changed_prev, changed_next);
    entry->changed = true;
}

static void unmark_changed (owed_t *self, entry_t *entry)
{
    if (entry->changed)
        DL_DELETE2 (self->changed, entry, changed_prev, changed_next);
    entry->changed = false;
}

static size_t record_key (const entry_t *entry, uint8_t *key)
{
    key[0] = 'o';
    memcpy (key + 1, entry->key, entry->key_size);
    return entry->key_size + 1;
}

/*  ---- watching ---- */

static void drop_if_done (owed_t *self, watch_t *watch)
{
    if (watch->pending || watch == self->watching)
        return;
    HASH_DEL (self->watches, watch);
    free (watch);
}

static void unwatch (owed_t *self, entry_t *entry)
{
    watch_t *watch = entry->watch;
    if (!watch)
        return;
    entry->watch = NULL;
    watch->pending--;
    drop_if_done (self, watch);
}

static void set_watch (owed_t *self, entry_t *entry, watch_t *watch)
{
    if (entry->watch != watch) {
        unwatch (self, entry);
        entry->watch = watch;
        watch->pending++;
    }
    entry->watch_version = entry->version;
}

void owed_watch (owed_t *self, uint64_t id)
{
    owed_watch_end (self);
    HASH_FIND (hh, self->watches, &id, sizeof id, self->watching);
    if (self->watching)
        return;
    self->watching = memory_new (sizeof *self->watching);
    self->watching->id = id;
    HASH_ADD (hh, self->watches, id, sizeof id, self->watching);
}

void owed_watch_end (owed_t *self)
{
    watch_t *watch = self->watching;
    self->watching = NULL;
    if (watch)
        drop_if_done (self, watch);
}

void owed_watch_present (owed_t *self, uint64_t id)
{
    owed_watch (self, id);
    for (uint32_t i = 0; i < self->entries.capacity; i++) {
        if (self->entries.places[i].entry)
            set_watch (self, self->entries.places[i].entry, self->watching);
    }
    owed_watch_end (self);
}

uint32_t owed_watched (const owed_t *self, uint64_t id)
{
    watch_t *watch = NULL;
    HASH_FIND (hh, self->watches, &id, sizeof id, watch);
    return watch ? watch->pending : 0;
}

/*  ---- what is owed ---- */

static void settle (owed_t *self, entry_t *entry)
{
    unwatch (self, entry);
    dequeue (self, entry);
    unmark_changed (self, entry);
    if (entry->stored) {
        uint8_t key[OWED_KEY_BYTES_MAX + 1];
        size_t size = record_key (entry, key);
        change_set_delete (&self->removals, key, size);
    }
    owed_index_remove (&self->entries, entry->hash, entry);
    entry->settled = true;
    release (entry);
}

static entry_t *find_or_add (owed_t *self, const void *key, size_t key_size, uint64_t route)
{
    uint64_t hash = hash_of (key, key_size);
    entry_t *entry = find_hash (self, key, key_size, hash);
    if (entry)
        return entry;
    entry = memory_new (sizeof *entry);
    memcpy (entry->key, key, key_size);
    entry->key_size = (uint8_t)key_size;
    entry->route = route;
    entry->sink = (uint8_t)(route % self->sink_count);
    entry->hash = hash;
    owed_index_add (&self->entries, hash, entry);
    return entry;
}

void owed_put (owed_t *self, const void *key, size_t key_size, uint64_t route, const void *body,
               size_t body_size)
{
    CHECK (key_size >= 1 && key_size <= OWED_KEY_BYTES_MAX && (!body || body_size > 0) &&
           body_size <= BODY_BYTES_MAX &&
           *(const uint8_t *) key != OWED_GENERATION);
    entry_t *entry = find_or_add (self, key, key_size, route);
    entry->version = ++self->version;
    free (entry->body);
    entry->body = body ? (uint8_t *)memory_copy_string (body, body_size) : NULL;
    entry->body_size = (uint32_t)body_size;
    if (self->watching)
        set_watch (self, entry, self->watching);
    enqueue (self, entry);
    mark_changed (self, entry);
}

void owed_prefetch (const owed_t *self, const void *key, size_t key_size, int step)
{
    uint64_t hash = hash_of (key, key_size), at = OWED_INDEX_START;
    const entry_t *entry = step ? owed_index_next (&self->entries, hash, &at) : NULL;
    if (!step)
        owed_index_prefetch (&self->entries, hash);
    else if (entry)
        prefetch (entry);
}

bool owed_has (const owed_t *self, const void *key, size_t key_size)
{
    return find (self, key, key_size) != NULL;
}

void owed_forget (owed_t *self, const void *key, size_t key_size)
{
    entry_t *entry = find (self, key, key_size);
    if (entry)
        settle (self, entry);
}

size_t owed_count (const owed_t *self)
{
    return self->entries.count;
}

static int compare_versions (const void *a_, const void *b_)
{
    const entry_t *a = *(entry_t *const *) a_, *b = *(entry_t *const *) b_;
    return (a->version > b->version) - (a->version < b->version);
}

/*  A visit may forget its entry, which moves others in the index: hence a list; in the order of their puts. */
void owed_each_with_body (const owed_t *self,
                          void (*visit) (void *arg, const void *key, size_t key_size), void *arg)
{
    entry_t **list = memory_new_array (self->entries.count, sizeof (entry_t *));
    size_t count = 0;
    for (uint32_t i = 0; i < self->entries.capacity; i++) {
        entry_t *entry = self->entries.places[i].entry;
        if (entry && entry->body)
            list[count++] = entry;
    }
    qsort (list, count, sizeof (entry_t *), compare_versions);
    for (size_t i = 0; i < count; i++)
        visit (arg, list[i]->key, list[i]->key_size);
    free (list);
}

static owed_waiting_t waiting_of (const entry_t *entry)
{
    return (owed_waiting_t){
        .key = entry->key,
        .key_size = entry->key_size,
        .body = {(const char *)entry->body, entry->body ? entry->body_size : 0},
    };
}

bool owed_waiting (owed_t *self, uint32_t sink, owed_waiting_t *waiting)
{
    return owed_waiting_next (self, sink, waiting, 1) == 1;
}

uint32_t owed_waiting_next (const owed_t *self, uint32_t sink, owed_waiting_t *list, uint32_t list_max)
{
    const entry_t *entry = self->pipes[sink].queue;
    uint32_t count = 0;
    for (; entry && count < list_max; entry = entry->next)
        list[count++] = waiting_of (entry);
    return count;
}

void owed_drop (owed_t *self, uint32_t sink)
{
    CHECK (self->pipes[sink].queue);
    settle (self, self->pipes[sink].queue);
}

static flight_t *push_flight (pipe_t *pipe)
{
    if (pipe->count == pipe->capacity) {
        size_t capacity = pipe->capacity ? pipe->capacity * 2 : 16;
        flight_t *flights = memory_new_array (capacity, sizeof *flights);
        for (size_t i = 0; i < pipe->count; i++)
            flights[i] = *flight_at (pipe, i);
        free (pipe->flights);
        pipe->flights = flights;
        pipe->capacity = capacity;
        pipe->first = 0;
    }
    return &pipe->flights[(pipe->first + pipe->count++) % pipe->capacity];
}

void owed_enter (owed_t *self, uint32_t sink, const void *body, size_t body_size,
                 size_t chunk_bytes_max)
{
    pipe_t *pipe = &self->pipes[sink];
    entry_t *entry = pipe->queue;
    CHECK (entry && body_size > 0);
    uint32_t chunk_count = (uint32_t)((body_size + chunk_bytes_max - 1) / chunk_bytes_max);
    for (uint32_t chunk = 0; chunk < chunk_count; chunk++) {
        size_t from = chunk * chunk_bytes_max;
        size_t size = body_size - from < chunk_bytes_max ? body_size - from : chunk_bytes_max;
        flight_t *flight = push_flight (pipe);
        *flight = (flight_t){.entry = entry,
                             .version = entry->version,
                             .sequence = ++pipe->last_sequence,
                             .chunk = chunk,
                             .chunk_count = chunk_count,
                             .bytes = byte_queue_push (&pipe->queued, size),
                             .size = size};
        entry->flights++;
        memcpy (flight->bytes, (const uint8_t *)body + from, size);
        pipe->bytes += size;
    }
    dequeue (self, entry);
}

bool owed_to_send (owed_t *self, uint32_t sink, owed_chunk_t *chunk)
{
    pipe_t *pipe = &self->pipes[sink];
    if (pipe->sent == pipe->count)
        return false;
    const flight_t *flight = flight_at (pipe, pipe->sent);
    *chunk = (owed_chunk_t){flight->sequence, flight->chunk, flight->chunk_count,
                            {(const char *)flight->bytes, flight->size}};
    return true;
}

void owed_sent (owed_t *self, uint32_t sink)
{
    pipe_t *pipe = &self->pipes[sink];
    CHECK (pipe->sent < pipe->count);
    pipe->sent++;
}

uint64_t owed_next_sequence (const owed_t *self, uint32_t sink)
{
    const pipe_t *pipe = &self->pipes[sink];
    return pipe->sent ? pipe->last_sequence - (pipe->count - pipe->sent) + 1 : 0;
}

size_t owed_pipe_bytes (const owed_t *self, uint32_t sink)
{
    return self->pipes[sink].bytes;
}

void owed_acknowledged (owed_t *self, uint32_t sink, uint64_t executed)
{
    pipe_t *pipe = &self->pipes[sink];
    while (pipe->count && flight_at (pipe, 0)->sequence <= executed) {
        /* An entry was last touched when it was sent, and very many may have been since. */
        if (pipe->count > SETTLE_AHEAD)
            prefetch (flight_at (pipe, SETTLE_AHEAD)->entry);
        if (pipe->count > SETTLE_AHEAD / 2) /* that one is there by now */
            owed_index_prefetch (&self->entries, flight_at (pipe, SETTLE_AHEAD / 2)->entry->hash);
        const flight_t *flight = flight_at (pipe, 0);
        entry_t *entry = flight->entry;
        bool last = flight->chunk + 1 == flight->chunk_count;
        if (last && !entry->settled && flight->version >= entry->watch_version)
            unwatch (self, entry);
        if (last && !entry->settled && entry->version == flight->version)
            settle (self, entry);
        pop_flight (pipe);
    }
}

void owed_again (owed_t *self, uint32_t sink, uint64_t expected)
{
    pipe_t *pipe = &self->pipes[sink];
    size_t sent = 0;
    if (expected < pipe->base)
        pipe->begin_due = true;
    while (sent < pipe->count && flight_at (pipe, sent)->sequence < expected)
        sent++;
    if (sent < pipe->sent)
        pipe->sent = sent;
}

void owed_restart (owed_t *self, uint32_t sink)
{
    pipe_t *pipe = &self->pipes[sink];
    /* From the newest to the oldest, each to the head of the queue: the old order is kept. */
    for (size_t i = pipe->count; i-- > 0;) {
        const flight_t *flight = flight_at (pipe, i);
        entry_t *entry = flight->entry;
        if (entry->settled || entry->version != flight->version)
            continue;
        dequeue (self, entry);
        DL_PREPEND (pipe->queue, entry);
        entry->waiting = true;
    }
    while (pipe->count)
        pop_flight (pipe);
    pipe->base = pipe->last_sequence + 1;
    pipe->begin_due = pipe->base > 1;
}

uint64_t owed_take_begin (owed_t *self, uint32_t sink)
{
    pipe_t *pipe = &self->pipes[sink];
    uint64_t base = pipe->begin_due ? pipe->base : 0;
    pipe->begin_due = false;
    return base;
}

uint64_t owed_generation (const owed_t *self, uint32_t sink)
{
    return self->pipes[sink].generation;
}

void owed_set_generation (owed_t *self, uint32_t sink, uint64_t generation)
{
    self->pipes[sink].generation = generation;
    self->pipes[sink].generation_changed = true;
}

static void collect_generations (owed_t *self, change_set_t *changes, buffer_t *value)
{
    for (uint32_t i = 0; i < self->sink_count; i++) {
        const uint8_t key[] = {'o', OWED_GENERATION, (uint8_t)i};
        if (!self->pipes[i].generation_changed)
            continue;
        buffer_clear (value);
        pack_uint (value, self->pipes[i].generation);
        change_set_put (changes, key, sizeof key, value->bytes, value->size);
        self->pipes[i].generation_changed = false;
    }
}

void owed_collect (owed_t *self, change_set_t *changes)
{
    change_set_append (changes, &self->removals);
    buffer_t value = {0};
    collect_generations (self, changes, &value);
    entry_t *entry, *next;
    DL_FOREACH_SAFE2 (self->changed, entry, next, changed_next) {
        uint8_t key[OWED_KEY_BYTES_MAX + 1];
        size_t key_size = record_key (entry, key);
        buffer_clear (&value);
        pack_uint (&value, entry->route);
        if (entry->body)
            pack_bytes (&value, entry->body, entry->body_size);
        else
            pack_nil (&value);
        change_set_put (changes, key, key_size, value.bytes, value.size);
        entry->stored = true;
        unmark_changed (self, entry);
    }
    buffer_free (&value);
}

/*  Of a sink that is not in the list any more it says nothing. */
static int load_generation (owed_t *self, uint8_t sink, cursor_t value)
{
    uint64_t generation = cursor_uint (&value);
    if (!cursor_finished (&value))
        return -1;
    if (sink < self->sink_count)
        self->pipes[sink].generation = generation;
    return 0;
}

int owed_load (owed_t *self, const uint8_t *key, size_t key_size, const uint8_t *value,
               size_t value_size)
{
    cursor_t cursor = cursor_of (value, value_size);
    if (key_size == 3 && key[1] == OWED_GENERATION)
        return load_generation (self, key[2], cursor);
    uint64_t route = cursor_uint (&cursor);
    span_t body = {NULL, 0};
    if (!cursor_take_nil (&cursor))
        body = cursor_span (&cursor, BODY_BYTES_MAX);
    bool empty = body.bytes && !body.size;
    if (!cursor_finished (&cursor) || empty || key_size < 2 || key_size > OWED_KEY_BYTES_MAX + 1 ||
        key[1] == OWED_GENERATION)
        return -1;
    owed_put (self, key + 1, key_size - 1, route, body.bytes, body.size);
    entry_t *entry = find (self, key + 1, key_size - 1);
    unmark_changed (self, entry);
    entry->stored = true;
    return 0;
}
