/*  sink_parts: the sink's state and the parts of its loop; private to sink*.c. */
#ifndef HOTPATH_SINK_SINK_PARTS_H
#define HOTPATH_SINK_SINK_PARTS_H

#include <czmq.h>
#include "common/status.h"
#include "sink/ack_peers.h"
#include "sink/gather.h"
#include "sink/redis_writer.h"
#include "sink/result_chain.h"
#include "sink/result_commands.h"
#include "sink/sink.h"
#include "sink/sink_status.h"

struct sink {
    const sink_options_t *options;
    uint64_t incarnation, redis_generation;
    beat_t beat;
    zsock_t *intake;
    result_chain_t *chain;
    gather_t *gather;
    result_commands_t *commands;
    redis_writer_t *writer;
    ack_peers_t *peers;
    commands_t prepare, write; /* scratch */
    int64_t now_ms, swept_ms;
    int64_t roomy_ms; /* when there was room for profiles last */
    sink_counts_t counts;
    sink_view_t view; /* for status */
    status_t *status;
};

/*  Is there room for a profile? */
static inline bool sink_has_room_for_profiles (const sink_t *self)
{
    return redis_writer_has_room (self->writer, LANE_SECOND);
}

/*  Is anything to be taken? Where not, it waits with its worker. Where there is no room for profiles alone,
 *  and for long, the rest is taken all the same, and profiles are refused: rankings must not wait behind
 *  profiles that a slow Redis does not get done. */
static inline bool sink_may_take (const sink_t *self)
{
    return redis_writer_has_room (self->writer, LANE_FIRST) && !gather_is_full (self->gather) &&
           (sink_has_room_for_profiles (self) ||
            self->now_ms - self->roomy_ms >= SINK_CROWDED_MS);
}

/*  sink_results.c: takes what came, as long as there is room for what it makes. */
void sink_take_frames (sink_t *self);

/*  sink_redis.c */
/*  A profile to be written. */
void sink_put_profile (sink_t *self, const result_header_t *header,
                       const result_profile_t *profile, const chain_token_t *token);
/*  Puts what is due; settles what is done; follows the generation of Redis. */
void sink_put_windows (sink_t *self);
/*  The writer's callback; arg is the sink. */
void sink_on_done (void *arg, const void *tag, outcome_t outcome, const redis_answer_t *answer);

#endif
