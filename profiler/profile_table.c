/*  profile_table: see the header. Due users wait in a heap by event time; those whose last write is
 * less than a second ago wait in another by the clock. A user is in one of them at most (`queued`),
 * and stays there, meaning nothing, when it is written for another reason.
 */
#include "profiler/profile_table_parts.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"
#include "profiler/profile_record.h"

enum { DUE_GROUP = 32 };

profile_table_t *profile_table_new (const profile_table_setup_t *setup)
{
    profile_table_t *self = memory_new (sizeof *self);
    self->setup = *setup;
    self->shared.strings = setup->strings;
    self->users.slab = &self->shared.slab;
    profile_init (&self->viewed);
    self->watermark_ms = EVENT_TIME_NONE;
    return self;
}

static void free_table (profile_table_t **self_p)
{
    profile_table_t *self = *self_p;
    profile_slab_free (&self->shared.slab);
    profile_scenarios_free (&self->scenarios);
    profile_due_free (&self->due);
    profile_due_free (&self->held);
    free (self->changed.list);
    free (self->collecting.list);
    change_set_free (&self->kept);
    buffer_free (&self->deleted);
    free (self);
    *self_p = NULL;
}

void profile_table_destroy (profile_table_t **self_p)
{
    profile_table_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->users.slot_count; i++) {
        profile_user_t *user = profile_users_at (&self->users, i);
        if (user)
            profile_free (&user->profile, &self->shared);
    }
    profile_free (&self->viewed, &self->shared);
    profile_users_free (&self->users);
    free_table (self_p);
}

void profile_table_abandon (profile_table_t **self_p)
{
    profile_table_t *self = *self_p;
    if (self->shared.slab.outside || self->id_bytes) {
        profile_table_destroy (self_p);
        return;
    }
    profile_users_abandon (&self->users);
    free_table (self_p);
}

/*  ---- keys ---- */

static void put_hash (uint8_t *to, uint64_t hash)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(hash >> (56 - 8 * i));
}

void profile_table_key (const profile_table_t *self, const profile_user_t *user, char kind,
                        uint8_t *key)
{
    key[0] = (uint8_t)kind;
    put_hash (key + 1, self->scenarios.list[user->scenario]->hash);
    put_hash (key + 9, user->hash);
    key[17] = user->collision;
}

/*  ---- scenarios ---- */

static void schedule (profile_table_t *self, uint32_t slot);
static void schedule_stored (profile_table_t *self, uint32_t slot);

/*  Gives the scenario's changed users their places by a new update period. */
static void schedule_again (profile_table_t *self, uint32_t number)
{
    profile_due_t old = self->due;
    self->due = (profile_due_t){0};
    for (size_t i = 0; i < old.count; i++) {
        profile_user_t *user = profile_table_user (self, old.list[i].slot);
        if (user->scenario != number) {
            profile_due_push (&self->due, old.list[i].at_ms, old.list[i].slot);
            continue;
        }
        user->queued = false;
        if (user->dirty)
            schedule (self, old.list[i].slot);
    }
    profile_due_free (&old);
    for (uint32_t i = 0; i < self->users.slot_count; i++) {
        const profile_user_t *user = profile_users_at (&self->users, i);
        if (user && user->scenario == number && user->dirty && !user->queued)
            schedule_stored (self, i);
    }
}

void profile_table_follow (profile_table_t *self, uint32_t number, const live_scenario_t *live)
{
    if (profile_scenarios_follow (&self->scenarios, number, live))
        schedule_again (self, number);
}

static uint32_t scenario_of (profile_table_t *self, const live_scenario_t *live)
{
    uint32_t number = profile_scenarios_of (&self->scenarios, live, self->setup.actions);
    profile_table_follow (self, number, live);
    return number;
}

/*  ---- when a user is written ---- */

/*  Least k * update_ms + phase above base. */
static int64_t next_due (int64_t base_ms, uint64_t hash, int64_t update_ms)
{
    int64_t phase_ms = (int64_t)(hash % (uint64_t)update_ms);
    int64_t from_ms = base_ms - phase_ms;
    int64_t before = from_ms / update_ms - (from_ms % update_ms < 0);
    return (before + 1) * update_ms + phase_ms;
}

