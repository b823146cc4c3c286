/*  profile_strings: an array of strings by number, and an open-addressing table from hash to
 * number. It knows nothing of what the strings mean.
 */
#include "profiler/profile_strings.h"

#include <stdlib.h>
#include <xxhash.h>

#include "common/check.h"
#include "common/memory.h"

enum { SLOTS_MIN = 256, SIZE_MAX_BYTES = 65535, NUMBER_COUNT_MAX = INT32_MAX };

typedef struct {
    char *text;    /* NULL: the number is free */
    uint32_t refs; /* of a free number: the next free one */
    uint32_t hash;
    uint16_t size;
} entry_t;

struct profile_strings {
    entry_t *entries;
    uint32_t *slots;     /* number + 1; 0: empty. Linear probing, at most 2/3 full. */
    uint32_t slot_count; /* a power of two */
    uint32_t entry_count, entry_capacity;
    uint32_t free_first; /* PROFILE_STRING_NONE: none */
    uint32_t used;
    uint64_t text_bytes;
};

profile_strings_t *profile_strings_new (void)
{
    profile_strings_t *self = memory_new (sizeof *self);
    self->slot_count = SLOTS_MIN;
    self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
    self->free_first = PROFILE_STRING_NONE;
    return self;
}

void profile_strings_destroy (profile_strings_t **self_p)
{
    profile_strings_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->entry_count; i++)
        free (self->entries[i].text);
    free (self->entries);
    free (self->slots);
    free (self);
    *self_p = NULL;
}

static uint32_t hash_text (span_t text)
{
    return (uint32_t)XXH3_64bits (text.bytes, text.size);
}

/*  The slot that holds the text, or the empty slot where it belongs. */
static uint32_t probe (const profile_strings_t *self, span_t text, uint32_t hash)
{
    uint32_t mask = self->slot_count - 1;
    uint32_t slot = hash & mask;
    for (; self->slots[slot]; slot = (slot + 1) & mask) {
        const entry_t *entry = &self->entries[self->slots[slot] - 1];
        if (entry->hash == hash && span_equal (text, (span_t){entry->text, entry->size}))
            break;
    }
    return slot;
}

static void grow_slots (profile_strings_t *self)
{
    free (self->slots);
    self->slot_count *= 2;
    self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
    uint32_t mask = self->slot_count - 1;
    for (uint32_t i = 0; i < self->entry_count; i++) {
        if (!self->entries[i].text)
            continue;
        uint32_t slot = self->entries[i].hash & mask;
        while (self->slots[slot])
            slot = (slot + 1) & mask;
        self->slots[slot] = i + 1;
    }
}

static uint32_t new_number (profile_strings_t *self)
{
    uint32_t number = self->free_first;
    if (number != PROFILE_STRING_NONE) {
        self->free_first = self->entries[number].refs;
        return number;
    }
    if (self->entry_count == self->entry_capacity) {
        self->entry_capacity = self->entry_capacity ? self->entry_capacity * 2 : SLOTS_MIN;
        self->entries = memory_resize (self->entries, self->entry_capacity * sizeof *self->entries);
    }
    CHECK (self->entry_count < NUMBER_COUNT_MAX);
    return self->entry_count++;
}

uint32_t profile_strings_find (const profile_strings_t *self, span_t text)
{
    return self->slots[probe (self, text, hash_text (text))] - 1;
}

uint32_t profile_strings_take (profile_strings_t *self, span_t text)
{
    CHECK (text.size <= SIZE_MAX_BYTES);
    uint32_t hash = hash_text (text);
    uint32_t slot = probe (self, text, hash);
    if (self->slots[slot]) {
        uint32_t number = self->slots[slot] - 1;
        profile_strings_hold (self, number);
        return number;
    }
    if ((uint64_t)(self->used + 1) * 3 > (uint64_t)self->slot_count * 2) {
        grow_slots (self);
        slot = probe (self, text, hash);
    }
    uint32_t number = new_number (self);
    self->entries[number] = (entry_t){.text = memory_copy_string (text.bytes, text.size),
                                      .refs = 1,
                                      .hash = hash,
                                      .size = (uint16_t)text.size};
    self->slots[slot] = number + 1;
    self->used++;
    self->text_bytes += text.size + 1;
    return number;
}

void profile_strings_hold (profile_strings_t *self, uint32_t number)
{
    CHECK (number < self->entry_count && self->entries[number].text);
    CHECK (self->entries[number].refs < UINT32_MAX);
    self->entries[number].refs++;
}

/*  Empties the slot of a number and moves what was pushed behind it forward, so that no probe
 * breaks. */
static void empty_slot (profile_strings_t *self, uint32_t number)
{
    uint32_t mask = self->slot_count - 1;
    uint32_t hole = self->entries[number].hash & mask;
    while (self->slots[hole] != number + 1)
        hole = (hole + 1) & mask;
    for (uint32_t slot = (hole + 1) & mask; self->slots[slot]; slot = (slot + 1) & mask) {
        uint32_t home = self->entries[self->slots[slot] - 1].hash & mask;
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            self->slots[hole] = self->slots[slot];
            hole = slot;
        }
    }
    self->slots[hole] = 0;
}

void profile_strings_release (profile_strings_t *self, uint32_t number)
{
    CHECK (number < self->entry_count && self->entries[number].text);
    entry_t *entry = &self->entries[number];
    if (--entry->refs)
        return;
    empty_slot (self, number);
    self->text_bytes -= (uint64_t)entry->size + 1;
    self->used--;
    free (entry->text);
    *entry = (entry_t){.refs = self->free_first};
    self->free_first = number;
}

span_t profile_strings_get (const profile_strings_t *self, uint32_t number)
{
    CHECK (number < self->entry_count && self->entries[number].text);
    return (span_t){self->entries[number].text, self->entries[number].size};
}

uint32_t profile_strings_count (const profile_strings_t *self)
{
    return self->used;
}

uint64_t profile_strings_bytes (const profile_strings_t *self)
{
    return sizeof *self + self->slot_count * sizeof *self->slots +
           self->entry_capacity * sizeof *self->entries + self->text_bytes;
}
