/*  gather: see gather.h: orders, and what to publish. Parts that arrive are in gather_put.c, those of
 * one window in gather_slot.c, keys and orders in gather_keys.c; what time alone brings is in
 * gather_tick.c.
 */
#include "sink/gather_parts.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"

gather_t *gather_new (int64_t timeout_ms, size_t history_bytes_max)
{
    gather_t *self = memory_new (sizeof *self);
    self->timeout_ms = timeout_ms;
    self->tick_ms = self->sweep_ms = INT64_MIN / 2;
    gather_keys_init (&self->keys, history_bytes_max);
    self->reader = part_reader_new ();
    self->contents = memory_new_array (WIRE_SHARDS_MAX, sizeof *self->contents);
    self->members = memory_new_array (GATHER_RESTORE_MEMBERS, sizeof *self->members);
    return self;
}

void gather_destroy (gather_t **self_p)
{
    gather_t *self = *self_p;
    if (!self)
        return;
    gather_keys_free (&self->keys, &self->done);
    part_reader_destroy (&self->reader);
    token_list_free (&self->done);
    free (self->ready.list);
    free (self->lookups.list);
    free (self->contents);
    free (self->members);
    free (self);
    *self_p = NULL;
}

void gather_make_ready (gather_t *self, gather_key_t *key)
{
    if (!key->queued)
        key_queue_push (&self->ready, key);
    key->queued = true;
    key->look_ms = INT64_MIN;
}

void gather_want_lookup (gather_t *self, gather_key_t *key)
{
    key->lookup = LOOKUP_WANTED;
    if (!key->lookup_queued)
        key_queue_push (&self->lookups, key);
    key->lookup_queued = true;
}

void gather_drop_slot (gather_t *self, gather_key_t *key, uint32_t at)
{
    self->bytes -= gather_key_drop (key, at, &self->done);
}

/*  ---- the order of what Redis has ---- */

gather_key_t *gather_next_lookup (gather_t *self)
{
    gather_key_t *key = key_queue_pop (&self->lookups);
    if (!key)
        return NULL;
    key->lookup_queued = false;
    key->lookup = LOOKUP_ASKED;
    key->lookup_serial++;
    key->order = (result_order_t){0};
    gather_history_asked (&key->history);
    return key;
}

static bool is_answer (const gather_key_t *key, uint32_t serial)
{
    return key->lookup == LOOKUP_ASKED && key->lookup_serial == serial;
}

void gather_learn_order (gather_key_t *key, uint32_t serial, const result_order_t *order)
{
    if (is_answer (key, serial))
        key->order = *order;
}

void gather_learn_window (gather_key_t *key, uint32_t serial, const result_order_t *order,
                          bool empty, span_t member)
{
    if (is_answer (key, serial))
        gather_history_learn (&key->history, key->lineage, order, empty, member);
}

void gather_learned (gather_t *self, gather_key_t *key, uint32_t serial)
{
    if (is_answer (key, serial)) {
        key->lookup = LOOKUP_DONE;
        gather_history_learned (&key->history);
    }
    gather_make_ready (self, key);
}

/*  ---- publishing ---- */

static result_order_t order_of (const gather_key_t *key, const gather_slot_t *slot)
{
    return (result_order_t){.known = true,
                            .lineage = key->lineage,
                            .revision = slot->revision,
                            .window_end_ms = slot->window_end_ms,
                            .shards = slot->reported};
}

/*  Are parts missing that will not come, of a window that Redis has whole from a former life of the sink?
 *  Its shards but for those here had been told so then; these send their part once more. */
static bool is_there_already (const gather_key_t *key, const gather_slot_t *slot)
{
    const gather_window_t *window = gather_history_find (&key->history, slot->window_end_ms);
    bool whole = window && window->looked_up && window->in_redis &&
                 window->order.lineage == key->lineage &&
                 window->order.shards == slot->shards_total &&
                 revision_compare (window->order.revision, slot->revision) == 0;
    for (uint32_t i = 0; whole && i < slot->shards_total; i++)
        whole = slot->parts[i].counts ||
                gather_key_is_past (key, i, slot->revision, slot->window_end_ms);
    return whole;
}

