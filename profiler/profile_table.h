/*  profile_table: the profiles of one shard: which user an event belongs to, when a changed user is
 * due, when one is dropped, and what of it is stored. What an event does to a profile: profile.h.
 *
 *  A changed user is due when the watermark passes k * update_ms + hash % update_ms, and is owed at
 * most once a second of the clock; a user 3 decay periods (and PROFILE_LATE_KEPT_MS) behind the
 * watermark is dropped, once it is neither changed nor owed. Stored: key 'c', scenario hash, user
 * hash (8 bytes each, big endian), collision number; the value is a profile_record. An owed
 * profile's key is the same with 'p'.
 *
 *  Pure: it sends and stores nothing itself.
 */
#ifndef HOTPATH_PROFILE_TABLE_H
#define HOTPATH_PROFILE_TABLE_H

#include "common/change_set.h"
#include "common/stage.h"
#include "profiler/profile.h"

enum {
    PROFILE_KEY_BYTES = 18,
    PROFILE_WRITE_INTERVAL_MS = 1000, /* of the clock, per user */
    PROFILE_SWEEP_MS = 60000,         /* of the clock: one look at every user for expiry */
    PROFILE_SWEEP_MIN = 64,           /* users looked at in one advance, at least and at most */
    PROFILE_SWEEP_MAX = 4096,
};

typedef struct profile_table profile_table_t;

/*  What the table borrows, for its life. */
typedef struct {
    action_names_t *actions;
    profile_strings_t *strings; /* may be shared with other tables of the same thread */
    const live_scenario_t *(*find) (void *arg, uint64_t hash); /* NULL: not configured now */
    void *find_arg;
    void (*owe) (void *arg, const void *key, size_t key_size, uint64_t route);
    /*  Asks for the memory that `owe` of that key will touch, in steps 0 and 1. Changes nothing. */
    void (*ask_owed) (void *arg, const void *key, size_t key_size, int step);
    bool (*is_owed) (void *arg, const void *key, size_t key_size);
    void *owed_arg;
} profile_table_setup_t;

profile_table_t *profile_table_new (const profile_table_setup_t *setup);
void profile_table_destroy (profile_table_t **self_p);
/*  The same of one whose strings are destroyed next: where it can it gives no reference back, and so
 * looks at no user. */
void profile_table_abandon (profile_table_t **self_p);

/*  The functions of stage.h of these names. */
int profile_table_load (profile_table_t *self, const uint8_t *key, size_t key_size,
                        const uint8_t *value, size_t value_size);
void profile_table_loaded (profile_table_t *self, const stage_time_t *time);
void profile_table_prefetch (const profile_table_t *self, const stage_event_t *events,
                             uint32_t count);
apply_t profile_table_apply (profile_table_t *self, const stage_event_t *event);
void profile_table_advance (profile_table_t *self, const stage_time_t *time);
void profile_table_finish (profile_table_t *self, const stage_time_t *time);
void profile_table_configure (profile_table_t *self, const live_scenario_t *live,
                              const stage_time_t *time);
/*  Owes every profile of active scenarios that has not expired and that `what` wants, newest u first. */
void profile_table_refresh (profile_table_t *self, const stage_time_t *time, stage_refresh_t what);
/*  Leaves all users to collect_more (). */
void profile_table_collect (profile_table_t *self, change_set_t *changes);
bool profile_table_collect_more (profile_table_t *self, change_set_t *changes);

/*  The profiles that will be viewed next: the function of stage.h of this name. */
void profile_table_foresee (const profile_table_t *self, const owed_waiting_t *list, uint32_t count);
/*  What rendering an owed profile needs; borrowed until the next view, or call that changes the table. */
typedef struct {
    const live_scenario_t *live; /* with a config */
    span_t user;
    const profile_t *profile;
    const profile_shared_t *shared;
    profile_weights_t *weights;
} profile_view_t;
/*  False: the user, or its scenario's config, is gone (or the key is none of ours). */
bool profile_table_view (profile_table_t *self, const uint8_t *key, size_t key_size,
                         profile_view_t *view);

typedef struct {
    uint64_t users, bytes; /* without the strings */
    uint64_t evicted;      /* labels that went because of the caps */
    uint64_t ignored;      /* events 3 periods before their profile's first */
    uint64_t refused;      /* events of a 257th user of one hash */
    uint64_t dropped;      /* expired users */
} profile_measure_t;
profile_measure_t profile_table_measure (const profile_table_t *self);

#endif
