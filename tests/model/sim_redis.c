/*  sim_redis: the server: clients, commands, transactions, faults (see sim_redis.h). A command
 *  that is not known here is a broken promise of the model, and named.
 */
#include "sim_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "common/memory.h"
#include "sim_redis_commands.h"

static struct {
    bool up;
    redis_mode_t mode;
    uint64_t run_id, history_id;
    int64_t last_id;
    redis_data_t data, saved;
    redis_client_t *clients;
    uint32_t touched; /* kinds of keys that a transaction wrote: the checks look when it ends */
} server;

/*  ---- clients ---- */

static void push_reply (redis_client_t *client, redis_answer_t *reply)
{
    if (!client->process || client->broken) {
        reply_free (&reply);
        return;
    }
    if (client->reply_first && !client->reply_count)
        client->reply_first = 0;
    uint32_t end = client->reply_first + client->reply_count;
    if (end == client->reply_capacity) {
        client->reply_capacity = end ? 2 * end : 16;
        client->replies =
            memory_resize (client->replies, client->reply_capacity * sizeof *client->replies);
    }
    client->replies[end] = reply;
    client->reply_count++;
    client->process->attention = true;
}

static void drop_replies (redis_client_t *client)
{
    while (client->reply_count) {
        reply_free (&client->replies[client->reply_first++]);
        client->reply_count--;
    }
}

static void free_client (redis_client_t *client)
{
    redis_client_t **place = &server.clients;
    while (*place != client)
        place = &(*place)->next;
    *place = client->next;
    drop_replies (client);
    free (client->replies);
    free (client->watched);
    free (client->watched_text);
    buffer_free (&client->in);
    buffer_free (&client->queued);
    free (client);
}

redis_client_t *sim_redis_accept (process_t *process)
{
    if (!server.up)
        return NULL;
    redis_client_t *client = memory_new (sizeof *client);
    client->id = ++server.last_id;
    client->process = process;
    client->active_ms = sim.now_ms;
    client->next = server.clients;
    server.clients = client;
    return client;
}

void sim_redis_leave (redis_client_t *client)
{
    client->process = NULL;
    drop_replies (client);
    if (client->broken || client->in_at == client->in.size)
        free_client (client);
}

/*  The server's end is gone; some of the answers may still be read. */
static void cut (redis_client_t *client)
{
    if (!client->process) {
        free_client (client);
        return;
    }
    client->broken = true;
    client->in_at = client->in.size;
    client->process->attention = true;
    if (chance_is (&sim.chance, 700)) {
        if (client->unanswered)
            sim_event (EVENT_REDIS_UNACKNOWLEDGED);
        drop_replies (client);
    }
}

static void cut_all (void)
{
    for (redis_client_t *client = server.clients, *next; client; client = next) {
        next = client->next;
        cut (client);
    }
}

/*  ---- commands ---- */

static redis_answer_t *run_client (redis_client_t *client, const command_line_t *line)
{
    char text[2048];
    size_t size = 0;
    if (command_is (line->words[1], "SETNAME")) {
        snprintf (client->name, sizeof client->name, "%.*s", (int)line->words[2].size,
                  line->words[2].bytes);
        return reply_status ("OK");
    }
    if (command_is (line->words[1], "ID"))
        return reply_integer (client->id);
    if (command_is (line->words[1], "LIST")) {
        for (const redis_client_t *at = server.clients; at && size < sizeof text; at = at->next) {
            if (!at->broken)
                size += (size_t)snprintf (
                    text + size, sizeof text - size,
                    "id=%" PRId64 " addr=sim:1 name=%s age=1 idle=%" PRId64 " db=0 cmd=x\n", at->id,
                    at->name, (sim.now_ms - at->active_ms) / 1000);
        }
        return reply_text (ANSWER_TEXT, (span_t){text, size});
    }
    int64_t id = (int64_t)command_number (line->words[3]);
    for (redis_client_t *at = server.clients; at; at = at->next) {
        if (at->id == id && at != client && !at->broken) {
            cut (at);
            return reply_integer (1);
        }
    }
    return reply_integer (0);
}

static uint32_t kind_of (span_t key)
{
    switch (key.bytes[0]) {
    case 'r':
        return CHECKS_METRICS;
    case 'u':
        return CHECKS_PROFILE;
    default:
        return CHECKS_RANKING;
    }
}

