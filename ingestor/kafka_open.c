/*  kafka_open: see kafka_open.h. */
#include "ingestor/kafka_open.h"
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include "common/clock.h"
#include "ingestor/kafka_client.h"
#include "ingestor/kafka_commit.h"
#include "ingestor/kafka_fetch.h"
#include "ingestor/kafka_group.h"

enum { FETCH_WAIT_MS_MAX = 1000 }; /* an end must be known while it is news (idleness.h) */

/*  Cooperative: partitions are added and taken one by one, so that one can be started (or begun
 * anew) without disturbing what was fetched of the others. The fetch backoff of librdkafka (a
 * second, once a queue was full) would let a fast reader run dry. */
static const kafka_default_t defaults[] = {
    {"group.id", "hotpath", true}, /* set again from the settings */
    {"enable.auto.commit", "false", true},
    {"enable.auto.offset.store", "false", true},
    {"auto.offset.reset", "error", true},
    {"enable.partition.eof", "true", true},
    {"partition.assignment.strategy", "cooperative-sticky", true},
    /* One that is killed gives its partitions back after this. Heartbeats come from a thread of
     * their own, whatever the reading waits for. */
    {"session.timeout.ms", "10000", false},
    {"isolation.level", "read_committed", false},
    {"client.id", "hotpath-ingestor", false},
    {"topic.metadata.refresh.interval.ms", "5000", false},
    {"queued.max.messages.kbytes", "4096", false},
    {"queued.min.messages", "100000", false},
    {"fetch.max.bytes", "8388608", false},
    {"fetch.wait.max.ms", "100", false},
    {"fetch.queue.backoff.ms", "5", false},
    {"reconnect.backoff.max.ms", "2000", false},
    {NULL, NULL, false},
};

/*  Checks what can be checked without a broker; 0 or an exit code with a message. */
static int check_settings (kafka_source_t *self, const kafka_source_settings_t *settings,
                           char *error, size_t error_size)
{
    if (kafka_table_init (&self->table, settings->topics, error, error_size))
        return EX_USAGE;
    if (kafka_from_parse (settings->from, &self->from, &self->from_time_ms)) {
        snprintf (error, error_size, "from %s: none of earliest, latest, a time", settings->from);
        return EX_USAGE;
    }
    if (settings->dead_letters_topic &&
        kafka_table_matches (&self->table, settings->dead_letters_topic)) {
        snprintf (error, error_size, "topics %s matches the topic of dead letters, %s",
                  settings->topics, settings->dead_letters_topic);
        return EX_CONFIG;
    }
    return 0;
}

/*  0, or -1 with a message: where a broker keeps an answer for long, no partition would be known to be at its
 *  end, and none idle. */
static int check_fetch_wait (const rd_kafka_conf_t *conf, char *error, size_t error_size)
{
    char text[32];
    size_t size = sizeof text;
    if (rd_kafka_conf_get (conf, "fetch.wait.max.ms", text, &size) ||
        atoi (text) <= FETCH_WAIT_MS_MAX)
        return 0;
    snprintf (error, error_size, "-X fetch.wait.max.ms=%s: at most %d", text, FETCH_WAIT_MS_MAX);
    return -1;
}

static int make_handle (kafka_source_t *self, const kafka_source_settings_t *settings, char *error,
                        size_t error_size)
{
    rd_kafka_conf_t *conf = kafka_client_conf (&settings->kafka, defaults, error, error_size);
    if (!conf)
        return EX_USAGE;
    char reason[256] = "";
    if (rd_kafka_conf_set (conf, "group.id", settings->group, reason, sizeof reason)) {
        snprintf (error, error_size, "group %s: %s", settings->group, reason);
        rd_kafka_conf_destroy (conf);
        return EX_USAGE;
    }
    if (check_fetch_wait (conf, error, error_size)) {
        rd_kafka_conf_destroy (conf);
        return EX_USAGE;
    }
    self->group = settings->group;
    rd_kafka_conf_set_opaque (conf, self);
    rd_kafka_conf_set_rebalance_cb (conf, kafka_group_rebalance);
    rd_kafka_conf_set_offset_commit_cb (conf, kafka_commit_on_answer);
    self->handle = kafka_client_new (RD_KAFKA_CONSUMER, &conf, error, error_size);
    if (!self->handle)
        return EX_USAGE;
    rd_kafka_poll_set_consumer (self->handle);
    self->group_queue = rd_kafka_queue_get_consumer (self->handle);
    rd_kafka_queue_io_event_enable (self->group_queue, self->wake, &kafka_fetch_wake_payload,
                                    sizeof kafka_fetch_wake_payload);
    return 0;
}

/*  The first list, and with once all ends, until the deadline. */
static int connect_and_list (kafka_source_t *self, const kafka_source_settings_t *settings,
                             char *error, size_t error_size)
{
    int64_t deadline_ms = clock_ms () + settings->connect_ms_max;
    rd_kafka_resp_err_t code;
    if (kafka_table_list (&self->table, self->handle, (int)settings->connect_ms_max, &code)) {
        snprintf (error, error_size, "no answer from the Kafka brokers %s: %s",
                  settings->kafka.brokers, rd_kafka_err2str (code));
        return EX_UNAVAILABLE;
    }
    self->listed_ms = self->heard_ms = clock_ms ();
    for (uint32_t i = 0; self->once && i < self->table.count; i++) {
        kafka_partition_t *partition = self->table.partitions[i];
        int64_t oldest;
        while (kafka_offsets_range (self->handle, kafka_partition_place (partition), &oldest,
                                    &partition->recorded_end)) {
            partition->recorded_end = -1;
            if (clock_ms () < deadline_ms)
                continue;
            snprintf (error, error_size, "no answer from the Kafka brokers %s about %s",
                      settings->kafka.brokers, partition->name);
            return EX_UNAVAILABLE;
        }
    }
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new (1);
    rd_kafka_topic_partition_list_add (topics, settings->topics, RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe (self->handle, topics);
    rd_kafka_topic_partition_list_destroy (topics);
    if (!code)
        return 0;
    snprintf (error, error_size, "topics %s: %s", settings->topics, rd_kafka_err2str (code));
    return EX_USAGE;
}

int kafka_open (kafka_source_t *self, const kafka_source_settings_t *settings, char *error,
                size_t error_size)
{
    int code = check_settings (self, settings, error, error_size);
    if (!code)
        code = make_handle (self, settings, error, error_size);
    if (!code)
        code = connect_and_list (self, settings, error, error_size);
    return code;
}
