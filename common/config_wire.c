/*  config_wire: see config_wire.h. */
#include "common/config_wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { PORT_MAX = 65535 };

void config_wire_write_message (buffer_t *frame, span_t topic, const config_message_t *message)
{
    buffer_append (frame, topic.bytes, topic.size);
    pack_uint (frame, CONFIG_WIRE_VERSION);
    pack_uint (frame, message->kind);
    pack_uint (frame, message->incarnation);
    pack_uint (frame, message->sequence);
    pack_int (frame, message->wall_ms);
    pack_uint (frame, message->chunk);
    pack_uint (frame, message->chunk_count);
    pack_uint (frame, message->entry_count);
}

void config_wire_write_entry (buffer_t *frame, const config_entry_t *entry)
{
    pack_span (frame, entry->tenant);
    pack_span (frame, entry->scenario);
    pack_bool (frame, entry->active);
    pack_uint (frame, entry->era);
    pack_uint (frame, entry->number);
    pack_span (frame, entry->json);
}

bool config_wire_read_message (span_t frame, config_message_t *message, cursor_t *entries)
{
    size_t topic = frame.size && frame.bytes[0] == 'S' ? CONFIG_TOPIC_BYTES : 1;
    if (frame.size <= topic || (topic == 1 && frame.bytes[0] != CONFIG_TOPIC_ALL[0]))
        return false;
    *entries = cursor_of (frame.bytes + topic, frame.size - topic);
    if (cursor_uint (entries) != CONFIG_WIRE_VERSION)
        return false;
    message->kind = (config_wire_kind_t)cursor_uint_max (entries, CONFIG_WIRE_BEACON);
    message->incarnation = cursor_uint (entries);
    message->sequence = cursor_uint (entries);
    message->wall_ms = cursor_int (entries);
    message->chunk = (uint32_t)cursor_uint_max (entries, CONFIG_CHUNKS_MAX);
    message->chunk_count = (uint32_t)cursor_uint_max (entries, CONFIG_CHUNKS_MAX);
    message->entry_count = (uint32_t)cursor_uint_max (entries, CONFIG_SCENARIOS_MAX);
    if (entries->failed || message->chunk >= message->chunk_count)
        return false;
    switch (message->kind) {
    case CONFIG_WIRE_SNAPSHOT:
        return true;
    case CONFIG_WIRE_UPDATE:
        return message->chunk_count == 1 && message->entry_count == 1;
    case CONFIG_WIRE_BEACON:
        return message->chunk_count == 1 && message->entry_count == 0 && cursor_finished (entries);
    }
    return false;
}

void config_wire_read_entry (cursor_t *entries, config_entry_t *entry)
{
    entry->tenant = cursor_span (entries, CONFIG_ID_BYTES_MAX);
    entry->scenario = cursor_span (entries, CONFIG_ID_BYTES_MAX);
    entry->active = cursor_bool (entries);
    entry->era = cursor_uint (entries);
    entry->number = cursor_uint (entries);
    entry->json = cursor_span (entries, CONFIG_JSON_BYTES_MAX);
    if (!entry->tenant.size || !entry->scenario.size)
        entries->failed = true;
}

static void write_applied (buffer_t *frame, const config_request_t *request)
{
    pack_uint (frame, request->role);
    pack_uint (frame, request->shards_owned);
    pack_uint (frame, request->shard_count);
    pack_uint (frame, request->written_count);
    for (uint32_t i = 0; i < request->written_count; i++) {
        pack_uint (frame, request->written[i].hash);
        pack_uint (frame, request->written[i].era);
        pack_uint (frame, request->written[i].number);
    }
}

static void write_answer (buffer_t *frame, const config_answer_t *answer)
{
    pack_uint (frame, answer->question);
    pack_uint (frame, answer->shard);
    pack_uint (frame, answer->shard_count);
    pack_uint (frame, answer->era);
    pack_uint (frame, answer->number);
}

