/*  profile_table_parts: the table's state and what its files share; private to profile_table*.c. */
#ifndef HOTPATH_PROFILE_TABLE_PARTS_H
#define HOTPATH_PROFILE_TABLE_PARTS_H

#include "profiler/profile_due.h"
#include "profiler/profile_order.h"
#include "profiler/profile_scenarios.h"
#include "profiler/profile_table.h"
#include "profiler/profile_users.h"

/*  Users whose records differ from what is stored, each once. */
typedef struct {
    profile_place_t *list;
    size_t count, capacity;
} profile_changed_t;

struct profile_table {
    profile_table_setup_t setup;
    profile_shared_t shared;
    profile_users_t users;
    profile_t viewed; /* a list of events, counted for a view */
    profile_scenarios_t scenarios;
    profile_due_t due, held;
    profile_changed_t changed;    /* for the next collection */
    profile_changed_t collecting; /* of the present one, … */
    size_t collecting_at;         /* … from here on not looked at yet */
    change_set_t kept;            /* records of it, of users that have changed since */
    buffer_t deleted; /* keys of PROFILE_KEY_BYTES */
    int64_t watermark_ms, now_ms;
    uint32_t sweep_at;
    int64_t swept_ms; /* clock */
    uint64_t id_bytes, ignored, refused, dropped;
};

/*  The user of a slot that is taken. */
static inline profile_user_t *profile_table_user (const profile_table_t *self, uint32_t slot)
{
    return profile_users_slot (&self->users, slot);
}

/*  A hash within a key. */
static inline uint64_t profile_key_hash (const uint8_t *from)
{
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | from[i];
    return hash;
}

/*  profile_table.c: a user's key, of stored records ('c') or owed profiles ('p'). */
void profile_table_key (const profile_table_t *self, const profile_user_t *user, char kind,
                        uint8_t *key);
/*  profile_table_collect.c: the user's record is to be collected; … is about to change. */
void profile_table_mark_changed (profile_table_t *self, uint32_t slot);
void profile_table_keep (profile_table_t *self, profile_user_t *user);

/*  profile_table.c: takes over what is new in a scenario's config (live may be NULL). */
void profile_table_follow (profile_table_t *self, uint32_t number, const live_scenario_t *live);

#endif
