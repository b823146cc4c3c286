/*  checks: the promises, looked at whenever something outside changes: the disk, Redis, Kafka's
 *  offsets, and after each turn of a process what it holds. A promise that is broken ends the
 *  schedule (sim_fail).
 */
#ifndef HOTPATH_MODEL_CHECKS_H
#define HOTPATH_MODEL_CHECKS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/committer.h"
#include "sim.h"
#include "sim_disk.h"

void checks_begin (void);

/*  A process has run: its vectors never go back within an ownership, what is durable is not
 *  beyond what is applied, and it rewinds no more often than something was lost. */
void checks_process (process_t *process);

/*  A store is about to be replaced by its next version: epochs and vectors never go back, and
 *  it holds exactly the events below its vector. */
void checks_stored (inode_t *inode, const store_version_t *next);
/*  What became of a commit. */
void checks_committed (const process_t *process, const commit_job_t *job);
/*  Offsets in Kafka are never beyond what every shard has durable. */
void checks_kafka_committed (uint32_t partition, int64_t next);
/*  Next offset that every shard has durable, or -1. */
int64_t checks_durable (uint32_t partition);

enum { CHECKS_RANKING = 1, CHECKS_METRICS = 2, CHECKS_PROFILE = 4 };
/*  Keys of these kinds were written in Redis: what a reader sees is a result of its window and
 *  revision, and never goes back. */
void checks_redis_written (uint32_t kinds);
/*  Redis lost data: a reader sees what is left. */
void checks_redis_lost (void);
/*  A shard's folder was lost: it begins again where Kafka does. */
void checks_folder_lost (uint32_t shard);

/*  What the workers hold, into the trace. */
void checks_tell_state (void);
/*  What is not (yet) as the oracle says, on disk, in Kafka and in Redis; NULL: nothing. */
const char *checks_unequal (void);
/*  What is still to happen before all is quiet too: owners, shares, results owed; NULL:
 *  nothing. */
const char *checks_unquiet (void);

#endif
