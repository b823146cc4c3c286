#include "common/change_set.h"

#include "common/check.h"

typedef struct {
    uint32_t kind, key_size;
    uint64_t value_size;
} entry_t;

static void add (change_set_t *self, change_kind_t kind, const void *key, size_t key_size,
                 const void *value, size_t value_size)
{
    CHECK (key_size >= 1 && key_size <= CHANGE_KEY_BYTES_MAX);
    entry_t entry = {(uint32_t)kind, (uint32_t)key_size, value_size};
    buffer_append (&self->log, &entry, sizeof entry);
    buffer_append (&self->log, key, key_size);
    buffer_append (&self->log, value, value_size);
    self->count++;
}

void change_set_put (change_set_t *self, const void *key, size_t key_size, const void *value,
                     size_t value_size)
{
    add (self, CHANGE_PUT, key, key_size, value, value_size);
}

buffer_t *change_set_put_begin (change_set_t *self, const void *key, size_t key_size)
{
    self->open_at = self->log.size;
    add (self, CHANGE_PUT, key, key_size, NULL, 0);
    return &self->log;
}

void change_set_put_end (change_set_t *self)
{
    entry_t entry;
    memcpy (&entry, self->log.bytes + self->open_at, sizeof entry);
    entry.value_size = self->log.size - self->open_at - sizeof entry - entry.key_size;
    memcpy (self->log.bytes + self->open_at, &entry, sizeof entry);
}

void change_set_delete (change_set_t *self, const void *key, size_t key_size)
{
    add (self, CHANGE_DELETE, key, key_size, NULL, 0);
}

void change_set_delete_range (change_set_t *self, const void *from, size_t from_size, const void *to,
                              size_t to_size)
{
    add (self, CHANGE_DELETE_RANGE, from, from_size, to, to_size);
}

void change_set_append (change_set_t *self, change_set_t *other)
{
    /* Not where that would give away room that was reserved. */
    if (!self->log.size && self->log.capacity <= other->log.capacity) {
        change_set_t empty = *self;
        *self = *other;
        *other = empty;
        change_set_clear (other);
        return;
    }
    buffer_append (&self->log, other->log.bytes, other->log.size);
    self->count += other->count;
    change_set_clear (other);
}

void change_set_cut (change_set_t *self, size_t size, size_t count)
{
    CHECK (size <= self->log.size && count <= self->count);
    self->log.size = size;
    self->count = count;
}

void change_set_reserve (change_set_t *self, size_t more)
{
    buffer_reserve (&self->log, more);
}

void change_set_clear (change_set_t *self)
{
    buffer_clear (&self->log);
    self->count = 0;
}

void change_set_free (change_set_t *self)
{
    buffer_free (&self->log);
    self->count = 0;
}

int change_set_next (const change_set_t *self, size_t *at, change_t *change)
{
    if (*at >= self->log.size)
        return 0;
    entry_t entry;
    memcpy (&entry, self->log.bytes + *at, sizeof entry);
    const uint8_t *key = self->log.bytes + *at + sizeof entry;
    *change = (change_t){.kind = (change_kind_t)entry.kind,
                         .key = key,
                         .value = key + entry.key_size,
                         .key_size = entry.key_size,
                         .value_size = entry.value_size};
    *at += sizeof entry + entry.key_size + entry.value_size;
    return 1;
}