static void schedule_after (profile_table_t *self, uint32_t slot, int64_t base_ms)
{
    profile_user_t *user = profile_table_user (self, slot);
    int64_t update_ms = self->scenarios.list[user->scenario]->update_ms;
    if (!update_ms)
        return; /* profile_table_follow () schedules it when its config comes */
    profile_due_push (&self->due, next_due (base_ms, user->hash, update_ms), slot);
    user->queued = true;
}

static void schedule (profile_table_t *self, uint32_t slot)
{
    int64_t base_ms = self->watermark_ms;
    if (base_ms == EVENT_TIME_NONE)
        base_ms = profile_table_user (self, slot)->profile.newest_ms;
    schedule_after (self, slot, base_ms);
}

/*  As it was stored, changed and not written: it may have been due before, and held back for the clock, when its
 *  process died. By its newest event it is late at most once, not by a whole period again. */
static void schedule_stored (profile_table_t *self, uint32_t slot)
{
    int64_t newest_ms = profile_table_user (self, slot)->profile.newest_ms;
    bool passed = self->watermark_ms != EVENT_TIME_NONE && self->watermark_ms < newest_ms;
    schedule_after (self, slot, passed ? self->watermark_ms : newest_ms);
}

static void owe (profile_table_t *self, uint32_t slot, const uint8_t *key)
{
    profile_user_t *user = profile_table_user (self, slot);
    self->setup.owe (self->setup.owed_arg, key, PROFILE_KEY_BYTES, user->hash);
    user->written_ms = self->now_ms;
    if (user->dirty) {
        profile_table_keep (self, user);
        profile_table_mark_changed (self, slot); /* a restart must not write it once more */
    }
    user->dirty = false;
}

/*  Users that are to be owed next, in this order: the look-ups of several overlap. */
typedef struct {
    uint32_t slots[DUE_GROUP], count;
} group_t;

static void owe_group (profile_table_t *self, group_t *group)
{
    uint8_t keys[DUE_GROUP][PROFILE_KEY_BYTES];
    for (uint32_t i = 0; i < group->count; i++)
        profile_table_key (self, profile_table_user (self, group->slots[i]), 'p', keys[i]);
    for (int step = 0; step < 2; step++)
        for (uint32_t i = 0; i < group->count; i++)
            self->setup.ask_owed (self->setup.owed_arg, keys[i], sizeof keys[i], step);
    for (uint32_t i = 0; i < group->count; i++)
        owe (self, group->slots[i], keys[i]);
    group->count = 0;
}

static void owe_next (profile_table_t *self, group_t *group, uint32_t slot)
{
    group->slots[group->count++] = slot;
    if (group->count == DUE_GROUP)
        owe_group (self, group);
}

/*  Takes the next users that are due, and asks for them: heaps hold slots alone. */
static uint32_t take_due (profile_table_t *self, profile_due_t *due, int64_t until_ms, uint32_t *slots)
{
    uint32_t count = 0;
    while (count < DUE_GROUP && profile_due_pop (due, until_ms, &slots[count]))
        profile_users_prefetch_slot (&self->users, slots[count++], PROFILE_FETCH_USER, &self->shared);
    return count;
}

/*  One that is due and was written less than a second ago waits for the clock. */
static bool hold_back (profile_table_t *self, uint32_t slot)
{
    profile_user_t *user = profile_table_user (self, slot);
    if (user->written_ms == INT64_MIN || self->now_ms - user->written_ms >= PROFILE_WRITE_INTERVAL_MS)
        return false;
    profile_due_push (&self->held, user->written_ms + PROFILE_WRITE_INTERVAL_MS, slot);
    user->queued = true;
    return true;
}

static void owe_due_of (profile_table_t *self, profile_due_t *due, int64_t until_ms)
{
    group_t group = {.count = 0};
    uint32_t slots[DUE_GROUP], count;
    while ((count = take_due (self, due, until_ms, slots)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            profile_user_t *user = profile_table_user (self, slots[i]);
            user->queued = false;
            if (user->dirty && !hold_back (self, slots[i]))
                owe_next (self, &group, slots[i]);
        }
        owe_group (self, &group);
    }
}

