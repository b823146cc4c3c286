/*  redis_greeting: see redis_greeting.h. */
#include "sink/redis_greeting.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/crash_point.h"
#include "common/memory.h"
#include "sink/redis_texts.h"

typedef enum {
    STEP_AUTH,
    STEP_SELECT,
    STEP_NAME,
    STEP_ID,
    STEP_RIVALS,
    STEP_INFO,
    STEP_WATCH,
    STEP_MARKER,
    STEP_QUEUED, /* MULTI and what is queued */
    STEP_EXEC,
    STEP_OTHERS,
    STEP_KILL,
} step_t;

enum { STEPS_MAX = 16 + GREETING_CLIENTS_MAX, BATCHES = 3 };

struct redis_greeting {
    char *client_name, *marker_key;
    bool cluster_keys;
    bool greeted; /* once in this life: it may take over from a rival that is alive */
    const redis_url_t *url;
    commands_t batches[BATCHES];
    step_t steps[STEPS_MAX];
    uint32_t step_count, step_at, batch;
    redis_client_t clients[GREETING_CLIENTS_MAX];
    int64_t client_id;     /* -1: not known */
    redis_marker_t marker; /* ours */
    redis_marker_t server; /* ids as told by this connection */
    uint32_t ended;
    char queue_error[GREETING_REASON_BYTES]; /* of the marker's transaction */
    char reason[GREETING_REASON_BYTES], warning[GREETING_REASON_BYTES];
    bool warns;
};

redis_greeting_t *redis_greeting_new (const char *client_name, const char *marker_key,
                                      bool cluster_keys, uint64_t life)
{
    redis_greeting_t *self = memory_new (sizeof *self);
    self->client_name = memory_copy_string (client_name, strlen (client_name));
    self->marker_key = memory_copy_string (marker_key, strlen (marker_key));
    self->cluster_keys = cluster_keys;
    self->marker.life = life;
    return self;
}

void redis_greeting_destroy (redis_greeting_t **self_p)
{
    redis_greeting_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < BATCHES; i++)
        commands_free (&self->batches[i]);
    free (self->client_name);
    free (self->marker_key);
    free (self);
    *self_p = NULL;
}

static void add (redis_greeting_t *self, step_t step, const char *const *words)
{
    CHECK (self->step_count < STEPS_MAX && self->batch < BATCHES);
    commands_append_words (&self->batches[self->batch], words);
    self->steps[self->step_count++] = step;
}

__attribute__ ((format (printf, 2, 3))) static void say (redis_greeting_t *self, const char *format,
                                                         ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (self->reason, sizeof self->reason, format, args);
    va_end (args);
}

/*  ---- first batch: who are they, who are we ---- */

const commands_t *redis_greeting_begin (redis_greeting_t *self, const redis_url_t *url)
{
    char database[16];
    for (int i = 0; i < BATCHES; i++)
        commands_clear (&self->batches[i]);
    self->url = url;
    self->step_count = self->step_at = self->batch = 0;
    self->client_id = -1;
    self->ended = 0;
    self->queue_error[0] = 0;
    self->server = (redis_marker_t){.run_id = "unknown", .history_id = "unknown"};
    if (url->password && url->user)
        add (self, STEP_AUTH,
             (const char *const[]){"AUTH", url->user, url->password, NULL});
    else if (url->password)
        add (self, STEP_AUTH, (const char *const[]){"AUTH", url->password, NULL});
    snprintf (database, sizeof database, "%d", url->database);
    if (url->database)
        add (self, STEP_SELECT, (const char *const[]){"SELECT", database, NULL});
    add (self, STEP_NAME, (const char *const[]){"CLIENT", "SETNAME", self->client_name, NULL});
    add (self, STEP_ID, (const char *const[]){"CLIENT", "ID", NULL});
    add (self, STEP_RIVALS, (const char *const[]){"CLIENT", "LIST", NULL});
    add (self, STEP_INFO, (const char *const[]){"INFO", "server", NULL});
    add (self, STEP_INFO, (const char *const[]){"INFO", "replication", NULL});
    add (self, STEP_WATCH, (const char *const[]){"WATCH", self->marker_key, NULL});
    add (self, STEP_MARKER, (const char *const[]){"GET", self->marker_key, NULL});
    return &self->batches[0];
}

/*  The other connections of our name into self->clients. */
static uint32_t find_others (redis_greeting_t *self, const redis_answer_t *answer)
{
    uint32_t others = 0;
    if (answer->kind != ANSWER_TEXT || self->client_id < 0)
        return 0;
    size_t count = redis_texts_clients (answer->text.bytes, self->client_name, self->url->database,
                                        self->clients, GREETING_CLIENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (self->clients[i].id != self->client_id)
            self->clients[others++] = self->clients[i];
    }
    return others;
}

