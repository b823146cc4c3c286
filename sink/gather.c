/*  gather: see gather.h: orders, and when to publish. Parts that arrive are in gather_put.c, those
 * of one window in gather_slot.c, keys and orders in gather_keys.c.
 */
#include "sink/gather_parts.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"

static void queue_push (key_queue_t *queue, gather_key_t *key)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity ? queue->capacity * 2 : 64;
        gather_key_t **list = memory_new_array (capacity, sizeof *list);
        for (size_t i = 0; i < queue->count; i++)
            list[i] = queue->list[(queue->first + i) % queue->capacity];
        free (queue->list);
        *queue = (key_queue_t){.list = list, .count = queue->count, .capacity = capacity};
    }
    queue->list[(queue->first + queue->count++) % queue->capacity] = key;
}

static gather_key_t *queue_pop (key_queue_t *queue)
{
    if (queue->count == 0)
        return NULL;
    gather_key_t *key = queue->list[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    return key;
}

gather_t *gather_new (int64_t timeout_ms)
{
    gather_t *self = memory_new (sizeof *self);
    self->timeout_ms = timeout_ms;
    self->tick_ms = self->sweep_ms = INT64_MIN / 2;
    gather_keys_init (&self->keys);
    self->reader = part_reader_new ();
    self->contents = memory_new_array (WIRE_SHARDS_MAX, sizeof *self->contents);
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
    free (self);
    *self_p = NULL;
}

void gather_make_ready (gather_t *self, gather_key_t *key)
{
    if (!key->queued)
        queue_push (&self->ready, key);
    key->queued = true;
}

void gather_want_lookup (gather_t *self, gather_key_t *key)
{
    key->lookup = LOOKUP_WANTED;
    if (!key->lookup_queued)
        queue_push (&self->lookups, key);
    key->lookup_queued = true;
}

void gather_drop_slot (gather_t *self, gather_key_t *key, uint32_t at)
{
    self->bytes -= gather_key_drop (key, at, &self->done);
}

/*  ---- the order of what Redis has ---- */

gather_key_t *gather_next_lookup (gather_t *self)
{
    gather_key_t *key = queue_pop (&self->lookups);
    if (!key)
        return NULL;
    key->lookup_queued = false;
    key->lookup = LOOKUP_ASKED;
    key->lookup_serial++;
    key->order = (result_order_t){0};
    gather_key_forget_windows (key);
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
                          bool empty)
{
    if (is_answer (key, serial))
        gather_key_set_window (key, order, empty);
}

void gather_learned (gather_t *self, gather_key_t *key, uint32_t serial)
{
    if (is_answer (key, serial))
        key->lookup = LOOKUP_DONE;
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

static bool is_due (const gather_t *self, const gather_slot_t *slot, int64_t now_ms)
{
    if (!slot->dirty || slot->reported == 0)
        return false;
    if (!gather_slot_complete (slot))
        return slot->forced || now_ms - slot->dirty_ms >= self->timeout_ms;
    bool at_once = !slot->published_complete ||
                   (revision_compare (slot->revision, slot->published_revision) > 0 &&
                    gather_slot_uniform (slot));
    return at_once || now_ms - slot->dirty_ms >= GATHER_AGAIN_MS;
}

/*  It is not to be written (now); its parts stay for what may come. */
static void pass_over (gather_t *self, gather_slot_t *slot)
{
    gather_slot_take_tokens (slot, &self->done);
    slot->dirty = slot->forced = false;
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
    gather_window_t *window = gather_key_window (key, slot->window_end_ms);
    if (!window || window->hashes)
        return;
    window->hashes = memory_new_array (slot->shards_total, sizeof *window->hashes);
    window->hash_count = slot->shards_total;
    for (uint32_t i = 0; i < slot->shards_total; i++)
        window->hashes[i] = slot->parts[i].hash;
}

/*  Frees slots of metrics that are not needed any more: complete and published with a newer one
 * that is too; empty and passed over with nothing incomplete before. */
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
        if (slot->skipped && !incomplete_before) {
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

static void publish (gather_t *self, gather_key_t *key, uint32_t at, int64_t now_ms,
                     gather_result_t *result)
{
    gather_slot_t *slot = key->slots[at];
    result_order_t order = order_of (key, slot);
    fill_result (self, key, slot, result);
    gather_slot_take_tokens (slot, &key->flight);
    slot->dirty = slot->forced = false;
    slot->published = true;
    slot->published_complete = result->complete;
    slot->published_revision = slot->revision;
    key->in_flight = true;
    key->flight_window_ms = slot->window_end_ms;
    key->published_ms = now_ms;
    if (key->kind == RESULT_RANKING) {
        key->order = order;
        return;
    }
    bool empty = gather_slot_empty (slot);
    result->newest = result_order_replaces (&order, &key->order);
    if (result->newest)
        key->order = order;
    gather_key_set_window (key, &order, empty);
    if (!empty)
        wake_skipped (key, at + 1, now_ms);
}

/*  Is the slot to be written? Where not, it is passed over. */
static bool may_publish (gather_t *self, gather_key_t *key, uint32_t at)
{
    gather_slot_t *slot = key->slots[at];
    result_order_t order = order_of (key, slot);
    bool replaces;
    if (key->kind == RESULT_RANKING) {
        replaces = result_order_replaces (&order, &key->order);
    } else {
        const gather_window_t *window = gather_key_window (key, slot->window_end_ms);
        replaces = !window || result_order_replaces (&order, &window->order);
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
        pass_over (self, slot);
    return replaces;
}

static bool publish_due (gather_t *self, gather_key_t *key, int64_t now_ms, gather_result_t *result)
{
    if (key->in_flight || key->lookup != LOOKUP_DONE || key->retry_ms > now_ms)
        return false;
    if (key->kind == RESULT_RANKING)
        drop_lesser (self, key);
    bool found = false;
    for (uint32_t i = 0; i < key->slot_count && !found; i++) {
        found = is_due (self, key->slots[i], now_ms) && may_publish (self, key, i);
        if (found)
            publish (self, key, i, now_ms, result);
    }
    if (!found && key->kind == RESULT_METRICS)
        tidy_metrics (self, key);
    return found;
}

/*  Makes keys ready that wait for the time only; forgets those that nothing came for. */
static void tick (gather_t *self, int64_t now_ms)
{
    if (now_ms - self->tick_ms < GATHER_TICK_MS)
        return;
    bool sweep = now_ms - self->sweep_ms >= GATHER_IDLE_MS / 60;
    self->tick_ms = now_ms;
    self->sweep_ms = sweep ? now_ms : self->sweep_ms;
    for (uint32_t i = 0; i < self->keys.bucket_count; i++) {
        for (gather_key_t *key = self->keys.buckets[i], *next; key; key = next) {
            next = key->next;
            bool waits = false;
            for (uint32_t j = 0; j < key->slot_count; j++)
                waits = waits || key->slots[j]->dirty;
            if (waits)
                gather_make_ready (self, key);
            bool idle = sweep && !waits && now_ms - key->touched_ms >= GATHER_IDLE_MS;
            if (idle && !key->queued && !key->in_flight && key->lookup == LOOKUP_DONE) {
                while (key->slot_count > 0)
                    gather_drop_slot (self, key, key->slot_count - 1);
                gather_keys_remove (&self->keys, key, &self->done);
            }
        }
    }
}

bool gather_next (gather_t *self, int64_t now_ms, gather_result_t *result)
{
    tick (self, now_ms);
    for (gather_key_t *key; (key = queue_pop (&self->ready));) {
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
    if (outcome == OUTCOME_OK) {
        token_list_move (&self->done, &key->flight);
    } else {
        gather_slot_t *slot = gather_key_slot (key, key->flight_window_ms, &at);
        if (slot) {
            slot->dirty = true;
            slot->published_complete = false;
        }
        key->retry_ms = now_ms + GATHER_RETRY_MS;
        gather_want_lookup (self, key);
    }
    gather_make_ready (self, key);
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

void gather_forget (gather_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->keys.bucket_count; i++) {
        for (gather_key_t *key = self->keys.buckets[i]; key; key = key->next) {
            gather_want_lookup (self, key);
            for (uint32_t j = 0; j < key->slot_count; j++) {
                gather_slot_t *slot = key->slots[j];
                slot->published = slot->published_complete = slot->skipped = false;
                slot->dirty = true;
                slot->dirty_ms = now_ms;
            }
        }
    }
}

size_t gather_bytes (const gather_t *self)
{
    return self->bytes;
}

uint64_t gather_lesser_count (const gather_t *self)
{
    return self->lesser;
}

uint32_t gather_key_count (const gather_t *self)
{
    return self->keys.count;
}
