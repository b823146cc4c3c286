/*  kafka_source: a consumer group of Kafka as a source.
 *
 *  A partition is "topic/number", an offset is Kafka's. The group says which partitions are this
 *  ingestor's; the list of all of them is read from the brokers every few seconds. Where a
 * partition begins is the caller's to say (start): the group's commits only show the lag, and carry
 * in their metadata where the group once began ("origin=<offset>"), so that a shard that comes
 * later begins there too. Only what transactions have committed is read
 * (isolation.level=read_committed).
 *
 *  Each started partition has a queue of its own in librdkafka: to pause it is not to read that
 * queue, so it costs nothing, and what was fetched stays. It is bounded by
 * queued.max.messages.kbytes for each partition.
 *
 *  once: the last stable offsets are read once, by new; each partition ends there; what is listed
 * stays.
 *
 *  While the brokers are away, calls wait up to a second for them now and then (start, the list),
 * and are tried again. Not here: dead letters, what a message means.
 */
#ifndef HOTPATH_KAFKA_SOURCE_H
#define HOTPATH_KAFKA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ingestor/kafka_settings.h"
#include "ingestor/source.h"

typedef struct {
    kafka_settings_t kafka; /* borrowed texts, for the life of the source */
    const char *topics;     /* with ^ first an extended regular expression, else one topic's name */
    const char *group;
    const char *from;               /* "earliest", "latest", ms since the epoch or an ISO time */
    const char *dead_letters_topic; /* refused where `topics` matches it */
    bool once;
    int64_t list_interval_ms; /* between readings of the list, e.g. 5000 */
    int64_t connect_ms_max;   /* how long new waits for a broker, e.g. 10000 */
} kafka_source_settings_t;

/*  Connects, lists and subscribes. NULL with a message in error and *exit_code (sysexits): 64 for a
 *  setting that is wrong (named), 69 where no broker answers in time, 78 where the dead letters
 * would be read. `events` is copied. */
source_t *kafka_source_new (const kafka_source_settings_t *settings, const source_events_t *events,
                            char *error, size_t error_size, int *exit_code);

#endif
