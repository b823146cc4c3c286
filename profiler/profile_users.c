#include "profiler/profile_users.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/memory.h"

enum { CHUNKS_MIN = 4, COLLISIONS = 256 };
enum { CHUNK_BYTES = PROFILE_USERS_CHUNK * sizeof (profile_user_t) };

typedef struct {
    uint32_t scenario;
    uint64_t hash;
    uint64_t at;
} walk_t;

/*  Next user of the same scenario and hash. */
static profile_user_t *walk_next (const profile_users_t *self, walk_t *walk, uint32_t *slot)
{
    uint32_t tag = tag_index_tag (walk->hash);
    while ((*slot = tag_index_next (&self->index, tag, &walk->at)) != TAG_INDEX_NONE) {
        profile_user_t *user = profile_users_slot (self, *slot);
        if (user->hash == walk->hash && user->scenario == walk->scenario)
            return user;
    }
    return NULL;
}

static walk_t walk_from (uint32_t scenario, uint64_t hash)
{
    return (walk_t){scenario, hash, TAG_INDEX_START};
}

uint32_t profile_users_find (const profile_users_t *self, uint32_t scenario, uint64_t hash,
                             span_t id)
{
    walk_t walk = walk_from (scenario, hash);
    uint32_t slot;
    for (profile_user_t *user; (user = walk_next (self, &walk, &slot));)
        if (span_equal (profile_user_id (user), id))
            return slot;
    return PROFILE_SLOT_NONE;
}

uint32_t profile_users_find_key (const profile_users_t *self, uint32_t scenario, uint64_t hash,
                                 uint8_t collision)
{
    walk_t walk = walk_from (scenario, hash);
    uint32_t slot;
    for (profile_user_t *user; (user = walk_next (self, &walk, &slot));)
        if (user->collision == collision)
            return slot;
    return PROFILE_SLOT_NONE;
}

void profile_users_prefetch (const profile_users_t *self, uint64_t hash, profile_fetch_t step,
                             const profile_shared_t *shared)
{
    uint32_t tag = tag_index_tag (hash);
    if (step == PROFILE_FETCH_INDEX) {
        tag_index_ask (&self->index, tag);
        return;
    }
    uint32_t slot = tag_index_first (&self->index, tag);
    if (slot != PROFILE_SLOT_NONE)
        profile_users_prefetch_slot (self, slot, step, shared);
}

void profile_users_prefetch_slot (const profile_users_t *self, uint32_t slot, profile_fetch_t step,
                                  const profile_shared_t *shared)
{
    const profile_user_t *user = profile_users_slot (self, slot);
    if (step == PROFILE_FETCH_USER) {
        __builtin_prefetch (user, 1);
        __builtin_prefetch ((const char *)user + sizeof *user / 2, 1);
    } else if (step == PROFILE_FETCH_ITEMS) {
        profile_prefetch_items (&user->profile, shared);
    } else {
        profile_prefetch (&user->profile, step == PROFILE_FETCH_ALL);
    }
}

int profile_users_free_collision (const profile_users_t *self, uint32_t scenario, uint64_t hash)
{
    bool taken[COLLISIONS] = {false};
    walk_t walk = walk_from (scenario, hash);
    uint32_t slot;
    for (profile_user_t *user; (user = walk_next (self, &walk, &slot));)
        taken[user->collision] = true;
    for (int i = 0; i < COLLISIONS; i++)
        if (!taken[i])
            return i;
    return -1;
}

static void add_chunk (profile_users_t *self)
{
    if (self->chunk_count == self->chunk_capacity) {
        uint32_t capacity = self->chunk_capacity ? self->chunk_capacity * 2 : CHUNKS_MIN;
        size_t slots = (size_t)capacity * PROFILE_USERS_CHUNK;
        self->chunks = memory_resize (self->chunks, capacity * sizeof *self->chunks);
        self->free_slots = memory_resize (self->free_slots, slots * sizeof *self->free_slots);
        self->chunk_capacity = capacity;
    }
    uint32_t bytes = CHUNK_BYTES;
    self->chunks[self->chunk_count++] = profile_slab_take (self->slab, &bytes);
}

static uint32_t new_slot (profile_users_t *self)
{
    if (self->free_count)
        return self->free_slots[--self->free_count];
    if (self->slot_count == self->chunk_count * PROFILE_USERS_CHUNK)
        add_chunk (self);
    return self->slot_count++;
}

uint32_t profile_users_add (profile_users_t *self, uint32_t scenario, uint64_t hash, span_t id,
                            uint8_t collision)
{
    CHECK (id.size <= UINT16_MAX);
    uint32_t slot = new_slot (self);
    profile_user_t *user = profile_users_slot (self, slot);
    *user = (profile_user_t){.hash = hash,
                             .written_ms = INT64_MIN,
                             .scenario = scenario,
                             .id_size = (uint16_t)id.size,
                             .collision = collision,
                             .used = true};
    if (id.size > PROFILE_ID_NEAR_BYTES)
        user->id.far = memory_copy_string (id.bytes, id.size);
    else if (id.size)
        memcpy (user->id.near, id.bytes, id.size);
    profile_init (&user->profile);
    tag_index_add (&self->index, tag_index_tag (hash), slot);
    return slot;
}

static void free_id (profile_user_t *user)
{
    if (user->id_size > PROFILE_ID_NEAR_BYTES)
        free (user->id.far);
}

void profile_users_remove (profile_users_t *self, uint32_t slot)
{
    profile_user_t *user = profile_users_slot (self, slot);
    tag_index_remove (&self->index, tag_index_tag (user->hash), slot);
    free_id (user);
    *user = (profile_user_t){0};
    self->free_slots[self->free_count++] = slot;
}

void profile_users_free (profile_users_t *self)
{
    for (uint32_t i = 0; i < self->slot_count; i++)
        free_id (profile_users_slot (self, i));
    for (uint32_t i = 0; i < self->chunk_count; i++)
        profile_slab_give (self->slab, self->chunks[i], CHUNK_BYTES);
    profile_users_abandon (self);
}

void profile_users_abandon (profile_users_t *self)
{
    free (self->chunks);
    free (self->free_slots);
    tag_index_free (&self->index);
    *self = (profile_users_t){.slab = self->slab};
}

uint64_t profile_users_bytes (const profile_users_t *self)
{
    uint64_t slots = (uint64_t)self->chunk_count * PROFILE_USERS_CHUNK;
    return slots * sizeof (profile_user_t) + tag_index_memory_bytes (&self->index) +
           self->chunk_capacity *
               (sizeof *self->chunks + PROFILE_USERS_CHUNK * sizeof *self->free_slots);
}
