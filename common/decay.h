/*  decay: the sum of exp (-lambda (T - t)) over the events of one slice, from three integers.
 *
 *  A slice keeps of its events' times only the moments around its middle m = start + length / 2
 *  (rounded down): the count n, S1 = sum of (t - m), S2 = sum of (t - m)^2. Then, by Taylor,
 *
 *      sum exp (-lambda (T - t))  =  exp (-lambda (T - m)) * sum exp (lambda (t - m))
 *                                 ~  exp (-lambda (T - m)) * (n + lambda S1 + lambda^2 S2 / 2)
 *
 *  with a relative error an event of (lambda |t - m|)^3 / 6, which the choice of the slice bounds
 *  (scenario_config: slice_ms). Integers make the moments independent of the order of events. Pure;
 * it does not choose slices and knows nothing of weights.
 */
#ifndef HOTPATH_DECAY_H
#define HOTPATH_DECAY_H

#include <stdint.h>

/*  S2 has 128 bits, in two halves (so that 8-byte alignment suffices): a slice of 7 days overflows
 * 64 bits after some 200 events. S1 holds 10^10 events of such a slice. */
typedef struct {
    uint64_t count;
    int64_t s1_ms;
    uint64_t s2_low, s2_high; /* ms^2 */
} decay_moments_t;

/*  The integer middle of a slice. */
static inline int64_t decay_middle (int64_t start_ms, int64_t length_ms)
{
    return start_ms + length_ms / 2;
}

/*  Counts one event at `offset_ms` from the middle of its slice; |offset| <= 7 days. */
static inline void decay_add (decay_moments_t *self, int64_t offset_ms)
{
    uint64_t square = (uint64_t)(offset_ms * offset_ms);
    self->count++;
    self->s1_ms += offset_ms;
    self->s2_low += square;
    self->s2_high += self->s2_low < square;
}

/*  self += other, moments of the same slice. */
void decay_merge (decay_moments_t *self, const decay_moments_t *other);

/*  exp (-lambda (T - m)), lambda per ms, for the slice [start, start + length) and T = end_ms. A
 * slice that reaches beyond T (cut before the slice length changed) counts as if it ended at T: so
 * the product with decay_sum never exceeds the count, however large lambda has become. */
double decay_factor (double lambda_per_ms, int64_t end_ms, int64_t start_ms, int64_t length_ms);

/*  n + lambda S1 + lambda^2 S2 / 2, always in this order of operations: equal moments give equal
 *  bits. Exactly n where lambda is 0. */
double decay_sum (const decay_moments_t *self, double lambda_per_ms);

#endif
