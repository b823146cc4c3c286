/*  profile_users: the users of one shard, by scenario and hash, told apart by their id; and the
 * slot numbers that name them in queues. It knows nothing of when a user is written or dropped.
 */
#ifndef HOTPATH_PROFILE_USERS_H
#define HOTPATH_PROFILE_USERS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"
#include "profiler/profile.h"

#define PROFILE_SLOT_NONE UINT32_MAX

typedef struct {
    uint64_t hash; /* key_hash of the user in its scenario */
    char *id;
    int64_t written_ms; /* clock at which it was last owed; INT64_MIN: never by this process */
    uint32_t scenario;  /* the table's number */
    uint16_t id_size;
    uint8_t collision; /* tells users of equal hash apart in keys */
    bool dirty;        /* changed since it was last owed */
    bool changed;      /* differs from its stored record */
    bool queued;       /* waits to be due */
    profile_t profile;
} profile_user_t;

typedef struct {
    uint32_t tag;  /* upper half of the mixed hash */
    uint32_t slot; /* + 1; 0: empty */
} profile_index_t;

/*  Zeroed: empty. `list` may be read: slots 0 .. slot_count - 1, NULL where free. */
typedef struct {
    profile_user_t **list;
    uint32_t slot_count, slot_capacity;
    uint32_t *free_slots; /* as many as there are slots */
    uint32_t free_count;
    profile_index_t *index;  /* open addressing, at most 2/3 full */
    uint32_t index_capacity; /* a power of two, or 0 */
    uint32_t count;
} profile_users_t;

/*  Slot of a user, or PROFILE_SLOT_NONE. */
uint32_t profile_users_find (const profile_users_t *self, uint32_t scenario, uint64_t hash,
                             span_t id);
/*  The same by collision number, as keys have it. */
uint32_t profile_users_find_key (const profile_users_t *self, uint32_t scenario, uint64_t hash,
                                 uint8_t collision);
/*  Least free collision number of a hash, or -1 where all 256 are taken. */
int profile_users_free_collision (const profile_users_t *self, uint32_t scenario, uint64_t hash);
/*  Adds a user that is not there, with an empty profile. */
uint32_t profile_users_add (profile_users_t *self, uint32_t scenario, uint64_t hash, span_t id,
                            uint8_t collision);
/*  Removes a user whose profile is already freed. */
void profile_users_remove (profile_users_t *self, uint32_t slot);
/*  Frees everything; profiles must be freed before. */
void profile_users_free (profile_users_t *self);

static inline span_t profile_user_id (const profile_user_t *user)
{
    return (span_t){user->id, user->id_size};
}

#endif
