/*  profile_table_collect: what of the table is stored next. Writing very many users takes long: it is done some at a
 *  time, of a list that is fixed when it begins. A user that is to change before its turn has come is written first
 *  (profile_table_keep), so that all records are of one moment.
 */
#include "profiler/profile_table_parts.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"
#include "profiler/profile_record.h"

enum {
    COLLECT_USERS = 256, /* at a time: about a millisecond */
    COLLECT_AHEAD = 6,   /* users between what is asked for and what is written, in three steps */
};

void profile_table_mark_changed (profile_table_t *self, uint32_t slot)
{
    profile_user_t *user = profile_table_user (self, slot);
    if (user->changed)
        return;
    profile_changed_t *changed = &self->changed;
    if (changed->count == changed->capacity) {
        changed->capacity = changed->capacity ? changed->capacity * 2 : 256;
        changed->list =
            memory_resize (changed->list, changed->capacity * sizeof *changed->list);
    }
    uint64_t scenario_hash = self->scenarios.list[user->scenario]->hash;
    changed->list[changed->count++] =
        (profile_place_t){profile_order_place (scenario_hash, user->hash), slot};
    user->changed = true;
}

static void write_user (const profile_table_t *self, profile_user_t *user, change_set_t *changes)
{
    uint8_t key[PROFILE_KEY_BYTES];
    profile_table_key (self, user, 'c', key);
    profile_record_write (change_set_put_begin (changes, key, sizeof key), profile_user_id (user),
                          user->dirty, &user->profile, &self->shared, self->setup.actions);
    change_set_put_end (changes);
    user->collecting = false;
}

void profile_table_keep (profile_table_t *self, profile_user_t *user)
{
    if (user->collecting)
        write_user (self, user, &self->kept);
}

static void prefetch (const profile_table_t *self, size_t at, profile_fetch_t step)
{
    if (at < self->collecting.count)
        profile_users_prefetch_slot (&self->users, self->collecting.list[at].slot, step,
                                     &self->shared);
}

void profile_table_collect (profile_table_t *self, change_set_t *changes)
{
    CHECK (self->collecting_at == self->collecting.count && !self->kept.count);
    /* Deletions first: a dropped user may have come back. */
    for (size_t at = 0; at < self->deleted.size; at += PROFILE_KEY_BYTES)
        change_set_delete (changes, self->deleted.bytes + at, PROFILE_KEY_BYTES);
    buffer_clear (&self->deleted);
    profile_changed_t spare = self->collecting, *list = &self->collecting;
    *list = self->changed;
    self->changed = spare;
    self->changed.count = 0;
    self->collecting_at = 0;
    profile_place_t *scratch = memory_new_array (list->count, sizeof *scratch);
    profile_order_sort (list->list, scratch, list->count);
    free (scratch);
    for (size_t i = 0; i < list->count; i++) {
        prefetch (self, i + 2 * COLLECT_AHEAD, PROFILE_FETCH_USER);
        profile_user_t *user = profile_table_user (self, list->list[i].slot);
        user->changed = false;
        user->collecting = true;
    }
}

bool profile_table_collect_more (profile_table_t *self, change_set_t *changes)
{
    size_t left = self->collecting.count - self->collecting_at;
    size_t until = self->collecting_at + (left < COLLECT_USERS ? left : COLLECT_USERS);
    for (; self->collecting_at < until; self->collecting_at++) {
        size_t at = self->collecting_at;
        prefetch (self, at + 3 * COLLECT_AHEAD, PROFILE_FETCH_USER);
        prefetch (self, at + 2 * COLLECT_AHEAD, PROFILE_FETCH_ALL);
        prefetch (self, at + COLLECT_AHEAD, PROFILE_FETCH_ITEMS);
        /* One that was kept may be gone, and its slot another's. */
        profile_user_t *user = profile_table_user (self, self->collecting.list[at].slot);
        if (user->collecting)
            write_user (self, user, changes);
    }
    if (until < self->collecting.count)
        return true;
    change_set_append (changes, &self->kept);
    return false;
}
