/*  worker_parts: the worker's state and the parts of its loop; private to worker*.c. */
#ifndef HOTPATH_WORKER_PARTS_H
#define HOTPATH_WORKER_PARTS_H

#include <czmq.h>
#include "common/beat.h"
#include "common/endpoint.h"
#include "common/live_config.h"
#include "common/resolver.h"
#include "common/section_rows.h"
#include "common/shard.h"
#include "common/shard_owner.h"
#include "common/silence.h"
#include "common/state_layout.h"
#include "common/status.h"
#include "common/wire.h"
#include "common/worker.h"
#include "common/worker_pause.h"

enum {
    WORKER_SINKS_MAX = 64,
    WORKER_INGESTORS_MAX = 256,
    WORKER_INTAKE_FRAMES = 32,         /* high-water mark of sections, some 5 MB; and most frames a turn … */
    WORKER_TURN_FRAMES = 32,           /* … before the loop looks at anything else, … */
    WORKER_TAKE_MS = 50,               /* … which it does after this time as well */
    WORKER_TURN_MS = 20,               /* the loop's longest sleep */
    WORKER_PIPE_BYTES_MAX = 128 << 10, /* of one shard to one sink, beyond one result … */
    WORKER_PARTS_BYTES_MAX = 8 << 20,  /* … of a stage whose parts wait in the sink for those of other shards */
    WORKER_PART_MS = 10,               /* of one turn, for each kind of work that worker_may_go_on is asked about */
    WORKER_SINK_FRAMES = 64,           /* high-water mark to a sink */
    WORKER_GREETING_MS = 1000,
    WORKER_ANNOUNCE_MS = 1000,
    WORKER_ANNOUNCE_LEAST_MS = 100,    /* announces at every change, but not more often */
    WORKER_RESOLVE_MS = 1000, /* a new ingestor reads nothing before all workers know it */
    WORKER_RESOLVE_LONG_MS = 5000,
    WORKER_CONFIG_WAIT_MS = 5000,      /* for the config that a frame was made with */
    WORKER_REWINDS_MAX = 65536,
    WORKER_RETIRE_STEP_MS = 2000,      /* how often partitions are looked for that no ingestor lists */
    WORKER_DRAIN_MS = 15000,           /* less than a supervisor waits before it kills */
    WORKER_MOVE_BYTES = 256 << 20,     /* stored state that changes owners together: the pause is to load it */
    WORKER_MOVE_REST_MS = 1000,        /* between two such moves, for the events that waited */
    WORKER_DRAIN_STUCK_MS = 5000,      /* … and when all that is left cannot be committed */
    WORKER_COMMITS_MAX = 2,            /* sets of changes on their way to disk */
    WORKER_SETTLE_MS = 5,              /* between two looks whether Redis has what a change owes */
};

/*  A rewind that is wanted until a section fits. */
typedef struct {
    uint32_t shard, partition;
    char *ingestor;
    uint64_t incarnation, rewinds;
} worker_rewind_t;

typedef struct {
    zsock_t *socket;
    uint64_t incarnation; /* of the sink as it last answered; 0: not yet */
    int64_t heard_ms;     /* when that was */
    uint64_t redis_generation;
    buffer_t frame;       /* made and not yet taken by ZeroMQ */
    int64_t greeted_ms;
    bool greets;          /* the frame of marks was made, the greeting follows */
    char *endpoint;       /* its name for people */
    uint64_t acknowledged;/* answers that moved a pipe on, in this life */
    uint64_t seen;        /* … as readiness last saw it */
    stall_t stall;
    silence_t silence;    /* it answers each greeting */
} worker_sink_t;

/*  Where a shard stood. */
typedef struct {
    vector_t vector;
    int64_t watermark_ms;
} worker_reach_t;

/*  What this life of the process has done, for metrics and readiness; rows and sections that are applied again
 *  after a rewind or with a shard taken back count again. */
typedef struct {
    uint64_t applied, late, skipped;             /* events */
    uint64_t sections, gaps, repeats, invalid;   /* sections: applied, and not */
    uint64_t commits, failed_commits, commit_ms; /* failed ones are tried again */
    uint64_t results;                            /* chunks of results sent, repeats included */
} worker_counts_t;

typedef struct {
    char *endpoint;
    zsock_t *socket;
} worker_ingestor_t;

/*  An ingestor that sends here: at least once a second it says how its partitions are. */
typedef struct {
    char *name;
    uint64_t incarnation;
    silence_t silence;
} worker_sender_t;
/*  Scenarios whose config has changed, and whose first results by it Redis does not have yet; and
 *  shards that were taken and have not been served yet. */
typedef struct {
    uint32_t *list; /* indexes of live scenarios */
    uint32_t count, capacity;
    bool *waits; /* by that index: it is in the list */
    uint32_t waits_count;
    bool *fresh; /* by shard number */
    int64_t looked_ms;
} worker_settling_t;

struct worker {
    const worker_settings_t *settings;
    const stage_t *stage;
    char name[256];
    uint64_t incarnation;
    state_layout_t layout;
    beat_t beat;

    zsock_t *intake, *answers;
    char intake_endpoint[ENDPOINT_BYTES_MAX], answers_endpoint[ENDPOINT_BYTES_MAX];
    worker_sink_t sinks[WORKER_SINKS_MAX];
    uint32_t sink_count;
    resolver_t *resolver; /* of their names */
    worker_ingestor_t ingestors[WORKER_INGESTORS_MAX];
    uint32_t ingestor_count;

