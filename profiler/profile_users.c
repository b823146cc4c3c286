/*  profile_users: linear probing over (tag, slot), so that a miss rarely touches a user. */
#include "profiler/profile_users.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/memory.h"

enum { INDEX_MIN = 64, CHUNKS_MIN = 4, COLLISIONS = 256, PREFETCH_PROBES = 4 };
enum { CHUNK_BYTES = PROFILE_USERS_CHUNK * sizeof (profile_user_t) };

/*  A shard's hashes are equal modulo the number of shards: all bits must decide the place. */
static uint64_t mix (uint64_t hash)
{
    hash *= UINT64_C (0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint32_t tag_of (uint64_t hash)
{
    return (uint32_t)(mix (hash) >> 32);
}

static uint32_t home_of (const profile_users_t *self, uint64_t hash)
{
    return (uint32_t)mix (hash) & (self->index_capacity - 1);
}

typedef struct {
    uint32_t scenario;
    uint64_t hash;
    uint32_t at;
} walk_t;

/*  Next user of the same scenario and hash. */
static profile_user_t *walk_next (const profile_users_t *self, walk_t *walk, uint32_t *slot)
{
    uint32_t tag = tag_of (walk->hash);
    for (; self->index_capacity && self->index[walk->at].slot;
         walk->at = (walk->at + 1) & (self->index_capacity - 1)) {
        if (self->index[walk->at].tag != tag)
            continue;
        *slot = self->index[walk->at].slot - 1;
        profile_user_t *user = profile_users_slot (self, *slot);
        if (user->hash != walk->hash || user->scenario != walk->scenario)
            continue;
        walk->at = (walk->at + 1) & (self->index_capacity - 1);
        return user;
    }
    return NULL;
}

static walk_t walk_from (const profile_users_t *self, uint32_t scenario, uint64_t hash)
{
    return (walk_t){scenario, hash, self->index_capacity ? home_of (self, hash) : 0};
}

uint32_t profile_users_find (const profile_users_t *self, uint32_t scenario, uint64_t hash,
                             span_t id)
{
    walk_t walk = walk_from (self, scenario, hash);
    uint32_t slot;
    for (profile_user_t *user; (user = walk_next (self, &walk, &slot));)
        if (span_equal (profile_user_id (user), id))
            return slot;
    return PROFILE_SLOT_NONE;
}

uint32_t profile_users_find_key (const profile_users_t *self, uint32_t scenario, uint64_t hash,
                                 uint8_t collision)
{
    walk_t walk = walk_from (self, scenario, hash);
    uint32_t slot;
    for (profile_user_t *user; (user = walk_next (self, &walk, &slot));)
        if (user->collision == collision)
            return slot;
    return PROFILE_SLOT_NONE;
}

/*  The first of the places near the hash's home whose tag fits; PROFILE_SLOT_NONE: none. */
static uint32_t guess (const profile_users_t *self, uint64_t hash)
{
    uint32_t tag = tag_of (hash), at = home_of (self, hash);
    for (int i = 0; i < PREFETCH_PROBES && self->index[at].slot; i++) {
        if (self->index[at].tag == tag)
            return self->index[at].slot - 1;
        at = (at + 1) & (self->index_capacity - 1);
    }
    return PROFILE_SLOT_NONE;
}

void profile_users_prefetch (const profile_users_t *self, uint64_t hash, profile_fetch_t step,
                             const profile_shared_t *shared)
{
    if (!self->index_capacity)
        return;
    if (step == PROFILE_FETCH_INDEX) {
        __builtin_prefetch (&self->index[home_of (self, hash)]);
        return;
    }
    uint32_t slot = guess (self, hash);
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
    walk_t walk = walk_from (self, scenario, hash);
    uint32_t slot;
    for (profile_user_t *user; (user = walk_next (self, &walk, &slot));)
        taken[user->collision] = true;
    for (int i = 0; i < COLLISIONS; i++)
        if (!taken[i])
            return i;
    return -1;
}

static void index_slot (profile_users_t *self, uint32_t slot)
{
    uint64_t hash = profile_users_slot (self, slot)->hash;
    uint32_t at = home_of (self, hash);
    while (self->index[at].slot)
        at = (at + 1) & (self->index_capacity - 1);
    self->index[at] = (profile_index_t){.tag = tag_of (hash), .slot = slot + 1};
}

static void grow_index (profile_users_t *self)
{
    if ((uint64_t)(self->count + 1) * 3 <= (uint64_t)self->index_capacity * 2)
        return;
    free (self->index);
    self->index_capacity = self->index_capacity ? self->index_capacity * 2 : INDEX_MIN;
    self->index = memory_new_array (self->index_capacity, sizeof *self->index);
    for (uint32_t i = 0; i < self->slot_count; i++)
        if (profile_users_at (self, i))
            index_slot (self, i);
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
    grow_index (self);
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
    index_slot (self, slot);
    self->count++;
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
    uint32_t mask = self->index_capacity - 1;
    uint32_t hole = home_of (self, user->hash);
    while (self->index[hole].slot != slot + 1)
        hole = (hole + 1) & mask;
    /* What was pushed behind the hole moves forward, so that no probe breaks. */
    for (uint32_t at = (hole + 1) & mask; self->index[at].slot; at = (at + 1) & mask) {
        uint32_t home = home_of (self, profile_users_slot (self, self->index[at].slot - 1)->hash);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            self->index[hole] = self->index[at];
            hole = at;
        }
    }
    self->index[hole].slot = 0;
    free_id (user);
    *user = (profile_user_t){0};
    self->free_slots[self->free_count++] = slot;
    self->count--;
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
    free (self->index);
    *self = (profile_users_t){.slab = self->slab};
}

uint64_t profile_users_bytes (const profile_users_t *self)
{
    uint64_t slots = (uint64_t)self->chunk_count * PROFILE_USERS_CHUNK;
    return slots * sizeof (profile_user_t) + self->index_capacity * sizeof *self->index +
           self->chunk_capacity *
               (sizeof *self->chunks + PROFILE_USERS_CHUNK * sizeof *self->free_slots);
}
