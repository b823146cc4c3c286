/*  gather_keys: see gather_keys.h. */
#include "sink/gather_keys.h"

#include <stdlib.h>

#include "common/key_hash.h"
#include "common/memory.h"

enum { BUCKETS_MIN = 256 };

int result_order_compare (const result_order_t *a, const result_order_t *b)
{
    int order = revision_compare (a->revision, b->revision);
    if (order == 0)
        order = (a->window_end_ms > b->window_end_ms) - (a->window_end_ms < b->window_end_ms);
    if (order == 0)
        order = (a->shards > b->shards) - (a->shards < b->shards);
    return order;
}

bool result_order_replaces (const result_order_t *next, const result_order_t *old)
{
    return !old->known || next->lineage != old->lineage || result_order_compare (next, old) >= 0;
}

bool result_order_replaces_member (const result_order_t *next, const result_order_t *old)
{
    if (!old->known || next->lineage != old->lineage || next->shards > old->shards)
        return true;
    return next->shards == old->shards && revision_compare (next->revision, old->revision) >= 0;
}

void gather_keys_init (gather_keys_t *self)
{
    self->bucket_count = BUCKETS_MIN;
    self->count = 0;
    self->buckets = memory_new_array (self->bucket_count, sizeof (gather_key_t *));
}

static void free_key (gather_key_t *key, token_list_t *done)
{
    while (key->slot_count > 0)
        gather_key_drop (key, key->slot_count - 1, done);
    gather_key_forget_windows (key);
    token_list_free (&key->flight);
    free (key->slots);
    free (key->windows);
    free ((char *)key->tenant.bytes);
    free ((char *)key->scenario.bytes);
    free ((char *)key->metrics_json.bytes);
    free (key);
}

void gather_keys_free (gather_keys_t *self, token_list_t *done)
{
    for (uint32_t i = 0; i < self->bucket_count; i++) {
        for (gather_key_t *key = self->buckets[i], *next; key; key = next) {
            next = key->next;
            free_key (key, done);
        }
    }
    free (self->buckets);
    *self = (gather_keys_t){0};
}

static uint64_t hash_of (result_kind_t kind, span_t tenant, span_t scenario)
{
    return key_hash_scenario (tenant, scenario) * 31 + (uint64_t)kind;
}

gather_key_t *gather_keys_find (const gather_keys_t *self, result_kind_t kind, span_t tenant,
                                span_t scenario)
{
    uint64_t hash = hash_of (kind, tenant, scenario);
    for (gather_key_t *key = self->buckets[hash % self->bucket_count]; key; key = key->next) {
        if (key->hash == hash && key->kind == kind && span_equal (key->tenant, tenant) &&
            span_equal (key->scenario, scenario))
            return key;
    }
    return NULL;
}

static void grow (gather_keys_t *self)
{
    uint32_t bucket_count = self->bucket_count * 2;
    gather_key_t **buckets = memory_new_array (bucket_count, sizeof *buckets);
    for (uint32_t i = 0; i < self->bucket_count; i++) {
        for (gather_key_t *key = self->buckets[i], *next; key; key = next) {
            next = key->next;
            key->next = buckets[key->hash % bucket_count];
            buckets[key->hash % bucket_count] = key;
        }
    }
    free (self->buckets);
    self->buckets = buckets;
    self->bucket_count = bucket_count;
}

static span_t copy_span (span_t span)
{
    return (span_t){memory_copy_string (span.bytes, span.size), span.size};
}

gather_key_t *gather_keys_add (gather_keys_t *self, result_kind_t kind, span_t tenant,
                               span_t scenario)
{
    if (self->count >= self->bucket_count)
        grow (self);
    gather_key_t *key = memory_new (sizeof *key);
    key->hash = hash_of (kind, tenant, scenario);
    key->kind = kind;
    key->tenant = copy_span (tenant);
    key->scenario = copy_span (scenario);
    gather_key_t **bucket = &self->buckets[key->hash % self->bucket_count];
    key->next = *bucket;
    *bucket = key;
    self->count++;
    return key;
}

