/*  profile_table_view: what is read of the table: profiles for their results, and what is asked for
 * before it is needed.
 */
#include "profiler/profile_table_parts.h"

enum { PREFETCH_MAX = 32 };

void profile_table_prefetch (const profile_table_t *self, const stage_event_t *events,
                             uint32_t count)
{
    uint32_t hashes[PREFETCH_MAX]; /* of items: labels are few, and near anyhow */
    count = count < PREFETCH_MAX ? count : PREFETCH_MAX;
    for (uint32_t i = 0; i < count; i++)
        hashes[i] = profile_strings_hash (events[i].item);
    for (int step = PROFILE_FETCH_INDEX; step <= PROFILE_FETCH_EVENT; step++) {
        for (uint32_t i = 0; i < count; i++)
            profile_users_prefetch (&self->users, events[i].key_hash, (profile_fetch_t)step, &self->shared);
        for (uint32_t i = 0; i < count && step < 2; i++)
            profile_strings_prefetch (self->shared.strings, hashes[i], step);
    }
}

void profile_table_foresee (const profile_table_t *self, const owed_waiting_t *list, uint32_t count)
{
    static const profile_fetch_t steps[] = {PROFILE_FETCH_INDEX, PROFILE_FETCH_USER,
                                            PROFILE_FETCH_ALL, PROFILE_FETCH_ITEMS};
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++)
        for (uint32_t i = 0; i < count; i++)
            if (list[i].key_size == PROFILE_KEY_BYTES)
                profile_users_prefetch (&self->users, profile_key_hash ((const uint8_t *)list[i].key + 9),
                                        steps[step], &self->shared);
}

bool profile_table_view (profile_table_t *self, const uint8_t *key, size_t key_size,
                         profile_view_t *view)
{
    if (key_size != PROFILE_KEY_BYTES || key[0] != 'p')
        return false;
    uint64_t scenario_hash = profile_key_hash (key + 1);
    const live_scenario_t *live = self->setup.find (self->setup.find_arg, scenario_hash);
    uint32_t number = profile_scenarios_find (&self->scenarios, scenario_hash);
    if (!live || !live->config || number == PROFILE_SCENARIO_NONE)
        return false;
    profile_table_follow (self, number, live);
    uint32_t slot = profile_users_find_key (&self->users, number, profile_key_hash (key + 9), key[17]);
    if (slot == PROFILE_SLOT_NONE)
        return false;
    const profile_user_t *user = profile_table_user (self, slot);
    *view = (profile_view_t){.live = live,
                             .user = profile_user_id (user),
                             .profile = profile_read (&user->profile, &self->shared,
                                                      &self->scenarios.list[number]->rules,
                                                      &self->viewed),
                             .shared = &self->shared,
                             .weights = &self->scenarios.list[number]->weights};
    return true;
}

profile_measure_t profile_table_measure (const profile_table_t *self)
{
    return (profile_measure_t){
        .users = self->users.index.count,
        .bytes = self->shared.bytes + self->id_bytes + profile_users_bytes (&self->users) +
                 (self->due.capacity + self->held.capacity) * sizeof (profile_due_entry_t) +
                 (self->changed.capacity + self->collecting.capacity) * sizeof (profile_place_t),
        .evicted = self->shared.evicted,
        .ignored = self->ignored,
        .refused = self->refused,
        .dropped = self->dropped,
    };
}
