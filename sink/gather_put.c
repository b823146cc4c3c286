/*  gather_put: parts that arrive: valid or not, needed or not, and into which slot (see gather.h).
 */
#include "sink/gather_parts.h"

#include <stdlib.h>

#include "common/memory.h"
#include "common/scenario_config.h"

/*  Learns history_windows and slide from a metrics block; -1: it is none. */
static int learn_config (gather_key_t *key, span_t json, revision_t revision)
{
    if (key->metrics_json.bytes && span_equal (json, key->metrics_json)) {
        if (revision_compare (revision, key->config_revision) > 0)
            key->config_revision = revision;
        return 0;
    }
    scenario_config_t *config = scenario_config_parse_metrics (json);
    if (!config)
        return -1;
    if (!key->metrics_json.bytes || revision_compare (revision, key->config_revision) >= 0) {
        free ((char *)key->metrics_json.bytes);
        key->metrics_json = (span_t){memory_copy_string (json.bytes, json.size), json.size};
        key->config_revision = revision;
        key->history_windows = config->metrics.history_windows;
        key->slide_ms = config->metrics.slide_ms;
        gather_history_limit (&key->history, key->history_windows);
    }
    scenario_config_destroy (&config);
    return 0;
}

/*  A part whose window is no longer gathered: is it known to change nothing? */
static bool is_stale (const gather_key_t *key, const wire_results_t *frame,
                      const result_header_t *header, span_t content, uint32_t shard)
{
    if (key->lookup != LOOKUP_DONE)
        return false;
    if (key->kind == RESULT_RANKING) {
        result_order_t most = {.known = true,
                               .lineage = key->lineage,
                               .revision = header->revision,
                               .window_end_ms = header->window_end_ms,
                               .shards = UINT32_MAX};
        return !result_order_replaces (&most, &key->order);
    }
    const gather_history_t *history = &key->history;
    const gather_window_t *window = gather_history_find (history, header->window_end_ms);
    if (!window)
        return history->count > 0 && history->count >= key->history_windows &&
               header->window_end_ms < history->windows[0].order.window_end_ms &&
               history->windows[0].order.lineage == key->lineage;
    if (window->order.lineage != key->lineage)
        return false;
    if (revision_compare (header->revision, window->order.revision) < 0 &&
        window->order.shards >= frame->shards_total)
        return true;
    return shard < window->hash_count &&
           window->hashes[shard] == gather_slot_hash (header, content);
}

/*  Opens the slot of a window that belongs at index `at`; NULL: it is older than all that there is
 * room for. Where nothing of the key was published for long (a shard is missing and windows come
 * fast), the oldest is published as it is instead of dropped. */
static gather_slot_t *open_slot (gather_t *self, gather_key_t *key, const wire_results_t *frame,
                                 int64_t window_end_ms, uint32_t at, int64_t now_ms)
{
    uint32_t room = GATHER_RANKING_SLOTS_MAX;
    if (key->kind == RESULT_METRICS)
        room = key->history_windows > GATHER_METRICS_SLOTS_MIN ? key->history_windows
                                                               : GATHER_METRICS_SLOTS_MIN;
    while (key->slot_count >= room) {
        if (at == 0)
            return NULL;
        gather_slot_t *oldest = key->slots[0];
        if (oldest->dirty && now_ms - key->published_ms >= self->timeout_ms) {
            oldest->forced = true;
            gather_make_ready (self, key);
        }
        if (oldest->dirty && oldest->forced && key->slot_count < room + 2)
            break;
        gather_drop_slot (self, key, 0);
        at--;
    }
    gather_slot_t *slot = gather_slot_new (key->kind, window_end_ms, frame->shards_total);
    for (uint32_t i = 0; i < frame->shards_total; i++)
        if (gather_key_is_empty (key, i, window_end_ms))
            gather_slot_put_empty (slot, i, now_ms);
    gather_key_insert (key, at, slot);
    self->bytes += slot->bytes;
    return slot;
}

static gather_key_t *need_key (gather_t *self, uint64_t lineage, const result_header_t *header,
                               int64_t now_ms)
{
    gather_key_t *key =
        gather_keys_find (&self->keys, header->kind, header->tenant, header->scenario);
    if (!key) {
        key = gather_keys_add (&self->keys, header->kind, header->tenant, header->scenario);
        key->lineage = lineage;
        key->published_ms = now_ms;
        key->retry_ms = now_ms;
        gather_want_lookup (self, key);
    }
    while (key->lineage != lineage && key->slot_count > 0)
        gather_drop_slot (self, key, key->slot_count - 1);
    if (key->lineage != lineage)
        gather_key_forget_empty (key);
    key->lineage = lineage;
    key->touched_ms = now_ms;
    return key;
}

