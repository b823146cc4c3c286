/*  kafka_state: what the parts of kafka_source share. Private to them. */
#ifndef HOTPATH_KAFKA_STATE_H
#define HOTPATH_KAFKA_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include "ingestor/kafka_table.h"
#include "ingestor/source.h"

typedef struct {
    source_t base;
    source_events_t events;
    rd_kafka_t *handle;
    const char *group; /* borrowed */
    rd_kafka_queue_t *group_queue;
    rd_kafka_queue_t *commit_answers; /* kafka_commit; NULL: nothing was asked yet */
    bool commit_asked;
    int wake; /* an eventfd that librdkafka writes when something comes */
    kafka_table_t table;
    uint32_t turn; /* the partition that read last */
    bool once, closing;
    kafka_from_t from;
    int64_t from_time_ms, list_interval_ms, listed_ms, heard_ms, committed_ms;
    int64_t ask_after_ms; /* the brokers did not answer: not before this (clock_ms) */
} kafka_source_t;

#endif