static bool is_due (const gather_t *self, const gather_key_t *key, const gather_slot_t *slot,
                    int64_t now_ms)
{
    if (!slot->dirty || slot->reported == 0)
        return false;
    if (!gather_slot_complete (slot))
        return slot->forced || now_ms - slot->dirty_ms >= self->timeout_ms ||
               is_there_already (key, slot);
    bool at_once = !slot->published_complete ||
                   (revision_compare (slot->revision, slot->published_revision) > 0 &&
                    gather_slot_uniform (slot));
    return at_once || now_ms - slot->dirty_ms >= GATHER_AGAIN_MS;
}

/*  Its parts stay owed for a while, once. False: they have been. */
static bool hold (gather_slot_t *slot, int64_t now_ms)
{
    if (slot->held_until_ms == 0)
        slot->held_until_ms = now_ms + GATHER_HOLD_MS;
    return slot->held_until_ms != INT64_MAX;
}

/*  It is not to be written (now); its parts stay for what may come. Where Redis has a part of the window only,
 * these may be what is missing there. */
static void pass_over (gather_t *self, const gather_key_t *key, gather_slot_t *slot, int64_t now_ms)
{
    slot->dirty = slot->forced = false;
    const gather_window_t *window = gather_history_find (&key->history, slot->window_end_ms);
    bool may_miss = key->kind == RESULT_METRICS && !slot->skipped && !gather_slot_complete (slot) &&
                    window && window->order.lineage == key->lineage &&
                    window->order.shards < slot->shards_total;
    if (!may_miss || !hold (slot, now_ms))
        gather_slot_take_tokens (slot, &self->done);
}

/*  Drops the slots of a ranking that are lesser than what Redis has. */
static void drop_lesser (gather_t *self, gather_key_t *key)
{
    for (uint32_t i = key->slot_count; i-- > 0;) {
        result_order_t most = order_of (key, key->slots[i]);
        most.shards = UINT32_MAX;
        if (result_order_replaces (&most, &key->order))
            continue;
        self->lesser += key->slots[i]->dirty;
        gather_drop_slot (self, key, i);
    }
}

/*  Is a window before this one still gathered, so that it is not known whether it has events? */
static bool waits_for_earlier (const gather_key_t *key, uint32_t at)
{
    int64_t reach_ms = key->slide_ms * (int64_t)key->history_windows;
    for (uint32_t i = at; i-- > 0;) {
        const gather_slot_t *earlier = key->slots[i];
        if (earlier->window_end_ms > key->slots[at]->window_end_ms - reach_ms && earlier->dirty &&
            !earlier->published)
            return true;
    }
    return false;
}

static void keep_hashes (gather_key_t *key, const gather_slot_t *slot)
{
    gather_window_t *window = gather_history_find (&key->history, slot->window_end_ms);
    if (!window || window->hashes)
        return;
    window->hashes = memory_new_array (slot->shards_total, sizeof *window->hashes);
    window->hash_count = slot->shards_total;
    for (uint32_t i = 0; i < slot->shards_total; i++)
        window->hashes[i] = slot->parts[i].hash;
}

/*  Frees slots of metrics that are not needed any more: complete and published with a newer one
 * that is too; complete, empty and passed over with nothing incomplete before. One that is not
 * complete stays: what its shards sent is acknowledged, and counts once another shard's part comes. */
static void tidy_metrics (gather_t *self, gather_key_t *key)
{
    bool newer_published = false;
    for (uint32_t i = key->slot_count; i-- > 0;) {
        gather_slot_t *slot = key->slots[i];
        bool complete = slot->published_complete && !slot->dirty;
        if (complete && newer_published) {
            keep_hashes (key, slot);
            gather_drop_slot (self, key, i);
        }
        newer_published = newer_published || complete;
    }
    bool incomplete_before = false;
    for (uint32_t i = 0; i + 1 < key->slot_count;) {
        gather_slot_t *slot = key->slots[i];
        if (slot->skipped && gather_slot_complete (slot) && !incomplete_before) {
            gather_drop_slot (self, key, i);
            continue;
        }
        incomplete_before = incomplete_before || !gather_slot_complete (slot);
        i++;
    }
}

/*  A window with events appeared: empty ones behind it, passed over before, are to be written after
 * all. */
