/*  redis_writer: see redis_writer.h. */
#include "sink/redis_writer.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"
#include "sink/redis_greeting.h"
#include "sink/redis_link.h"
#include "sink/redis_marker.h"
#include "sink/redis_texts.h"

struct redis_writer {
    redis_writer_options_t options;
    char *marker_key;
    redis_link_t *link;
    redis_greeting_t *greeting;
    redis_jobs_t jobs;
    writer_state_t state;
    bool greeting_begun;
    size_t flight_bytes;
    bool checking;
    redis_marker_t seen; /* ids that the check under way was told */
    uint64_t generation, retries;
    uint32_t stalls; /* in a row: how often it was broken off without an answer */
    bool failing;    /* since then nothing was written */
    int64_t retry_ms, backoff_ms, check_ms, expire_ms, said_ms;
    char error[JOB_REASON_BYTES], said[JOB_REASON_BYTES];
};

/*  ---- life ---- */

/*  NAME, and the key prefix percent-encoded behind it: pipelines of different prefixes are strangers. */
static void make_client_name (buffer_t *name, const redis_writer_options_t *options)
{
    buffer_append (name, "hotpath-sink-", 13);
    buffer_append (name, options->name, strlen (options->name));
    buffer_append (name, "@", *options->key_prefix != 0);
    for (const char *c = options->key_prefix; *c; c++) {
        char text[4];
        bool plain = *c > ' ' && *c < 0x7f && *c != '%';
        snprintf (text, sizeof text, plain ? "%c" : "%%%02X", (unsigned char)*c);
        buffer_append (name, text, strlen (text));
    }
    buffer_append (name, "", 1);
}

redis_writer_t *redis_writer_new (const redis_writer_options_t *options)
{
    redis_writer_t *self = memory_new (sizeof *self);
    buffer_t name = {0};
    char key[1024];
    self->options = *options;
    snprintf (key, sizeof key, "%shotpath:marker:%s", options->key_prefix, options->name);
    self->marker_key = memory_copy_string (key, strlen (key));
    make_client_name (&name, options);
    self->greeting = redis_greeting_new ((const char *)name.bytes, key, options->cluster_keys,
                                         options->life);
    buffer_free (&name);
    self->link = redis_link_new ();
    redis_jobs_init (&self->jobs);
    self->retry_ms = self->said_ms = INT64_MIN / 2;
    return self;
}

void redis_writer_destroy (redis_writer_t **self_p)
{
    redis_writer_t *self = *self_p;
    if (!self)
        return;
    redis_link_destroy (&self->link);
    redis_greeting_destroy (&self->greeting);
    for (redis_job_t *job; (job = redis_jobs_take_any (&self->jobs));)
        redis_job_destroy (&job);
    free (self->marker_key);
    free (self);
    *self_p = NULL;
}

/*  ---- failing ---- */

/*  Once, then again when it is another, and every ten seconds. */
static void say_trouble (redis_writer_t *self, int64_t now_ms)
{
    if (now_ms - self->said_ms < WRITER_SAID_MS && strcmp (self->error, self->said) == 0)
        return;
    self->said_ms = now_ms;
    snprintf (self->said, sizeof self->said, "%s", self->error);
    log_warning ("redis cannot be written now, trying again",
                 F_STR ("redis", self->options.url->place), F_STR ("reason", self->error),
                 F_INT ("retry_ms", self->backoff_ms), F_INT ("waiting", self->jobs.count));
}

static void disconnect (redis_writer_t *self, writer_state_t state)
{
    redis_link_close (self->link);
    redis_jobs_restart (&self->jobs);
    self->state = state;
    self->greeting_begun = self->checking = false;
    self->flight_bytes = 0;
}

/*  Closes the connection, and tries again after the back-off. */
static void fail (redis_writer_t *self, writer_state_t state, const char *reason, int64_t now_ms)
{
    snprintf (self->error, sizeof self->error, "%s", reason);
    self->retries++;
    self->failing = true;
    disconnect (self, state);
    self->backoff_ms = self->backoff_ms ? self->backoff_ms * 2 : WRITER_BACKOFF_MIN_MS;
    if (self->backoff_ms > WRITER_BACKOFF_MAX_MS)
        self->backoff_ms = WRITER_BACKOFF_MAX_MS;
    self->retry_ms = now_ms + self->backoff_ms;
    say_trouble (self, now_ms);
}

