/*  kafka_open: checks the settings of a Kafka source, connects, lists the partitions and subscribes. Private to
 *  kafka_source.
 */
#ifndef HOTPATH_KAFKA_OPEN_H
#define HOTPATH_KAFKA_OPEN_H

#include "ingestor/kafka_source.h"
#include "ingestor/kafka_state.h"

/*  self has its wake and once. 0, or an exit code (see kafka_source_new) with a message in error. */
int kafka_open (kafka_source_t *self, const kafka_source_settings_t *settings, char *error,
                size_t error_size);

#endif
