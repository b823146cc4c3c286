/*  sim_redis_data: see sim_redis_data.h. */
#include "sim_redis_data.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

static char *copy (span_t text)
{
    return memory_copy_string (text.bytes, text.size);
}

static void free_key (redis_key_t *key)
{
    redis_key_cut (key, 0, key->count);
    free (key->items);
    free (key->text);
    free (key->name);
}

redis_key_t *redis_data_find (const redis_data_t *self, span_t name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (span_equal (span_of (self->keys[i].name), name))
            return &self->keys[i];
    }
    return NULL;
}

redis_key_t *redis_data_need (redis_data_t *self, span_t name)
{
    redis_key_t *found = redis_data_find (self, name);
    if (found)
        return found;
    self->keys = memory_resize (self->keys, (self->count + 1) * sizeof *self->keys);
    self->keys[self->count] = (redis_key_t){.name = copy (name)};
    return &self->keys[self->count++];
}

void redis_data_delete (redis_data_t *self, span_t name)
{
    redis_key_t *found = redis_data_find (self, name);
    if (!found)
        return;
    free_key (found);
    *found = self->keys[--self->count];
}

void redis_data_rename (redis_data_t *self, span_t from, span_t to)
{
    redis_data_delete (self, to);
    redis_key_t *found = redis_data_find (self, from);
    if (!found)
        return;
    free (found->name);
    found->name = copy (to);
}

void redis_data_clear (redis_data_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        free_key (&self->keys[i]);
    free (self->keys);
    *self = (redis_data_t){0};
}

void redis_data_copy (redis_data_t *self, const redis_data_t *other)
{
    redis_data_clear (self);
    for (uint32_t i = 0; i < other->count; i++) {
        const redis_key_t *from = &other->keys[i];
        redis_key_t *to = redis_data_need (self, span_of (from->name));
        if (from->text)
            redis_key_set (to, span_of (from->text));
        for (uint32_t j = 0; j < from->count; j++) {
            const redis_item_t *item = &from->items[j];
            if (item->value)
                redis_key_put_field (to, span_of (item->name), span_of (item->value));
            else
                redis_key_put_member (to, item->score, span_of (item->name));
        }
    }
}

void redis_key_set (redis_key_t *self, span_t text)
{
    redis_key_cut (self, 0, self->count);
    free (self->text);
    self->text = copy (text);
}

redis_item_t *redis_key_field (const redis_key_t *self, span_t name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (span_equal (span_of (self->items[i].name), name))
            return &self->items[i];
    }
    return NULL;
}

static redis_item_t *insert (redis_key_t *self, uint32_t at)
{
    self->items = memory_resize (self->items, (self->count + 1) * sizeof *self->items);
    memmove (&self->items[at + 1], &self->items[at], (self->count - at) * sizeof *self->items);
    self->count++;
    return &self->items[at];
}

void redis_key_put_field (redis_key_t *self, span_t name, span_t value)
{
    redis_item_t *found = redis_key_field (self, name);
    if (found) {
        free (found->value);
        found->value = copy (value);
        return;
    }
    *insert (self, self->count) = (redis_item_t){.name = copy (name), .value = copy (value)};
}

void redis_key_put_member (redis_key_t *self, double score, span_t name)
{
    const redis_item_t *found = redis_key_field (self, name);
    uint32_t at = found ? (uint32_t)(found - self->items) : 0;
    if (found)
        redis_key_cut (self, at, at + 1);
    at = 0;
    while (at < self->count && (self->items[at].score < score ||
                                (!(self->items[at].score > score) &&
                                 span_compare (span_of (self->items[at].name), name) < 0)))
        at++;
    *insert (self, at) = (redis_item_t){.name = copy (name), .score = score};
}

void redis_key_cut (redis_key_t *self, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        free (self->items[i].name);
        free (self->items[i].value);
    }
    if (from < to)
        memmove (&self->items[from], &self->items[to], (self->count - to) * sizeof *self->items);
    self->count -= from < to ? to - from : 0;
}
