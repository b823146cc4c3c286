/*  kafka_table: all partitions of all topics that match, as last listed, and what the source knows
 * of each. Private to kafka_source. Not here: fetching, groups.
 */
#ifndef HOTPATH_KAFKA_TABLE_H
#define HOTPATH_KAFKA_TABLE_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <librdkafka/rdkafka.h>
#include "common/outcome.h"
#include "ingestor/generation.h"
#include "ingestor/kafka_offsets.h"

enum { KAFKA_BATCH_MAX = 256 };

typedef struct {
    uint32_t index;
    char *name; /* "topic/3", or that of a later generation */
    char *topic;
    int32_t number;
    generation_t generation;
    bool replaced; /* by a later generation: this one is no more */
    bool listed;
    uint32_t missed; /* lists without it, one after the other */
    bool gone;     /* its topic was deleted, as far as is known */
    bool own, told; /* own: the group gave it to us; told: assigned was called */
    bool started, paused;
    bool fetching;        /* librdkafka has it in its assignment */
    bool active;          /* its fetcher has answered, so that it can seek */
    bool failed;          /* its fetcher has stopped: it must be assigned anew */
    bool done;            /* with once: at its recorded end */
    int64_t position;     /* next offset to give */
    int64_t seek_to;      /* a seek that waits for the fetcher to be active, or -1 */
    int64_t recorded_end; /* with once: the end at the start, or -1 */
    int64_t end_told;     /* the end last told, or -1 */
    bool end_awaited;     /* kafka_end: asked and not answered */
    int64_t end_asked_ms; /* … when asked last, */
    int64_t end_known_ms; /* and when nothing was behind it (clock_ms); or 0 */
    bool out_of_range;    /* its offset was: to be asked of which range */
    bool lost;            /* to be told: */
    int64_t lost_wanted, lost_oldest, lost_end;
    bool origin_asked;
    bool suspect;         /* its topic was away, or its commit is: to be asked whether it was made anew */
    int64_t asked_at;     /* its position when the group's commit was asked for, … */
    int64_t known_at;     /* … and was there: what was given below is of the same topic */
    bool later;           /* it was not there when the source began */
    bool made_anew;       /* its topic, since it was read */
    bool had_commit;      /* in this life the group had one: if it is gone, so is the topic it was of */
    int64_t origin;       /* where the group once began, or -1 */
    int64_t durable;      /* to be committed, or -1 */
    int64_t committed;    /* asked to be committed, or -1 */
    int64_t ask_after_ms; /* a question about it was not answered: not before this (clock_ms) */
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *batch[KAFKA_BATCH_MAX]; /* fetched and not yet given: [from .. to) */
    uint32_t from, to;
    int64_t queued_peak_bytes; /* most that was queued since its broker's thread was woken */
} kafka_partition_t;

typedef struct {
    const char
        *pattern; /* borrowed; begins with ^: an extended regular expression, else a topic's name */
    regex_t regex;
    bool is_regex, changed; /* changed: the list is another since the caller cleared it */
    bool complete;          /* it was read once */
    kafka_partition_t **partitions;
    uint32_t count;
} kafka_table_t;

/*  0, or -1 with a message where the pattern is not a regular expression. */
int kafka_table_init (kafka_table_t *self, const char *pattern, char *error, size_t error_size);
/*  Frees all of it; batches must be dropped and queues released. */
void kafka_table_free (kafka_table_t *self);
bool kafka_table_matches (const kafka_table_t *self, const char *topic);
/*  The present generation of a partition, or NULL. */
kafka_partition_t *kafka_table_find (const kafka_table_t *self, const char *topic, int32_t number);
/*  The same; made (listed, generation 0) where it is new. */
kafka_partition_t *kafka_table_get (kafka_table_t *self, const char *topic, int32_t number);
/*  Puts a later generation in its place: another entry that owns what it owned. It must not be fetched. */
kafka_partition_t *kafka_table_replace (kafka_table_t *self, kafka_partition_t *partition,
                                        generation_t generation);
/*  Reads the list anew, waiting at most timeout_ms; on failure it stays and *code says why. */
outcome_t kafka_table_list (kafka_table_t *self, rd_kafka_t *handle, int timeout_ms,
                            rd_kafka_resp_err_t *code);
/*  Releases the messages that were fetched and not given. */
void kafka_partition_drop_batch (kafka_partition_t *self);
/*  Its start offset is not there: to be told by the next poll. */
void kafka_partition_lose (kafka_partition_t *partition, int64_t wanted, int64_t oldest,
                           int64_t end);
static inline kafka_place_t kafka_partition_place (const kafka_partition_t *self)
{
    return (kafka_place_t){self->topic, self->number};
}

#endif
