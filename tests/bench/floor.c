/*  floor: the least that any pipeline must do with the benchmark's events, so that its cost has
 *  something to be compared with: read them (a file by read (), or Kafka by librdkafka's
 *  rd_kafka_consumer_poll), and parse each: JSON with yyjson, msgpack by walking over its tokens. One
 *  thread of ours; librdkafka has its own, which count. It looks at no field, keeps nothing and sends
 *  nothing.
 *
 *      floor file PATH parse|read
 *      floor kafka BROKERS TOPIC COUNT parse|parse-msgpack|read
 *
 *  Prints one JSON line: events, bytes, cpu_seconds (user and system, all threads), wall_seconds.
 */
#include "common/memory.h"

#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

#define BLOCK_BYTES  (1u << 20)
#define POOL_BYTES   (256u << 10)
#define SILENCE_MS   30000
#define TOPIC_MS_MAX 10000

typedef struct {
    bool parses, is_msgpack;
    char *pool_bytes;
    yyjson_alc pool;
    uint64_t event_count;
    uint64_t byte_count;
} floor_t;

static double now_seconds (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds (void)
{
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/*  Bytes of the head and the body of the msgpack value at `at`, and in *inside how many values follow
 *  within it; 0 for what the maker does not write. */
static size_t msgpack_step (const uint8_t *at, size_t size, size_t *inside)
{
    static const uint8_t FIXED[] = {5, 9, 2, 3, 5, 9, 2, 3, 5, 9}; /* from 0xca: float 32 to int 64 */
    uint8_t head = *at;
    *inside = head >= 0x80 && head < 0x90 ? 2u * (head & 15u) : head >> 4 == 9 ? head & 15u : 0;
    if (head < 0xa0 || head >= 0xe0 || head == 0xc0 || head == 0xc2 || head == 0xc3)
        return 1;
    if (head < 0xc0)
        return 1u + (head & 31u);
    if (head >= 0xca && head < 0xca + sizeof FIXED)
        return FIXED[head - 0xca];
    return head == 0xd9 && size > 1 ? 2u + at[1] : 0;
}

/*  0, or -1 if it is not one msgpack value. */
static int walk_msgpack (const uint8_t *at, size_t size)
{
    for (size_t left = 1, inside; left; left += inside - 1) {
        size_t step = size ? msgpack_step (at, size, &inside) : 0;
        if (step == 0 || step > size)
            return -1;
        at += step;
        size -= step;
    }
    return size ? -1 : 0;
}

/*  0, or -1 if it is not JSON (msgpack). */
static int take (floor_t *self, char *bytes, size_t size)
{
    self->event_count++;
    self->byte_count += size;
    if (!self->parses)
        return 0;
    if (self->is_msgpack) {
        int bad = walk_msgpack ((const uint8_t *)bytes, size);
        if (bad)
            fprintf (stderr, "floor: event %lu is not msgpack\n", (unsigned long)self->event_count);
        return bad;
    }
    yyjson_alc_pool_init (&self->pool, self->pool_bytes, POOL_BYTES);
    yyjson_doc *doc = yyjson_read_opts (bytes, size, 0, &self->pool, NULL);
    if (!doc) {
        fprintf (stderr, "floor: event %lu is not JSON\n", (unsigned long)self->event_count);
        return -1;
    }
    yyjson_doc_free (doc);
    return 0;
}

static int read_file (floor_t *self, const char *path)
{
    int result = -1;
    size_t held = 0;
    char *block = memory_new (BLOCK_BYTES);
    int file = open (path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        perror (path);
        goto cleanup;
    }
    for (;;) {
        ssize_t got = read (file, block + held, BLOCK_BYTES - held);
        if (got < 0)
            perror (path);
        if (got <= 0) {
            result = got == 0 && held == 0 ? 0 : -1;
            break;
        }
        size_t size = held + (size_t)got, at = 0;
        char *end;
        while ((end = memchr (block + at, '\n', size - at))) {
            if (take (self, block + at, (size_t)(end - block) - at))
                goto cleanup;
            at = (size_t)(end - block) + 1;
        }
        held = size - at;
        memmove (block, block + at, held);
    }
cleanup:
    if (file >= 0)
        close (file);
    free (block);
    return result;
}

static rd_kafka_t *consumer_new (const char *brokers)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    const char *const settings[][2] = {
        {"bootstrap.servers", brokers},
        {"group.id", "hotpath-bench-floor"},
        {"enable.auto.commit", "false"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set (conf, settings[i][0], settings[i][1], error, sizeof error)) {
            fprintf (stderr, "floor: %s\n", error);
            rd_kafka_conf_destroy (conf);
            return NULL;
        }
    rd_kafka_t *consumer = rd_kafka_new (RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (!consumer) {
        fprintf (stderr, "floor: %s\n", error);
        rd_kafka_conf_destroy (conf);
        return NULL;
    }
    rd_kafka_poll_set_consumer (consumer);
    return consumer;
}

/*  Assigns all partitions of the topic from their beginning; 0, or -1 said on stderr. */
static int assign_all (rd_kafka_t *consumer, const char *topic)
{
    int result = -1;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (4);
    rd_kafka_topic_t *handle = rd_kafka_topic_new (consumer, topic, NULL);
    if (!handle || rd_kafka_metadata (consumer, 0, handle, &metadata, TOPIC_MS_MAX) ||
        metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt == 0) {
        fprintf (stderr, "floor: topic %s was not found\n", topic);
        goto cleanup;
    }
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add (list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    result = rd_kafka_assign (consumer, list) ? -1 : 0;
cleanup:
    if (metadata)
        rd_kafka_metadata_destroy (metadata);
    if (handle)
        rd_kafka_topic_destroy (handle);
    rd_kafka_topic_partition_list_destroy (list);
    return result;
}

static int read_kafka (floor_t *self, const char *brokers, const char *topic, uint64_t count)
{
    int result = -1;
    rd_kafka_t *consumer = consumer_new (brokers);
    if (!consumer)
        return -1;
    if (assign_all (consumer, topic))
        goto cleanup;
    while (self->event_count < count) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll (consumer, SILENCE_MS);
        if (!message || message->err) {
            fprintf (stderr, "floor: %s after %lu events\n",
                     message ? rd_kafka_message_errstr (message) : "silence",
                     (unsigned long)self->event_count);
            if (message)
                rd_kafka_message_destroy (message);
            goto cleanup;
        }
        int taken = take (self, message->payload, message->len);
        rd_kafka_message_destroy (message);
        if (taken)
            goto cleanup;
    }
    result = 0;
cleanup:
    rd_kafka_consumer_close (consumer);
    rd_kafka_destroy (consumer);
    return result;
}

int main (int argc, char **argv)
{
    bool file = argc == 4 && strcmp (argv[1], "file") == 0;
    bool kafka = argc == 6 && strcmp (argv[1], "kafka") == 0;
    const char *mode = argv[argc - 1];
    bool msgpack = kafka && strcmp (mode, "parse-msgpack") == 0;
    bool parses = msgpack || strcmp (mode, "parse") == 0;
    if ((!file && !kafka) || (!parses && strcmp (mode, "read") != 0)) {
        fprintf (stderr, "usage: floor file PATH parse|read\n"
                         "       floor kafka BROKERS TOPIC COUNT parse|parse-msgpack|read\n");
        return 64;
    }
    floor_t self = {
        .parses = parses, .is_msgpack = msgpack, .pool_bytes = memory_new (POOL_BYTES)};
    double began = now_seconds ();
    int failed = file ? read_file (&self, argv[2])
                      : read_kafka (&self, argv[2], argv[3], strtoull (argv[4], NULL, 10));
    if (!failed)
        printf (
            "{\"events\": %lu, \"bytes\": %lu, \"cpu_seconds\": %.6f, \"wall_seconds\": %.6f}\n",
            (unsigned long)self.event_count, (unsigned long)self.byte_count, cpu_seconds (),
            now_seconds () - began);
    free (self.pool_bytes);
    return failed ? 1 : 0;
}
