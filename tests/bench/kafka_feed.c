#include "kafka_feed.h"

#include "common/memory.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#define FLUSH_MS_MAX      120000
#define FULL_WAIT_MS      20
#define METADATA_MS_MAX   10000
#define POLL_EVERY        1024u
#define SETTING_BYTES_MAX 32

struct kafka_feed {
    rd_kafka_t *producer;
    rd_kafka_topic_t *topic;
    uint64_t sent_count, failed_count;
    int32_t partition_count;
};

static void on_delivery (rd_kafka_t *producer, const rd_kafka_message_t *message, void *arg)
{
    kafka_feed_t *self = arg;
    (void)producer;
    if (message->err && self->failed_count++ == 0)
        fprintf (stderr, "make_events: Kafka: %s\n", rd_kafka_err2str (message->err));
}

static rd_kafka_t *producer_new (kafka_feed_t *self, const char *brokers, const char *compression,
                                 int64_t linger_ms)
{
    char error[256], linger[SETTING_BYTES_MAX];
    snprintf (linger, sizeof linger, "%ld", (long)linger_ms);
    const char *const settings[][2] = {
        {"bootstrap.servers", brokers}, {"compression.type", compression}, {"linger.ms", linger},
        {"batch.size", "1048576"},      {"acks", "all"},                   {"log_level", "3"},
        {"queue.buffering.max.messages", "1000000"},
        {"enable.idempotence", "true"}, /* else a retry may change the order, and events come late */
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    rd_kafka_conf_set_opaque (conf, self);
    rd_kafka_conf_set_dr_msg_cb (conf, on_delivery);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set (conf, settings[i][0], settings[i][1], error, sizeof error)) {
            fprintf (stderr, "make_events: %s\n", error);
            rd_kafka_conf_destroy (conf);
            return NULL;
        }
    rd_kafka_t *producer = rd_kafka_new (RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!producer) {
        fprintf (stderr, "make_events: %s\n", error);
        rd_kafka_conf_destroy (conf);
    }
    return producer;
}

kafka_feed_t *kafka_feed_new (const char *brokers, const char *topic, const char *compression,
                              int64_t linger_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    kafka_feed_t *self = memory_new (sizeof *self);
    self->producer = producer_new (self, brokers, compression, linger_ms);
    if (self->producer)
        self->topic = rd_kafka_topic_new (self->producer, topic, NULL);
    if (self->topic &&
        !rd_kafka_metadata (self->producer, 0, self->topic, &metadata, METADATA_MS_MAX))
        self->partition_count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    if (metadata)
        rd_kafka_metadata_destroy (metadata);
    if (self->partition_count == 0) {
        fprintf (stderr, "make_events: topic %s was not found\n", topic);
        kafka_feed_destroy (&self);
    }
    return self;
}

int kafka_feed_send (kafka_feed_t *self, span_t message, int64_t time_ms)
{
    int32_t partition = (int32_t)(self->sent_count % (uint64_t)self->partition_count);
    for (;;) {
        rd_kafka_resp_err_t error = rd_kafka_producev (
            self->producer, RD_KAFKA_V_RKT (self->topic), RD_KAFKA_V_PARTITION (partition),
            RD_KAFKA_V_VALUE ((void *)message.bytes, message.size),
            RD_KAFKA_V_MSGFLAGS (RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP (time_ms),
            RD_KAFKA_V_END);
        if (!error)
            break;
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            fprintf (stderr, "make_events: Kafka: %s\n", rd_kafka_err2str (error));
            return -1;
        }
        rd_kafka_poll (self->producer, FULL_WAIT_MS);
    }
    if (++self->sent_count % POLL_EVERY == 0)
        kafka_feed_poll (self);
    return self->failed_count ? -1 : 0;
}

void kafka_feed_poll (kafka_feed_t *self)
{
    rd_kafka_poll (self->producer, 0);
}

int kafka_feed_flush (kafka_feed_t *self)
{
    if (rd_kafka_flush (self->producer, FLUSH_MS_MAX)) {
        fprintf (stderr, "make_events: Kafka took too long\n");
        return -1;
    }
    return self->failed_count ? -1 : 0;
}

void kafka_feed_destroy (kafka_feed_t **self_p)
{
    kafka_feed_t *self = *self_p;
    if (!self)
        return;
    if (self->topic)
        rd_kafka_topic_destroy (self->topic);
    if (self->producer)
        rd_kafka_destroy (self->producer);
    free (self);
    *self_p = NULL;
}