void gather_keys_remove (gather_keys_t *self, gather_key_t *key, token_list_t *done)
{
    gather_key_t **place = &self->buckets[key->hash % self->bucket_count];
    while (*place != key)
        place = &(*place)->next;
    *place = key->next;
    self->count--;
    free_key (key, done);
}

gather_slot_t *gather_key_slot (const gather_key_t *self, int64_t window_end_ms, uint32_t *at)
{
    uint32_t low = 0, high = self->slot_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->slots[middle]->window_end_ms < window_end_ms)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    bool found = low < self->slot_count && self->slots[low]->window_end_ms == window_end_ms;
    return found ? self->slots[low] : NULL;
}

void gather_key_insert (gather_key_t *self, uint32_t at, gather_slot_t *slot)
{
    if (self->slot_count == self->slot_capacity) {
        self->slot_capacity = self->slot_capacity ? self->slot_capacity * 2 : 4;
        self->slots = memory_resize (self->slots, self->slot_capacity * sizeof *self->slots);
    }
    memmove (self->slots + at + 1, self->slots + at, (self->slot_count - at) * sizeof *self->slots);
    self->slots[at] = slot;
    self->slot_count++;
}

size_t gather_key_drop (gather_key_t *self, uint32_t at, token_list_t *done)
{
    size_t bytes = self->slots[at]->bytes;
    gather_slot_destroy (&self->slots[at], done);
    self->slot_count--;
    memmove (self->slots + at, self->slots + at + 1, (self->slot_count - at) * sizeof *self->slots);
    return bytes;
}

/*  Index of the first window at or behind a window end. */
static uint32_t window_index (const gather_key_t *self, int64_t window_end_ms)
{
    uint32_t low = 0, high = self->window_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->windows[middle].order.window_end_ms < window_end_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

gather_window_t *gather_key_window (const gather_key_t *self, int64_t window_end_ms)
{
    uint32_t at = window_index (self, window_end_ms);
    bool found = at < self->window_count && self->windows[at].order.window_end_ms == window_end_ms;
    return found ? &self->windows[at] : NULL;
}

void gather_key_trim_windows (gather_key_t *self)
{
    if (self->history_windows == 0 || self->window_count <= self->history_windows)
        return;
    uint32_t excess = self->window_count - self->history_windows;
    for (uint32_t i = 0; i < excess; i++)
        free (self->windows[i].hashes);
    self->window_count -= excess;
    memmove (self->windows, self->windows + excess, self->window_count * sizeof *self->windows);
}

gather_window_t *gather_key_set_window (gather_key_t *self, const result_order_t *order, bool empty)
{
    uint32_t at = window_index (self, order->window_end_ms);
    bool found =
        at < self->window_count && self->windows[at].order.window_end_ms == order->window_end_ms;
    if (!found) {
        if (self->window_count == self->window_capacity) {
            self->window_capacity = self->window_capacity ? self->window_capacity * 2 : 16;
            self->windows =
                memory_resize (self->windows, self->window_capacity * sizeof *self->windows);
        }
        memmove (self->windows + at + 1, self->windows + at,
                 (self->window_count - at) * sizeof *self->windows);
        self->window_count++;
    } else {
        free (self->windows[at].hashes);
    }
    self->windows[at] = (gather_window_t){.order = *order, .empty = empty};
    gather_key_trim_windows (self);
    return gather_key_window (self, order->window_end_ms);
}

void gather_key_forget_windows (gather_key_t *self)
{
    for (uint32_t i = 0; i < self->window_count; i++)
        free (self->windows[i].hashes);
    self->window_count = 0;
}

bool gather_key_has_events_before (const gather_key_t *self, int64_t window_end_ms)
{
    int64_t reach_ms = self->slide_ms * (int64_t)self->history_windows;
    for (uint32_t i = window_index (self, window_end_ms); i-- > 0;) {
        const gather_window_t *window = &self->windows[i];
        if (window->order.window_end_ms <= window_end_ms - reach_ms)
            return false;
        if (!window->empty && window->order.lineage == self->lineage)
            return true;
    }
    return false;
}
