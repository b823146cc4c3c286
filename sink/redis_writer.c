/*  redis_writer: see redis_writer.h. States: OFF (until retry_ms) -> CONNECTING -> GREETING (the
 *  connection's own commands) -> READY. Jobs are one list: first those sent, in order, then those
 * that wait from `unsent` on.
 */
#include "sink/redis_writer.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "sink/redis_jobs.h"
#include "sink/redis_texts.h"

typedef enum { STATE_OFF, STATE_CONNECTING, STATE_GREETING, STATE_READY } state_t;
typedef enum {
    STEP_AUTH,
    STEP_SELECT,
    STEP_NAME,
    STEP_ID,
    STEP_LIST,
    STEP_INFO,
    STEP_MARKER
} step_t;

struct redis_writer {
    redis_writer_options_t options;
    char *client_name, *marker_key;
    state_t state;
    redisContext *context;
    step_t steps[8];
    uint32_t step_count, step_at;
    redis_jobs_t jobs;
    size_t flight_bytes;
    bool unflushed;
    bool refused; /* the last attempt was refused for its password or database */
    int64_t retry_ms, backoff_ms, progress_ms, check_ms, marker_ms;
    bool check_queued;
    uint64_t generation, retries;
    bool failing; /* since then nothing was written */
    int64_t client_id;
    char run_id[64];        /* as told last */
    char judged_run_id[64]; /* to which the generation belongs */
    bool marker_stands;     /* Redis said OK to our SET of it, or told it */
    char error[256];
};

/*  ---- jobs ---- */

void redis_writer_put (redis_writer_t *self, commands_t *prepare, commands_t *commands, void *tag)
{
    redis_jobs_put (&self->jobs, redis_job_new_write (prepare, commands, tag));
}

void redis_writer_ask (redis_writer_t *self, commands_t *command, void *tag)
{
    CHECK (command->count == 1);
    redis_jobs_put (&self->jobs, redis_job_new (JOB_READ, command, tag));
}

/*  ---- the connection ---- */

redis_writer_t *redis_writer_new (const redis_writer_options_t *options)
{
    redis_writer_t *self = memory_new (sizeof *self);
    char text[1024];
    self->options = *options;
    snprintf (text, sizeof text, "hotpath-sink-%s", options->name);
    self->client_name = memory_copy_string (text, strlen (text));
    snprintf (text, sizeof text, "%shotpath:marker:%s", options->key_prefix, options->name);
    self->marker_key = memory_copy_string (text, strlen (text));
    redis_jobs_init (&self->jobs);
    self->retry_ms = INT64_MIN;
    snprintf (self->run_id, sizeof self->run_id, "unknown");
    return self;
}

static void disconnect (redis_writer_t *self)
{
    if (self->context)
        redisFree (self->context);
    self->context = NULL;
    self->state = STATE_OFF;
    self->flight_bytes = 0;
    self->unflushed = false;
    self->check_queued = false;
    redis_jobs_restart (&self->jobs);
}

void redis_writer_destroy (redis_writer_t **self_p)
{
    redis_writer_t *self = *self_p;
    if (!self)
        return;
    disconnect (self);
    for (redis_job_t *job; (job = redis_jobs_first (&self->jobs));) {
        redis_jobs_remove (&self->jobs, job);
        self->options.done (self->options.arg, job->tag, OUTCOME_RETRY, NULL, 0);
        redis_job_destroy (&job);
    }
    free (self->client_name);
    free (self->marker_key);
    free (self);
    *self_p = NULL;
}

/*  Closes the connection, and tries again after the back-off. */
static void fail (redis_writer_t *self, const char *reason, int64_t now_ms)
{
    snprintf (self->error, sizeof self->error, "%s", reason);
    self->retries++;
    self->failing = true;
    disconnect (self);
    self->backoff_ms = self->backoff_ms ? self->backoff_ms * 2 : WRITER_BACKOFF_MIN_MS;
    if (self->backoff_ms > WRITER_BACKOFF_MAX_MS)
        self->backoff_ms = WRITER_BACKOFF_MAX_MS;
    self->retry_ms = now_ms + self->backoff_ms;
    log_warning ("redis cannot be written now, trying again",
                 F_STR ("host", self->options.url->host), F_INT ("port", self->options.url->port),
                 F_STR ("reason", self->error), F_INT ("retry_ms", self->backoff_ms),
                 F_INT ("waiting", self->jobs.count));
}

