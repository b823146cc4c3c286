/*  owed_store: what is owed as records of the shard's state: 'o' and its key; the value is its route and its body
 * or nil. And the pipes' generations.
 */
#include "common/owed_parts.h"

#include "common/pack.h"

static void collect_generations (owed_t *self, change_set_t *changes, buffer_t *value)
{
    for (uint32_t i = 0; i < self->sink_count; i++) {
        const uint8_t key[] = {'o', OWED_GENERATION, (uint8_t)i};
        if (!self->pipes[i].generation_changed)
            continue;
        buffer_clear (value);
        pack_uint (value, self->pipes[i].generation);
        change_set_put (changes, key, sizeof key, value->bytes, value->size);
        self->pipes[i].generation_changed = false;
    }
}

void owed_collect (owed_t *self, change_set_t *changes)
{
    change_set_append (changes, &self->removals);
    buffer_t value = {0};
    collect_generations (self, changes, &value);
    owed_entry_t *entry, *next;
    DL_FOREACH_SAFE2 (self->changed, entry, next, changed_next) {
        uint8_t key[OWED_KEY_BYTES_MAX + 1];
        size_t key_size = owed_record_key (entry, key);
        buffer_clear (&value);
        pack_uint (&value, entry->route);
        if (entry->body)
            pack_bytes (&value, entry->body, entry->body_size);
        else
            pack_nil (&value);
        change_set_put (changes, key, key_size, value.bytes, value.size);
        entry->stored = true;
        owed_unmark_changed (self, entry);
    }
    buffer_free (&value);
}

/*  Of a sink that is not in the list any more it says nothing. */
static int load_generation (owed_t *self, uint8_t sink, cursor_t value)
{
    uint64_t generation = cursor_uint (&value);
    if (!cursor_finished (&value))
        return -1;
    if (sink < self->sink_count)
        self->pipes[sink].generation = generation;
    return 0;
}

int owed_load (owed_t *self, const uint8_t *key, size_t key_size, const uint8_t *value,
               size_t value_size)
{
    cursor_t cursor = cursor_of (value, value_size);
    if (key_size == 3 && key[1] == OWED_GENERATION)
        return load_generation (self, key[2], cursor);
    uint64_t route = cursor_uint (&cursor);
    span_t body = {NULL, 0};
    if (!cursor_take_nil (&cursor))
        body = cursor_span (&cursor, OWED_BODY_BYTES_MAX);
    bool empty = body.bytes && !body.size;
    if (!cursor_finished (&cursor) || empty || key_size < 2 || key_size > OWED_KEY_BYTES_MAX + 1 ||
        key[1] == OWED_GENERATION)
        return -1;
    owed_put (self, key + 1, key_size - 1, route, body.bytes, body.size);
    owed_entry_t *entry = owed_find (self, key + 1, key_size - 1);
    owed_unmark_changed (self, entry);
    entry->stored = true;
    return 0;
}