void config_wire_write_request (buffer_t *frame, const config_request_t *request)
{
    pack_uint (frame, CONFIG_WIRE_VERSION);
    pack_uint (frame, request->kind);
    pack_span (frame, request->process);
    pack_uint (frame, request->process_incarnation);
    pack_span (frame, request->topic);
    pack_uint (frame, request->incarnation);
    pack_uint (frame, request->sequence);
    if (request->kind == CONFIG_WIRE_APPLIED)
        write_applied (frame, request);
    else if (request->kind == CONFIG_WIRE_ANSWER)
        write_answer (frame, &request->answer);
    else if (request->kind == CONFIG_WIRE_SCENARIO) {
        pack_span (frame, request->tenant);
        pack_span (frame, request->scenario);
    }
}

static bool is_id (span_t id)
{
    return id.size && !memchr (id.bytes, '\0', id.size);
}

config_written_t config_wire_written (config_request_t *request)
{
    config_written_t written;
    written.hash = cursor_uint (&request->rest);
    written.era = cursor_uint (&request->rest);
    written.number = cursor_uint (&request->rest);
    return written;
}

static bool read_applied (cursor_t *cursor, config_request_t *request)
{
    request->role = (config_role_t)cursor_uint_max (cursor, CONFIG_ROLE_PROFILER);
    request->shards_owned = (uint32_t)cursor_uint_max (cursor, CONFIG_SHARDS_MAX);
    request->shard_count = (uint32_t)cursor_uint_max (cursor, CONFIG_SHARDS_MAX);
    request->written_count = (uint32_t)cursor_uint_max (cursor, CONFIG_WRITTEN_MAX);
    request->rest = *cursor;
    for (uint32_t i = 0; i < request->written_count; i++)
        for (int field = 0; field < 3; field++)
            cursor_uint (cursor);
    return cursor_finished (cursor);
}

static bool read_answer (cursor_t *cursor, config_request_t *request)
{
    config_answer_t *answer = &request->answer;
    answer->question = cursor_uint (cursor);
    answer->shard_count = 0;
    answer->shard = (uint32_t)cursor_uint_max (cursor, CONFIG_SHARDS_MAX);
    answer->shard_count = (uint32_t)cursor_uint_max (cursor, CONFIG_SHARDS_MAX);
    answer->era = cursor_uint (cursor);
    answer->number = cursor_uint (cursor);
    request->rest = *cursor;
    for (int i = 0; i < 2; i++) {
        config_ranking_t ranking;
        config_wire_read_ranking (cursor, &ranking);
        for (uint32_t item = 0; item < ranking.item_count && !cursor->failed; item++)
            config_wire_ranked (cursor);
    }
    return cursor_finished (cursor) && answer->shard < answer->shard_count;
}

static bool read_rest (cursor_t *cursor, config_request_t *request)
{
    switch (request->kind) {
    case CONFIG_WIRE_WANTED:
        return cursor_finished (cursor) && request->topic.size == CONFIG_TOPIC_BYTES &&
               request->topic.bytes[0] == 'S';
    case CONFIG_WIRE_APPLIED:
        return read_applied (cursor, request);
    case CONFIG_WIRE_SCENARIO:
        request->tenant = cursor_span (cursor, CONFIG_ID_BYTES_MAX);
        request->scenario = cursor_span (cursor, CONFIG_ID_BYTES_MAX);
        return cursor_finished (cursor) && is_id (request->tenant) && is_id (request->scenario);
    case CONFIG_WIRE_ANSWER:
        return read_answer (cursor, request);
    }
    return false;
}

bool config_wire_read_request (span_t frame, config_request_t *request)
{
    cursor_t cursor = cursor_of (frame.bytes, frame.size);
    *request = (config_request_t){0};
    if (cursor_uint (&cursor) != CONFIG_WIRE_VERSION)
        return false;
    request->kind = (config_request_kind_t)cursor_uint_max (&cursor, CONFIG_WIRE_ANSWER);
    request->process = cursor_span (&cursor, CONFIG_PROCESS_BYTES_MAX);
    request->process_incarnation = cursor_uint (&cursor);
    request->topic = cursor_span (&cursor, CONFIG_TOPIC_BYTES);
    request->incarnation = cursor_uint (&cursor);
    request->sequence = cursor_uint (&cursor);
    return !cursor.failed && read_rest (&cursor, request);
}

