#include "common/retired.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <xxhash.h>

#include "common/memory.h"
#include "common/pack.h"

typedef struct {
    uint64_t hash;
    vector_entry_t entry;
    UT_hash_handle hh;
} place_t;

struct retired {
    place_t *places;
    int64_t greatest_ms;
    change_set_t changes;
};

retired_t *retired_new (void)
{
    retired_t *self = memory_new (sizeof *self);
    self->greatest_ms = EVENT_TIME_NONE;
    return self;
}

void retired_destroy (retired_t **self_p)
{
    retired_t *self = *self_p;
    if (!self)
        return;
    place_t *place, *next;
    HASH_ITER (hh, self->places, place, next)
    {
        HASH_DEL (self->places, place);
        free (place);
    }
    change_set_free (&self->changes);
    free (self);
    *self_p = NULL;
}

static void make_key (uint64_t hash, uint8_t key[RETIRED_KEY_BYTES])
{
    uint64_t big = htobe64 (hash);
    key[0] = 'r';
    memcpy (key + 1, &big, sizeof big);
}

static place_t *find (const retired_t *self, uint64_t hash)
{
    place_t *place;
    HASH_FIND (hh, self->places, &hash, sizeof hash, place);
    return place;
}

static void keep (retired_t *self, uint64_t hash, vector_entry_t entry)
{
    place_t *place = find (self, hash);
    if (!place) {
        place = memory_new (sizeof *place);
        place->hash = hash;
        HASH_ADD (hh, self->places, hash, sizeof hash, place);
    }
    place->entry = entry;
    if (entry.greatest_ms > self->greatest_ms)
        self->greatest_ms = entry.greatest_ms;
}

static void drop (retired_t *self, place_t *place)
{
    uint8_t key[RETIRED_KEY_BYTES];
    make_key (place->hash, key);
    change_set_delete (&self->changes, key, sizeof key);
    HASH_DEL (self->places, place);
    free (place);
}

static void drop_oldest (retired_t *self)
{
    place_t *oldest = self->places;
    for (place_t *place = self->places; place; place = place->hh.next) {
        if (place->entry.greatest_ms < oldest->entry.greatest_ms)
            oldest = place;
    }
    drop (self, oldest);
}

void retired_put (retired_t *self, span_t partition, vector_entry_t entry)
{
    uint8_t key[RETIRED_KEY_BYTES];
    buffer_t value = {0};
    uint64_t hash = XXH3_64bits (partition.bytes, partition.size);
    if (HASH_COUNT (self->places) >= RETIRED_MAX && !find (self, hash))
        drop_oldest (self);
    keep (self, hash, entry);
    make_key (hash, key);
    pack_int (&value, entry.next);
    pack_int (&value, entry.greatest_ms);
    change_set_put (&self->changes, key, sizeof key, value.bytes, value.size);
    buffer_free (&value);
}

bool retired_take (retired_t *self, span_t partition, vector_entry_t *entry)
{
    place_t *place = find (self, XXH3_64bits (partition.bytes, partition.size));
    if (!place)
        return false;
    *entry = place->entry;
    drop (self, place);
    return true;
}

uint32_t retired_count (const retired_t *self)
{
    return HASH_COUNT (self->places);
}

int64_t retired_greatest_ms (const retired_t *self)
{
    return self->greatest_ms;
}

void retired_collect (retired_t *self, change_set_t *changes)
{
    change_set_append (changes, &self->changes);
}

int retired_load (retired_t *self, const uint8_t *key, size_t key_size, const uint8_t *value,
                  size_t value_size)
{
    uint64_t big;
    cursor_t cursor = cursor_of (value, value_size);
    vector_entry_t entry = {cursor_int (&cursor), 0};
    entry.greatest_ms = cursor_int (&cursor);
    if (key_size != RETIRED_KEY_BYTES || !cursor_finished (&cursor) || entry.next < 0)
        return -1;
    memcpy (&big, key + 1, sizeof big);
    keep (self, be64toh (big), entry);
    return 0;
}
