/*  profile_weights: a lazily filled array over config_weights_get. */
#include "profiler/profile_weights.h"

#include <stdlib.h>

#include "common/memory.h"

enum { CAPACITY_MIN = ACTION_CUSTOM };

void profile_weights_set (profile_weights_t *self, const action_names_t *names,
                          const config_weights_t *config)
{
    self->names = names;
    self->config = config;
    for (uint32_t i = 0; i < self->capacity; i++)
        self->by_number[i] = NAN;
}

void profile_weights_free (profile_weights_t *self)
{
    free (self->by_number);
    *self = (profile_weights_t){0};
}

static void grow (profile_weights_t *self, uint32_t needed)
{
    uint32_t capacity = self->capacity ? self->capacity : CAPACITY_MIN;
    while (capacity < needed)
        capacity *= 2;
    self->by_number = memory_resize (self->by_number, capacity * sizeof *self->by_number);
    for (uint32_t i = self->capacity; i < capacity; i++)
        self->by_number[i] = NAN;
    self->capacity = capacity;
}

double profile_weights_look_up (profile_weights_t *self, uint16_t action)
{
    if (!self->config)
        return 0;
    if (action >= self->capacity)
        grow (self, (uint32_t)action + 1);
    if (isnan (self->by_number[action]))
        self->by_number[action] =
            config_weights_get (self->config, action_names_get (self->names, action));
    return self->by_number[action];
}