static bool is_read (span_t word)
{
    return command_is (word, "GET") || command_is (word, "HMGET") || command_is (word, "ZRANGE");
}

/*  What a key of text holds, or "" */
static const char *text_of (span_t name)
{
    const redis_key_t *key = redis_data_find (&server.data, name);
    return key && key->text ? key->text : "";
}

static void unwatch (redis_client_t *client)
{
    free (client->watched);
    free (client->watched_text);
    client->watched = client->watched_text = NULL;
}

static redis_answer_t *watch (redis_client_t *client, span_t name)
{
    const char *text = text_of (name);
    unwatch (client);
    client->watched = memory_copy_string (name.bytes, name.size);
    client->watched_text = memory_copy_string (text, strlen (text));
    return reply_status ("OK");
}

static redis_answer_t *run_command (redis_client_t *client, const command_line_t *line)
{
    static const char *const refusals[REDIS_MODES] = {
        NULL, "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory"};
    char text[96];
    if (command_is (line->words[0], "CLIENT"))
        return run_client (client, line);
    if (command_is (line->words[0], "INFO")) {
        bool replication = command_is (line->words[1], "replication");
        snprintf (text, sizeof text,
                  replication ? "# Replication\r\nrole:master\r\nmaster_replid:%016" PRIx64 "\r\n"
                              : "# Server\r\nredis_mode:standalone\r\nrun_id:%016" PRIx64 "\r\n",
                  replication ? server.history_id : server.run_id);
        return reply_text (ANSWER_TEXT, span_of (text));
    }
    if (command_is (line->words[0], "WATCH"))
        return watch (client, line->words[1]);
    bool reads = is_read (line->words[0]);
    bool refused = reads ? server.mode == REDIS_LOADING : server.mode != REDIS_FINE;
    if (refused)
        return reply_error (refusals[server.mode]);
    if (reads)
        return command_read (&server.data, line);
    server.touched |= kind_of (line->words[1]);
    return command_write (&server.data, line);
}

/*  ---- the protocol ---- */

/*  Reads a number that ends with CR LF behind `mark`; -1: not all there. */
static int64_t read_count (const buffer_t *in, size_t *at, char mark)
{
    const uint8_t *end = *at < in->size ? memchr (in->bytes + *at, '\n', in->size - *at) : NULL;
    if (!end || in->bytes[*at] != (uint8_t)mark)
        return -1;
    int64_t value = strtoll ((const char *)in->bytes + *at + 1, NULL, 10);
    *at = (size_t)(end - in->bytes) + 1;
    return value;
}

/*  The next whole command; its words borrow from the buffer. False: it is not all there. */
static bool read_command (const buffer_t *in, size_t *at, command_line_t *line)
{
    size_t from = *at;
    int64_t count = read_count (in, &from, '*');
    if (count < 1)
        return false;
    line->count = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t size = read_count (in, &from, '$');
        if (size < 0 || from + (size_t)size + 2 > in->size)
            return false;
        if (line->count < COMMAND_WORDS_MAX)
            line->words[line->count++] = (span_t){(const char *)in->bytes + from, (size_t)size};
        from += (size_t)size + 2;
    }
    *at = from;
    return true;
}

static void end_transaction (redis_client_t *client)
{
    redis_answer_t *reply;
    bool changed = client->watched && strcmp (text_of (span_of (client->watched)),
                                              client->watched_text) != 0;
    unwatch (client);
    if (changed) {
        reply = reply_text (ANSWER_NIL, (span_t){0});
    } else if (client->aborted) {
        reply = reply_error ("EXECABORT Transaction discarded because of previous errors.");
    } else {
        reply = reply_list (client->queued_count);
        command_line_t line;
        size_t at = 0;
        for (uint32_t i = 0; i < client->queued_count; i++) {
            read_command (&client->queued, &at, &line);
            reply->list[i] = run_command (client, &line);
        }
    }
    client->multi = client->aborted = false;
    client->queued_count = 0;
    buffer_clear (&client->queued);
    push_reply (client, reply);
}

