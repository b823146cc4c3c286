/*  sink_redis: what goes to Redis, and what comes of it. */
#include "sink/sink_parts.h"

#include "common/check.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "sink/result_lookup.h"

/*  What a job of the writer was for. */
typedef struct {
    enum { JOB_PROFILE, JOB_WINDOW, JOB_RESTORE, JOB_ORDER, JOB_HISTORY } kind;
    uint32_t serial;     /* of the lookup */
    gather_key_t *key;   /* all but profiles */
    chain_token_t token; /* profile */
} sink_job_t;

_Static_assert (sizeof (sink_job_t) <= JOB_TAG_BYTES, "a job's tag has no room");

/*  ---- results go ---- */

void sink_put_profile (sink_t *self, const result_header_t *header,
                       const result_profile_t *profile, const chain_token_t *token)
{
    const sink_job_t job = {.kind = JOB_PROFILE, .token = *token};
    commands_clear (&self->write);
    result_commands_profile (self->commands, header, profile, &self->write);
    redis_writer_put (self->writer, LANE_SECOND, NULL, &self->write, &job, sizeof job);
}

static void ask (sink_t *self, gather_key_t *key)
{
    for (int i = 0; i < (key->kind == RESULT_METRICS ? 2 : 1); i++) {
        const sink_job_t job = {
            .kind = i == 0 ? JOB_ORDER : JOB_HISTORY, .key = key, .serial = key->lookup_serial};
        commands_clear (&self->write);
        if (i == 0)
            result_commands_lookup_order (self->commands, key, &self->write);
        else
            result_commands_lookup_history (self->commands, key, &self->write);
        redis_writer_ask (self->writer, &self->write, &job, sizeof job);
    }
}

static void put_window (sink_t *self, const gather_result_t *result)
{
    bool again = result->member_count > 0;
    const sink_job_t job = {.kind = again ? JOB_RESTORE : JOB_WINDOW, .key = result->key};
    commands_clear (&self->prepare);
    commands_clear (&self->write);
    int made = result_commands_window (self->commands, result, clock_wall_ms (), &self->prepare,
                                       &self->write);
    CHECK (made == 0); /* gather_put read its metrics block */
    self->counts.incomplete += !again && !result->complete;
    if (!again && result->kind == RESULT_METRICS)
        gather_keep_member (self->gather, result->key, result->window_end_ms,
                            result_commands_member (self->commands));
    redis_writer_put (self->writer, LANE_FIRST, &self->prepare, &self->write, &job, sizeof job);
}

static void follow_redis (sink_t *self)
{
    uint64_t generation = redis_writer_generation (self->writer);
    if (generation == self->redis_generation)
        return;
    if (self->redis_generation)
        gather_lost (self->gather, self->now_ms);
    self->redis_generation = generation;
    ack_peers_tell_all (self->peers);
}

void sink_put_windows (sink_t *self)
{
    gather_result_t result;
    chain_token_t token;
    follow_redis (self);
    for (gather_key_t *key;
         redis_writer_has_room (self->writer, LANE_FIRST) && (key = gather_next_lookup (self->gather));)
        ask (self, key);
    while (redis_writer_has_room (self->writer, LANE_FIRST) &&
           gather_next (self->gather, self->now_ms, &result))
        put_window (self, &result);
    while (gather_take_done (self->gather, &token))
        result_chain_executed (self->chain, &token);
}

/*  ---- what Redis says ---- */

static void learn_order (const sink_job_t *job, const redis_answer_t *answer)
{
    span_t values[RESULT_ORDER_FIELDS] = {0};
    size_t count = answer->kind == ANSWER_LIST ? answer->count : 0;
    for (size_t i = 0; i < count && i < RESULT_ORDER_FIELDS; i++) {
        if (answer->list[i]->kind == ANSWER_TEXT)
            values[i] = answer->list[i]->text;
    }
    result_order_t order = result_lookup_order (values, count);
    gather_learn_order (job->key, job->serial, &order);
    CRASH_POINT (ORDER_READ);
}

static void learn_history (const sink_job_t *job, const redis_answer_t *answer)
{
    for (size_t i = 0; answer->kind == ANSWER_LIST && i < answer->count; i++) {
        bool empty;
        span_t member = answer->list[i]->text;
        result_order_t order = result_lookup_member (member, &empty);
        if (order.known)
            gather_learn_window (job->key, job->serial, &order, empty, member);
    }
}

static void finish_window (sink_t *self, const sink_job_t *job, outcome_t outcome)
{
    if (outcome != OUTCOME_OK)
        log_error ("a result cannot be written: is its key of another type? Delete it",
                   F_SPAN ("key", result_commands_key_name (self->commands, job->key)),
                   F_INT ("retry_ms", GATHER_RETRY_MS));
    bool ranking = job->key->kind == RESULT_RANKING;
    if (job->kind == JOB_WINDOW)
        (ranking ? self->counts.rankings : self->counts.metrics)[outcome != OUTCOME_OK]++;
    gather_done (self->gather, job->key, outcome, self->now_ms);
}

void sink_on_done (void *arg, const void *tag, outcome_t outcome, const redis_answer_t *answer)
{
    sink_t *self = arg;
    const sink_job_t *job = tag;
    switch (job->kind) {
    case JOB_PROFILE:
        self->counts.profiles[outcome != OUTCOME_OK]++;
        result_chain_executed (self->chain, &job->token);
        break;
    case JOB_WINDOW:
    case JOB_RESTORE:
        finish_window (self, job, outcome);
        break;
    case JOB_ORDER:
        learn_order (job, answer);
        if (job->key->kind == RESULT_RANKING)
            gather_learned (self->gather, job->key, job->serial);
        break;
    case JOB_HISTORY:
        learn_history (job, answer);
        gather_learned (self->gather, job->key, job->serial);
        break;
    }
}
