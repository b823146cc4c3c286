/*  profile_order: users in about the order of their keys, so that what lies together in the store is
 * written together. About: by 33 bits of the key; where two are equal in those, in any order.
 */
#ifndef HOTPATH_PROFILE_ORDER_H
#define HOTPATH_PROFILE_ORDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t place; /* profile_order_place */
    uint32_t slot;
} profile_place_t;

static inline uint64_t profile_order_place (uint64_t scenario_hash, uint64_t user_hash)
{
    return scenario_hash >> 48 << 48 | user_hash >> 16;
}
/*  Sorts a list; `scratch` has room for as many. */
void profile_order_sort (profile_place_t *list, profile_place_t *scratch, size_t count);

#endif
