/*  kafka_offsets: see kafka_offsets.h. */
#include "ingestor/kafka_offsets.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/event_time.h"
#include "common/log.h"
#include "common/memory.h"
#include "ingestor/generation.h"
#include "ingestor/kafka_client.h"

#define ORIGIN_KEY     "origin="
#define GENERATION_KEY " generation="

enum { MARK_BYTES_MAX = 64 };

int kafka_from_parse (const char *text, kafka_from_t *from, int64_t *time_ms)
{
    *time_ms = 0;
    *from = KAFKA_FROM_TIME;
    if (strcmp (text, "earliest") == 0) {
        *from = KAFKA_FROM_EARLIEST;
        return 0;
    }
    if (strcmp (text, "latest") == 0) {
        *from = KAFKA_FROM_LATEST;
        return 0;
    }
    if (!*text || strlen (text) > 32)
        return -1;
    if (strspn (text, "0123456789") == strlen (text)) {
        errno = 0;
        *time_ms = strtoll (text, NULL, 10);
        return errno ? -1 : 0;
    }
    return event_time_from_text (span_of (text), time_ms);
}

static outcome_t answer_of (rd_kafka_resp_err_t code, const char *question, kafka_place_t place)
{
    if (!code)
        return OUTCOME_OK;
    log_warning ("Kafka did not answer; trying again", F_STR ("question", question),
                 F_STR ("topic", place.topic), F_INT ("partition", place.partition),
                 F_STR ("error", rd_kafka_err2str (code)));
    return OUTCOME_RETRY;
}

static rd_kafka_topic_partition_list_t *list_of (kafka_place_t place, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (1);
    rd_kafka_topic_partition_list_add (list, place.topic, place.partition)->offset = offset;
    return list;
}

/*  Asks for the first offset at or after a time, or at one of the times BEGINNING and END. */
static rd_kafka_resp_err_t ask_offset (rd_kafka_t *handle, kafka_place_t place, int64_t time_ms,
                                       int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = list_of (place, time_ms);
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times (handle, list, KAFKA_ASK_MS_MAX);
    if (!code)
        code = list->elems[0].err;
    *offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy (list);
    return code;
}

/*  Not rd_kafka_query_watermark_offsets, which sends the same request but waits without a bound
 * while a known broker is away (librdkafka 2.0). */
outcome_t kafka_offsets_range (rd_kafka_t *handle, kafka_place_t place, int64_t *oldest,
                               int64_t *end)
{
    rd_kafka_resp_err_t code = ask_offset (handle, place, RD_KAFKA_OFFSET_BEGINNING, oldest);
    if (!code)
        code = ask_offset (handle, place, RD_KAFKA_OFFSET_END, end);
    if (!code && (*oldest < 0 || *end < *oldest))
        code = RD_KAFKA_RESP_ERR__BAD_MSG;
    return answer_of (code, "range of offsets", place);
}

/*  Reads key and digits at *text and moves behind them; -1 where they are not there. */
static int64_t take_number (const char **text, const char *key)
{
    size_t size = strlen (key);
    if (strncmp (*text, key, size) != 0)
        return -1;
    const char *digits = *text + size;
    size_t count = strspn (digits, "0123456789");
    if (count == 0 || count > 18)
        return -1;
    *text = digits + count;
    return strtoll (digits, NULL, 10);
}

kafka_mark_t kafka_mark_parse (const void *metadata, size_t size)
{
    const kafka_mark_t unknown = {-1, 0};
    char text[MARK_BYTES_MAX];
    if (!metadata || size >= sizeof text)
        return unknown;
    memcpy (text, metadata, size);
    text[size] = '\0';
    const char *at = text;
    int64_t origin = take_number (&at, ORIGIN_KEY);
    int64_t generation = *at ? take_number (&at, GENERATION_KEY) : 0;
    if (origin < 0 || generation < 0 || generation > GENERATION_MAX || at != text + size)
        return unknown;
    return (kafka_mark_t){origin, (uint32_t)generation};
}

outcome_t kafka_offsets_committed (rd_kafka_t *handle, kafka_place_t place, int64_t *offset,
                                   kafka_mark_t *mark)
{
    rd_kafka_topic_partition_list_t *list = list_of (place, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t code = rd_kafka_committed (handle, list, KAFKA_ASK_MS_MAX);
    if (!code)
        code = list->elems[0].err;
    *offset = list->elems[0].offset >= 0 ? list->elems[0].offset : -1;
    *mark = kafka_mark_parse (list->elems[0].metadata, list->elems[0].metadata_size);
    rd_kafka_topic_partition_list_destroy (list);
    return answer_of (code, "committed offset", place);
}

outcome_t kafka_offsets_at_time (rd_kafka_t *handle, kafka_place_t place, int64_t time_ms,
                                 int64_t end, int64_t *offset)
{
    rd_kafka_resp_err_t code = ask_offset (handle, place, time_ms, offset);
    if (*offset < 0)
        *offset = end;
    return answer_of (code, "offset of a time", place);
}

void kafka_offsets_add_commit (rd_kafka_topic_partition_list_t *list, kafka_place_t place,
                               int64_t next, kafka_mark_t mark)
{
    rd_kafka_topic_partition_t *entry =
        rd_kafka_topic_partition_list_add (list, place.topic, place.partition);
    entry->offset = next;
    if (mark.origin < 0)
        return;
    char text[MARK_BYTES_MAX];
    int size = snprintf (text, sizeof text, ORIGIN_KEY "%" PRId64, mark.origin);
    if (mark.generation)
        size += snprintf (text + size, sizeof text - (size_t)size, GENERATION_KEY "%" PRIu32,
                          mark.generation);
    /*  librdkafka frees it with free (). */
    entry->metadata = memory_copy_string (text, (size_t)size);
    entry->metadata_size = (size_t)size;
}

outcome_t kafka_offsets_commit_now (rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *list,
                                    int timeout_ms)
{
    if (!list->cnt)
        return OUTCOME_OK;
    rd_kafka_queue_t *answers = rd_kafka_queue_new (handle);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue (handle, list, answers, NULL, NULL);
    if (!code) {
        rd_kafka_event_t *event = rd_kafka_queue_poll (answers, timeout_ms);
        code = event ? rd_kafka_event_error (event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (event)
            rd_kafka_event_destroy (event);
    }
    rd_kafka_queue_destroy (answers);
    kafka_place_t first = {list->elems[0].topic, list->elems[0].partition};
    return answer_of (code, "commit", first);
}
