/*  profile_users: linear probing over (tag, slot), so that a miss rarely touches a user. */
#include "profiler/profile_users.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"

enum { INDEX_MIN = 64, COLLISIONS = 256 };

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
        profile_user_t *user = self->list[*slot];
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
    uint64_t hash = self->list[slot]->hash;
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
        if (self->list[i])
            index_slot (self, i);
}

static uint32_t new_slot (profile_users_t *self)
{
    if (self->free_count)
        return self->free_slots[--self->free_count];
    if (self->slot_count == self->slot_capacity) {
        uint32_t capacity = self->slot_capacity ? self->slot_capacity * 2 : INDEX_MIN;
        self->list = memory_resize (self->list, capacity * sizeof *self->list);
        self->free_slots = memory_resize (self->free_slots, capacity * sizeof *self->free_slots);
        self->slot_capacity = capacity;
    }
    self->list[self->slot_count] = NULL;
    return self->slot_count++;
}

uint32_t profile_users_add (profile_users_t *self, uint32_t scenario, uint64_t hash, span_t id,
                            uint8_t collision)
{
    CHECK (id.size <= UINT16_MAX);
    grow_index (self);
    profile_user_t *user = memory_new (sizeof *user);
    user->hash = hash;
    user->id = memory_copy_string (id.bytes, id.size);
    user->id_size = (uint16_t)id.size;
    user->written_ms = INT64_MIN;
    user->scenario = scenario;
    user->collision = collision;
    profile_init (&user->profile);
    uint32_t slot = new_slot (self);
    self->list[slot] = user;
    index_slot (self, slot);
    self->count++;
    return slot;
}

void profile_users_remove (profile_users_t *self, uint32_t slot)
{
    profile_user_t *user = self->list[slot];
    uint32_t mask = self->index_capacity - 1;
    uint32_t hole = home_of (self, user->hash);
    while (self->index[hole].slot != slot + 1)
        hole = (hole + 1) & mask;
    /* What was pushed behind the hole moves forward, so that no probe breaks. */
    for (uint32_t at = (hole + 1) & mask; self->index[at].slot; at = (at + 1) & mask) {
        uint32_t home = home_of (self, self->list[self->index[at].slot - 1]->hash);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            self->index[hole] = self->index[at];
            hole = at;
        }
    }
    self->index[hole].slot = 0;
    free (user->id);
    free (user);
    self->list[slot] = NULL;
    self->free_slots[self->free_count++] = slot;
    self->count--;
}

void profile_users_free (profile_users_t *self)
{
    for (uint32_t i = 0; i < self->slot_count; i++) {
        if (self->list[i])
            free (self->list[i]->id);
        free (self->list[i]);
    }
    free (self->list);
    free (self->free_slots);
    free (self->index);
    *self = (profile_users_t){0};
}