/*  A worker sends something of a key that Redis lost: it lives, and all that is held is written again. */
static void revive (gather_t *self, gather_key_t *key, int64_t now_ms)
{
    key->lost = false;
    gather_want_lookup (self, key);
    for (uint32_t i = 0; i < key->slot_count; i++) {
        gather_slot_t *slot = key->slots[i];
        slot->published = slot->published_complete = slot->skipped = false;
        slot->dirty = true;
        slot->dirty_ms = now_ms;
    }
}

void gather_lost (gather_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->keys.bucket_count; i++) {
        for (gather_key_t *key = self->keys.buckets[i]; key; key = key->next) {
            key->lost = true;
            if (gather_key_waits (key))
                revive (self, key, now_ms);
        }
    }
}

/*  One part tells of all windows before the first event: those of them that wait for this shard need not. */
static void tell_empty (gather_key_t *key, const wire_results_t *frame, uint32_t shard,
                        int64_t empty_until_ms, int64_t now_ms)
{
    gather_key_tell_empty (key, frame->shards_total, shard, empty_until_ms);
    for (uint32_t i = 0; i < key->slot_count && key->slots[i]->window_end_ms <= empty_until_ms; i++)
        if (key->slots[i]->shards_total == frame->shards_total)
            gather_slot_put_empty (key->slots[i], shard, now_ms);
}

static bool is_repeated (const gather_key_t *key, const gather_slot_t *slot,
                         const gather_arrival_t *arrival)
{
    const gather_part_t *part = &slot->parts[arrival->token->shard];
    bool under_way = key->in_flight && key->flight_window_ms == slot->window_end_ms;
    return part->present && part->counts && !part->owes && !slot->dirty && !under_way &&
           part->hash == gather_slot_hash (arrival->header, arrival->content);
}

int gather_put (gather_t *self, const wire_results_t *frame, const chain_token_t *token,
                const result_header_t *header, span_t content, int64_t now_ms)
{
    part_facts_t facts;
    bool valid = (header->kind == RESULT_RANKING || header->kind == RESULT_METRICS) &&
                 token->shard < frame->shards_total && frame->shards_total <= WIRE_SHARDS_MAX &&
                 part_reader_check (self->reader, header->kind, content, &facts) == 0;
    gather_key_t *key = valid ? need_key (self, frame->lineage, header, now_ms) : NULL;
    if (valid && header->kind == RESULT_METRICS)
        valid = learn_config (key, facts.metrics_json, header->revision) == 0;
    if (valid && key->lost)
        revive (self, key, now_ms);
    uint32_t at = 0;
    gather_slot_t *slot = valid ? gather_key_slot (key, header->window_end_ms, &at) : NULL;
    if (slot && slot->shards_total != frame->shards_total)
        valid = false;
    if (!valid) {
        token_list_add (&self->done, token);
        return -1;
    }
    key->ttl_ms = header->ttl_ms;
    if (header->kind == RESULT_METRICS) {
        gather_key_tell (key, frame->shards_total, token, header->revision, header->window_end_ms);
        tell_empty (key, frame, token->shard, facts.empty_until_ms, now_ms);
    }
    gather_arrival_t arrival = {
        .header = header, .content = content, .total_actions = facts.total_actions, .token = token};
    bool needless =
        slot ? is_repeated (key, slot, &arrival)
             : is_stale (key, frame, header, content, token->shard);
    if (!needless && !slot)
        slot = open_slot (self, key, frame, header->window_end_ms, at, now_ms);
    if (needless || !slot) {
        self->lesser += !slot;
        token_list_add (&self->done, token);
        return 0;
    }
    size_t before = slot->bytes;
    gather_slot_put (slot, &arrival, now_ms, &self->done);
    self->bytes += slot->bytes - before;
    while (self->bytes > GATHER_BYTES_MAX && key->slot_count > 1) {
        self->given_up += key->slots[0]->dirty;
        gather_drop_slot (self, key, 0);
    }
    gather_make_ready (self, key);
    return 0;
}
