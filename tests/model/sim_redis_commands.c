/*  sim_redis_commands: see sim_redis_commands.h. */
#include "sim_redis_commands.h"

#include <stdio.h>
#include <stdlib.h>

redisReply *reply_status (const char *text)
{
    return reply_text (REDIS_REPLY_STATUS, span_of (text));
}

redisReply *reply_error (const char *text)
{
    return reply_text (REDIS_REPLY_ERROR, span_of (text));
}

redisReply *reply_integer (long long value)
{
    redisReply *reply = reply_new (REDIS_REPLY_INTEGER);
    reply->integer = value;
    return reply;
}

bool command_is (span_t word, const char *text)
{
    return span_equal (word, span_of (text));
}

double command_number (span_t word)
{
    char text[64];
    snprintf (text, sizeof text, "%.*s", (int) word.size, word.bytes);
    return strtod (text, NULL);
}

redisReply *command_read (const redis_data_t *data, const command_line_t *line)
{
    const redis_key_t *key = redis_data_find (data, line->words[1]);
    if (command_is (line->words[0], "GET"))
        return reply_text (REDIS_REPLY_STRING, span_of (key ? key->text : NULL));
    if (command_is (line->words[0], "HMGET")) {
        redisReply *reply = reply_array (line->count - 2);
        for (uint32_t i = 2; i < line->count; i++) {
            const redis_item_t *field = key ? redis_key_field (key, line->words[i]) : NULL;
            reply->element[i - 2] =
                reply_text (REDIS_REPLY_STRING, span_of (field ? field->value : NULL));
        }
        return reply;
    }
    redisReply *reply = reply_array (key ? key->count : 0); /* ZRANGE 0 -1 */
    for (uint32_t i = 0; key && i < key->count; i++)
        reply->element[i] = reply_text (REDIS_REPLY_STRING, span_of (key->items[i].name));
    return reply;
}

static redisReply *write_zset (redis_data_t *data, const command_line_t *line)
{
    redis_key_t *key = redis_data_need (data, line->words[1]);
    if (command_is (line->words[0], "ZADD")) {
        for (uint32_t i = 2; i + 1 < line->count; i += 2)
            redis_key_put_member (key, command_number (line->words[i]), line->words[i + 1]);
    } else if (command_is (line->words[0], "ZREMRANGEBYSCORE")) {
        double least = command_number (line->words[2]), most = command_number (line->words[3]);
        for (uint32_t i = key->count; i-- > 0;) {
            if (key->items[i].score >= least && key->items[i].score <= most)
                redis_key_cut (key, i, i + 1);
        }
    } else { /* ZREMRANGEBYRANK 0 -N */
        int64_t keep = -(int64_t) command_number (line->words[3]) - 1;
        if ((int64_t) key->count > keep)
            redis_key_cut (key, 0, key->count - (uint32_t) keep);
    }
    if (!key->count)
        redis_data_delete (data, line->words[1]);
    return reply_integer (1);
}

redisReply *command_write (redis_data_t *data, const command_line_t *line)
{
    span_t word = line->words[0];
    bool only_present = line->count > 3 && command_is (line->words[line->count - 1], "XX");
    if (command_is (word, "SET") && only_present && !redis_data_find (data, line->words[1]))
        return reply_text (REDIS_REPLY_STRING, (span_t){0});
    if (command_is (word, "SET")) {
        redis_key_set (redis_data_need (data, line->words[1]), line->words[2]);
        return reply_status ("OK");
    }
    if (command_is (word, "DEL")) {
        redis_data_delete (data, line->words[1]);
        return reply_integer (1);
    }
    if (command_is (word, "RENAME")) {
        redis_data_rename (data, line->words[1], line->words[2]);
        return reply_status ("OK");
    }
    if (command_is (word, "HSET")) {
        redis_key_t *key = redis_data_need (data, line->words[1]);
        for (uint32_t i = 2; i + 1 < line->count; i += 2)
            redis_key_put_field (key, line->words[i], line->words[i + 1]);
        return reply_integer (1);
    }
    if (command_is (word, "PEXPIRE"))
        return reply_integer (1);
    if (command_is (word, "ZADD") || command_is (word, "ZREMRANGEBYSCORE") ||
        command_is (word, "ZREMRANGEBYRANK"))
        return write_zset (data, line);
    sim_fail ("the model's Redis does not know the command %.*s", (int) word.size, word.bytes);
    return reply_error ("ERR unknown command");
}
