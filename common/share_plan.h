/*  share_plan: how many shards each worker of a stage should hold, from what all of them see of
 *  each other: the same in every worker, without talking. Pure.
 *
 *  Of S shards and N workers each holds floor (S / N), and S mod N of them one more: those that
 *  have it already, in the order of names, so that a join moves only what the new worker gets, and
 *  a leave only what it had. A worker that is frozen keeps what it holds and takes nothing: the
 *  others share the rest.
 */
#ifndef HOTPATH_SHARE_PLAN_H
#define HOTPATH_SHARE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

/*  One worker, as the others see it. */
typedef struct {
    uint32_t held; /* shards that it has locked */
    bool live;     /* false: it has not moved for long */
} share_member_t;

/*  The number of shards that members[self] should hold now. Members are in the order of their
 *  names; more than it holds: it may take free ones up to that; fewer: it is to give the others
 *  back. */
uint32_t share_plan (uint32_t shard_count, const share_member_t *members, uint32_t count, uint32_t self);

#endif