static void connect_now (redis_writer_t *self, int64_t now_ms)
{
    self->refused = false;
    self->progress_ms = now_ms;
    self->context = redisConnectNonBlock (self->options.url->host, self->options.url->port);
    if (!self->context || self->context->err) {
        fail (self, self->context ? self->context->errstr : "no memory", now_ms);
        return;
    }
    self->state = STATE_CONNECTING;
}

static void send_step (redis_writer_t *self, step_t step, int count, const char *a, const char *b,
                       const char *c)
{
    const char *arguments[] = {a, b, c};
    CHECK (redisAppendCommandArgv (self->context, count, arguments, NULL) == REDIS_OK);
    self->steps[self->step_count++] = step;
    self->unflushed = true;
}

static void greet (redis_writer_t *self)
{
    const redis_url_t *url = self->options.url;
    char database[16];
    self->state = STATE_GREETING;
    self->step_count = self->step_at = 0;
    self->client_id = -1;
    if (url->password && url->user)
        send_step (self, STEP_AUTH, 3, "AUTH", url->user, url->password);
    else if (url->password)
        send_step (self, STEP_AUTH, 2, "AUTH", url->password, NULL);
    snprintf (database, sizeof database, "%d", url->database);
    if (url->database)
        send_step (self, STEP_SELECT, 2, "SELECT", database, NULL);
    send_step (self, STEP_NAME, 3, "CLIENT", "SETNAME", self->client_name);
    send_step (self, STEP_ID, 2, "CLIENT", "ID", NULL);
    send_step (self, STEP_LIST, 2, "CLIENT", "LIST", NULL);
    send_step (self, STEP_INFO, 2, "INFO", "server", NULL);
    send_step (self, STEP_MARKER, 2, "GET", self->marker_key, NULL);
}

