/*  profile_interest: the labels of one profile: how their decayed counts move in time, score and
 * leave. Used by profile.c alone (profile.h has what others may call).
 */
#ifndef HOTPATH_PROFILE_INTEREST_H
#define HOTPATH_PROFILE_INTEREST_H

#include "profiler/profile.h"

/*  As profile_reserve, with room for growth where it moves. (profile.c) */
void profile_make_room (profile_t *self, profile_shared_t *shared, uint32_t counts,
                        uint32_t interests, uint32_t recent);

/*  A profile gives one reference to a string back, where it is its own. */
static inline void profile_give_string (const profile_t *self, profile_shared_t *shared,
                                        uint32_t number)
{
    if (!self->borrows)
        profile_strings_release (shared->strings, number);
}

/*  Brings every decayed count to `reference_ms` by the period it has, and goes on with `period_ms`.
 */
void profile_interest_move (profile_t *self, int64_t reference_ms, double period_ms);
/*  Keeps the best `keep` labels of a kind, by score now, then name; counts those that go. */
void profile_interest_cap (profile_t *self, profile_shared_t *shared, profile_weights_t *weights,
                           profile_kind_t kind, uint32_t keep);
/*  Gives up every label. */
void profile_interest_release (profile_t *self, profile_shared_t *shared);

#endif
