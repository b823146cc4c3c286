/*  owed: what is owed, and the pipe to each sink. As records: owed_store.c. */
#include "common/owed_parts.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/check.h"
#include "common/memory.h"

enum { SETTLE_AHEAD = 8, LINE_BYTES = 64 };

owed_t *owed_new (uint32_t sink_count)
{
    CHECK (sink_count >= 1 && sink_count <= OWED_SINKS_MAX);
    owed_t *self = memory_new (sizeof *self);
    self->sink_count = sink_count;
    return self;
}

static owed_flight_t *flight_at (owed_pipe_t *pipe, size_t i)
{
    return &pipe->flights[(pipe->first + i) % pipe->capacity];
}

/*  Frees what is neither owed nor under way. */
static void release (owed_entry_t *entry)
{
    if (!entry->settled || entry->flights)
        return;
    free (entry->body);
    free (entry);
}

static void pop_flight (owed_pipe_t *pipe)
{
    owed_flight_t *flight = flight_at (pipe, 0);
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
    owed_watch_t *watch, *next_watch;
    for (uint32_t i = 0; i < self->sink_count; i++) {
        while (self->pipes[i].count)
            pop_flight (&self->pipes[i]);
        free (self->pipes[i].flights);
        byte_queue_free (&self->pipes[i].queued);
    }
    for (uint32_t i = 0; i < self->entries.capacity; i++) {
        owed_entry_t *entry = self->entries.places[i].entry;
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

static owed_entry_t *find_hash (const owed_t *self, const void *key, size_t key_size, uint64_t hash)
{
    uint64_t at = OWED_INDEX_START;
    for (owed_entry_t *entry; (entry = owed_index_next (&self->entries, hash, &at)) != NULL;)
        if (entry->key_size == key_size && memcmp (entry->key, key, key_size) == 0)
            return entry;
    return NULL;
}

owed_entry_t *owed_find (const owed_t *self, const void *key, size_t key_size)
{
    return find_hash (self, key, key_size, hash_of (key, key_size));
}

static void prefetch (const owed_entry_t *entry)
{
    for (size_t at = 0; at < sizeof *entry; at += LINE_BYTES)
        __builtin_prefetch ((const char *)entry + at, 1);
}

static void enqueue (owed_t *self, owed_entry_t *entry)
{
    if (!entry->waiting)
        DL_APPEND (self->pipes[entry->sink].queue, entry);
    entry->waiting = true;
}

static void dequeue (owed_t *self, owed_entry_t *entry)
{
    if (entry->waiting)
        DL_DELETE (self->pipes[entry->sink].queue, entry);
    entry->waiting = false;
}

static void mark_changed (owed_t *self, owed_entry_t *entry)
{
    if (!entry->changed)
        DL_APPEND2 (self->changed, entry, changed_prev, changed_next);
    entry->changed = true;
}

/*  ---- watching ---- */

static void drop_if_done (owed_t *self, owed_watch_t *watch)
{
    if (watch->pending || watch == self->watching)
        return;
    HASH_DEL (self->watches, watch);
    free (watch);
}

static void unwatch (owed_t *self, owed_entry_t *entry)
{
    owed_watch_t *watch = entry->watch;
    if (!watch)
        return;
    entry->watch = NULL;
    watch->pending--;
    drop_if_done (self, watch);
}

static void set_watch (owed_t *self, owed_entry_t *entry, owed_watch_t *watch)
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
    owed_watch_t *watch = self->watching;
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
    owed_watch_t *watch = NULL;
    HASH_FIND (hh, self->watches, &id, sizeof id, watch);
    return watch ? watch->pending : 0;
}

/*  ---- what is owed ---- */

static void settle (owed_t *self, owed_entry_t *entry)
{
    unwatch (self, entry);
    dequeue (self, entry);
    owed_unmark_changed (self, entry);
    if (entry->stored) {
        uint8_t key[OWED_KEY_BYTES_MAX + 1];
        size_t size = owed_record_key (entry, key);
        change_set_delete (&self->removals, key, size);
    }
    owed_index_remove (&self->entries, entry->hash, entry);
    entry->settled = true;
    release (entry);
}

static owed_entry_t *find_or_add (owed_t *self, const void *key, size_t key_size, uint64_t route)
{
    uint64_t hash = hash_of (key, key_size);
    owed_entry_t *entry = find_hash (self, key, key_size, hash);
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
           body_size <= OWED_BODY_BYTES_MAX &&
           *(const uint8_t *) key != OWED_GENERATION);
    owed_entry_t *entry = find_or_add (self, key, key_size, route);
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
    if (step == 0) {
        owed_index_prefetch (&self->entries, hash);
        return;
    }
    const owed_entry_t *entry = owed_index_next (&self->entries, hash, &at);
    if (entry)
        prefetch (entry);
}