static void run_line (redis_client_t *client, const command_line_t *line, const uint8_t *bytes,
                      size_t size)
{
    if (command_is (line->words[0], "MULTI")) {
        client->multi = true;
        push_reply (client, reply_status ("OK"));
        return;
    }
    if (command_is (line->words[0], "EXEC")) {
        end_transaction (client);
    } else if (client->multi) {
        bool refused = server.mode != REDIS_FINE;
        client->aborted |= refused;
        if (!refused) {
            buffer_append (&client->queued, bytes, size);
            client->queued_count++;
        }
        push_reply (client, refused ? reply_error ("OOM command not allowed") : reply_status ("QUEUED"));
        return;
    } else {
        push_reply (client, run_command (client, line));
    }
    if (!server.touched)
        return;
    client->unanswered++;
    if (!client->process)
        sim_event (EVENT_REDIS_LATE);
    checks_redis_written (server.touched);
    server.touched = 0;
}

bool sim_redis_waits (void)
{
    for (const redis_client_t *client = server.clients; client; client = client->next) {
        if (client->in_at < client->in.size)
            return true;
    }
    return false;
}

void sim_redis_step (void)
{
    redis_client_t *chosen = NULL;
    uint32_t count = 0;
    for (redis_client_t *client = server.clients; client; client = client->next) {
        if (client->in_at < client->in.size && chance_below (&sim.chance, ++count) == 0)
            chosen = client;
    }
    command_line_t line;
    if (!chosen)
        return;
    size_t from = chosen->in_at;
    chosen->active_ms = sim.now_ms;
    bool whole = read_command (&chosen->in, &chosen->in_at, &line);
    if (whole)
        run_line (chosen, &line, chosen->in.bytes + from, chosen->in_at - from);
    if (chosen->in_at == chosen->in.size) {
        buffer_clear (&chosen->in);
        chosen->in_at = 0;
    }
    if (!chosen->process && (!whole || chosen->in_at == chosen->in.size))
        free_client (chosen);
}

/*  ---- its life ---- */

void sim_redis_begin (void)
{
    server.up = true;
    server.mode = REDIS_FINE;
    server.run_id = chance_next (&sim.chance);
    server.history_id = chance_next (&sim.chance);
    server.last_id = 0;
}

void sim_redis_end (void)
{
    while (server.clients)
        free_client (server.clients);
    redis_data_clear (&server.data);
    redis_data_clear (&server.saved);
}

bool sim_redis_is_up (void)
{
    return server.up;
}

void sim_redis_stop (void)
{
    server.up = false;
    cut_all ();
}

void sim_redis_start (redis_loss_t loss)
{
    server.up = true;
    server.mode = REDIS_FINE;
    server.run_id = chance_next (&sim.chance);
    server.history_id = chance_next (&sim.chance);
    if (loss == REDIS_EMPTY)
        redis_data_clear (&server.data);
    else if (loss == REDIS_OLDER)
        redis_data_copy (&server.data, &server.saved);
}

void sim_redis_flush (void)
{
    redis_data_clear (&server.data);
}

void sim_redis_save (void)
{
    redis_data_copy (&server.saved, &server.data);
}

void sim_redis_set_mode (redis_mode_t mode)
{
    server.mode = mode;
}

/*  What has come from the client is still the server's to execute. */
void sim_redis_cut (void)
{
    for (redis_client_t *client = server.clients, *next; client; client = next) {
        next = client->next;
        if (!client->process || client->broken)
            continue;
        redis_client_t *rest = memory_new (sizeof *rest);
        *rest = *client;
        rest->process = NULL;
        rest->replies = NULL;
        client->watched = client->watched_text = NULL;
        rest->reply_first = rest->reply_count = rest->reply_capacity = 0;
        client->in = client->queued = (buffer_t){0};
        client->in_at = 0;
        client->next = rest;
        cut (client);
        if (rest->in_at == rest->in.size)
            free_client (rest);
    }
}

/*  ---- for the checks ---- */

const char *sim_redis_string (const char *name)
{
    const redis_key_t *key = redis_data_find (&server.data, span_of (name));
    return key ? key->text : NULL;
}

const char *sim_redis_field (const char *name, const char *field)
{
    const redis_key_t *key = redis_data_find (&server.data, span_of (name));
    const redis_item_t *found = key ? redis_key_field (key, span_of (field)) : NULL;
    return found ? found->value : NULL;
}

uint32_t sim_redis_members (const char *name)
{
    const redis_key_t *key = redis_data_find (&server.data, span_of (name));
    return key ? key->count : 0;
}

const char *sim_redis_member (const char *name, uint32_t i, double *score)
{
    const redis_key_t *key = redis_data_find (&server.data, span_of (name));
    *score = key->items[i].score;
    return key->items[i].name;
}
