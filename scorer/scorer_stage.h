/*  scorer_stage: hot items as a stage of the worker: `scorer_stage`, declared in common/stage.h.
 *
 *  Owes, per enabled scenario, its newest complete window: key 'r' and the scenario's hash (8
 * bytes, big endian), routed by that hash, without a body: the ranking is computed when it is sent.
 * Every shard owes every window of every enabled scenario, empty or not, since the sink waits for
 * all shards.
 */
#ifndef HOTPATH_SCORER_STAGE_H
#define HOTPATH_SCORER_STAGE_H

#include "common/stage.h"

#endif