static greeting_verdict_t judge_rivals (redis_greeting_t *self, const redis_answer_t *answer)
{
    uint32_t others = find_others (self, answer);
    for (uint32_t i = 0; i < others && !self->greeted; i++) {
        if (self->clients[i].idle_s < 0 || self->clients[i].idle_s >= GREETING_RIVAL_IDLE_S)
            continue;
        say (self,
             "another sink named %s writes to this Redis now (connection %" PRId64
             "): two by mistake? Give each its own --name, and pipelines that share a Redis a "
             "--key-prefix",
             self->client_name, self->clients[i].id);
        return GREETING_RIVAL;
    }
    return GREETING_GOES_ON;
}

static void keep_one_word (const char *info, const char *field, char id[REDIS_ID_BYTES])
{
    redis_texts_field (info, field, id, REDIS_ID_BYTES);
    if (strpbrk (id, " \t"))
        snprintf (id, REDIS_ID_BYTES, "unknown");
}

greeting_verdict_t redis_greeting_read_info (redis_greeting_t *self, const char *info,
                                             redis_marker_t *marker)
{
    char role[16] = "", mode[16] = "", host[128] = "?", port[16] = "?";
    redis_texts_field (info, "role", role, sizeof role);
    redis_texts_field (info, "redis_mode", mode, sizeof mode);
    keep_one_word (info, "run_id", marker->run_id);
    keep_one_word (info, "master_replid", marker->history_id);
    if (strcmp (role, "slave") == 0) {
        redis_texts_field (info, "master_host", host, sizeof host);
        redis_texts_field (info, "master_port", port, sizeof port);
        say (self, "READONLY it is a replica of %s:%s (%s)", host, port,
             redis_texts_remedy ("READONLY"));
        return GREETING_FAILED;
    }
    if (strcmp (mode, "cluster") == 0 && !self->cluster_keys) {
        say (self, "CROSSSLOT the keys of a result would lie in several slots (%s)",
             redis_texts_remedy ("CROSSSLOT"));
        return GREETING_REFUSED;
    }
    return GREETING_GOES_ON;
}

/*  ---- second batch: the marker becomes ours ---- */

static void claim (redis_greeting_t *self)
{
    char text[REDIS_MARKER_BYTES], ttl[16];
    redis_marker_write (&self->marker, text);
    snprintf (ttl, sizeof ttl, "%d", GREETING_MARKER_TTL_S);
    self->batch = 1;
    add (self, STEP_QUEUED, (const char *const[]){"MULTI", NULL});
    add (self, STEP_QUEUED,
         (const char *const[]){"SET", self->marker_key, text, "EX", ttl, NULL});
    add (self, STEP_EXEC, (const char *const[]){"EXEC", NULL});
    add (self, STEP_OTHERS, (const char *const[]){"CLIENT", "LIST", NULL});
}

static greeting_verdict_t judge_marker (redis_greeting_t *self, const redis_answer_t *answer,
                                        int64_t wall_ms)
{
    redis_marker_t found = redis_marker_parse (answer->text);
    if (found.life > self->marker.life && self->greeted) {
        say (self,
             "another life of the sink %s has taken over (%" PRIu64 " after %" PRIu64
             "): this one has been frozen or cut off, or two run by mistake",
             self->client_name, found.life, self->marker.life);
        return GREETING_SUPERSEDED;
    }
    if (found.life >= self->marker.life && !self->greeted)
        self->marker.life = found.life + 1; /* a clock was set back */
    uint64_t generation = found.generation;
    if (!generation || !redis_marker_same_server (&found, &self->server)) {
        generation = wall_ms > 0 ? (uint64_t)wall_ms : 1;
        uint64_t least = found.generation > self->marker.generation ? found.generation
                                                                    : self->marker.generation;
        generation = generation > least ? generation : least + 1;
        CRASH_POINT (REDIS_JUDGED);
    }
    self->marker.generation = generation;
    memcpy (self->marker.run_id, self->server.run_id, REDIS_ID_BYTES);
    memcpy (self->marker.history_id, self->server.history_id, REDIS_ID_BYTES);
    claim (self);
    return GREETING_GOES_ON;
}

static greeting_verdict_t take_exec (redis_greeting_t *self, const redis_answer_t *answer)
{
    if (answer->kind == ANSWER_LIST)
        return GREETING_GOES_ON;
    const char *error = answer->kind == ANSWER_ERROR ? answer->text.bytes
                                                     : "it was changed in the meantime";
    if (self->queue_error[0])
        error = self->queue_error;
    const char *remedy = redis_texts_remedy (error);
    say (self, "the marker %s cannot be written: %s%s%s%s", self->marker_key, error,
         *remedy ? " (" : "", remedy, *remedy ? ")" : "");
    return redis_texts_denied (error) ? GREETING_REFUSED : GREETING_FAILED;
}