static void owe_due (profile_table_t *self)
{
    owe_due_of (self, &self->due, self->watermark_ms);
    owe_due_of (self, &self->held, self->now_ms);
}

/*  ---- when a user is dropped ---- */

/*  Of an id that is not within its user. */
static uint64_t far_bytes (size_t id_size)
{
    return id_size > PROFILE_ID_NEAR_BYTES ? (uint64_t)id_size + 1 : 0;
}

static bool expired (const profile_table_t *self, const profile_user_t *user)
{
    const profile_scenario_t *scenario = self->scenarios.list[user->scenario];
    double period_ms = scenario->update_ms ? scenario->rules.period_ms : user->profile.period_ms;
    return profile_expired (&user->profile, period_ms, self->watermark_ms);
}

static void drop_expired (profile_table_t *self, uint32_t slot)
{
    profile_user_t *user = profile_users_at (&self->users, slot);
    if (!user || user->queued || user->changed || user->collecting || !expired (self, user))
        return;
    if (user->dirty && self->scenarios.list[user->scenario]->update_ms)
        return;
    uint8_t key[PROFILE_KEY_BYTES];
    profile_table_key (self, user, 'p', key);
    if (self->setup.is_owed (self->setup.owed_arg, key, sizeof key))
        return;
    profile_table_key (self, user, 'c', key);
    buffer_append (&self->deleted, key, sizeof key);
    profile_free (&user->profile, &self->shared);
    self->scenarios.list[user->scenario]->user_count--;
    self->id_bytes -= far_bytes (user->id_size);
    profile_users_remove (&self->users, slot);
    self->dropped++;
}

/*  Looks at some users, so that all have been looked at once a minute and no advance takes long. */
static void sweep (profile_table_t *self)
{
    int64_t elapsed_ms = self->now_ms - self->swept_ms;
    self->swept_ms = self->now_ms;
    uint32_t slot_count = self->users.slot_count;
    if (!slot_count || self->watermark_ms == EVENT_TIME_NONE)
        return;
    if (elapsed_ms < 0 || elapsed_ms > PROFILE_SWEEP_MS)
        elapsed_ms = PROFILE_SWEEP_MS;
    uint64_t looks = (uint64_t)slot_count * (uint64_t)elapsed_ms / PROFILE_SWEEP_MS;
    looks = looks < PROFILE_SWEEP_MIN ? PROFILE_SWEEP_MIN : looks;
    looks = looks > PROFILE_SWEEP_MAX ? PROFILE_SWEEP_MAX : looks;
    looks = looks > slot_count ? slot_count : looks;
    for (; looks; looks--) {
        if (self->sweep_at >= slot_count)
            self->sweep_at = 0;
        drop_expired (self, self->sweep_at++);
    }
}

/*  ---- the stage's calls ---- */

static void take_time (profile_table_t *self, const stage_time_t *time)
{
    if (time->watermark_ms > self->watermark_ms)
        self->watermark_ms = time->watermark_ms;
    self->now_ms = time->now_ms;
}

static uint32_t add_user (profile_table_t *self, uint32_t number, uint64_t hash, span_t id,
                          uint8_t collision)
{
    self->scenarios.list[number]->user_count++;
    self->id_bytes += far_bytes (id.size);
    return profile_users_add (&self->users, number, hash, id, collision);
}

int profile_table_load (profile_table_t *self, const uint8_t *key, size_t key_size,
                        const uint8_t *value, size_t value_size)
{
    if (key_size != PROFILE_KEY_BYTES || key[0] != 'c')
        return -1;
    uint32_t number =
        profile_scenarios_take (&self->scenarios, profile_key_hash (key + 1), self->setup.actions);
    uint64_t hash = profile_key_hash (key + 9);
    profile_t profile;
    span_t id;
    bool dirty;
    profile_init (&profile);
    if (profile_record_read (value, value_size, &id, &dirty, &profile, &self->shared,
                             self->setup.actions) ||
        profile_users_find_key (&self->users, number, hash, key[17]) != PROFILE_SLOT_NONE ||
        profile_users_find (&self->users, number, hash, id) != PROFILE_SLOT_NONE) {
        profile_free (&profile, &self->shared);
        return -1;
    }
    uint32_t slot = add_user (self, number, hash, id, key[17]);
    profile_table_user (self, slot)->profile = profile;
    profile_table_user (self, slot)->dirty = dirty;
    return 0;
}

