/*  sim_redis_commands: see sim_redis_commands.h. */
#include "sim_redis_commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"

redis_answer_t *reply_text (answer_kind_t kind, span_t text)
{
    redis_answer_t *reply = memory_new (sizeof *reply);
    reply->kind = text.bytes ? kind : ANSWER_NIL;
    if (text.bytes)
        reply->text = (span_t){memory_copy_string (text.bytes, text.size), text.size};
    return reply;
}

redis_answer_t *reply_list (size_t count)
{
    redis_answer_t *reply = memory_new (sizeof *reply);
    reply->kind = ANSWER_LIST;
    reply->count = count;
    reply->list = memory_new_array (count + 1, sizeof *reply->list);
    return reply;
}

void reply_free (redis_answer_t **self_p)
{
    redis_answer_t *reply = *self_p;
    if (!reply)
        return;
    for (size_t i = 0; i < reply->count; i++)
        reply_free (&reply->list[i]);
    free (reply->list);
    free ((char *)reply->text.bytes);
    free (reply);
    *self_p = NULL;
}

redis_answer_t *reply_status (const char *text)
{
    return reply_text (ANSWER_TEXT, span_of (text));
}

redis_answer_t *reply_error (const char *text)
{
    return reply_text (ANSWER_ERROR, span_of (text));
}

redis_answer_t *reply_integer (long long value)
{
    redis_answer_t *reply = memory_new (sizeof *reply);
    reply->kind = ANSWER_INTEGER;
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
    snprintf (text, sizeof text, "%.*s", (int)word.size, word.bytes);
    return strtod (text, NULL);
}

redis_answer_t *command_read (const redis_data_t *data, const command_line_t *line)
{
    const redis_key_t *key = redis_data_find (data, line->words[1]);
    if (command_is (line->words[0], "GET"))
        return reply_text (ANSWER_TEXT, span_of (key ? key->text : NULL));
    if (command_is (line->words[0], "HMGET")) {
        redis_answer_t *reply = reply_list (line->count - 2);
        for (uint32_t i = 2; i < line->count; i++) {
            const redis_item_t *field = key ? redis_key_field (key, line->words[i]) : NULL;
            reply->list[i - 2] =
                reply_text (ANSWER_TEXT, span_of (field ? field->value : NULL));
        }
        return reply;
    }
    redis_answer_t *reply = reply_list (key ? key->count : 0); /* ZRANGE 0 -1 */
    for (uint32_t i = 0; key && i < key->count; i++)
        reply->list[i] = reply_text (ANSWER_TEXT, span_of (key->items[i].name));
    return reply;
}

static redis_answer_t *write_zset (redis_data_t *data, const command_line_t *line)
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
        int64_t keep = -(int64_t)command_number (line->words[3]) - 1;
        if ((int64_t)key->count > keep)
            redis_key_cut (key, 0, key->count - (uint32_t)keep);
    }
    if (!key->count)
        redis_data_delete (data, line->words[1]);
    return reply_integer (1);
}

redis_answer_t *command_write (redis_data_t *data, const command_line_t *line)
{
    span_t word = line->words[0];
    bool only_present = line->count > 3 && command_is (line->words[line->count - 1], "XX");
    if (command_is (word, "SET") && only_present && !redis_data_find (data, line->words[1]))
        return reply_text (ANSWER_TEXT, (span_t){0});
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
    if (command_is (word, "PEXPIRE") || command_is (word, "EXPIRE"))
        return reply_integer (1);
    if (command_is (word, "ZADD") || command_is (word, "ZREMRANGEBYSCORE") ||
        command_is (word, "ZREMRANGEBYRANK"))
        return write_zset (data, line);
    sim_fail ("the model's Redis does not know the command %.*s", (int)word.size, word.bytes);
    return reply_error ("ERR unknown command");
}