/*  The password, or the permissions, are not what Redis wants: perhaps the file says better by now. */
static void be_refused (redis_writer_t *self, const char *reason, int64_t now_ms)
{
    char text[JOB_REASON_BYTES];
    bool reread = self->options.reload && self->options.reload (self->options.arg);
    const char *hint =
        strncmp (reason, "AUTH", 4) != 0 && !strstr (reason, "NOAUTH") ? ""
        : reread ? "; the file of --redis-file is read again before each attempt: write the new "
                   "URL into it"
                 : "; a password given by HOTPATH_REDIS or --redis cannot be read again: start the "
                   "sink with the new one, or use --redis-file";
    snprintf (text, sizeof text, "%.*s%s", (int)(sizeof text - strlen (hint) - 1), reason, hint);
    fail (self, WRITER_REFUSED, text, now_ms);
}

void redis_writer_url_changed (redis_writer_t *self, int64_t now_ms)
{
    if (self->state == WRITER_SUPERSEDED)
        return;
    disconnect (self, WRITER_AWAY);
    self->retry_ms = now_ms;
    self->backoff_ms = 0;
}

/*  ---- a new connection ---- */

static void send_batch (redis_writer_t *self, span_t bytes, uint32_t count, int64_t now_ms)
{
    redis_link_send (self->link, bytes, count, now_ms);
}

static void send_commands (redis_writer_t *self, const commands_t *commands, int64_t now_ms)
{
    const span_t bytes = {(const char *)commands->bytes.bytes, commands->bytes.size};
    send_batch (self, bytes, commands->count, now_ms);
}

/*  It executes again what it is asked. */
static void recover (redis_writer_t *self)
{
    if (self->failing && self->generation)
        log_info ("redis takes writes again", F_STR ("redis", self->options.url->place),
                  F_INT ("waiting", self->jobs.count));
    self->failing = false;
}

static void become_ready (redis_writer_t *self, int64_t now_ms)
{
    const redis_marker_t *marker = redis_greeting_marker (self->greeting);
    bool first = self->generation == 0;
    if (!first && self->generation != marker->generation)
        log_warning ("redis is another or lost its data: everything live is sent again",
                     F_STR ("run_id", marker->run_id), F_STR ("history", marker->history_id));
    if (redis_greeting_ended (self->greeting))
        log_info ("ended older redis connections of this name",
                  F_INT ("connections", redis_greeting_ended (self->greeting)));
    if (first)
        log_info ("redis connected", F_STR ("redis", self->options.url->place),
                  F_INT ("generation", marker->generation));
    self->generation = marker->generation;
    self->state = WRITER_READY;
    self->check_ms = self->expire_ms = now_ms;
    if (first)
        self->failing = false;
    if (self->jobs.count == 0)
        recover (self);
}

static void take_greeting (redis_writer_t *self, const redis_answer_t *answer, int64_t now_ms)
{
    const commands_t *next;
    greeting_verdict_t verdict =
        redis_greeting_take (self->greeting, answer, clock_wall_ms (), &next);
    const char *reason = redis_greeting_reason (self->greeting);
    const char *warning = redis_greeting_warning (self->greeting);
    if (warning)
        log_warning ("redis refused a command of the connection", F_STR ("error", warning));
    switch (verdict) {
    case GREETING_GOES_ON:
        if (next)
            send_commands (self, next, now_ms);
        break;
    case GREETING_DONE:
        become_ready (self, now_ms);
        break;
    case GREETING_FAILED:
        fail (self, WRITER_AWAY, reason, now_ms);
        break;
    case GREETING_REFUSED:
        be_refused (self, reason, now_ms);
        break;
    case GREETING_RIVAL:
        fail (self, WRITER_RIVAL, reason, now_ms);
        break;
    case GREETING_SUPERSEDED:
        snprintf (self->error, sizeof self->error, "%s", reason);
        disconnect (self, WRITER_SUPERSEDED);
        break;
    }
}

/*  ---- is Redis still what it was ---- */

static void put_first (redis_writer_t *self, redis_job_kind_t kind, const commands_t *commands)
{
    redis_jobs_put_first (&self->jobs, redis_job_new (kind, LANE_FIRST, commands, NULL, 0));
}

