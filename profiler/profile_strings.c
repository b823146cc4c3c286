/*  profile_strings: an array of strings by number, in chunks that stay where they are, and an index
 * of them. Short strings, nearly all, are within their entry: one look at memory less. It knows
 * nothing of what the strings mean.
 */
#include "profiler/profile_strings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* most texts are shorter than a call is long */
#include <xxhash.h>

#include "common/check.h"
#include "common/memory.h"
#include "common/tag_index.h"

enum {
    SIZE_MAX_BYTES = 65535,
    NUMBER_COUNT_MAX = INT32_MAX,
    NEAR_BYTES = PROFILE_STRINGS_NEAR_BYTES,
    CHUNK = 256,
};

/*  Two a cache line. */
typedef struct {
    char near[NEAR_BYTES]; /* the text; of more than NEAR_BYTES: a char * to it */
    uint32_t refs;         /* of a free number: the next free one */
    uint32_t hash;
    uint16_t size;
    bool used;
} entry_t;
_Static_assert(sizeof (entry_t) == 32, "two entries a cache line");

struct profile_strings {
    entry_t **chunks;
    tag_index_t index; /* a tag is a text's hash */
    uint32_t entry_count, entry_capacity;
    uint32_t free_first; /* PROFILE_STRING_NONE: none */
    uint64_t text_bytes;
};

static entry_t *entry_of (const profile_strings_t *self, uint32_t number)
{
    return &self->chunks[number / CHUNK][number % CHUNK];
}

/*  Text that is not within its entry, or NULL. */
static char *far_text (const entry_t *entry)
{
    char *text = NULL;
    if (entry->size > NEAR_BYTES)
        memcpy (&text, entry->near, sizeof text);
    return text;
}

static span_t text_of (const entry_t *entry)
{
    return (span_t){entry->size > NEAR_BYTES ? far_text (entry) : entry->near, entry->size};
}

static void set_text (entry_t *entry, span_t text)
{
    entry->size = (uint16_t)text.size;
    if (text.size > NEAR_BYTES) {
        char *copy = memory_copy_string (text.bytes, text.size);
        memcpy (entry->near, &copy, sizeof copy);
    } else if (text.size) {
        memcpy (entry->near, text.bytes, text.size);
    }
}

/*  Bytes of a text beside its entry. */
static uint64_t far_bytes (size_t size)
{
    return size > NEAR_BYTES ? (uint64_t)size + 1 : 0;
}

profile_strings_t *profile_strings_new (void)
{
    profile_strings_t *self = memory_new (sizeof *self);
    self->free_first = PROFILE_STRING_NONE;
    return self;
}

void profile_strings_destroy (profile_strings_t **self_p)
{
    profile_strings_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->entry_count; i++)
        if (entry_of (self, i)->used)
            free (far_text (entry_of (self, i)));
    for (uint32_t at = 0; at < self->entry_capacity; at += CHUNK)
        free (self->chunks[at / CHUNK]);
    free (self->chunks);
    tag_index_free (&self->index);
    free (self);
    *self_p = NULL;
}

uint32_t profile_strings_hash (span_t text)
{
    return (uint32_t)XXH3_64bits (text.bytes, text.size);
}

static bool is_text (const entry_t *entry, span_t text)
{
    return entry->size == text.size && span_same_bytes (text_of (entry).bytes, text.bytes, text.size);
}

static uint32_t new_number (profile_strings_t *self)
{
    uint32_t number = self->free_first;
    if (number != PROFILE_STRING_NONE) {
        self->free_first = entry_of (self, number)->refs;
        return number;
    }
    if (self->entry_count == self->entry_capacity) {
        uint32_t chunk = self->entry_capacity / CHUNK;
        if (!(chunk & (chunk - 1))) /* as many as a power of two: room for twice as many */
            self->chunks =
                memory_resize (self->chunks, (chunk ? 2 * chunk : 1) * sizeof *self->chunks);
        self->chunks[chunk] = memory_new_array (CHUNK, sizeof (entry_t));
        self->entry_capacity += CHUNK;
    }
    CHECK (self->entry_count < NUMBER_COUNT_MAX);
    return self->entry_count++;
}

