/*  crash_point: named places at which a test lets a process die, stand still or dawdle.
 *
 *      CRASH_POINT (COMMIT_BEFORE);
 *
 *  is nothing unless this is built with CRASH_POINTS=1 (into build/crash). There, two variables of the environment
 *  say what happens where:
 *
 *      HOTPATH_CRASH="[KIND.]NAME[:OPTIONS][;…]"     from the start of the process
 *      HOTPATH_CRASH_DIR=DIR                         at any time: a file DIR/armed/KIND.NAME whose text is OPTIONS
 *                                                    acts on the first process of that kind that passes
 *
 *  OPTIONS: N or nth=N (at the Nth pass, once; 1), p=0.01 (at each pass with that chance, by seed=N), action=kill
 *  (the default: SIGKILL to itself), stop (SIGSTOP to itself) or delay (sleeps ms=N), apart by commas. Each time
 *  that one acts, DIR/acted gets a line "KIND.NAME PID ACTION" before.
 *
 *  The list below is all there is: a test walks it (tests/integration/faults).
 */
#ifndef HOTPATH_CRASH_POINT_H
#define HOTPATH_CRASH_POINT_H

#include <stdbool.h>

enum {
    CRASH_RUN = 1,
    CRASH_CONFIGD = 2,
    CRASH_INGESTOR = 4,
    CRASH_SCORER = 8,
    CRASH_PROFILER = 16,
    CRASH_METRICS = 32,
    CRASH_SINK = 64,
    CRASH_WORKERS = CRASH_SCORER | CRASH_PROFILER | CRASH_METRICS,
};

