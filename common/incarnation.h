/*  incarnation: which life of a process is it that speaks? Lives are numbered by the wall clock, in
 *  ms (state_clock.h): a greater number is a newer life. A clock that was set back between two
 *  lives makes the newer one look older, and ignoring it for good would be worse than what an old
 *  frame can do. So a lesser number counts as the new life once the greater one has been silent for
 *  INCARNATION_SILENT_MS: a process that lives is heard at least once a second. Pure.
 */
#ifndef HOTPATH_INCARNATION_H
#define HOTPATH_INCARNATION_H

#include <stdint.h>

enum { INCARNATION_SILENT_MS = 3000 };

typedef enum {
    INCARNATION_SAME,
    INCARNATION_NEWER, /* another life, that takes the place of the known one */
    INCARNATION_STALE, /* a former one: what it says is to be ignored */
} incarnation_verdict_t;

/*  `known`: the life that counts now, 0: none; `heard_ms`: when it was last heard (only what was
 *  SAME or NEWER counts as heard); `given`: the life that speaks at `now_ms` of the same clock. */
static inline incarnation_verdict_t incarnation_judge (uint64_t known, int64_t heard_ms,
                                                       uint64_t given, int64_t now_ms)
{
    if (given == known)
        return INCARNATION_SAME;
    if (given > known || now_ms - heard_ms > INCARNATION_SILENT_MS)
        return INCARNATION_NEWER;
    return INCARNATION_STALE;
}

#endif
