#include "common/action_names.h"

#include <stdlib.h>
#include <xxhash.h>
#include "common/check.h"
#include "common/memory.h"

enum { NAMES_MAX = 65000, SLOTS_MIN = 256 };

struct action_names {
    char **list; /* of custom names: list[i] has the number ACTION_CUSTOM + i */
    uint8_t *sizes;
    uint32_t count, capacity;
    uint32_t *slots; /* index + 1 by hash, linear probing; 0: empty. At most half are taken */
    uint32_t slot_count;
};

action_names_t *action_names_new (void)
{
    action_names_t *self = memory_new (sizeof *self);
    self->slot_count = SLOTS_MIN;
    self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
    return self;
}

void action_names_destroy (action_names_t **self_p)
{
    action_names_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++)
        free (self->list[i]);
    free (self->list);
    free (self->sizes);
    free (self->slots);
    free (self);
    *self_p = NULL;
}

static span_t custom_name (const action_names_t *self, uint32_t index)
{
    return (span_t){self->list[index], self->sizes[index]};
}

/*  The slot of a name, or the empty one where it would go. */
static uint32_t *find_slot (const action_names_t *self, span_t name)
{
    uint32_t mask = self->slot_count - 1;
    uint32_t at = (uint32_t)XXH3_64bits (name.bytes, name.size) & mask;
    while (self->slots[at] && !span_equal (custom_name (self, self->slots[at] - 1), name))
        at = (at + 1) & mask;
    return &self->slots[at];
}

static void grow_slots (action_names_t *self)
{
    free (self->slots);
    self->slot_count *= 2;
    self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
    for (uint32_t i = 0; i < self->count; i++)
        *find_slot (self, custom_name (self, i)) = i + 1;
}

static void grow_list (action_names_t *self)
{
    self->capacity = self->capacity ? 2 * self->capacity : 64;
    self->list = memory_resize (self->list, self->capacity * sizeof *self->list);
    self->sizes = memory_resize (self->sizes, self->capacity * sizeof *self->sizes);
}

uint16_t action_names_intern (action_names_t *self, span_t name)
{
    CHECK (name.size >= 1 && name.size <= 64);
    int known = actions_find (name);
    if (known >= 0)
        return (uint16_t)known;
    uint32_t *slot = find_slot (self, name);
    if (*slot)
        return (uint16_t)(ACTION_CUSTOM + *slot - 1);
    if (self->count == NAMES_MAX)
        return ACTION_OTHER;
    if (self->count == self->capacity)
        grow_list (self);
    uint32_t index = self->count++;
    self->list[index] = memory_copy_string (name.bytes, name.size);
    self->sizes[index] = (uint8_t)name.size;
    *slot = index + 1;
    if (2 * self->count > self->slot_count)
        grow_slots (self);
    return (uint16_t)(ACTION_CUSTOM + index);
}

span_t action_names_get (const action_names_t *self, uint16_t number)
{
    if (number < ACTION_KNOWN_COUNT)
        return span_of (actions_name (number));
    CHECK (number >= ACTION_CUSTOM && number - ACTION_CUSTOM < (int)self->count);
    return custom_name (self, (uint32_t)number - ACTION_CUSTOM);
}

uint32_t action_names_custom_count (const action_names_t *self)
{
    return self->count;
}
