/*  sim: the machine that the model runs hotpath on: one clock, one source of chance, and
 *  processes that are coroutines. What the processes call of the outside (ZeroMQ, LMDB,
 *  hiredis, files, clocks) is answered by the sim_*.c files, each of which begins with
 *  sim_call: there a process may be killed, frozen, or made to wait, so every such call is a
 *  point where a schedule can cut it.
 *
 *  A killed process runs on to its own destructors with no effect on anything outside: it frees
 *  its memory, and to the others it ended at the call where it was killed.
 */
#ifndef HOTPATH_MODEL_SIM_H
#define HOTPATH_MODEL_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/*  ---- chance ---- */

typedef struct {
    uint64_t state;
} chance_t;

uint64_t chance_next (chance_t *self);
/*  0 .. below - 1. */
uint32_t chance_below (chance_t *self, uint32_t below);
/*  True in `in_thousand` of 1000. */
bool chance_is (chance_t *self, uint32_t in_thousand);
/*  The lesser of two: small worlds show most, and are fast. */
uint32_t chance_least (chance_t *self, uint32_t below);
/*  least .. most. */
int64_t chance_between (chance_t *self, int64_t least, int64_t most);

/*  ---- what happened, over all schedules: each kind must have ---- */

#define EVENTS_LIST(X)                                                                             \
    X (KILLS_INGESTOR, "ingestor killed")                                                          \
    X (KILLS_WORKER, "worker killed")                                                              \
    X (KILLS_SINK, "sink killed")                                                                  \
    X (KILLS_ALL, "everything killed at once")                                                     \
    X (KILLS_UNCOMMITTED, "killed with a commit submitted, not written")                           \
    X (KILLS_UNTOLD, "killed with a commit durable, not told")                                     \
    X (STOPS, "process stopped in order")                                                          \
    X (FREEZES, "process frozen")                                                                  \
    X (THAWS, "process thawed")                                                                    \
    X (WORKERS_ADDED, "worker added")                                                              \
    X (WORKERS_ENDED, "worker taken away")                                                         \
    X (CLOCKS_BACK, "started with the wall clock set back")                                        \
    X (MOVES, "shard taken")                                                                       \
    X (LOCKS_LOST, "lock file of a shard removed under its owner")                                 \
    X (FOLDERS_LOST, "folder of a shard removed under its owner")                                  \
    X (COMMITS, "commit durable")                                                                  \
    X (COMMITS_FAILED, "commit failed: no space")                                                  \
    X (COMMITS_REFUSED, "commit of a former owner refused by its epoch")                           \
    X (COMMITS_GONE, "commit to a store that was removed refused")                                 \
    X (RESULTS_REFUSED, "result of a former owner refused by its epoch")                           \
    X (RESULT_GAPS, "gap of results refused")                                                      \
    X (RESULT_REPEATS, "repeated result skipped")                                                  \
    X (SECTION_GAPS, "gap of sections refused")                                                    \
    X (SECTION_REPEATS, "repeated section skipped")                                                \
    X (REWINDS, "partition rewound")                                                               \
    X (FRAMES, "frame sent")                                                                       \
    X (FRAMES_LOST_RECEIVER, "frame lost with its receiver")                                       \
    X (FRAMES_LOST_SENDER, "frame lost with its sender")                                           \
    X (FRAMES_OVERTAKEN, "frame delivered after those of a newer connection")                      \
    X (FRAMES_DROPPED, "frame dropped")                                                            \
    X (FRAMES_REPEATED, "frame repeated")                                                          \
    X (FRAMES_SWAPPED, "frames of one connection out of order")                                    \
    X (FRAMES_DELAYED, "frame delayed for seconds")                                                \
    X (PIPES_FULL, "pipe full")                                                                    \
    X (REBALANCES, "partition given to another ingestor")                                          \
    X (FORMER_INGESTORS, "former ingestor of a partition reads on")                                \
    X (KAFKA_COMMITS, "offset committed to Kafka")                                                 \
    X (KAFKA_REFUSED, "offset of a former ingestor refused by Kafka")                              \
    X (PARTITIONS_ADDED, "partition added")                                                        \
    X (RETENTIONS, "oldest events of a partition deleted")                                         \
    X (LETTERS, "dead letter")                                                                     \
    X (REVISIONS, "config revision")                                                               \
    X (REDIS_KILLS, "Redis killed and restarted with its data")                                    \
    X (REDIS_EMPTIED, "Redis restarted empty")                                                     \
    X (REDIS_ROLLBACKS, "Redis restarted with older data")                                         \
    X (REDIS_FLUSHES, "FLUSHALL")                                                                  \
    X (REDIS_UNACKNOWLEDGED, "Redis executed and died before it answered")                         \
    X (REDIS_ERRORS, "Redis refused writes for a while")                                           \
    X (REDIS_DROPS, "connection to Redis dropped")                                                 \
    X (REDIS_LATE, "commands of a dead sink executed after its death")