static void put_check (redis_writer_t *self, int64_t now_ms)
{
    char ttl[16];
    commands_t commands = {0};
    self->check_ms = now_ms;
    self->checking = true;
    self->seen = (redis_marker_t){.run_id = "unknown", .history_id = "unknown"};
    commands_append_words (&commands, (const char *const[]){"INFO", "server", NULL});
    commands_append_words (&commands, (const char *const[]){"INFO", "replication", NULL});
    commands_append_words (&commands, (const char *const[]){"GET", self->marker_key, NULL});
    put_first (self, JOB_CHECK, &commands);
    if (now_ms - self->expire_ms >= WRITER_EXPIRE_MS) {
        snprintf (ttl, sizeof ttl, "%d", GREETING_MARKER_TTL_S);
        commands_clear (&commands);
        commands_append_words (&commands,
                               (const char *const[]){"EXPIRE", self->marker_key, ttl, NULL});
        put_first (self, JOB_EXPIRE, &commands);
        self->expire_ms = now_ms;
    }
    commands_free (&commands);
}

/*  NULL: it is as it was. */
static const char *judge_check (redis_writer_t *self, const redis_answer_t *answer)
{
    const redis_marker_t *ours = redis_greeting_marker (self->greeting);
    if (answer->kind == ANSWER_ERROR)
        return redis_texts_passing (answer->text.bytes) ? answer->text.bytes : NULL;
    redis_marker_t found = redis_marker_parse (answer->text);
    if (!found.generation)
        return "its marker is gone";
    if (found.generation != ours->generation || found.life != ours->life ||
        !redis_marker_same_server (&found, ours))
        return "its marker is another's";
    return redis_marker_same_server (&self->seen, ours) ? NULL : "it is another server by now";
}

static void take_check (redis_writer_t *self, redis_job_t *job, const redis_answer_t *answer,
                        int64_t now_ms)
{
    const char *wrong = NULL;
    bool last = ++job->answered == job->commands.count;
    if (last)
        wrong = judge_check (self, answer);
    else if (answer->kind == ANSWER_TEXT &&
             redis_greeting_read_info (self->greeting, answer->text.bytes, &self->seen) !=
                 GREETING_GOES_ON)
        wrong = redis_greeting_reason (self->greeting);
    if (wrong) {
        char reason[JOB_REASON_BYTES];
        snprintf (reason, sizeof reason, "%s", wrong);
        fail (self, WRITER_AWAY, reason, now_ms);
    } else if (last) {
        self->checking = false;
    }
}

/*  ---- jobs ---- */

void redis_writer_put (redis_writer_t *self, redis_lane_t lane, const commands_t *prepare,
                       const commands_t *commands, const void *tag, size_t tag_size)
{
    redis_jobs_put (&self->jobs, redis_job_new_write (lane, prepare, commands, tag, tag_size));
}

void redis_writer_ask (redis_writer_t *self, const commands_t *command, const void *tag,
                       size_t tag_size)
{
    CHECK (command->count == 1);
    redis_jobs_put (&self->jobs, redis_job_new (JOB_READ, LANE_FIRST, command, tag, tag_size));
}

static void finish_job (redis_writer_t *self, redis_job_t *job, outcome_t outcome,
                        const redis_answer_t *answer)
{
    redis_jobs_remove (&self->jobs, job);
    self->backoff_ms = 0;
    if (job->kind == JOB_WRITE || self->jobs.count == 0)
        recover (self);
    if (job->kind == JOB_WRITE || job->kind == JOB_READ)
        self->options.done (self->options.arg, job->tag, outcome, answer);
    redis_job_destroy (&job);
}

static void take_answer (redis_writer_t *self, const redis_answer_t *answer, int64_t now_ms)
{
    char reason[JOB_REASON_BYTES];
    redis_job_t *job = redis_jobs_answering (&self->jobs);
    CHECK (job); /* the link counts what it has sent */
    size_t batch_bytes = redis_job_batch (job)->bytes.size;
    job_verdict_t verdict = JOB_GOES_ON;
    if (job->kind == JOB_CHECK)
        take_check (self, job, answer, now_ms);
    else
        verdict = redis_job_take (job, answer, reason);
    if (self->state != WRITER_READY)
        return; /* the check has found something: all is restarted */
    if (job->kind == JOB_EXPIRE || (job->kind == JOB_CHECK && !self->checking))
        verdict = JOB_DONE;
    if (verdict == JOB_PASSING) {
        if (redis_texts_denied (answer->kind == ANSWER_ERROR ? answer->text.bytes : ""))
            be_refused (self, reason, now_ms);
        else
            fail (self, WRITER_AWAY, reason, now_ms);
        return;
    }
    if (verdict == JOB_GOES_ON)
        return;
    self->flight_bytes -= batch_bytes;
    if (verdict == JOB_PREPARED) {
        CRASH_POINT (REDIS_PREPARED);
        redis_jobs_prepared (&self->jobs, job);
        return;
    }
    if (job->kind == JOB_WRITE)
        CRASH_POINT (REDIS_EXECUTED);
    if (verdict == JOB_LASTING)
        log_error ("redis refused a command", F_STR ("error", reason));
    finish_job (self, job, verdict == JOB_LASTING ? OUTCOME_ERROR : OUTCOME_OK, answer);
}