    live_config_t *config;
    worker_settling_t settling;
    action_names_t *actions;
    partition_names_t *partitions;
    watermark_t *watermark;
    committer_t *committer;
    shard_owner_t *owner;
    stage_context_t context;
    shard_t **shards; /* by number; NULL: not ours */
    worker_reach_t *reaches; /* by number: where a shard stood that was dropped */
    bool careful;     /* some store of the stage is under suspicion: all are verified before they are read */

    zmq_msg_t held;   /* sections made with a config that has not come yet */
    bool has_held;
    int64_t held_ms;
    uint64_t config_given_up; /* incarnation of a config that was waited for in vain */
    bool once, draining;
    int64_t drain_ms; /* since when */
    int64_t gave_ms;  /* when a shard was last given back */
    worker_rewind_t *rewinds;
    uint32_t rewind_count;
    const live_scenario_t **frame_scenarios; /* by index in the present frame */
    uint32_t frame_scenario_count;
    section_rows_t rows; /* of the present section */
    int64_t *unlisted_ms;    /* by partition: since when no ingestor lists it (own clock), or 0 */
    uint32_t unlisted_count;
    int64_t retired_ms;
    uint32_t *announced;     /* by partition: its number in the present announce, + 1; 0: it is not in it */
    uint32_t announced_count;
    uint16_t *frame_actions; /* by number - ACTION_CUSTOM in the present frame */

    worker_sender_t senders[WORKER_INGESTORS_MAX];
    uint32_t sender_count;
    bool deaf; /* in some turn since the last look nothing was taken from them */
    int64_t watched_ms;
    bool announce_now;
    int64_t announced_ms, resolved_ms, step_due_ms;
    buffer_t announce_frame;

    bool refreshed;   /* a shard has owed everything live in this turn */
    int64_t part_until_ms;   /* pieces of the present kind of work wait from then on for the next turn … */
    bool unadvanced, uncollected, unrendered; /* … as some windows, changes or results do, … */
    uint32_t advance_from, render_from;       /* … of these shards first */
    bool none_waits;                          /* intake was found empty when this turn began */
    uint32_t prepare_from;
    bool rendered;           /* a result was, in this turn */

    worker_counts_t counts;
    worker_pause_t pause;
    status_t *status;
    uint64_t seen_sections; /* as readiness last saw it */
    stall_t intake_stall;
    uint32_t unopened_shard; /* that could not be opened last … */
    int64_t unopened_ms;     /* … at this time, or 0, … */
    char unopened_reason[256];
    int end_code;            /* it cannot go on; 0: it can */
    char end_reason[512];
};

/*  worker.c: a slide, and commits that fall due together, are much work in all shards. It is done in pieces (a shard's
 *  windows, some of its changes, a result), and intake goes on in between. The work of a kind begins; may another
 *  piece of it be done in this turn? The first may, however late it has become: so that each kind gets on. */
void worker_begin_part (worker_t *self);
bool worker_may_go_on (const worker_t *self, bool first);

/*  worker_shards.c: what is ours, and its commits. */
int worker_join_stage (worker_t *self, char *error, size_t error_size);
void worker_step_ownership (worker_t *self, int64_t now_ms);
void worker_take_commits (worker_t *self, int64_t now_ms);
void worker_commit_due (worker_t *self, int64_t now_ms);
/*  Every shard is to be given back. */
void worker_give_all (worker_t *self);
/*  Of the shards that are ours: how many; how many of them cannot be committed (with one's reason). */
uint32_t worker_owned (const worker_t *self);
uint32_t worker_stuck (const worker_t *self, const char **reason);
/*  Which shards are rebuilt: before anything is computed of what was applied; which of them have caught up: after. */
void worker_judge_rebuilt (worker_t *self);
void worker_catch_up (worker_t *self, int64_t now_ms);
bool worker_shard_is_behind (const worker_t *self, const shard_t *shard);
/*  worker_config.c: a config that changes, what of it Redis has, questions about it. */
int worker_config_open (worker_t *self);
void worker_config_close (worker_t *self);
void worker_config_taken (worker_t *self, shard_t *shard);
void worker_config_step (worker_t *self, int64_t now_ms);

/*  worker_intake.c */
void worker_take_frames (worker_t *self, int64_t now_ms);
void worker_forget_rewinds (worker_t *self, uint32_t shard);

/*  worker_partitions.c: partitions that are gone, and those that come back. */
void worker_retire_partitions (worker_t *self, int64_t now_ms);
void worker_revive_partitions (worker_t *self);

/*  worker_results.c */
void worker_connect_sinks (worker_t *self);
void worker_take_acks (worker_t *self, int64_t now_ms);
void worker_send_results (worker_t *self, int64_t now_ms);
/*  Has every sink told which Redis it writes to, and has the shard owed everything live to it? */
bool worker_follows_redis (const worker_t *self, const shard_t *shard);

/*  worker_announce.c */
void worker_announce (worker_t *self, int64_t now_ms);
void worker_resolve_ingestors (worker_t *self, int64_t now_ms);

/*  worker_peers.c: who is silent. */
void worker_heard (worker_t *self, const wire_header_t *header);
void worker_bid_farewell (worker_t *self, const wire_header_t *header);
void worker_watch_peers (worker_t *self, int64_t now_ms);
void worker_tell_senders (worker_t *self, readiness_t *readiness);
void worker_forget_peers (worker_t *self);

/*  worker_status.c: what /readyz and /metrics say; arg is the worker. */
void worker_tell_readiness (void *arg, readiness_t *readiness, int64_t now_ms);
void worker_tell_metrics (void *arg, counters_t *counters, int64_t now_ms);

#endif
