/*  kafka_client: what the Kafka consumer and the producer of dead letters share: making a
 * librdkafka handle from settings, with its log in ours. Private to the kafka_* files of this
 * folder.
 */
#ifndef HOTPATH_KAFKA_CLIENT_H
#define HOTPATH_KAFKA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <librdkafka/rdkafka.h>
#include "ingestor/kafka_settings.h"

typedef struct {
    const char *name, *value;
    bool own; /* hotpath relies on it: not to be set by the user */
} kafka_default_t;

/*  Fills a configuration: `defaults` (ended by a NULL name; a name that this librdkafka does not
 * know is passed over unless it is `own`), then brokers and the user's settings. Returns it, or
 * NULL with a message that names the setting. */
rd_kafka_conf_t *kafka_client_conf (const kafka_settings_t *settings,
                                    const kafka_default_t *defaults, char *error,
                                    size_t error_size);
/*  Makes a handle; takes *conf_p. NULL with a message. */
rd_kafka_t *kafka_client_new (rd_kafka_type_t type, rd_kafka_conf_t **conf_p, char *error,
                              size_t error_size);
/*  Runs a call of librdkafka that has no bound of its own (close, destroy) in a thread and waits at
 * most timeout_ms. -1: it goes on in that thread, so that the handle and what its callbacks use
 * must stay. */
int kafka_client_bounded (void (*call) (rd_kafka_t *handle), rd_kafka_t *handle, int timeout_ms);
/*  Milliseconds that one question to the brokers may take while the loop waits. */
enum { KAFKA_ASK_MS_MAX = 1000 };

#endif
