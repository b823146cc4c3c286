/*  kafka_dead_letters: see kafka_dead_letters.h. */
#include "ingestor/kafka_dead_letters.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"
#include "ingestor/generation.h"
#include "ingestor/kafka_client.h"
#include "ingestor/pending_counts.h"

enum {
    FLUSH_MS_MAX = 5000,
    RETRY_INTERVAL_MS = 1000,
    HEAD_BYTES = 64 << 10, /* what is kept of a value that the topic does not take */
};

/*  Without a time limit a message waits for the brokers as long as they are away. */
static const kafka_default_t defaults[] = {
    {"message.timeout.ms", "0", true},
    {"acks", "all", true},
    {"client.id", "hotpath-ingestor-dead-letters", false},
    {"message.max.bytes", "4194304", false},
    {"queue.buffering.max.messages", "10000", false},
    {"queue.buffering.max.kbytes", "65536", false},
    {"linger.ms", "20", false},
    {"compression.type", "lz4", false},
    {"reconnect.backoff.max.ms", "2000", false},
    {NULL, NULL, false},
};

/*  One that was sent and refused; waits to be sent again. */
typedef struct letter letter_t;
struct letter {
    letter_t *next;
    uint32_t partition;
    void *value, *key;
    size_t value_size, key_size;
    rd_kafka_headers_t *headers;
};

typedef struct {
    dead_letters_t base;
    rd_kafka_t *handle;
    char *topic;
    pending_counts_t pending;
    letter_t *refused;
    int64_t retry_ms; /* refused ones are not sent before this (clock_ms) */
    bool closing;
} kafka_dead_letters_t;

static void letter_destroy (letter_t **self_p)
{
    letter_t *self = *self_p;
    *self_p = NULL;
    if (self->headers)
        rd_kafka_headers_destroy (self->headers);
    free (self->value);
    free (self->key);
    free (self);
}

/*  Takes the headers on success. */
static rd_kafka_resp_err_t send_letter (kafka_dead_letters_t *self, uint32_t partition,
                                        span_t value, span_t key, rd_kafka_headers_t *headers)
{
    return rd_kafka_producev (
        self->handle, RD_KAFKA_V_TOPIC (self->topic), RD_KAFKA_V_MSGFLAGS (RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE ((void *)(uintptr_t)value.bytes, value.size),
        RD_KAFKA_V_KEY ((void *)(uintptr_t)key.bytes, key.size), RD_KAFKA_V_HEADERS (headers),
        RD_KAFKA_V_OPAQUE ((void *)(uintptr_t)partition), RD_KAFKA_V_END);
}

static void *copy_bytes (const void *bytes, size_t size)
{
    return bytes ? memory_copy_string (bytes, size) : NULL;
}

/*  The brokers did not take it: kept, to be sent again. One that is too large for the topic is cut.
 */
static void keep_refused (kafka_dead_letters_t *self, const rd_kafka_message_t *message,
                          uint32_t partition)
{
    letter_t *letter = memory_new (sizeof *letter);
    letter->partition = partition;
    letter->value_size = message->len;
    rd_kafka_message_detach_headers ((rd_kafka_message_t *)(uintptr_t)message, &letter->headers);
    if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && message->len > HEAD_BYTES) {
        letter->value_size = HEAD_BYTES;
        if (letter->headers) {
            rd_kafka_header_remove (letter->headers, "truncated");
            rd_kafka_header_add (letter->headers, "truncated", -1, "true", -1);
        }
    }
    letter->value = copy_bytes (message->payload, letter->value_size);
    letter->key = copy_bytes (message->key, message->key_len);
    letter->key_size = message->key_len;
    letter->next = self->refused;
    self->refused = letter;
    self->retry_ms = clock_ms () + RETRY_INTERVAL_MS;
}

/*  Called by rd_kafka_poll for each record that was taken or refused. */
static void on_delivery (rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    kafka_dead_letters_t *self = opaque;
    uint32_t partition = (uint32_t)(uintptr_t)message->_private;
    if (!message->err) {
        CRASH_POINT (LETTER_SAFE);
        pending_counts_subtract (&self->pending, partition);
        return;
    }
    if (self->closing)
        return;
    log_error ("Kafka did not take a dead letter; trying again", F_STR ("topic", self->topic),
               F_STR ("error", rd_kafka_err2str (message->err)));
    keep_refused (self, message, partition);
}

static void send_refused (kafka_dead_letters_t *self)
{
    if (!self->refused || clock_ms () < self->retry_ms)
        return;
    letter_t *letters = self->refused;
    self->refused = NULL;
    while (letters) {
        letter_t *letter = letters;
        letters = letter->next;
        rd_kafka_resp_err_t code =
            send_letter (self, letter->partition, (span_t){letter->value, letter->value_size},
                         (span_t){letter->key, letter->key_size}, letter->headers);
        if (!code) {
            letter->headers = NULL;
            letter_destroy (&letter);
            continue;
        }
        letter->next = self->refused;
        self->refused = letter;
        self->retry_ms = clock_ms () + RETRY_INTERVAL_MS;
    }
}