/*  ---- third batch: the others end ---- */

static greeting_verdict_t end_others (redis_greeting_t *self, const redis_answer_t *answer)
{
    uint32_t others = find_others (self, answer);
    self->greeted = true;
    if (others == 0)
        return GREETING_DONE;
    self->batch = 2;
    for (uint32_t i = 0; i < others; i++) {
        char id[24];
        snprintf (id, sizeof id, "%" PRId64, self->clients[i].id);
        add (self, STEP_KILL, (const char *const[]){"CLIENT", "KILL", "ID", id, NULL});
    }
    return GREETING_GOES_ON;
}

/*  ---- errors ---- */

static const char *const step_names[] = {
    [STEP_AUTH] = "AUTH",        [STEP_SELECT] = "SELECT",  [STEP_NAME] = "CLIENT SETNAME",
    [STEP_ID] = "CLIENT ID",     [STEP_RIVALS] = "CLIENT LIST", [STEP_INFO] = "INFO",
    [STEP_WATCH] = "WATCH",      [STEP_MARKER] = "GET",     [STEP_QUEUED] = "MULTI, SET",
    [STEP_EXEC] = "EXEC",        [STEP_OTHERS] = "CLIENT LIST", [STEP_KILL] = "CLIENT KILL",
};

/*  An error in answer to a step. Without some steps it works, less safely. */
static greeting_verdict_t take_error (redis_greeting_t *self, step_t step, const char *error)
{
    bool needed = step == STEP_AUTH || step == STEP_SELECT || step == STEP_MARKER;
    bool passing = redis_texts_passing (error) && !redis_texts_denied (error);
    /* "ERR max number of clients reached" and the like come instead of the first answer. */
    bool closing = self->step_at == 1 && strncmp (error, "ERR max number", 14) == 0;
    closing = closing || strncmp (error, "DENIED", 6) == 0;
    if (step == STEP_KILL)
        return GREETING_GOES_ON; /* it has ended by itself */
    if (needed || passing || closing || strncmp (error, "NOAUTH", 6) == 0) {
        const char *remedy = redis_texts_remedy (error);
        say (self, "%s: %s%s%s%s", step_names[step], error, *remedy ? " (" : "", remedy,
             *remedy ? ")" : "");
        return passing || closing ? GREETING_FAILED : GREETING_REFUSED;
    }
    snprintf (self->warning, sizeof self->warning, "%s: %s", step_names[step], error);
    self->warns = true;
    return GREETING_GOES_ON;
}

greeting_verdict_t redis_greeting_take (redis_greeting_t *self, const redis_answer_t *answer,
                                        int64_t wall_ms, const commands_t **next)
{
    CHECK (self->step_at < self->step_count);
    step_t step = self->steps[self->step_at++];
    uint32_t batch = self->batch;
    greeting_verdict_t verdict = GREETING_GOES_ON;
    *next = NULL;
    if (step == STEP_QUEUED && answer->kind == ANSWER_ERROR && !self->queue_error[0])
        snprintf (self->queue_error, sizeof self->queue_error, "%s", answer->text.bytes);
    else if (answer->kind == ANSWER_ERROR && step != STEP_QUEUED && step != STEP_EXEC)
        verdict = take_error (self, step, answer->text.bytes);
    if (verdict != GREETING_GOES_ON)
        return verdict;
    if (step == STEP_ID && answer->kind == ANSWER_INTEGER)
        self->client_id = answer->integer;
    else if (step == STEP_RIVALS)
        verdict = judge_rivals (self, answer);
    else if (step == STEP_INFO)
        verdict = answer->kind == ANSWER_TEXT
                      ? redis_greeting_read_info (self, answer->text.bytes, &self->server)
                      : GREETING_GOES_ON;
    else if (step == STEP_MARKER)
        verdict = judge_marker (self, answer, wall_ms);
    else if (step == STEP_EXEC)
        verdict = take_exec (self, answer);
    else if (step == STEP_OTHERS)
        verdict = end_others (self, answer);
    else if (step == STEP_KILL)
        self->ended += answer->kind != ANSWER_ERROR;
    if (self->batch > batch)
        *next = &self->batches[self->batch];
    if (step == STEP_KILL && self->step_at == self->step_count)
        verdict = GREETING_DONE;
    return verdict;
}

const char *redis_greeting_reason (const redis_greeting_t *self)
{
    return self->reason;
}

const char *redis_greeting_warning (redis_greeting_t *self)
{
    bool warns = self->warns;
    self->warns = false;
    return warns ? self->warning : NULL;
}

const redis_marker_t *redis_greeting_marker (const redis_greeting_t *self)
{
    return &self->marker;
}

uint32_t redis_greeting_ended (const redis_greeting_t *self)
{
    return self->ended;
}