/* clang-format off: a table */
/*  X (constant, name, kinds of process, where) */
#define CRASH_POINT_LIST(X)                                                                                          \
    X (RUN_LOCKED,          "run-locked",          CRASH_RUN,      "the state folder is locked, nothing started")    \
    X (FORK_BEFORE,         "fork-before",         CRASH_RUN,      "a child is about to be started")                 \
    X (FORK_CHILD,          "fork-child",          CRASH_RUN,      "the child, between fork and exec")               \
    X (FORK_AFTER,          "fork-after",          CRASH_RUN,      "a child was started, and is not listened to yet") \
    X (STOP_BETWEEN,        "stop-between",        CRASH_RUN,      "stopping in order, between two stages")          \
    X (REVISION_BEFORE,     "revision-before",     CRASH_CONFIGD,  "a changed config is not stored yet")             \
    X (REVISION_STORED,     "revision-stored",     CRASH_CONFIGD,  "it is stored and nobody has heard of it")        \
    X (REVISION_PUBLISHED,  "revision-published",  CRASH_CONFIGD,  "some have heard of it")                          \
    X (SNAPSHOT_SENT,       "snapshot-sent",       CRASH_CONFIGD,  "a chunk of a snapshot was sent")                 \
    X (PARTITION_ASSIGNED,  "partition-assigned",  CRASH_INGESTOR, "a partition is ours and not started")            \
    X (PARTITION_STARTED,   "partition-started",   CRASH_INGESTOR, "its reading begins")                             \
    X (LETTER_QUEUED,       "letter-queued",       CRASH_INGESTOR, "a dead letter is not safe yet")                  \
    X (LETTER_SAFE,         "letter-safe",         CRASH_INGESTOR, "it is, and its partition does not know")         \
    X (ROW_APPENDED,        "row-appended",        CRASH_INGESTOR, "an event has its rows, and is in no frame")      \
    X (FRAME_MADE,          "frame-made",          CRASH_INGESTOR, "sections count as handed out and are not sent")  \
    X (FRAME_SENT,          "frame-sent",          CRASH_INGESTOR, "they are sent, and that is not noted")           \
    X (REWIND_BEFORE,       "rewind-before",       CRASH_INGESTOR, "a rewind was asked for")                         \
    X (REWIND_AFTER,        "rewind-after",        CRASH_INGESTOR, "the source reads from there")                    \
    X (OFFSET_BEFORE,       "offset-before",       CRASH_INGESTOR, "a durable offset is to be committed to Kafka")   \
    X (OFFSET_AFTER,        "offset-after",        CRASH_INGESTOR, "that was asked for")                             \
    X (LOCK_TAKEN,          "lock-taken",          CRASH_WORKERS,  "a shard is locked and its store not open")       \
    X (EPOCH_TAKEN,         "epoch-taken",         CRASH_WORKERS,  "its new epoch is durable, nothing is read")      \
    X (LOAD_DURING,         "load-during",         CRASH_WORKERS,  "a record of it was read")                        \
    X (LOAD_AFTER,          "load-after",          CRASH_WORKERS,  "all of it was read, nobody has heard of us")     \
    X (SECTION_HALF,        "section-half",        CRASH_WORKERS,  "some rows of a section are applied")             \
    X (SECTION_APPLIED,     "section-applied",     CRASH_WORKERS,  "all are, and that is not announced")             \
    X (REWIND_WANTED,       "rewind-wanted",       CRASH_WORKERS,  "a gap was found, and not announced")             \
    X (ANNOUNCE_AFTER,      "announce-after",      CRASH_WORKERS,  "the vectors were announced")                     \
    X (COMMIT_COLLECTED,    "commit-collected",    CRASH_WORKERS,  "changes are copied, and not on their way")       \
    X (COMMIT_BEFORE,       "commit-before",       CRASH_WORKERS,  "all is in LMDB's transaction (of an epoch too)") \
    X (COMMIT_AFTER,        "commit-after",        CRASH_WORKERS,  "it is durable, and the loop does not know")      \
    X (COMMIT_NOTED,        "commit-noted",        CRASH_WORKERS,  "the loop knows, and has not announced it")       \
    X (RESULT_MADE,         "result-made",         CRASH_WORKERS,  "results are in a frame that is not sent")        \
    X (RESULT_SENT,         "result-sent",         CRASH_WORKERS,  "it is sent, and that is not noted")              \
    X (ACK_TAKEN,           "ack-taken",           CRASH_WORKERS,  "results are acknowledged, which is not durable") \
    X (SHARD_GIVEN,         "shard-given",         CRASH_WORKERS,  "a surplus shard is committed and still locked")  \
    X (DRAIN_LEFT,          "drain-left",          CRASH_WORKERS,  "all is committed and given, and not announced")  \
    X (RESULT_TAKEN,        "result-taken",        CRASH_SINK,     "a result is accepted, and goes nowhere yet")     \
    X (ORDER_READ,          "order-read",          CRASH_SINK,     "Redis said what it has of a key, nothing is put") \
    X (REDIS_PREPARED,      "redis-prepared",      CRASH_SINK,     "the temporary ranking is there, not renamed")    \
    X (REDIS_SENT,          "redis-sent",          CRASH_SINK,     "commands are on their way to Redis")             \
    X (REDIS_EXECUTED,      "redis-executed",      CRASH_SINK,     "Redis has executed them, and nobody knows")      \
    X (REDIS_JUDGED,        "redis-judged",        CRASH_SINK,     "Redis is another or empty, and nobody is told")  \
    X (ACK_BEFORE,          "ack-before",          CRASH_SINK,     "results are executed and not acknowledged")      \
    X (ACK_AFTER,           "ack-after",           CRASH_SINK,     "the acknowledgement is sent")
/* clang-format on */

typedef enum {
#define CRASH_POINT_CONSTANT(constant, name, kinds, where) CRASH_AT_##constant,
    CRASH_POINT_LIST (CRASH_POINT_CONSTANT)
#undef CRASH_POINT_CONSTANT
        CRASH_POINT_COUNT
} crash_point_t;

#ifdef HOTPATH_CRASH_POINTS

/*  May not return. Any thread; also between fork and exec of a process with one thread. */
void crash_point_pass (crash_point_t point);
#define CRASH_POINT(constant) crash_point_pass (CRASH_AT_##constant)

#else

#define CRASH_POINT(constant) ((void)0)

#endif

/*  Is this entry of the environment one that `hotpath run` must hand to its children? Never, but for tests. */
bool crash_point_is_variable (const char *entry);

#endif
