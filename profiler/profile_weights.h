/*  profile_weights: the weight of each action by its number, looked up by name once a revision. */
#ifndef HOTPATH_PROFILE_WEIGHTS_H
#define HOTPATH_PROFILE_WEIGHTS_H

#include <math.h>
#include <stdint.h>
#include "common/action_names.h"
#include "common/scenario_config.h"

typedef struct {
    const action_names_t *names;    /* borrowed */
    const config_weights_t *config; /* borrowed; NULL: every weight is 0 */
    double *by_number;              /* NaN: not looked up yet */
    uint32_t capacity;
} profile_weights_t;

/*  Begins anew with a (new) config; both borrowed until the next call or free. */
void profile_weights_set (profile_weights_t *self, const action_names_t *names,
                          const config_weights_t *config);
void profile_weights_free (profile_weights_t *self);
/*  Weight of an action number that action_names knows; allocates the first time only. */
double profile_weights_look_up (profile_weights_t *self, uint16_t action);
static inline double profile_weights_get (profile_weights_t *self, uint16_t action)
{
    bool known = self->config && action < self->capacity && !isnan (self->by_number[action]);
    return known ? self->by_number[action] : profile_weights_look_up (self, action);
}

#endif
