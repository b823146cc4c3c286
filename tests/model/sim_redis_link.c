/*  sim_redis_link: instead of sink/redis_link.c: one connection to the simulated Redis. Its socket takes
 *  all of what is sent, or a part; a name is never looked up for long, and a connection stands or is
 *  refused at once.
 */
#include "sink/redis_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "sim.h"
#include "sim_redis.h"

enum { PARTS_IN_THOUSAND = 100 };

struct redis_link {
    bool off, broken;
    redis_client_t *client; /* NULL: none stands */
    buffer_t out;           /* to be written */
    uint64_t awaited;
    int64_t progress_ms;
    redis_answer_t *answer; /* handed on last */
    char error[128];
};

redis_link_t *redis_link_new (void)
{
    redis_link_t *self = memory_new (sizeof *self);
    self->off = true;
    return self;
}

void redis_link_close (redis_link_t *self)
{
    if (self->client)
        sim_redis_leave (self->client);
    self->client = NULL;
    self->off = true;
    self->broken = false;
    self->awaited = 0;
    buffer_clear (&self->out);
}

void redis_link_destroy (redis_link_t **self_p)
{
    redis_link_t *self = *self_p;
    if (!self)
        return;
    redis_link_close (self);
    reply_free (&self->answer);
    buffer_free (&self->out);
    free (self);
    *self_p = NULL;
}

static int break_link (redis_link_t *self, const char *reason)
{
    self->broken = true;
    snprintf (self->error, sizeof self->error, "%s", reason);
    return -1;
}

void redis_link_open (redis_link_t *self, const redis_url_t *url, int64_t now_ms)
{
    (void)url;
    self->off = false;
    self->progress_ms = now_ms;
    self->client = sim_call ("connect") ? sim_redis_accept (sim.current) : NULL;
    if (!self->client)
        break_link (self, "Connection refused");
}

void redis_link_send (redis_link_t *self, span_t bytes, uint32_t commands, int64_t now_ms)
{
    if (!self->awaited)
        self->progress_ms = now_ms;
    buffer_append (&self->out, bytes.bytes, bytes.size);
    self->awaited += commands;
}

int redis_link_work (redis_link_t *self, int64_t now_ms)
{
    if (self->broken)
        return -1;
    if (!self->client || !sim_call ("redis"))
        return 0;
    if (self->client->broken && !self->client->reply_count)
        return break_link (self, "Connection reset by peer");
    size_t size = self->out.size;
    if (size > 1 && chance_is (&sim.chance, PARTS_IN_THOUSAND))
        size = 1 + chance_below (&sim.chance, (uint32_t)size - 1);
    if (size || self->client->reply_count)
        self->progress_ms = now_ms;
    if (!self->client->broken)
        buffer_append (&self->client->in, self->out.bytes, size);
    self->out.size -= size;
    if (self->out.size)
        memmove (self->out.bytes, self->out.bytes + size, self->out.size);
    return 0;
}

const redis_answer_t *redis_link_take (redis_link_t *self)
{
    redis_client_t *client = self->client;
    reply_free (&self->answer);
    if (!client || self->broken || !client->reply_count || !sim_call ("redis answer"))
        return NULL;
    if (!client->reply_count) /* lost during the call */
        return NULL;
    self->answer = client->replies[client->reply_first++];
    client->reply_count--;
    self->awaited--;
    if (!client->reply_count)
        client->unanswered = 0;
    return self->answer;
}

const char *redis_link_error (const redis_link_t *self)
{
    return self->error;
}

bool redis_link_off (const redis_link_t *self)
{
    return self->off;
}

bool redis_link_up (const redis_link_t *self)
{
    return self->client && !self->broken;
}

uint64_t redis_link_awaited (const redis_link_t *self)
{
    return self->awaited;
}

int64_t redis_link_silent_ms (const redis_link_t *self, int64_t now_ms)
{
    return self->awaited ? now_ms - self->progress_ms : 0;
}

int redis_link_fd (const redis_link_t *self)
{
    (void)self;
    return -1;
}

short redis_link_events (const redis_link_t *self)
{
    (void)self;
    return 0;
}
