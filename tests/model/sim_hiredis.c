/*  sim_hiredis: the functions of hiredis that redis_writer calls (see sim_redis.h). */
#include "sim_redis.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

/*  What a redisContext is here: hiredis's comes first. */
typedef struct {
    redisContext base;
    redis_client_t *client;
    buffer_t out; /* appended, not written */
} context_t;

static context_t *context_of (redisContext *base)
{
    return (context_t *) (void *) base;
}

static int break_off (context_t *self, const char *reason)
{
    self->base.err = REDIS_ERR_EOF;
    snprintf (self->base.errstr, sizeof self->base.errstr, "%s", reason);
    return REDIS_ERR;
}

redisContext *redisConnectNonBlock (const char *host, int port)
{
    (void) host, (void) port;
    context_t *self = memory_new (sizeof *self);
    self->client = sim_call ("redisConnect") ? sim_redis_accept (sim.current) : NULL;
    if (!self->client)
        break_off (self, "Connection refused");
    return &self->base;
}

void redisFree (redisContext *base)
{
    context_t *self = context_of (base);
    if (self->client)
        sim_redis_leave (self->client);
    buffer_free (&self->out);
    free (self);
}

int redisAppendFormattedCommand (redisContext *base, const char *bytes, size_t size)
{
    buffer_append (&context_of (base)->out, bytes, size);
    return REDIS_OK;
}

int redisAppendCommandArgv (redisContext *base, int count, const char **texts, const size_t *sizes)
{
    buffer_t *out = &context_of (base)->out;
    char head[32];
    buffer_append (out, head, (size_t) snprintf (head, sizeof head, "*%d\r\n", count));
    for (int i = 0; i < count; i++) {
        size_t size = sizes ? sizes[i] : strlen (texts[i]);
        buffer_append (out, head, (size_t) snprintf (head, sizeof head, "$%zu\r\n", size));
        buffer_append (out, texts[i], size);
        buffer_append (out, "\r\n", 2);
    }
    return REDIS_OK;
}

/*  The socket takes all of it, or a part. */
int redisBufferWrite (redisContext *base, int *done)
{
    context_t *self = context_of (base);
    *done = 1;
    if (!sim_call ("redisBufferWrite"))
        return REDIS_OK;
    if (self->client->broken)
        return break_off (self, "Connection reset by peer");
    size_t size = self->out.size;
    if (size > 1 && chance_is (&sim.chance, 100))
        size = 1 + chance_below (&sim.chance, (uint32_t) size - 1);
    buffer_append (&self->client->in, self->out.bytes, size);
    self->out.size -= size;
    memmove (self->out.bytes, self->out.bytes + size, self->out.size);
    *done = self->out.size == 0;
    return REDIS_OK;
}

int redisBufferRead (redisContext *base)
{
    context_t *self = context_of (base);
    if (!sim_call ("redisBufferRead"))
        return REDIS_OK;
    return self->client->broken && !self->client->reply_count
               ? break_off (self, "Server closed the connection")
               : REDIS_OK;
}

int redisGetReplyFromReader (redisContext *base, void **reply)
{
    redis_client_t *client = context_of (base)->client;
    *reply = NULL;
    if (!sim_call ("redisGetReply") || !client->reply_count)
        return REDIS_OK;
    redisReply *first = client->replies[client->reply_first++];
    client->reply_count--;
    if (!client->reply_count)
        client->unanswered = 0;
    *reply = first;
    return REDIS_OK;
}

/*  ---- replies ---- */

redisReply *reply_new (int type)
{
    redisReply *reply = memory_new (sizeof *reply);
    reply->type = type;
    return reply;
}

redisReply *reply_text (int type, span_t text)
{
    redisReply *reply = reply_new (text.bytes ? type : REDIS_REPLY_NIL);
    if (!text.bytes)
        return reply;
    reply->str = memory_copy_string (text.bytes, text.size);
    reply->len = text.size;
    return reply;
}

redisReply *reply_array (size_t count)
{
    redisReply *reply = reply_new (REDIS_REPLY_ARRAY);
    reply->elements = count;
    reply->element = memory_new_array (count + 1, sizeof *reply->element);
    return reply;
}

void freeReplyObject (void *arg)
{
    redisReply *reply = arg;
    if (!reply)
        return;
    for (size_t i = 0; i < reply->elements; i++)
        freeReplyObject (reply->element[i]);
    free (reply->element);
    free (reply->str);
    free (reply);
}