static void add_number (rd_kafka_headers_t *headers, const char *name, int64_t number)
{
    char text[32];
    snprintf (text, sizeof text, "%" PRId64, number);
    rd_kafka_header_add (headers, name, -1, text, -1);
}

static rd_kafka_headers_t *headers_of (const source_record_t *record, const char *partition_name,
                                       event_reason_t reason, int64_t now_ms)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new (8);
    span_t place; /* whatever the generation */
    generation_parse (span_of (partition_name), &place);
    const char *slash = memrchr (place.bytes, '/', place.size);
    const char *number = slash ? slash + 1 : place.bytes + place.size;
    ssize_t topic_size = slash ? slash - place.bytes : (ssize_t)place.size;
    bool truncated = record->value_bytes > record->value.size;
    rd_kafka_header_add (headers, "topic", -1, partition_name, topic_size);
    rd_kafka_header_add (headers, "partition", -1, number, place.bytes + place.size - number);
    add_number (headers, "offset", record->offset);
    rd_kafka_header_add (headers, "reason", -1, event_reason_name (reason), -1);
    add_number (headers, "time", now_ms);
    add_number (headers, "size", (int64_t)record->value_bytes);
    rd_kafka_header_add (headers, "truncated", -1, truncated ? "true" : "false", -1);
    return headers;
}

static outcome_t do_add (dead_letters_t *base, const source_record_t *record,
                         const char *partition_name, event_reason_t reason, int64_t now_ms)
{
    kafka_dead_letters_t *self = (kafka_dead_letters_t *)base;
    rd_kafka_headers_t *headers = headers_of (record, partition_name, reason, now_ms);
    rd_kafka_resp_err_t code =
        send_letter (self, record->partition, record->value, record->key, headers);
    if (!code) {
        pending_counts_add (&self->pending, record->partition);
        return OUTCOME_OK;
    }
    rd_kafka_headers_destroy (headers);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return OUTCOME_RETRY;
    log_error ("Kafka does not take a dead letter; trying again", F_STR ("topic", self->topic),
               F_STR ("error", rd_kafka_err2str (code)));
    return OUTCOME_ERROR;
}

static void do_poll (dead_letters_t *base)
{
    kafka_dead_letters_t *self = (kafka_dead_letters_t *)base;
    rd_kafka_poll (self->handle, 0);
    send_refused (self);
}

static bool is_pending (const dead_letters_t *base, uint32_t partition)
{
    const kafka_dead_letters_t *self = (const kafka_dead_letters_t *)base;
    return pending_counts_get (&self->pending, partition) > 0;
}

static void do_destroy (dead_letters_t **base_p)
{
    kafka_dead_letters_t *self = (kafka_dead_letters_t *)*base_p;
    if (!self)
        return;
    *base_p = NULL;
    if (self->handle) {
        if (rd_kafka_flush (self->handle, FLUSH_MS_MAX) || self->refused)
            log_error ("dead letters are not sent; their messages will come again",
                       F_STR ("topic", self->topic),
                       F_INT ("count", rd_kafka_outq_len (self->handle)));
        self->closing = true;
        rd_kafka_purge (self->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush (self->handle, 0);
        if (kafka_client_bounded (rd_kafka_destroy, self->handle, FLUSH_MS_MAX)) {
            log_warning ("Kafka: the producer did not end in time");
            return;
        }
    }
    while (self->refused) {
        letter_t *letter = self->refused;
        self->refused = letter->next;
        letter_destroy (&letter);
    }
    pending_counts_free (&self->pending);
    free (self->topic);
    free (self);
}

static const dead_letters_ops_t kafka_dead_letters_ops = {
    .destroy = do_destroy,
    .add = do_add,
    .poll = do_poll,
    .pending = is_pending,
};

dead_letters_t *kafka_dead_letters_new (const kafka_settings_t *kafka, const char *topic,
                                        char *error, size_t error_size)
{
    kafka_dead_letters_t *self = memory_new (sizeof *self);
    self->base.ops = &kafka_dead_letters_ops;
    self->topic = memory_copy_string (topic, strlen (topic));
    rd_kafka_conf_t *conf = kafka_client_conf (kafka, defaults, error, error_size);
    if (conf) {
        rd_kafka_conf_set_opaque (conf, self);
        rd_kafka_conf_set_dr_msg_cb (conf, on_delivery);
        self->handle = kafka_client_new (RD_KAFKA_PRODUCER, &conf, error, error_size);
    }
    if (self->handle)
        return &self->base;
    dead_letters_t *base = &self->base;
    do_destroy (&base);
    return NULL;
}
