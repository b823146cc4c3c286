/*  sim_kafka: a topic and its consumer group, as the ingestor sees them behind
 *  ingestor/source.h; and the dead letters. Each partition has at most one member in the
 *  group's view. A member that was frozen for longer than the session time-out, and one that
 *  has not asked yet, may go on reading as a former one.
 */
#ifndef HOTPATH_MODEL_SIM_KAFKA_H
#define HOTPATH_MODEL_SIM_KAFKA_H

#include <stdbool.h>
#include <stdint.h>
#include "ingestor/dead_letters.h"
#include "ingestor/source.h"
#include "sim.h"

void sim_kafka_begin (void);
void sim_kafka_end (void);

/*  A member joins (the source of one life of an ingestor); destroy leaves. */
source_t *sim_kafka_source_new (const source_events_t *events);
dead_letters_t *sim_kafka_letters_new (void);

/*  One step of the producers and of the group's coordinator. */
void sim_kafka_step (void);
/*  All that is produced from now on is produced at once, and the added partition is there. */
void sim_kafka_calm (void);
/*  The next partition that is to be added appears; false: none is. */
bool sim_kafka_add_partition (void);
/*  Deletes events that every shard has durable, of some partition. */
void sim_kafka_expire (void);
/*  A partition moves to another member, where there are several. */
void sim_kafka_rebalance (void);

/*  Offset committed, or -1. */
int64_t sim_kafka_committed (uint32_t partition);
/*  Oldest offset kept. */
int64_t sim_kafka_oldest (uint32_t partition);
/*  Are all records of it produced? */
bool sim_kafka_all_produced (void);
/*  Is the letter of this message acknowledged? */
bool sim_kafka_has_letter (uint32_t partition, int64_t offset);

#endif
