/*  profile_order: a radix sort, 11 bits at a time, from the least: a comparison a step would cost as
 * much as writing the records does.
 */
#include "profiler/profile_order.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 3, PLACE_BITS = 64 };

static void sort_by (const profile_place_t *from, profile_place_t *to, size_t count, unsigned shift)
{
    size_t starts[DIGITS] = {0}, start = 0;
    for (size_t i = 0; i < count; i++)
        starts[from[i].place >> shift & (DIGITS - 1)]++;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t of_digit = starts[digit];
        starts[digit] = start;
        start += of_digit;
    }
    for (size_t i = 0; i < count; i++)
        to[starts[from[i].place >> shift & (DIGITS - 1)]++] = from[i];
}

void profile_order_sort (profile_place_t *list, profile_place_t *scratch, size_t count)
{
    profile_place_t *from = list, *to = scratch;
    for (unsigned pass = 0; pass < PASSES; pass++) {
        sort_by (from, to, count, PLACE_BITS - (PASSES - pass) * DIGIT_BITS);
        profile_place_t *swapped = from;
        from = to;
        to = swapped;
    }
    if (count && from != list) /* of none there may be no memory */
        memcpy (list, from, count * sizeof *list);
}
