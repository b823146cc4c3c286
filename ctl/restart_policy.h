/*  restart_policy: when a child that died is started again: after 100 ms, doubled with each death
 * within the last minute up to 5 s; and when that is given up. Pure: the time is an argument.
 */
#ifndef HOTPATH_CTL_RESTART_POLICY_H
#define HOTPATH_CTL_RESTART_POLICY_H

#include <stdint.h>

enum {
    RESTART_TIMES_MAX =
        10, /* restarts of one child within RESTART_SPAN_MS; one more death: given up */
    RESTART_SPAN_MS = 60 * 1000,
    RESTART_FIRST_MS = 100,
    RESTART_LONGEST_MS = 5000,
};

/*  Zeroed memory is a new one. */
typedef struct {
    int64_t times_ms[RESTART_TIMES_MAX]; /* of the last deaths: a ring */
    uint64_t count;                      /* deaths ever */
} restart_policy_t;

/*  The child died at now_ms (monotonic): how long to wait, in ms, or -1: it died too often. */
int64_t restart_policy_next (restart_policy_t *self, int64_t now_ms);

#endif
