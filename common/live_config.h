/*  live_config: the config as this process runs it: subscribes to configd, keeps every scenario
 *  with its parsed config, and tells of each change. Belongs to the thread of the loop that runs
 *  by it.
 *
 *  In: configd's snapshots, updates, beacons and (where wanted) questions. Out: "snapshot wanted",
 *  "applied", "scenario", "answer" (config_wire.h). Does not decide what a config means, and
 *  applies nothing before the first whole snapshot.
 */
#ifndef HOTPATH_LIVE_CONFIG_H
#define HOTPATH_LIVE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "common/config_wire.h"
#include "common/live_scenario.h"
#include "common/span.h"

typedef struct live_config live_config_t;

/*  A scenario is new or changed; it is called within live_config_step, after the change is in
 *  place. The config that it had before is kept until its next change. */
typedef void (live_config_change_t)(void *arg, const live_scenario_t *scenario);

/*  `context` is a ZeroMQ context (borrowed; zsys_init () of czmq is one). `endpoint` is configd's
 *  --publish as seen from here. `process` and `incarnation` name this life of this process. Never
 *  waits for configd. NULL with errno where an endpoint is not valid. */
live_config_t *live_config_new (void *context, const char *endpoint, const char *process,
                                uint64_t incarnation, live_config_change_t *on_change, void *arg);
void live_config_destroy (live_config_t **self_p);

/*  The ZeroMQ socket to poll for reading (ZMQ_POLLIN); borrowed, never read it. */
void *live_config_socket (live_config_t *self);
/*  Takes what has come (at most a bounded number of messages), asks again what is overdue. Call
 *  it when the socket is readable, and at least every 100 ms. `now_ms` is monotonic. Returns the
 *  number of scenarios that changed. */
uint32_t live_config_step (live_config_t *self, int64_t now_ms);

/*  Tells configd that events come of a scenario that live_config_find does not know (1 .. 256
 *  bytes each, no NUL). Never waits; false if it could not be handed over now. How often is the
 *  caller's; the answer, if there is one, is a change. */
bool live_config_want (live_config_t *self, span_t tenant, span_t scenario);

/*  What kind of process this is and how many shards it has: told to configd with the next report,
 *  and at once where that has changed. */
void live_config_describe (live_config_t *self, config_role_t role, uint32_t shards_owned,
                           uint32_t shard_count);
/*  The sinks have written the first result of the scenario's present revision, of all shards here
 *  (or there was none to write): told to configd, also to one that starts later. */
void live_config_wrote (live_config_t *self, const live_scenario_t *scenario);

/*  Questions of configd: what would this config rank? Called within live_config_step; spans hold
 *  for the call. Without a handler none come. */
typedef void (live_config_question_t)(void *arg, const config_question_t *question);
void live_config_take_questions (live_config_t *self, live_config_question_t *on_question,
                                 void *arg);
/*  One shard's answer: `rankings` are the two of config_wire_write_ranking with their items. False
 *  if it could not be handed over now. */
bool live_config_answer (live_config_t *self, const config_answer_t *answer,
                         const buffer_t *rankings);

/*  Has a first whole snapshot been applied? Stays true. */
bool live_config_ready (const live_config_t *self);
/*  What is applied: configd's incarnation and sequence; 0, 0 before the first. */
void live_config_position (const live_config_t *self, uint64_t *incarnation, uint64_t *sequence);

/*  Finders: NULL where there is none. What they return is stable for the life of `self`. */
const live_scenario_t *live_config_find (const live_config_t *self, span_t tenant, span_t scenario);
const live_scenario_t *live_config_find_hash (const live_config_t *self, uint64_t hash);
const live_scenario_t *live_config_at (const live_config_t *self, uint32_t index);
uint32_t live_config_count (const live_config_t *self);
/*  For how long (ms) configd, whose beacon comes four times a second, has been silent; 0: it is heard. */
int64_t live_config_silent_ms (const live_config_t *self);

#endif