static void finish_connect (redis_writer_t *self, int64_t now_ms)
{
    struct pollfd poll_fd = {.fd = self->context->fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    if (poll (&poll_fd, 1, 0) < 1)
        return;
    if (getsockopt (self->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error)
        fail (self, strerror (error), now_ms);
    else
        greet (self);
}

/*  ---- run_id and marker ---- */

static void put_command (redis_writer_t *self, redis_job_kind_t kind, const char *const *words)
{
    commands_t commands = {0};
    commands_append_words (&commands, words);
    redis_jobs_put_first (&self->jobs, redis_job_new (kind, &commands, NULL));
}

static void put_check (redis_writer_t *self)
{
    commands_t commands = {0};
    commands_append_words (&commands, (const char *const[]){"INFO", "server", NULL});
    commands_append_words (&commands, (const char *const[]){"GET", self->marker_key, NULL});
    redis_jobs_put_first (&self->jobs, redis_job_new (JOB_CHECK, &commands, NULL));
    self->check_queued = true;
}

/*  Compares the run_id told last with what the marker says; makes a new generation where they
 * differ. A marker that could not be written (OOM) is no sign of loss. */
static void judge_marker (redis_writer_t *self, const redisReply *reply, int64_t now_ms)
{
    char run_id[64] = "", ttl[16], value[128];
    uint64_t told = 0;
    if (reply->type == REDIS_REPLY_ERROR && self->generation)
        return;
    if (reply->type == REDIS_REPLY_STRING &&
        sscanf (reply->str, "%" SCNu64 " %63s", &told, run_id) != 2)
        told = 0;
    bool same = told > 0 && strcmp (run_id, self->run_id) == 0;
    bool unwritten = !told && self->generation && !self->marker_stands &&
                     strcmp (self->judged_run_id, self->run_id) == 0;
    /* Also where the answer to our SET was lost: from now on its absence is a loss. */
    self->marker_stands = same;
    if (same && now_ms - self->marker_ms < WRITER_MARKER_REFRESH_MS && told == self->generation)
        return;
    if (same) {
        self->generation = told;
    } else if (!unwritten) {
        uint64_t next = (uint64_t)clock_wall_ms ();
        if (self->generation)
            log_warning ("redis is another or lost its data: everything live is sent again",
                         F_STR ("run_id", self->run_id), F_STR ("marker", run_id));
        self->generation = next > self->generation ? next : self->generation + 1;
    }
    self->marker_ms = now_ms;
    snprintf (self->judged_run_id, sizeof self->judged_run_id, "%s", self->run_id);
    snprintf (ttl, sizeof ttl, "%d", WRITER_MARKER_TTL_S);
    snprintf (value, sizeof value, "%" PRIu64 " %s", self->generation, self->run_id);
    /* One that was there is only prolonged where it still is: a loss since it was read must show. */
    put_command (self, JOB_MARKER,
                 (const char *const[]){"SET", self->marker_key, value, "EX", ttl,
                                       same ? "XX" : NULL, NULL});
}

/*  Ends older connections of our name. */
static void kill_older (redis_writer_t *self, const redisReply *reply)
{
    int64_t ids[64];
    if (reply->type != REDIS_REPLY_STRING || self->client_id < 0)
        return;
    size_t count = redis_texts_clients (reply->str, self->client_name, ids, 64);
    for (size_t i = 0; i < count; i++) {
        char id[24];
        if (ids[i] >= self->client_id)
            continue;
        snprintf (id, sizeof id, "%" PRId64, ids[i]);
        put_command (self, JOB_IGNORE, (const char *const[]){"CLIENT", "KILL", "ID", id, NULL});
        log_info ("ended an older redis connection of this name", F_STR ("name", self->client_name),
                  F_INT ("id", ids[i]));
    }
}

/*  One answer to the connection's own commands. */
static void take_step (redis_writer_t *self, const redisReply *reply, int64_t now_ms)
{
    step_t step = self->steps[self->step_at++];
    bool error = reply->type == REDIS_REPLY_ERROR;
    if (error &&
        (step == STEP_AUTH || step == STEP_SELECT || strncmp (reply->str, "NOAUTH", 6) == 0)) {
        self->refused = strncmp (reply->str, "LOADING", 7) != 0;
        fail (self, reply->str, now_ms);
        return;
    }
    if (error && redis_texts_passing (reply->str)) {
        fail (self, reply->str, now_ms);
        return;
    }
    if (error)
        log_warning ("redis refused a command of the connection", F_STR ("error", reply->str));
    if (step == STEP_ID && reply->type == REDIS_REPLY_INTEGER)
        self->client_id = reply->integer;
    else if (step == STEP_LIST)
        kill_older (self, reply);
    else if (step == STEP_INFO && reply->type == REDIS_REPLY_STRING)
        redis_texts_run_id (reply->str, self->run_id, sizeof self->run_id);
    else if (step == STEP_MARKER) {
        judge_marker (self, reply, now_ms);
        self->state = STATE_READY;
        self->check_ms = now_ms;
        log_info ("redis connected", F_STR ("host", self->options.url->host),
                  F_INT ("port", self->options.url->port), F_INT ("waiting", self->jobs.count));
    }
}

/*  ---- answers of jobs ---- */

static void finish_job (redis_writer_t *self, redis_job_t *job, outcome_t outcome,
                        const redisReply *reply)
{
    span_t *values = NULL;
    size_t count = 0;
    if (job->kind == JOB_READ && outcome == OUTCOME_OK && reply->type == REDIS_REPLY_ARRAY) {
        values = memory_new_array (reply->elements, sizeof *values);
        for (; count < reply->elements; count++) {
            const redisReply *element = reply->element[count];
            if (element->type == REDIS_REPLY_STRING)
                values[count] = (span_t){element->str, (size_t)element->len};
        }
    }
    self->flight_bytes -= redis_job_bytes (job);
    redis_jobs_remove (&self->jobs, job);
    self->backoff_ms = 0;
    if (job->kind == JOB_WRITE || self->jobs.count == 0)
        self->failing = false;
    if (job->kind == JOB_WRITE || job->kind == JOB_READ)
        self->options.done (self->options.arg, job->tag, outcome, values, count);
    free (values);
    redis_job_destroy (&job);
}

/*  The first error in an answer, or NULL. */
static const char *find_error (const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return reply->str;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        if (reply->element[i]->type == REDIS_REPLY_ERROR)
            return reply->element[i]->str;
    }
    return NULL;
}

/*  The answer to EXEC, or to a lone command. */
static void take_last (redis_writer_t *self, redis_job_t *job, const redisReply *reply,
                       int64_t now_ms)
{
    const char *error = find_error (reply);
    bool inside = reply->type == REDIS_REPLY_ARRAY;
    if (reply->type == REDIS_REPLY_ERROR && job->refused)
        error = job->refused;
    if (!error) {
        finish_job (self, job, OUTCOME_OK, reply);
        return;
    }
    bool lasting = !redis_texts_passing (error) && (inside || job->kind == JOB_READ);
    if (!lasting) {
        char reason[256];
        snprintf (reason, sizeof reason, "%s", error);
        fail (self, reason, now_ms);
        return;
    }
    log_error ("redis refused a command", F_STR ("error", error));
    finish_job (self, job, OUTCOME_ERROR, reply);
}

static void take_check (redis_writer_t *self, redis_job_t *job, const redisReply *reply,
                        int64_t now_ms)
{
    bool last = job->answered == job->commands.count;
    if (reply->type == REDIS_REPLY_ERROR) {
        char reason[256];
        snprintf (reason, sizeof reason, "%s", reply->str);
        if (redis_texts_passing (reason)) {
            fail (self, reason, now_ms);
            return;
        }
    }
    if (!last && reply->type == REDIS_REPLY_STRING)
        redis_texts_run_id (reply->str, self->run_id, sizeof self->run_id);
    if (!last)
        return;
    self->check_queued = false;
    finish_job (self, job, OUTCOME_OK, reply);
    judge_marker (self, reply, now_ms);
}

static void take_answer (redis_writer_t *self, const redisReply *reply, int64_t now_ms)
{
    if (self->state == STATE_GREETING) {
        take_step (self, reply, now_ms);
        return;
    }
    redis_job_t *job = redis_jobs_first (&self->jobs);
    if (!job || (job == self->jobs.unsent && !job->prepare_sent)) {
        fail (self, "an answer that nobody asked for", now_ms);
        return;
    }
    job->answered++;
    if (job->answered <= job->prepare.count) {
        if (reply->type == REDIS_REPLY_ERROR)
            fail (self, reply->str, now_ms);
        return;
    }
    if (job->kind == JOB_CHECK) {
        take_check (self, job, reply, now_ms);
    } else if (job->kind == JOB_MARKER || job->kind == JOB_IGNORE) {
        if (job->kind == JOB_MARKER)
            self->marker_stands = reply->type != REDIS_REPLY_ERROR;
        finish_job (self, job, OUTCOME_OK, reply);
    } else if (job->answered == job->prepare.count + job->commands.count) {
        take_last (self, job, reply, now_ms);
    } else if (reply->type == REDIS_REPLY_ERROR && !job->refused) {
        job->refused = memory_copy_string (reply->str, (size_t)reply->len);
    }
}

static void read_answers (redis_writer_t *self, int64_t now_ms)
{
    if (redisBufferRead (self->context) != REDIS_OK) {
        fail (self, self->context->errstr, now_ms);
        return;
    }
    while (self->context) {
        void *reply = NULL;
        if (redisGetReplyFromReader (self->context, &reply) != REDIS_OK) {
            fail (self, self->context->errstr, now_ms);
            return;
        }
        if (!reply)
            return;
        self->progress_ms = now_ms;
        take_answer (self, reply, now_ms);
        freeReplyObject (reply);
    }
}

/*  ---- sending ---- */

static void append (redis_writer_t *self, const commands_t *commands)
{
    CHECK (redisAppendFormattedCommand (self->context, (const char *)commands->bytes.bytes,
                                        commands->bytes.size) == REDIS_OK);
    self->unflushed = true;
}

static void send_jobs (redis_writer_t *self, int64_t now_ms)
{
    /* A job whose first half is sent goes on however large it is. */
    while (self->jobs.unsent &&
           (self->flight_bytes < WRITER_FLIGHT_BYTES || self->jobs.unsent->prepare_sent)) {
        redis_job_t *job = self->jobs.unsent;
        if (self->flight_bytes == 0)
            self->progress_ms = now_ms;
        if (job->prepare.count > 0 && !job->prepare_sent) {
            append (self, &job->prepare);
            job->prepare_sent = true;
            self->flight_bytes += redis_job_bytes (job);
        }
        if (job->answered < job->prepare.count)
            return; /* its transaction follows once all of it has succeeded */
        append (self, &job->commands);
        if (job->prepare.count == 0)
            self->flight_bytes += redis_job_bytes (job);
        redis_jobs_sent (&self->jobs);
    }
}

static void flush (redis_writer_t *self, int64_t now_ms)
{
    int done = 0;
    if (redisBufferWrite (self->context, &done) != REDIS_OK)
        fail (self, self->context->errstr, now_ms);
    else
        self->unflushed = !done;
}

void redis_writer_work (redis_writer_t *self, int64_t now_ms)
{
    if (self->state == STATE_OFF && now_ms >= self->retry_ms)
        connect_now (self, now_ms);
    if (self->state == STATE_CONNECTING)
        finish_connect (self, now_ms);
    if (self->state >= STATE_GREETING)
        read_answers (self, now_ms);
    if (self->state == STATE_READY && !self->check_queued &&
        now_ms - self->check_ms >= WRITER_CHECK_MS) {
        self->check_ms = now_ms;
        put_check (self);
    }
    if (self->state == STATE_READY)
        send_jobs (self, now_ms);
    if (self->state >= STATE_GREETING && self->unflushed)
        flush (self, now_ms);
    bool waits = self->state == STATE_CONNECTING || self->state == STATE_GREETING ||
                 (self->state == STATE_READY && self->flight_bytes > 0);
    if (waits && now_ms - self->progress_ms > self->options.timeout_ms)
        fail (self, "no answer in time", now_ms);
}

outcome_t redis_writer_start (redis_writer_t *self, int64_t wait_ms)
{
    int64_t deadline_ms = clock_ms () + wait_ms;
    for (;;) {
        redis_writer_work (self, clock_ms ());
        if (self->state == STATE_READY)
            return OUTCOME_OK;
        if (self->state == STATE_OFF && self->refused)
            return OUTCOME_ERROR;
        if (self->state == STATE_OFF && clock_ms () >= deadline_ms)
            return OUTCOME_RETRY;
        struct pollfd poll_fd = {.fd = redis_writer_fd (self),
                                 .events = redis_writer_events (self)};
        poll (&poll_fd, 1, WRITER_BACKOFF_MIN_MS / 2);
    }
}

const char *redis_writer_error (const redis_writer_t *self)
{
    return self->error;
}

bool redis_writer_has_room (const redis_writer_t *self)
{
    return self->jobs.bytes < WRITER_QUEUE_BYTES && self->jobs.count < WRITER_QUEUE_JOBS;
}

bool redis_writer_idle (const redis_writer_t *self)
{
    return self->jobs.count == 0;
}

int redis_writer_fd (const redis_writer_t *self)
{
    return self->context ? self->context->fd : -1;
}

short redis_writer_events (const redis_writer_t *self)
{
    return self->state == STATE_CONNECTING || self->unflushed ? POLLIN | POLLOUT : POLLIN;
}

bool redis_writer_connected (const redis_writer_t *self)
{
    return self->state == STATE_READY;
}

bool redis_writer_failing (const redis_writer_t *self)
{
    return self->failing;
}

uint64_t redis_writer_retries (const redis_writer_t *self)
{
    return self->retries;
}

void redis_writer_waiting (const redis_writer_t *self, size_t *jobs, size_t *bytes)
{
    *jobs = self->jobs.count;
    *bytes = self->jobs.bytes;
}

uint64_t redis_writer_generation (const redis_writer_t *self)
{
    return self->generation;
}
