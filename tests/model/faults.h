/*  faults: what goes wrong in a schedule, and when: a list made from the seed before it begins,
 *  so that one can be taken out and the rest stays. Each schedule draws from some of the kinds
 *  only, and some have none of the network's: what hides behind the commonest faults is found
 *  by the schedules without them.
 */
#ifndef HOTPATH_MODEL_FAULTS_H
#define HOTPATH_MODEL_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include "sim.h"
#include "sim_network.h"

enum { FAULTS_MAX = 32 };

#define FAULTS_LIST(X)                                                                             \
    X (KILL, "kill")                                                                               \
    X (KILL_ALL, "kill-all")                                                                       \
    X (STOP, "stop")                                                                               \
    X (FREEZE, "freeze")                                                                           \
    X (FREEZE_KILL, "freeze-kill")                                                                 \
    X (ADD_WORKER, "add-worker")                                                                   \
    X (END_WORKER, "end-worker")                                                                   \
    X (CLOCK_BACK, "clock-back")                                                                   \
    X (LOCK_LOST, "lock-lost")                                                                     \
    X (FOLDER_LOST, "folder-lost")                                                                 \
    X (DISK_FULL, "disk-full")                                                                     \
    X (REBALANCE, "rebalance")                                                                     \
    X (ADD_PARTITION, "add-partition")                                                             \
    X (RETENTION, "retention")                                                                     \
    X (REVISION, "revision")                                                                       \
    X (REDIS_KILL, "redis-kill")                                                                   \
    X (REDIS_FLUSH, "redis-flush")                                                                 \
    X (REDIS_SAVE, "redis-save")                                                                   \
    X (REDIS_ERRORS, "redis-errors")                                                               \
    X (REDIS_CUT, "redis-cut")

typedef enum {
#define FAULTS_ENUM(symbol, name) FAULT_##symbol,
    FAULTS_LIST (FAULTS_ENUM)
#undef FAULTS_ENUM
    FAULT_KINDS
} fault_kind_t;

typedef struct {
    uint32_t step;
    fault_kind_t kind;
    uint32_t target;     /* of the processes or shards, taken modulo how many there are */
    uint32_t calls;      /* a process goes on for so many calls */
    int64_t duration_ms; /* until it is over */
    uint32_t choice;
} fault_t;

typedef struct {
    fault_t list[FAULTS_MAX];
    uint32_t count;
    uint32_t steps; /* of the part of the schedule that has faults */
    network_t network;
} faults_t;

/*  `kinds`: bits of the kinds that may be drawn. */
void faults_make (faults_t *self, chance_t *chance, uint32_t kinds);
/*  Does those that are due at this step and not in `without` (bits by their index), and ends
 *  what is over. */
void faults_step (const faults_t *self, uint32_t step, uint64_t without);
/*  All that lasts is over: nothing is frozen, full or away. Who was left with a broken lock, or
 *  looks older than its former life since its clock was set back, is not found out by the
 *  processes themselves: where that happened, everything is killed once and starts anew. */
void faults_end (void);

const char *fault_name (fault_kind_t kind);
void fault_write (const fault_t *fault, char *text, size_t size);

#endif