bool owed_has (const owed_t *self, const void *key, size_t key_size)
{
    return owed_find (self, key, key_size) != NULL;
}

void owed_forget (owed_t *self, const void *key, size_t key_size)
{
    owed_entry_t *entry = owed_find (self, key, key_size);
    if (entry)
        settle (self, entry);
}

size_t owed_count (const owed_t *self)
{
    return self->entries.count;
}

static int compare_versions (const void *a_, const void *b_)
{
    const owed_entry_t *a = *(owed_entry_t *const *) a_, *b = *(owed_entry_t *const *) b_;
    return (a->version > b->version) - (a->version < b->version);
}

/*  A visit may forget its entry, which moves others in the index: hence a list; in the order of their puts. */
void owed_each_with_body (const owed_t *self,
                          void (*visit) (void *arg, const void *key, size_t key_size), void *arg)
{
    owed_entry_t **list = memory_new_array (self->entries.count, sizeof (owed_entry_t *));
    size_t count = 0;
    for (uint32_t i = 0; i < self->entries.capacity; i++) {
        owed_entry_t *entry = self->entries.places[i].entry;
        if (entry && entry->body)
            list[count++] = entry;
    }
    qsort (list, count, sizeof (owed_entry_t *), compare_versions);
    for (size_t i = 0; i < count; i++)
        visit (arg, list[i]->key, list[i]->key_size);
    free (list);
}

static owed_waiting_t waiting_of (const owed_entry_t *entry)
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
    const owed_entry_t *entry = self->pipes[sink].queue;
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

static owed_flight_t *push_flight (owed_pipe_t *pipe)
{
    if (pipe->count == pipe->capacity) {
        size_t capacity = pipe->capacity ? pipe->capacity * 2 : 16;
        owed_flight_t *flights = memory_new_array (capacity, sizeof *flights);
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
    owed_pipe_t *pipe = &self->pipes[sink];
    owed_entry_t *entry = pipe->queue;
    CHECK (entry && body_size > 0);
    uint32_t chunk_count = (uint32_t)((body_size + chunk_bytes_max - 1) / chunk_bytes_max);
    for (uint32_t chunk = 0; chunk < chunk_count; chunk++) {
        size_t from = chunk * chunk_bytes_max;
        size_t size = body_size - from < chunk_bytes_max ? body_size - from : chunk_bytes_max;
        owed_flight_t *flight = push_flight (pipe);
        *flight = (owed_flight_t){.entry = entry,
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
    owed_pipe_t *pipe = &self->pipes[sink];
    if (pipe->sent == pipe->count)
        return false;
    const owed_flight_t *flight = flight_at (pipe, pipe->sent);
    *chunk = (owed_chunk_t){flight->sequence, flight->chunk, flight->chunk_count,
                            {(const char *)flight->bytes, flight->size}};
    return true;
}

void owed_sent (owed_t *self, uint32_t sink)
{
    owed_pipe_t *pipe = &self->pipes[sink];
    CHECK (pipe->sent < pipe->count);
    pipe->sent++;
}

uint64_t owed_next_sequence (const owed_t *self, uint32_t sink)
{
    const owed_pipe_t *pipe = &self->pipes[sink];
    return pipe->sent ? pipe->last_sequence - (pipe->count - pipe->sent) + 1 : 0;
}

size_t owed_pipe_bytes (const owed_t *self, uint32_t sink)
{
    return self->pipes[sink].bytes;
}

void owed_acknowledged (owed_t *self, uint32_t sink, uint64_t executed)
{
    owed_pipe_t *pipe = &self->pipes[sink];
    while (pipe->count && flight_at (pipe, 0)->sequence <= executed) {
        /* An entry was last touched when it was sent, and very many may have been since. */
        if (pipe->count > SETTLE_AHEAD)
            prefetch (flight_at (pipe, SETTLE_AHEAD)->entry);
        if (pipe->count > SETTLE_AHEAD / 2) /* that one is there by now */
            owed_index_prefetch (&self->entries, flight_at (pipe, SETTLE_AHEAD / 2)->entry->hash);
        const owed_flight_t *flight = flight_at (pipe, 0);
        owed_entry_t *entry = flight->entry;
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
    owed_pipe_t *pipe = &self->pipes[sink];
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
    owed_pipe_t *pipe = &self->pipes[sink];
    /* From the newest to the oldest, each to the head of the queue: the old order is kept. */
    for (size_t i = pipe->count; i-- > 0;) {
        const owed_flight_t *flight = flight_at (pipe, i);
        owed_entry_t *entry = flight->entry;
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
    owed_pipe_t *pipe = &self->pipes[sink];
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
