/*  gather_slot: see gather_slot.h. */
#include "sink/gather_slot.h"

#include <stdlib.h>
#include <xxhash.h>

#include "common/check.h"
#include "common/event.h"
#include "common/memory.h"

uint64_t gather_slot_hash (const result_header_t *header, span_t content)
{
    uint64_t told[] = {header->revision.era,
                       header->revision.number,
                       (uint64_t)header->window_start_ms,
                       (uint64_t)header->window_end_ms,
                       header->exact,
                       (uint64_t)header->ttl_ms,
                       (uint64_t)header->since_ms};
    return XXH3_64bits_withSeed (content.bytes, content.size, XXH3_64bits (told, sizeof told));
}

gather_slot_t *gather_slot_new (result_kind_t kind, int64_t window_end_ms, uint32_t shards_total)
{
    gather_slot_t *self = memory_new (sizeof *self);
    self->kind = kind;
    self->window_end_ms = window_end_ms;
    self->shards_total = shards_total;
    self->parts = memory_new_array (shards_total, sizeof *self->parts);
    self->bytes = sizeof *self + shards_total * sizeof *self->parts;
    return self;
}

static void settle (gather_part_t *part, token_list_t *done)
{
    if (part->owes)
        token_list_add (done, &part->token);
    part->owes = false;
}

static void drop_part (gather_slot_t *self, gather_part_t *part, token_list_t *done)
{
    settle (part, done);
    self->bytes -= part->content_bytes;
    free (part->content);
    *part = (gather_part_t){0};
}

void gather_slot_destroy (gather_slot_t **self_p, token_list_t *done)
{
    gather_slot_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->shards_total; i++)
        drop_part (self, &self->parts[i], done);
    free (self->parts);
    free (self);
    *self_p = NULL;
}

/*  Decides anew which parts count. Rankings of a lesser revision never will: their scores are of
 * other weights. */
static void recount (gather_slot_t *self, token_list_t *done)
{
    self->reported = 0;
    for (uint32_t i = 0; i < self->shards_total; i++) {
        gather_part_t *part = &self->parts[i];
        if (!part->present) {
            self->reported += part->empty;
            continue;
        }
        bool newest = revision_compare (part->revision, self->revision) == 0;
        if (self->kind == RESULT_RANKING && !newest)
            drop_part (self, part, done);
        else
            part->counts = part->window_start_ms == self->window_start_ms;
        self->reported += part->counts;
    }
}

static void keep (gather_slot_t *self, gather_part_t *part, const gather_arrival_t *arrival,
                  token_list_t *done)
{
    const result_header_t *header = arrival->header;
    drop_part (self, part, done);
    *part = (gather_part_t){
        .present = true,
        .owes = true,
        .exact = header->exact,
        .since_ms = header->since_ms,
        .revision = header->revision,
        .window_start_ms = header->window_start_ms,
        .ttl_ms = header->ttl_ms,
        .total_actions = arrival->total_actions,
        .hash = gather_slot_hash (header, arrival->content),
        .content = (uint8_t *)memory_copy_string (arrival->content.bytes, arrival->content.size),
        .content_bytes = arrival->content.size,
        .token = *arrival->token,
    };
    self->bytes += part->content_bytes;
}

/*  A part stays that is greater than what its shard sends now. It may not be in Redis yet, and he who owed it may be
 *  dead: from now on it is owed by who sends now. */
static void owe_instead (gather_slot_t *self, gather_part_t *part, const chain_token_t *token,
                         int64_t now_ms, token_list_t *done)
{
    settle (part, done);
    part->token = *token;
    part->owes = true;
    if (!self->dirty)
        self->dirty_ms = now_ms;
    self->dirty = true;
    self->skipped = false;
}

void gather_slot_put (gather_slot_t *self, const gather_arrival_t *arrival, int64_t now_ms,
                      token_list_t *done)
{
    const result_header_t *header = arrival->header;
    CHECK (arrival->token->shard < self->shards_total);
    gather_part_t *part = &self->parts[arrival->token->shard];
    bool lesser = revision_compare (header->revision, self->revision) < 0;
    if (self->kind == RESULT_RANKING && lesser) {
        token_list_add (done, arrival->token);
        return;
    }
    if (part->present && revision_compare (header->revision, part->revision) < 0) {
        owe_instead (self, part, arrival->token, now_ms, done);
        return;
    }
    bool greater = revision_compare (header->revision, self->revision) > 0;
    keep (self, part, arrival, done);
    if (!lesser) {
        self->revision = header->revision;
        self->window_start_ms = header->window_start_ms;
        self->ttl_ms = header->ttl_ms;
    }
    recount (self, done);
    if (!self->dirty || (greater && self->kind == RESULT_RANKING))
        self->dirty_ms = now_ms;
    self->dirty = true;
    self->skipped = false;
}

void gather_slot_put_empty (gather_slot_t *self, uint32_t shard, int64_t now_ms)
{
    gather_part_t *part = &self->parts[shard];
    if (part->present || part->empty)
        return;
    part->empty = true;
    self->reported++;
    if (!self->dirty)
        self->dirty_ms = now_ms;
    self->dirty = true;
}

bool gather_slot_complete (const gather_slot_t *self)
{
    return self->reported == self->shards_total;
}

bool gather_slot_exact (const gather_slot_t *self)
{
    bool exact = true;
    for (uint32_t i = 0; i < self->shards_total; i++)
        exact = exact && (!self->parts[i].counts || self->parts[i].exact);
    return exact;
}

int64_t gather_slot_since_ms (const gather_slot_t *self)
{
    int64_t since_ms = EVENT_TIME_NONE;
    for (uint32_t i = 0; i < self->shards_total; i++) {
        const gather_part_t *part = &self->parts[i];
        if (part->counts && revision_compare (part->revision, self->revision) == 0 &&
            part->since_ms > since_ms)
            since_ms = part->since_ms;
    }
    return since_ms;
}

bool gather_slot_empty (const gather_slot_t *self)
{
    bool empty = true;
    for (uint32_t i = 0; i < self->shards_total; i++)
        empty = empty && (!self->parts[i].counts || self->parts[i].total_actions == 0);
    return empty;
}

bool gather_slot_uniform (const gather_slot_t *self)
{
    bool uniform = true;
    for (uint32_t i = 0; i < self->shards_total; i++)
        uniform = uniform && (!self->parts[i].counts ||
                              revision_compare (self->parts[i].revision, self->revision) == 0);
    return uniform;
}

uint32_t gather_slot_contents (const gather_slot_t *self, span_t *contents)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->shards_total; i++) {
        const gather_part_t *part = &self->parts[i];
        if (part->counts)
            contents[count++] = (span_t){(const char *)part->content, part->content_bytes};
    }
    return count;
}

void gather_slot_take_tokens (gather_slot_t *self, token_list_t *tokens)
{
    for (uint32_t i = 0; i < self->shards_total; i++)
        settle (&self->parts[i], tokens);
}
