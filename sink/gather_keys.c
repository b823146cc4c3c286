/*  gather_keys: see gather_keys.h. */
#include "sink/gather_keys.h"

#include <stdlib.h>

#include "common/key_hash.h"
#include "common/memory.h"

enum { BUCKETS_MIN = 256 };

void gather_keys_init (gather_keys_t *self, size_t history_bytes_max)
{
    self->bucket_count = BUCKETS_MIN;
    self->count = 0;
    self->buckets = memory_new_array (self->bucket_count, sizeof (gather_key_t *));
    history_memory_init (&self->memory, history_bytes_max);
}

static void free_key (gather_key_t *key, token_list_t *done)
{
    while (key->slot_count > 0)
        gather_key_drop (key, key->slot_count - 1, done);
    gather_history_free (&key->history);
    token_list_free (&key->flight);
    free (key->slots);
    free (key->told);
    gather_key_forget_empty (key);
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
    gather_history_init (&key->history, &self->memory);
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

bool gather_key_waits (const gather_key_t *self)
{
    for (uint32_t i = 0; i < self->slot_count; i++)
        if (self->slots[i]->dirty)
            return true;
    return false;
}

void gather_key_tell (gather_key_t *self, uint32_t shards_total, const chain_token_t *token,
                      revision_t revision, int64_t window_end_ms)
{
    int order = revision_compare (revision, self->told_revision);
    if (order < 0)
        return;
    if (order > 0 || self->told_count != shards_total) {
        free (self->told);
        self->told = memory_new_array (shards_total, sizeof *self->told);
        self->told_count = shards_total;
        self->told_revision = revision;
    }
    self->told[token->shard] = (gather_told_t){token->epoch, window_end_ms};
}

bool gather_key_is_past (const gather_key_t *self, uint32_t shard, revision_t revision,
                         int64_t window_end_ms)
{
    return shard < self->told_count && revision_compare (revision, self->told_revision) == 0 &&
           self->told[shard].window_end_ms > window_end_ms;
}

void gather_key_tell_empty (gather_key_t *self, uint32_t shards_total, uint32_t shard,
                            int64_t empty_until_ms)
{
    if (self->empty_count != shards_total)
        gather_key_forget_empty (self);
    if (!self->empty_until_ms) {
        self->empty_until_ms = memory_new_array (shards_total, sizeof *self->empty_until_ms);
        self->empty_count = shards_total;
    }
    self->empty_until_ms[shard] = empty_until_ms;
}

bool gather_key_is_empty (const gather_key_t *self, uint32_t shard, int64_t window_end_ms)
{
    return shard < self->empty_count && self->empty_until_ms[shard] >= window_end_ms;
}

void gather_key_forget_empty (gather_key_t *self)
{
    free (self->empty_until_ms);
    self->empty_until_ms = NULL;
    self->empty_count = 0;
}

bool gather_key_has_events_before (const gather_key_t *self, int64_t window_end_ms)
{
    int64_t reach_ms = self->slide_ms * (int64_t)self->history_windows;
    return gather_history_has_events (&self->history, self->lineage, window_end_ms - reach_ms + 1,
                                      window_end_ms);
}
