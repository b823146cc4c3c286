/*  ingestor_parts: the ingestor's state and the parts of its loop; private to ingestor*.c. */
#ifndef HOTPATH_INGESTOR_PARTS_H
#define HOTPATH_INGESTOR_PARTS_H

#include <czmq.h>
#include "common/action_names.h"
#include "common/beat.h"
#include "common/endpoint.h"
#include "common/live_config.h"
#include "common/silence.h"
#include "common/status.h"
#include "ingestor/ingestor.h"
#include "ingestor/offset_ledger.h"
#include "ingestor/owners.h"

enum {
    INGESTOR_WORKER_FRAMES = 24,  /* high-water mark to a worker: the bounded queue, some 4 MB */
    INGESTOR_SEND_MS = 20,        /* events wait at most this long for a frame to fill */
    INGESTOR_EMPTY_MS = 100,      /* empty sections: how often a shard hears that nothing came */
    INGESTOR_REPEAT_MS = 1000,    /* … and where it stands though nothing was passed: a lost tail shows */
    INGESTOR_PARTITIONS_MS = 1000,/* the partitions frame at least so often … */
    INGESTOR_IDLE_MS = 250,       /* … and while event time goes on by the clock */
    INGESTOR_BLOCKED_MS = 1000,   /* a full worker for this long: the partitions are paused */
    INGESTOR_TURN_MS = 10,
    INGESTOR_LINGER_MS = 200,     /* for the last word to the workers */
    INGESTOR_WORKER_BYTES_MAX = 160 << 10, /* rows that wait for one worker: then a frame is made */
};

/*  Why a partition is paused. */
enum {
    PAUSE_BLOCKED = 1,
    PAUSE_SKEW = 2,
    PAUSE_LEAD = 4,
    PAUSE_OWNERS = 8,
    PAUSE_LETTERS = 16,
    PAUSE_SCENARIO = 32
};

/*  Messages counted once each, however often they are read again. */
typedef struct {
    uint64_t in, unknown, inactive, other; /* other: not the dedicated tenant's or scenario's */
    uint64_t unconfirmed;                  /* counted here, since their counting stage takes no part */
    uint64_t dead[EVENT_REASON_COUNT];
    uint64_t wrong_types;
} ingestor_counts_t;

/*  What readiness last saw of a partition. */
typedef struct {
    int64_t applied;
    stall_t stall; /* of what the slowest shard applies */
} ingestor_mark_t;

/*  What ingestor_pace last saw of all listed partitions. */
typedef struct {
    bool all_idle;
    int64_t least_ms;     /* least greatest event time of those not idle; INT64_MAX: not known of any */
    int64_t confirmed_ms; /* least confirmation of its end of those read here; INT64_MAX: there are none */
} ingestor_survey_t;

/*  The way to one worker. */
typedef struct {
    zsock_t *socket;
    buffer_t frame;          /* made and not yet taken by ZeroMQ */
    bool partitions_due;     /* it must hear of the partitions before the next sections */
    int64_t blocked_since_ms;/* or 0 */
    size_t waiting_bytes;    /* rows that wait for it */
    uint64_t *used_scenarios;/* bit a scenario: in the table of its next frame */
    size_t used_words;
    bool used_actions;
    silence_t silence;       /* it announces itself once a second */
    int64_t heard_ms;        /* as the last look saw it */
    uint32_t owned;          /* shards, at the last look */
} ingestor_worker_t;

struct ingestor {
    ingestor_settings_t settings;
    uint64_t incarnation;
    beat_t beat;
    zsock_t *back_channel;
    live_config_t *config;
    action_names_t *actions;
    event_parser_t *parser;
    partition_names_t *partitions;
    owners_t *owners;
    offset_ledger_t ledger;
    uint32_t *numbers;       /* by source index: number + 1, or 0 */
    uint32_t number_count;
    source_t *source;
    dead_letters_t *dead_letters;
    ingestor_worker_t workers[OWNERS_WORKERS_MAX];
    ingestor_counts_t counts;
    bool handing_out;        /* every shard has an owner */
    bool lost_offsets;
    uint32_t learned_count;  /* names of partitions that the source was told of */
    bool some_full;          /* a worker's rows have filled a frame */
    int64_t greatest_ms;     /* greatest event time known of any partition, at the last pace */
    int64_t first_ms;        /* least first event time of this ingestor's partitions */
    int64_t all_idle_ms;     /* own clock since when all are idle, or 0 */
    int64_t idle_base_ms;    /* the event time that was reached then */
    ingestor_survey_t survey;
    int64_t sent_ms, emptied_ms, repeated_ms, told_ms, committed_ms;
    int64_t watched_ms;      /* when workers' silence was looked at */
    int64_t now_ms;          /* of this turn */
    int64_t wall_ms;         /* of this turn, by the wall clock */
    buffer_t sections;       /* scratch */
    uint64_t letters;        /* dead letters kept, those read again included */
    uint64_t frames, blocks; /* sent to workers; times that a worker began to take nothing */
    status_t *status;
    ingestor_mark_t *marks;  /* by partition number */
    uint32_t mark_count;
    stall_t stall;
    uint64_t seen_positions; /* their sum, as readiness last saw it */
};

/*  ingestor_route.c: a record becomes rows, a dead letter or a count. */
void ingestor_route (void *arg, const source_record_t *record);

/*  ingestor_lost.c: what becomes of partitions whose next offset is gone. */
void ingestor_lose (ingestor_t *self, ledger_partition_t *partition, int64_t wanted, int64_t oldest,
                    int64_t end);
/*  The partition goes on as its next generation, as soon as the source can. */
void ingestor_renew (ingestor_t *self, ledger_partition_t *partition);
/*  Tells the source the names that workers know, before anything is started by them. */
void ingestor_learn (ingestor_t *self);

/*  ingestor_await.c: events of a scenario that is not known yet wait until configd has begun it. */
void ingestor_await (ingestor_t *self, ledger_partition_t *partition, const event_t *event);
void ingestor_await_step (ingestor_t *self);

/*  ingestor_send.c: rows become frames. */
void ingestor_connect_workers (ingestor_t *self);
void ingestor_send_full (ingestor_t *self);
void ingestor_send_due (ingestor_t *self);
/*  Since when some worker has taken nothing (own clock, ms), or 0. */
int64_t ingestor_blocked_since (const ingestor_t *self);

/*  Tells all workers that nothing comes any more. */
void ingestor_leave (ingestor_t *self);

/*  ingestor_peers.c: workers that are silent. */
void ingestor_watch_workers (ingestor_t *self);
void ingestor_tell_workers (ingestor_t *self, readiness_t *readiness);

/*  ingestor_status.c: what /readyz and /metrics say; arg is the ingestor. */
void ingestor_tell_readiness (void *arg, readiness_t *readiness, int64_t now_ms);
void ingestor_tell_metrics (void *arg, counters_t *counters, int64_t now_ms);

/*  ingestor.c: the number (partition_names) of one of the source's partitions. */
uint32_t ingestor_number (ingestor_t *self, uint32_t source_index);

/*  ingestor_pace.c: which partitions are idle, which must wait. */
void ingestor_pace (ingestor_t *self);
int64_t ingestor_idle_time_ms (const ingestor_t *self);
bool ingestor_is_idle (const ingestor_t *self, const ledger_partition_t *partition);
bool ingestor_has_ended (const ingestor_t *self, const ledger_partition_t *partition);

#endif
