/*  profile_users: the users of one shard, by scenario and hash, told apart by their id; and the
 * slot numbers that name them in queues. It knows nothing of when a user is written or dropped.
 */
#ifndef HOTPATH_PROFILE_USERS_H
#define HOTPATH_PROFILE_USERS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"
#include "common/tag_index.h"
#include "profiler/profile.h"

#define PROFILE_SLOT_NONE TAG_INDEX_NONE

/*  Two cache lines, and most ids within. */
typedef struct {
    uint64_t hash;      /* key_hash of the user in its scenario */
    int64_t written_ms; /* clock at which it was last owed; INT64_MIN: never by this process */
    uint32_t scenario;  /* the table's number */
    uint16_t id_size;
    uint8_t collision; /* tells users of equal hash apart in keys */
    bool used : 1;     /* false: the slot is free */
    bool dirty : 1;    /* changed since it was last owed */
    bool changed : 1;  /* differs from its stored record, or will from the one that is collected */
    bool collecting : 1; /* is to be stored as it is now, and not written yet */
    bool queued : 1;   /* waits to be due */
    union {
        char near[40]; /* of at most PROFILE_ID_NEAR_BYTES */
        char *far;
    } id;
    profile_t profile;
} profile_user_t;
_Static_assert(sizeof (profile_user_t) == 128, "two cache lines a user");

enum { PROFILE_ID_NEAR_BYTES = 40, PROFILE_USERS_CHUNK = 256 };
/*  What the processor is asked for, each for what the one before brought: a hash's place in the index,
 * the user, what an event touches of its profile; or instead all of the profile, and its items. */
typedef enum {
    PROFILE_FETCH_INDEX,
    PROFILE_FETCH_USER,
    PROFILE_FETCH_EVENT,
    PROFILE_FETCH_ALL,
    PROFILE_FETCH_ITEMS,
} profile_fetch_t;

/*  Zeroed, but for the slab: empty. Slots are 0 .. slot_count - 1; a user stays where it is. */
typedef struct {
    profile_slab_t *slab;    /* borrowed */
    profile_user_t **chunks; /* each of PROFILE_USERS_CHUNK slots */
    uint32_t slot_count, chunk_count, chunk_capacity;
    uint32_t *free_slots; /* room for as many as there are slots */
    uint32_t free_count;
    tag_index_t index; /* of slots, by hash */
} profile_users_t;

static inline profile_user_t *profile_users_slot (const profile_users_t *self, uint32_t slot)
{
    return &self->chunks[slot / PROFILE_USERS_CHUNK][slot % PROFILE_USERS_CHUNK];
}
/*  The user of a slot, or NULL where it is free. */
static inline profile_user_t *profile_users_at (const profile_users_t *self, uint32_t slot)
{
    profile_user_t *user = profile_users_slot (self, slot);
    return user->used ? user : NULL;
}

/*  Slot of a user, or PROFILE_SLOT_NONE. */
uint32_t profile_users_find (const profile_users_t *self, uint32_t scenario, uint64_t hash,
                             span_t id);
/*  The same by collision number, as keys have it. */
uint32_t profile_users_find_key (const profile_users_t *self, uint32_t scenario, uint64_t hash,
                                 uint8_t collision);
/*  They change nothing. */
void profile_users_prefetch (const profile_users_t *self, uint64_t hash, profile_fetch_t step,
                             const profile_shared_t *shared);
void profile_users_prefetch_slot (const profile_users_t *self, uint32_t slot, profile_fetch_t step,
                                  const profile_shared_t *shared);
/*  Least free collision number of a hash, or -1 where all 256 are taken. */
int profile_users_free_collision (const profile_users_t *self, uint32_t scenario, uint64_t hash);
/*  Adds a user that is not there, with an empty profile. */
uint32_t profile_users_add (profile_users_t *self, uint32_t scenario, uint64_t hash, span_t id,
                            uint8_t collision);
/*  Removes a user whose profile is already freed. */
void profile_users_remove (profile_users_t *self, uint32_t slot);
/*  Frees everything; profiles must be freed before. */
void profile_users_free (profile_users_t *self);
/*  Frees what is not of the slab, and no ids. */
void profile_users_abandon (profile_users_t *self);

/*  Bytes of memory. */
uint64_t profile_users_bytes (const profile_users_t *self);

static inline span_t profile_user_id (const profile_user_t *user)
{
    bool far = user->id_size > PROFILE_ID_NEAR_BYTES;
    return (span_t){far ? user->id.far : user->id.near, user->id_size};
}

#endif
