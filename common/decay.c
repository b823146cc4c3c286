#include "common/decay.h"

#include <math.h>

void decay_merge (decay_moments_t *self, const decay_moments_t *other)
{
    self->count += other->count;
    self->s1_ms += other->s1_ms;
    self->s2_low += other->s2_low;
    self->s2_high += other->s2_high + (self->s2_low < other->s2_low);
}

double decay_factor (double lambda_per_ms, int64_t end_ms, int64_t start_ms, int64_t length_ms)
{
    int64_t age_ms = end_ms - decay_middle (start_ms, length_ms);
    int64_t least_ms = length_ms - length_ms / 2;
    return exp (-lambda_per_ms * (double)(age_ms < least_ms ? least_ms : age_ms));
}

/*  Both ways round once, to nearest: equal bits. That of 128 bits is a slow call of the compiler's.
 */
static double to_double (uint64_t high, uint64_t low)
{
    return high ? (double)((unsigned __int128)high << 64 | low) : (double)low;
}

double decay_sum (const decay_moments_t *self, double lambda_per_ms)
{
    double linear = lambda_per_ms * (double)self->s1_ms;
    double s2 = to_double (self->s2_high, self->s2_low);
    double square = lambda_per_ms * lambda_per_ms * s2 / 2;
    return (double)self->count + linear + square;
}