static void wake_skipped (gather_key_t *key, uint32_t from, int64_t now_ms)
{
    for (uint32_t i = from; i < key->slot_count; i++) {
        gather_slot_t *slot = key->slots[i];
        if (slot->skipped) {
            slot->skipped = false;
            slot->dirty = true;
            slot->dirty_ms = now_ms - GATHER_AGAIN_MS;
        }
    }
}

static void fill_result (gather_t *self, gather_key_t *key, gather_slot_t *slot,
                         gather_result_t *result)
{
    *result = (gather_result_t){
        .key = key,
        .kind = key->kind,
        .tenant = key->tenant,
        .scenario = key->scenario,
        .lineage = key->lineage,
        .revision = slot->revision,
        .window_start_ms = slot->window_start_ms,
        .window_end_ms = slot->window_end_ms,
        .ttl_ms = slot->ttl_ms,
        .shards = slot->reported,
        .complete = gather_slot_complete (slot),
        .exact = gather_slot_exact (slot),
        .since_ms = gather_slot_since_ms (slot),
        .newest = true,
        .history_windows = key->history_windows,
        .contents = self->contents,
    };
    result->content_count = gather_slot_contents (slot, self->contents);
    for (uint32_t i = 0; key->kind == RESULT_METRICS && i < slot->shards_total; i++) {
        const gather_part_t *part = &slot->parts[i];
        part_facts_t facts;
        if (!part->counts || revision_compare (part->revision, slot->revision) != 0)
            continue;
        span_t content = {(const char *)part->content, part->content_bytes};
        CHECK (part_reader_check (self->reader, key->kind, content, &facts) == 0);
        result->metrics_json = facts.metrics_json;
        break;
    }
}

/*  Is a metrics window, which may be its history's member, the one to show in rec:metrics? Of two that end on the slide
 * of now, the later: a shard that counts old windows once more after a change of config sends them by the greater
 * revision, and a window that was owed before it comes by the lesser. Where the slide has changed, by the order of all
 * results. Where Redis has a history alone (it was emptied, and the sink died before that was noticed), the newest of
 * that counts. */
static bool is_newest (const gather_key_t *key, const result_order_t *order)
{
    const gather_window_t *newest = gather_history_newest (&key->history);
    const result_order_t *old = newest && !key->order.known ? &newest->order : &key->order;
    bool alike = old->known && old->lineage == order->lineage &&
                 order->window_end_ms % key->slide_ms == 0 &&
                 old->window_end_ms % key->slide_ms == 0;
    if (alike)
        return order->window_end_ms >= old->window_end_ms;
    return result_order_replaces (order, &key->order);
}

static void publish (gather_t *self, gather_key_t *key, uint32_t at, int64_t now_ms,
                     gather_result_t *result)
{
    gather_slot_t *slot = key->slots[at];
    result_order_t order = order_of (key, slot);
    fill_result (self, key, slot, result);
    if (key->kind == RESULT_RANKING || result->complete || !hold (slot, now_ms))
        gather_slot_take_tokens (slot, &key->flight);
    slot->dirty = slot->forced = false;
    slot->published = true;
    slot->published_complete = result->complete;
    slot->published_revision = slot->revision;
    key->in_flight = true;
    self->in_flight++;
    key->flight_window_ms = slot->window_end_ms;
    key->published_ms = now_ms;
    if (key->kind == RESULT_RANKING) {
        key->order = order;
        return;
    }
    bool empty = gather_slot_empty (slot);
    result->newest = is_newest (key, &order);
    if (result->newest)
        key->order = order;
    gather_history_set (&key->history, &order, empty);
    if (!empty)
        wake_skipped (key, at + 1, now_ms);
}

/*  Is the slot to be written? Where not, it is passed over. */
static bool may_publish (gather_t *self, gather_key_t *key, uint32_t at, int64_t now_ms)
{
    gather_slot_t *slot = key->slots[at];
    result_order_t order = order_of (key, slot);
    bool replaces;
    if (key->kind == RESULT_RANKING) {
        replaces = result_order_replaces (&order, &key->order);
    } else {
        const gather_window_t *window =
            gather_history_find (&key->history, slot->window_end_ms);
        replaces = !window || result_order_replaces_member (&order, &window->order);
        if (replaces && gather_slot_empty (slot) && (!window || window->empty) &&
            !gather_key_has_events_before (key, slot->window_end_ms)) {
            if (waits_for_earlier (key, at))
                return false;
            slot->skipped = true;
            replaces = false;
        }
    }
    self->lesser += !replaces && !slot->skipped;
    if (!replaces)
        pass_over (self, key, slot, now_ms);
    return replaces;
}

