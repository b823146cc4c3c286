/*  model_stage: a stage (common/stage.h) that keeps every event by itself: the least that shows
 *  whether each was applied once, and in which windows it counts. It owes all three kinds of
 *  results: metrics with their body, the ranking and profiles by name.
 */
#ifndef HOTPATH_MODEL_STAGE_H
#define HOTPATH_MODEL_STAGE_H

#include "common/span.h"
#include "common/stage.h"

extern const stage_t model_stage;

/*  The events (a mask) of a shard's state. */
uint32_t model_stage_events (const void *shard);
/*  Is this a stored record of an event (key 'c' 'e' number)? Its number, or -1. */
int model_stage_record (span_t key);

#endif
