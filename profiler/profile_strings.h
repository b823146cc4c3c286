/*  profile_strings: each string that the profiles of a process hold (categories, tags, items),
 * once, by number. A string lives as long as somebody holds a reference; its number is then used
 * again. Numbers are of this process only: stored state holds the strings. The shards of a process
 * share them (all are of one thread): they see the same labels and items.
 */
#ifndef HOTPATH_PROFILE_STRINGS_H
#define HOTPATH_PROFILE_STRINGS_H

#include <stdint.h>
#include "common/span.h"

#define PROFILE_STRING_NONE UINT32_MAX
/*  The longest string that is within its entry. */
enum { PROFILE_STRINGS_NEAR_BYTES = 20 };

typedef struct profile_strings profile_strings_t;

profile_strings_t *profile_strings_new (void);
void profile_strings_destroy (profile_strings_t **self_p);

/*  What a string is looked up by, so that it is computed once; and the two steps that ask the
 * processor for what a look-up will touch, each for what the one before brought. */
uint32_t profile_strings_hash (span_t text);
void profile_strings_prefetch (const profile_strings_t *self, uint32_t hash, int step);
void profile_strings_prefetch_number (const profile_strings_t *self, uint32_t number);
/*  profile_strings_find by the text's hash. */
uint32_t profile_strings_seek (const profile_strings_t *self, span_t text, uint32_t hash);
/*  Adds a string that is not there; its number, with one reference. */
uint32_t profile_strings_add (profile_strings_t *self, span_t text, uint32_t hash);
/*  Number of a string (below 2^31) or PROFILE_STRING_NONE; takes no reference. */
uint32_t profile_strings_find (const profile_strings_t *self, span_t text);
/*  Number of a string of at most 65535 bytes, copied where it is new; takes one reference. */
uint32_t profile_strings_take (profile_strings_t *self, span_t text);
/*  One more reference to a string that is held. */
void profile_strings_hold (profile_strings_t *self, uint32_t number);
/*  Gives one reference back. */
void profile_strings_release (profile_strings_t *self, uint32_t number);
/*  Text of a held string; borrowed until its last reference is given back. */
span_t profile_strings_get (const profile_strings_t *self, uint32_t number);
/*  Its size; and its bytes, copied to where there is room for that and PROFILE_STRINGS_NEAR_BYTES
 * more, which are left undefined. */
uint32_t profile_strings_size (const profile_strings_t *self, uint32_t number);
void profile_strings_copy (const profile_strings_t *self, uint32_t number, char *to);
/*  Distinct strings held, and bytes of memory (without the allocator's own). */
uint32_t profile_strings_count (const profile_strings_t *self);
uint64_t profile_strings_bytes (const profile_strings_t *self);

#endif