/*  Members of the history that Redis lacks, some at a time; with the newest of all comes what is said of
 *  the newest window, where Redis has nothing better. */
static bool restore (gather_t *self, gather_key_t *key, gather_result_t *result)
{
    uint32_t count = gather_history_missing (&key->history, self->members, GATHER_RESTORE_MEMBERS,
                                             GATHER_RESTORE_BYTES);
    if (count == 0)
        return false;
    *result = (gather_result_t){.key = key,
                                .kind = key->kind,
                                .tenant = key->tenant,
                                .scenario = key->scenario,
                                .ttl_ms = key->ttl_ms,
                                .history_windows = key->history_windows,
                                .members = self->members,
                                .member_count = count};
    const gather_window_t *newest = gather_history_newest (&key->history);
    int64_t last_ms = self->members[count - 1].window_end_ms;
    result->window_end_ms = last_ms;
    if (newest->order.window_end_ms == last_ms && is_newest (key, &newest->order)) {
        result->newest = true;
        key->order = newest->order;
    }
    key->in_flight = true;
    self->in_flight++;
    key->flight_window_ms = INT64_MIN; /* no slot's */
    self->restored += count;
    return true;
}

static bool publish_due (gather_t *self, gather_key_t *key, int64_t now_ms, gather_result_t *result)
{
    if (key->in_flight || key->lookup != LOOKUP_DONE || key->retry_ms > now_ms)
        return false;
    if (key->kind == RESULT_RANKING)
        drop_lesser (self, key);
    bool found = restore (self, key, result);
    for (uint32_t i = 0; i < key->slot_count && !found; i++) {
        found = is_due (self, key, key->slots[i], now_ms) && may_publish (self, key, i, now_ms);
        if (found)
            publish (self, key, i, now_ms, result);
    }
    if (!found && key->kind == RESULT_METRICS)
        tidy_metrics (self, key);
    return found;
}

bool gather_next (gather_t *self, int64_t now_ms, gather_result_t *result)
{
    gather_tick (self, now_ms);
    for (gather_key_t *key; (key = key_queue_pop (&self->ready));) {
        key->queued = false;
        if (publish_due (self, key, now_ms, result))
            return true;
    }
    return false;
}

void gather_done (gather_t *self, gather_key_t *key, outcome_t outcome, int64_t now_ms)
{
    uint32_t at;
    CHECK (key->in_flight);
    key->in_flight = false;
    self->in_flight--;
    if (outcome == OUTCOME_OK) {
        token_list_move (&self->done, &key->flight);
    } else {
        gather_slot_t *slot = gather_key_slot (key, key->flight_window_ms, &at);
        if (slot) {
            slot->dirty = true;
            slot->published_complete = false;
            gather_history_keep (&key->history, key->flight_window_ms, (span_t){0});
        }
        key->retry_ms = now_ms + GATHER_RETRY_MS;
        gather_want_lookup (self, key);
    }
    gather_make_ready (self, key);
}

void gather_keep_member (gather_t *self, gather_key_t *key, int64_t window_end_ms, span_t json)
{
    (void)self;
    gather_history_keep (&key->history, window_end_ms, json);
}

bool gather_take_done (gather_t *self, chain_token_t *token)
{
    if (self->done_at == token_list_count (&self->done)) {
        token_list_clear (&self->done);
        self->done_at = 0;
        return false;
    }
    *token = token_list_at (&self->done, self->done_at++);
    return true;
}

bool gather_is_full (const gather_t *self)
{
    return self->bytes > GATHER_BYTES_GOAL && self->in_flight > 0;
}

uint64_t gather_given_up_count (const gather_t *self)
{
    return self->given_up;
}

size_t gather_bytes (const gather_t *self)
{
    return self->bytes;
}

gather_history_count_t gather_history_count (const gather_t *self)
{
    const history_memory_t *memory = &self->keys.memory;
    return (gather_history_count_t){memory->bytes, memory->forgotten, self->restored};
}

uint64_t gather_lesser_count (const gather_t *self)
{
    return self->lesser;
}

uint32_t gather_key_count (const gather_t *self)
{
    return self->keys.count;
}
