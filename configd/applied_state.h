/*  applied_state: who runs by this config, how far each is, and whether a revision is applied: by
 *  their reports. Pure: the time is an argument; not thread-safe.
 *
 *  A revision is *applied* when every process that lives has it, and Redis has the first result
 *  that each scorer and metrics shard computed by it (or there was nothing to compute). A process
 *  that has said nothing for APPLIED_SILENT_MS does not live. A stage that was heard of once in
 *  this life of configd must have an owner for each of its shards.
 */
#ifndef HOTPATH_APPLIED_STATE_H
#define HOTPATH_APPLIED_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/config_wire.h"

enum {
    APPLIED_PROCESSES_MAX = 4096,
    APPLIED_SILENT_MS = 10000,  /* five reports missed */
    APPLIED_FORGET_MS = 600000, /* one that was only frozen goes on with what it had said */
};

/*  Who follows, and how far. */
typedef struct {
    uint64_t sequence;          /* published last */
    uint32_t processes, behind; /* that live; of these, those that have not applied it */
    int64_t behind_ms;          /* how long ago it was published, where some have not; else 0 */
} config_applied_t;

/*  One revision. */
typedef struct {
    bool applied;
    uint32_t processes;   /* that live */
    uint32_t behind;      /* of these, those that do not run it */
    uint32_t unwritten;   /* of these, those whose first result of it Redis does not have */
    uint32_t unowned;     /* shards without an owner */
} applied_verdict_t;

typedef struct {
    const char *process;  /* borrowed */
    config_role_t role;
    uint64_t process_incarnation, incarnation, sequence;
    uint32_t shards_owned, shard_count;
    bool behind;
    int64_t silent_ms;    /* since its last report */
} applied_process_t;

typedef struct applied_state applied_state_t;

applied_state_t *applied_state_new (void);
void applied_state_destroy (applied_state_t **self_p);

/*  This is published last, at this time (monotonic ms). */
void applied_state_publish (applied_state_t *self, uint64_t incarnation, uint64_t sequence,
                            int64_t now_ms);
/*  An "applied" that came. Reads its written entries. */
void applied_state_report (applied_state_t *self, config_request_t *report, int64_t now_ms);

void applied_state_count (const applied_state_t *self, int64_t now_ms, config_applied_t *applied);
/*  True once for each published change that all who live have applied; *took_ms since then. Forgets
 *  who has been silent for APPLIED_FORGET_MS. */
bool applied_state_step (applied_state_t *self, int64_t now_ms, int64_t *took_ms);

/*  Of the scenario `hash`: is (era, number), published as `sequence`, applied? */
applied_verdict_t applied_state_judge (const applied_state_t *self, uint64_t hash, uint64_t era,
                                       uint64_t number, uint64_t sequence, int64_t now_ms);

/*  Calls back for each process that lives. */
void applied_state_each (const applied_state_t *self, int64_t now_ms,
                         void (*each) (void *arg, const applied_process_t *process), void *arg);

#endif