void profile_strings_prefetch (const profile_strings_t *self, uint32_t hash, int step)
{
    if (step == 0) {
        tag_index_ask (&self->index, hash);
        return;
    }
    uint32_t number = tag_index_first (&self->index, hash);
    if (number != TAG_INDEX_NONE)
        __builtin_prefetch (entry_of (self, number), 1);
}

void profile_strings_prefetch_number (const profile_strings_t *self, uint32_t number)
{
    __builtin_prefetch (entry_of (self, number), 1);
}

uint32_t profile_strings_seek (const profile_strings_t *self, span_t text, uint32_t hash)
{
    uint64_t at = TAG_INDEX_START;
    for (uint32_t number; (number = tag_index_next (&self->index, hash, &at)) != TAG_INDEX_NONE;)
        if (is_text (entry_of (self, number), text))
            return number;
    return PROFILE_STRING_NONE;
}

uint32_t profile_strings_find (const profile_strings_t *self, span_t text)
{
    return profile_strings_seek (self, text, profile_strings_hash (text));
}

uint32_t profile_strings_add (profile_strings_t *self, span_t text, uint32_t hash)
{
    CHECK (text.size <= SIZE_MAX_BYTES);
    uint32_t number = new_number (self);
    entry_t *entry = entry_of (self, number);
    *entry = (entry_t){.refs = 1, .hash = hash, .used = true};
    set_text (entry, text);
    tag_index_add (&self->index, hash, number);
    self->text_bytes += far_bytes (text.size);
    return number;
}

uint32_t profile_strings_take (profile_strings_t *self, span_t text)
{
    uint32_t hash = profile_strings_hash (text);
    uint32_t number = profile_strings_seek (self, text, hash);
    if (number == PROFILE_STRING_NONE)
        return profile_strings_add (self, text, hash);
    profile_strings_hold (self, number);
    return number;
}

void profile_strings_hold (profile_strings_t *self, uint32_t number)
{
    CHECK (number < self->entry_count);
    entry_t *entry = entry_of (self, number);
    CHECK (entry->used && entry->refs < UINT32_MAX);
    entry->refs++;
}

void profile_strings_release (profile_strings_t *self, uint32_t number)
{
    CHECK (number < self->entry_count);
    entry_t *entry = entry_of (self, number);
    CHECK (entry->used);
    if (--entry->refs)
        return;
    tag_index_remove (&self->index, entry->hash, number);
    self->text_bytes -= far_bytes (entry->size);
    free (far_text (entry));
    *entry = (entry_t){.refs = self->free_first};
    self->free_first = number;
}

span_t profile_strings_get (const profile_strings_t *self, uint32_t number)
{
    CHECK (number < self->entry_count && entry_of (self, number)->used);
    return text_of (entry_of (self, number));
}

uint32_t profile_strings_size (const profile_strings_t *self, uint32_t number)
{
    CHECK (number < self->entry_count && entry_of (self, number)->used);
    return entry_of (self, number)->size;
}

void profile_strings_copy (const profile_strings_t *self, uint32_t number, char *to)
{
    const entry_t *entry = entry_of (self, number);
    if (entry->size > NEAR_BYTES)
        memcpy (to, far_text (entry), entry->size);
    else
        memcpy (to, entry->near, NEAR_BYTES); /* of a fixed size: without a call */
}

uint32_t profile_strings_count (const profile_strings_t *self)
{
    return self->index.count;
}

uint64_t profile_strings_bytes (const profile_strings_t *self)
{
    return sizeof *self + tag_index_memory_bytes (&self->index) +
           self->entry_capacity * sizeof (entry_t) + self->text_bytes;
}