/*  ---- questions ---- */

void config_wire_write_question (buffer_t *frame, const config_question_t *question)
{
    buffer_append (frame, CONFIG_TOPIC_QUESTIONS, 1);
    pack_uint (frame, CONFIG_WIRE_VERSION);
    pack_uint (frame, question->question);
    pack_span (frame, question->tenant);
    pack_span (frame, question->scenario);
    pack_span (frame, question->json);
    pack_uint (frame, question->limit);
}

bool config_wire_read_question (span_t frame, config_question_t *question)
{
    if (!frame.size || frame.bytes[0] != CONFIG_TOPIC_QUESTIONS[0])
        return false;
    cursor_t cursor = cursor_of (frame.bytes + 1, frame.size - 1);
    if (cursor_uint (&cursor) != CONFIG_WIRE_VERSION)
        return false;
    question->question = cursor_uint (&cursor);
    question->tenant = cursor_span (&cursor, CONFIG_ID_BYTES_MAX);
    question->scenario = cursor_span (&cursor, CONFIG_ID_BYTES_MAX);
    question->json = cursor_span (&cursor, CONFIG_JSON_BYTES_MAX);
    question->limit = (uint32_t)cursor_uint_max (&cursor, CONFIG_ANSWER_ITEMS_MAX);
    return cursor_finished (&cursor) && is_id (question->tenant) && is_id (question->scenario) &&
           question->limit;
}

void config_wire_write_ranking (buffer_t *frame, const config_ranking_t *ranking)
{
    pack_bool (frame, ranking->has);
    pack_int (frame, ranking->start_ms);
    pack_int (frame, ranking->end_ms);
    pack_uint (frame, ranking->item_count);
}

void config_wire_read_ranking (cursor_t *cursor, config_ranking_t *ranking)
{
    ranking->has = cursor_bool (cursor);
    ranking->start_ms = cursor_int (cursor);
    ranking->end_ms = cursor_int (cursor);
    ranking->item_count = (uint32_t)cursor_uint_max (cursor, CONFIG_ANSWER_ITEMS_MAX);
}

void config_wire_write_ranked (buffer_t *frame, const config_ranked_t *ranked)
{
    pack_span (frame, ranked->item);
    pack_double (frame, ranked->score);
}

config_ranked_t config_wire_ranked (cursor_t *cursor)
{
    config_ranked_t ranked;
    ranked.item = cursor_span (cursor, CONFIG_ID_BYTES_MAX);
    ranked.score = cursor_double (cursor);
    return ranked;
}

void config_wire_topic (span_t process, uint64_t process_incarnation,
                        char topic[CONFIG_TOPIC_BYTES + 1])
{
    uint64_t hash = XXH3_64bits_withSeed (process.bytes, process.size, process_incarnation);
    snprintf (topic, CONFIG_TOPIC_BYTES + 1, "S%016" PRIx64, hash);
}

int config_wire_requests_endpoint (const char *endpoint, char *requests, size_t size)
{
    int written = -1;
    if (strncmp (endpoint, "ipc://", 6) == 0 || strncmp (endpoint, "inproc://", 9) == 0)
        written = snprintf (requests, size, "%s.requests", endpoint);
    else if (strncmp (endpoint, "tcp://", 6) == 0) {
        const char *colon = strrchr (endpoint + 6, ':');
        if (!colon || colon[1] < '0' || colon[1] > '9')
            return -1;
        char *end;
        long port = strtol (colon + 1, &end, 10);
        if (*end || port < 1 || port >= PORT_MAX)
            return -1;
        written =
            snprintf (requests, size, "%.*s:%ld", (int)(colon - endpoint), endpoint, port + 1);
    }
    return written > 0 && (size_t)written < size ? 0 : -1;
}