static void send_jobs (redis_writer_t *self, int64_t now_ms)
{
    redis_job_t *job;
    while (self->flight_bytes < WRITER_FLIGHT_BYTES && (job = redis_jobs_waiting (&self->jobs))) {
        const redis_batch_t *batch = redis_job_batch (job);
        send_batch (self, batch->bytes, batch->count, now_ms);
        self->flight_bytes += batch->bytes.size;
        redis_jobs_sent (&self->jobs, job);
    }
}

/*  ---- the turn ---- */

static void take_answers (redis_writer_t *self, int64_t now_ms)
{
    const redis_answer_t *answer;
    while ((answer = redis_link_take (self->link))) {
        if (self->state == WRITER_READY)
            take_answer (self, answer, now_ms);
        else
            take_greeting (self, answer, now_ms);
    }
}

static void watch_time (redis_writer_t *self, int64_t now_ms)
{
    char text[80];
    int64_t most_ms = self->options.timeout_ms;
    for (uint32_t i = 0; i < self->stalls && most_ms < WRITER_TIMEOUT_MAX_MS; i++)
        most_ms *= 2;
    if (self->state == WRITER_READY && redis_link_awaited (self->link) == 0)
        self->stalls = 0; /* all that was asked was answered */
    if (redis_link_silent_ms (self->link, now_ms) <= most_ms)
        return;
    self->stalls += redis_link_up (self->link);
    snprintf (text, sizeof text, "no answer for %" PRId64 " ms", most_ms);
    fail (self, WRITER_AWAY, text, now_ms);
}

void redis_writer_work (redis_writer_t *self, int64_t now_ms)
{
    if (self->state == WRITER_SUPERSEDED)
        return;
    if (redis_link_off (self->link)) {
        if (now_ms < self->retry_ms)
            return;
        redis_link_open (self->link, self->options.url, now_ms);
    }
    bool broken = redis_link_work (self->link, now_ms) != 0;
    if (redis_link_up (self->link) && !self->greeting_begun) {
        self->greeting_begun = true;
        send_commands (self, redis_greeting_begin (self->greeting, self->options.url), now_ms);
    }
    take_answers (self, now_ms);
    if (self->state == WRITER_READY) {
        if (!self->checking && now_ms - self->check_ms >= WRITER_CHECK_MS)
            put_check (self, now_ms);
        send_jobs (self, now_ms);
    }
    if (!redis_link_off (self->link) && !broken)
        broken = redis_link_work (self->link, now_ms) != 0;
    if (self->flight_bytes)
        CRASH_POINT (REDIS_SENT);
    if (broken && !redis_link_off (self->link))
        fail (self, WRITER_AWAY, redis_link_error (self->link), now_ms);
    else
        watch_time (self, now_ms);
}

bool redis_writer_has_room (const redis_writer_t *self, redis_lane_t lane)
{
    return !self->failing && self->state == WRITER_READY &&
           self->jobs.bytes[lane] < WRITER_QUEUE_BYTES;
}

bool redis_writer_idle (const redis_writer_t *self)
{
    return self->jobs.count == 0;
}

int redis_writer_fd (const redis_writer_t *self)
{
    return redis_link_fd (self->link);
}

short redis_writer_events (const redis_writer_t *self)
{
    return redis_link_events (self->link);
}

writer_state_t redis_writer_state (const redis_writer_t *self)
{
    return self->state;
}

bool redis_writer_off (const redis_writer_t *self)
{
    return redis_link_off (self->link);
}

const char *redis_writer_error (const redis_writer_t *self)
{
    return self->error;
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
    *bytes = self->jobs.bytes[LANE_FIRST] + self->jobs.bytes[LANE_SECOND];
}

uint64_t redis_writer_generation (const redis_writer_t *self)
{
    return self->generation;
}

uint64_t redis_writer_life (const redis_writer_t *self)
{
    return redis_greeting_marker (self->greeting)->life;
}
