/*  kafka_settings: how to reach Kafka. Plain data; no librdkafka here. */
#ifndef HOTPATH_KAFKA_SETTINGS_H
#define HOTPATH_KAFKA_SETTINGS_H

#include <stddef.h>

typedef struct {
    const char *brokers;       /* "host:port,…" */
    const char *const *extras; /* librdkafka settings, "name=value" each, in order */
    size_t extra_count;
} kafka_settings_t;

#endif
