/*  gather_tick: see gather.h: which keys have something that time alone brings: a timeout, a repetition,
 * a retry, the end of a hold; and which are forgotten. With ten thousand scenarios there are very many
 * keys: of most no more than their time is looked at.
 */
#include "sink/gather_parts.h"

static void end_hold (gather_t *self, gather_slot_t *slot, int64_t now_ms)
{
    if (slot->held_until_ms == 0 || slot->held_until_ms > now_ms)
        return;
    slot->held_until_ms = INT64_MAX;
    gather_slot_take_tokens (slot, &self->done);
}

static void sooner (int64_t *at_ms, int64_t time_ms, int64_t now_ms)
{
    if (time_ms > now_ms && time_ms < *at_ms)
        *at_ms = time_ms;
}

/*  When one of the moments that is_due () and end_hold () wait for comes next; INT64_MAX: it waits for none. */
static int64_t look_next_ms (const gather_t *self, const gather_key_t *key, int64_t now_ms)
{
    int64_t at_ms = INT64_MAX;
    for (uint32_t i = 0; i < key->slot_count; i++) {
        const gather_slot_t *slot = key->slots[i];
        sooner (&at_ms, slot->held_until_ms, now_ms);
        if (!slot->dirty)
            continue;
        sooner (&at_ms, now_ms + GATHER_LOOK_MS, now_ms);
        sooner (&at_ms, slot->dirty_ms + self->timeout_ms, now_ms);
        sooner (&at_ms, slot->dirty_ms + GATHER_AGAIN_MS, now_ms);
        sooner (&at_ms, key->retry_ms, now_ms);
    }
    return at_ms;
}

/*  A key's time has come: what was held is done, what is dirty may be due. */
static void look_at (gather_t *self, gather_key_t *key, int64_t now_ms)
{
    for (uint32_t i = 0; i < key->slot_count; i++)
        end_hold (self, key->slots[i], now_ms);
    if (gather_key_waits (key))
        gather_make_ready (self, key);
    key->look_ms = look_next_ms (self, key, now_ms);
}

static bool is_idle (const gather_key_t *key, int64_t now_ms)
{
    int64_t idle_ms = key->ttl_ms > GATHER_IDLE_MS ? key->ttl_ms : GATHER_IDLE_MS;
    return !gather_key_waits (key) && now_ms - key->touched_ms >= idle_ms && !key->queued &&
           !key->in_flight && key->lookup == LOOKUP_DONE;
}

void gather_tick (gather_t *self, int64_t now_ms)
{
    if (now_ms - self->tick_ms < GATHER_TICK_MS)
        return;
    bool sweep = now_ms - self->sweep_ms >= GATHER_IDLE_MS / 60;
    self->tick_ms = now_ms;
    self->sweep_ms = sweep ? now_ms : self->sweep_ms;
    for (uint32_t i = 0; i < self->keys.bucket_count; i++) {
        for (gather_key_t *key = self->keys.buckets[i], *next; key; key = next) {
            next = key->next;
            if (key->look_ms <= now_ms)
                look_at (self, key, now_ms);
            if (sweep && is_idle (key, now_ms)) {
                while (key->slot_count > 0)
                    gather_drop_slot (self, key, key->slot_count - 1);
                gather_keys_remove (&self->keys, key, &self->done);
            }
        }
    }
}
