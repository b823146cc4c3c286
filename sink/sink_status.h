/*  sink_status: what the sink says of its progress, and its metrics. Reads, and changes nothing. */
#ifndef HOTPATH_SINK_SINK_STATUS_H
#define HOTPATH_SINK_SINK_STATUS_H

#include <stdint.h>
#include "common/counters.h"
#include "common/outcome.h"
#include "common/readiness.h"
#include "sink/gather.h"
#include "sink/redis_writer.h"
#include "sink/result_chain.h"

enum { SINK_VERDICTS = CHAIN_MARK + 1 };

/*  What this life of the sink has done. */
typedef struct {
    uint64_t results[SINK_VERDICTS];               /* that came, by chain_verdict_t */
    uint64_t rankings[2], metrics[2], profiles[2]; /* written: [0] ok, [1] refused by Redis */
    uint64_t incomplete;                           /* published without some shards' parts */
    uint64_t unreadable;
} sink_counts_t;

/*  All borrowed for as long as status is served. */
typedef struct {
    const sink_counts_t *counts;
    const redis_writer_t *writer;
    const gather_t *gather;
    const redis_url_t *redis;
} sink_view_t;

/*  arg is a sink_view_t. */
void sink_tell_readiness (void *arg, readiness_t *readiness, int64_t now_ms);
void sink_tell_metrics (void *arg, counters_t *counters, int64_t now_ms);

#endif