typedef enum {
#define EVENTS_ENUM(symbol, text) EVENT_##symbol,
    EVENTS_LIST (EVENTS_ENUM)
#undef EVENTS_ENUM
    EVENTS_COUNT
} event_kind_t;

/*  ---- processes ---- */

enum {
    SIM_START_MS = 1000000, /* the clock at the start of a schedule */
    SIM_PROCESSES_MAX = 12,
    SIM_STACK_BYTES = 512 << 10,
    SIM_TEXT_BYTES_MAX = 2048,
    SIM_PARTITIONS_MAX = 4,
    SIM_SHARDS_MAX = 4,
};

typedef enum { PROCESS_INGESTOR, PROCESS_WORKER, PROCESS_SINK } process_kind_t;

typedef struct process {
    process_kind_t kind;
    uint32_t number;  /* among its kind */
    char name[24];
    void (*life) (struct process *self); /* one life, from main to exit */
    void *object;     /* worker_t, ingestor_t or sink_t of this life, for the checks; or NULL */
    bool wanted;      /* is started again when it ends */
    bool up, frozen;
    bool stopping;    /* SIGTERM */
    bool dead;        /* killed: whatever it still does has no effect */
    uint32_t lives;
    int64_t start_ms; /* not started before */
    int64_t offset_ms, skew_ms; /* of its monotonic clock; of its wall clock */
    int64_t leap_ms;  /* a dead one's clock runs away, so that its loops end */
    int64_t wake_ms;  /* it waits until then … */
    bool attention;   /* … or until something has come */
    int64_t frozen_ms;
    uint32_t kill_in, freeze_in; /* calls from now; 0: not */
    bool writing;     /* within a transaction: it may be killed, and not held up */
    uint64_t frames_lost; /* of this life's: lost, dropped, repeated or out of order */
    ucontext_t context;         /* where its stack begins … */
    jmp_buf jump;               /* … and where it waits */
    bool begun;
    void *stack;
} process_t;

typedef struct {
    int64_t now_ms;
    chance_t chance;
    process_t *current; /* whose code runs; NULL: the world's own */
    bool in_thread;     /* that code is its committing thread */
    bool tracing;
    uint64_t calm_step; /* since then there are no more faults; 0: there are */
    process_t processes[SIM_PROCESSES_MAX];
    uint32_t process_count;
    uint64_t steps, calls;
    uint64_t events[EVENTS_COUNT];
    char failure[SIM_TEXT_BYTES_MAX]; /* the first promise that was broken; "" : none */
} sim_t;

/*  The one machine: libraries' functions have no argument that could lead to it. */
extern sim_t sim;

/*  Begins a schedule: no processes, time at its start. Keeps the counts of events. */
void sim_begin (uint64_t seed);

/*  A process calls the outside: it may be killed, frozen or made to wait here. False: it is
 *  dead, and the call must have no effect. True too where it is the world that calls. */
bool sim_call (const char *what);
/*  Is the code that runs now that of a dead process? */
bool sim_is_dead (void);
/*  The running process gives way for at most timeout_ms. */
void sim_wait (int64_t timeout_ms);

process_t *sim_add_process (process_kind_t kind, uint32_t number, void (*life) (process_t *));
void sim_start (process_t *process);
/*  Runs it until it waits or ends. */
void sim_run (process_t *process);
/*  Kills it now, and lets it free its memory. */
void sim_kill (process_t *process);

/*  A promise is broken. The first one is kept, and ends the schedule. */
void sim_fail (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
bool sim_failed (void);

void sim_event (event_kind_t kind);
const char *sim_event_text (event_kind_t kind);

/*  A line of the trace: costs nothing where none is wanted. */
#define sim_trace(...)                                                                             \
    do {                                                                                           \
        if (sim.tracing)                                                                           \
            sim_say (__VA_ARGS__);                                                                 \
    } while (0)
void sim_say (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
/*  Where trace lines go: the last `lines` of them are kept and printed by sim_print_trace; 0:
 *  all are printed at once. */
void sim_keep_trace (uint32_t lines);
void sim_print_trace (void);

#endif