void profile_table_loaded (profile_table_t *self, const stage_time_t *time)
{
    take_time (self, time);
    self->swept_ms = time->now_ms;
    for (uint32_t i = 0; i < self->scenarios.count; i++)
        profile_scenarios_follow (
            &self->scenarios, i,
            self->setup.find (self->setup.find_arg, self->scenarios.list[i]->hash));
    for (uint32_t i = 0; i < self->users.slot_count; i++)
        if (profile_users_slot (&self->users, i)->dirty)
            schedule_stored (self, i);
}

apply_t profile_table_apply (profile_table_t *self, const stage_event_t *event)
{
    uint32_t number = scenario_of (self, event->scenario);
    profile_scenario_t *scenario = self->scenarios.list[number];
    CHECK (scenario->update_ms); /* stage.h: the scenario has a config */
    uint32_t slot = profile_users_find (&self->users, number, event->key_hash, event->user);
    if (slot == PROFILE_SLOT_NONE) {
        int collision = profile_users_free_collision (&self->users, number, event->key_hash);
        if (collision < 0) {
            self->refused++;
            return APPLY_COUNTED;
        }
        slot = add_user (self, number, event->key_hash, event->user, (uint8_t)collision);
    }
    profile_user_t *user = profile_table_user (self, slot);
    profile_table_keep (self, user);
    if (!profile_apply (&user->profile, &self->shared, &scenario->rules, event)) {
        self->ignored++;
        return APPLY_COUNTED;
    }
    user->dirty = true;
    profile_table_mark_changed (self, slot);
    if (!user->queued)
        schedule (self, slot);
    return APPLY_COUNTED;
}

void profile_table_advance (profile_table_t *self, const stage_time_t *time)
{
    take_time (self, time);
    owe_due (self);
    sweep (self);
}

void profile_table_finish (profile_table_t *self, const stage_time_t *time)
{
    take_time (self, time);
    profile_due_clear (&self->due);
    profile_due_clear (&self->held);
    group_t group = {.count = 0};
    for (uint32_t i = 0; i < self->users.slot_count; i++) {
        profile_user_t *user = profile_users_at (&self->users, i);
        if (!user)
            continue;
        user->queued = false;
        if (user->dirty && self->scenarios.list[user->scenario]->update_ms)
            owe_next (self, &group, i);
    }
    owe_group (self, &group);
}

void profile_table_configure (profile_table_t *self, const live_scenario_t *live,
                              const stage_time_t *time)
{
    take_time (self, time);
    scenario_of (self, live);
}

typedef struct {
    int64_t newest_ms;
    uint64_t hash;
    uint32_t slot;
} newest_t;

static int compare_newest (const void *a_, const void *b_)
{
    const newest_t *a = a_, *b = b_;
    if (a->newest_ms != b->newest_ms)
        return a->newest_ms > b->newest_ms ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

void profile_table_refresh (profile_table_t *self, const stage_time_t *time, stage_refresh_t what)
{
    take_time (self, time);
    newest_t *list = memory_new_array (self->users.index.count, sizeof *list);
    size_t count = 0;
    for (uint32_t i = 0; i < self->users.slot_count; i++) {
        const profile_user_t *user = profile_users_at (&self->users, i);
        if (!user || !stage_refresh_wants (what, user->hash) || expired (self, user))
            continue;
        const live_scenario_t *live = self->scenarios.list[user->scenario]->live;
        if (live && live->active && live->config && live->config->profile.enabled)
            list[count++] = (newest_t){user->profile.newest_ms, user->hash, i};
    }
    qsort (list, count, sizeof *list, compare_newest);
    group_t group = {.count = 0};
    for (size_t i = 0; i < count; i++)
        owe_next (self, &group, list[i].slot);
    owe_group (self, &group);
    free (list);
}
