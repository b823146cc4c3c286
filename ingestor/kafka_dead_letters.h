/*  kafka_dead_letters: dead letters as records of a Kafka topic: the value is the message's bytes
 *  untouched (its first 64 KiB where it is too large), its key is kept, and headers say topic,
 * partition, offset, reason, time (when it was found, ms since the epoch), size, truncated (as
 * text). A record that the brokers do not take is sent again without end; meanwhile its partition
 * is pending.
 */
#ifndef HOTPATH_KAFKA_DEAD_LETTERS_H
#define HOTPATH_KAFKA_DEAD_LETTERS_H

#include <stddef.h>
#include "ingestor/dead_letters.h"
#include "ingestor/kafka_settings.h"

/*  Does not wait for a broker. The user's librdkafka settings hold here too. NULL with a message
 * that names the setting. */
dead_letters_t *kafka_dead_letters_new (const kafka_settings_t *kafka, const char *topic,
                                        char *error, size_t error_size);

#endif
