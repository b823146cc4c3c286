/*  generation: the names of a partition that was made anew or truncated (docs/decisions/0007). Pure.
 *
 *  A shard's vector only grows: what is below it counts as applied. So when the end of a partition lies below
 *  it, and it is to go on (--on-lost-offsets=skip), it goes on under another name: "topic/3+1@1500" is the
 *  first generation after "topic/3", and begins at offset 1500 of it; the next one "topic/3+2@0". The
 *  original is generation 0, and its name (the base) has no such end.
 */
#ifndef HOTPATH_GENERATION_H
#define HOTPATH_GENERATION_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"

enum { GENERATION_MAX = 1000000000 };

typedef struct {
    uint32_t number; /* 0: the original */
    int64_t begin;   /* its first offset; of the original 0 */
} generation_t;

/*  "base", or "base+number@begin". The caller frees it. */
char *generation_name (const char *base, generation_t generation);
/*  Takes a name apart: *base borrows from it. A name without such an end is generation 0 of itself. */
generation_t generation_parse (span_t name, span_t *base);
/*  Which of two of the same base is the later one (<0: a is the earlier, 0: the same)? */
int generation_compare (generation_t a, generation_t b);

#endif
