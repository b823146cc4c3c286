/*  sink: see sink.h. */
#include "sink/sink.h"

#include <czmq.h>
#include <poll.h>
#include <sysexits.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/endpoint.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/results.h"
#include "common/status.h"
#include "common/stop.h"
#include "common/wire.h"
#include "sink/ack_peers.h"
#include "sink/gather.h"
#include "sink/redis_writer.h"
#include "sink/result_chain.h"
#include "sink/result_commands.h"
#include "sink/result_lookup.h"
#include "sink/sink_status.h"

/*  What a job of the writer was for. */
typedef struct {
    enum { JOB_PROFILE, JOB_WINDOW, JOB_ORDER, JOB_HISTORY } kind;
    chain_token_t token; /* profile */
    gather_key_t *key;   /* the others */
    uint32_t serial;     /* of the lookup */
} sink_job_t;

struct sink {
    const sink_options_t *options;
    uint64_t incarnation, redis_generation;
    beat_t beat;
    zsock_t *intake;
    result_chain_t *chain;
    gather_t *gather;
    result_commands_t *commands;
    redis_writer_t *writer;
    ack_peers_t *peers;
    int64_t now_ms, swept_ms;
    sink_counts_t counts;
    sink_view_t view; /* for status */
    status_t *status;
};

/*  ---- results come ---- */

static void put_profile (sink_t *self, const result_header_t *header,
                         const result_profile_t *profile, const chain_token_t *token)
{
    commands_t commands = {0}, none = {0};
    sink_job_t *job = memory_new (sizeof *job);
    job->kind = JOB_PROFILE;
    job->token = *token;
    result_commands_profile (self->commands, header, profile, &commands);
    redis_writer_put (self->writer, &none, &commands, job);
}

static void take_body (sink_t *self, const wire_results_t *frame, const chain_token_t *token,
                       span_t body)
{
    cursor_t cursor = cursor_of (body.bytes, body.size);
    result_header_t header;
    result_profile_t profile;
    results_read_header (&cursor, &header);
    bool valid = !cursor.failed;
    if (valid && header.kind == RESULT_PROFILE) {
        results_read_profile (&cursor, &profile);
        valid = cursor_finished (&cursor);
        if (valid)
            put_profile (self, &header, &profile, token);
        else
            result_chain_executed (self->chain, token);
    } else if (valid) {
        span_t content = {(const char *)cursor.at, (size_t)(cursor.end - cursor.at)};
        valid = gather_put (self->gather, frame, token, &header, content, self->now_ms) == 0;
    } else {
        result_chain_executed (self->chain, token);
    }
    self->counts.unreadable += !valid;
    if (!valid)
        log_error ("a result cannot be read and is passed over", F_INT ("stage", frame->stage),
                   F_INT ("shard", token->shard), F_INT ("sequence", token->last));
}

static void take_result (sink_t *self, uint32_t peer, const wire_results_t *frame,
                         const wire_result_t *result)
{
    chain_token_t token;
    span_t body;
    chain_verdict_t verdict =
        result_chain_take (self->chain, peer, frame, result, self->now_ms, &token, &body);
    self->counts.results[verdict]++;
    switch (verdict) {
    case CHAIN_ACCEPT:
        CRASH_POINT (RESULT_TAKEN);
        take_body (self, frame, &token, body);
        break;
    case CHAIN_GAP:
    case CHAIN_FULL:
        log_info ("results are missing and asked for again", F_INT ("stage", frame->stage),
                  F_INT ("shard", result->shard), F_INT ("sequence", result->sequence));
        break;
    case CHAIN_BAD:
        log_error ("chunks of a result do not fit: passed over", F_INT ("stage", frame->stage),
                   F_INT ("shard", result->shard), F_INT ("sequence", result->sequence));
        break;
    case CHAIN_OLD_EPOCH:
        log_info ("a result of a former owner is refused", F_INT ("stage", frame->stage),
                  F_INT ("shard", result->shard), F_INT ("epoch", result->epoch));
        break;
    case CHAIN_PART:
    case CHAIN_REPEAT:
    case CHAIN_OTHER_SINK:
    case CHAIN_MARK:
        break;
    }
}

static void take_frame (sink_t *self, const void *bytes, size_t size)
{
    cursor_t cursor = cursor_of (bytes, size);
    wire_header_t header;
    wire_results_t frame = {0};
    bool valid = wire_read_header (&cursor, &header) && header.kind == WIRE_RESULTS;
    if (valid)
        wire_read_results (&cursor, &frame);
    valid = valid && !cursor.failed && frame.shards_total > 0;
    int peer = valid ? ack_peers_heard (self->peers, &header, &frame, self->now_ms) : -1;
    if (peer < 0) {
        log_warning ("a frame is refused", F_INT ("bytes", size),
                     F_STR ("reason", valid ? "its sender cannot be answered" : "not readable"));
        return;
    }
    for (uint32_t i = 0; i < frame.result_count; i++) {
        wire_result_t result;
        wire_read_result (&cursor, &result);
        if (cursor.failed || result.shard >= frame.shards_total) {
            log_warning ("the rest of a frame is refused", F_INT ("bytes", size),
                         F_STR ("reason", "not readable"));
            return;
        }
        take_result (self, (uint32_t)peer, &frame, &result);
    }
}

static void take_frames (sink_t *self)
{
    void *socket = zsock_resolve (self->intake);
    for (int i = 0; i < SINK_FRAMES_A_TURN && redis_writer_has_room (self->writer); i++) {
        zmq_msg_t message;
        zmq_msg_init (&message);
        bool got = zmq_msg_recv (&message, socket, ZMQ_DONTWAIT) >= 0;
        if (got)
            take_frame (self, zmq_msg_data (&message), zmq_msg_size (&message));
        zmq_msg_close (&message);
        if (!got)
            return;
    }
}

/*  ---- what Redis says ---- */

static void learn_history (const sink_job_t *job, const span_t *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool empty;
        result_order_t order = result_lookup_member (members[i], &empty);
        if (order.known)
            gather_learn_window (job->key, job->serial, &order, empty);
    }
}

static void finish_window (sink_t *self, const sink_job_t *job, outcome_t outcome)
{
    if (outcome != OUTCOME_OK)
        log_error ("a result cannot be written: is its key of another type? Delete it",
                   F_SPAN ("key", result_commands_key_name (self->commands, job->key)),
                   F_INT ("retry_ms", GATHER_RETRY_MS));
    bool ranking = job->key->kind == RESULT_RANKING;
    (ranking ? self->counts.rankings : self->counts.metrics)[outcome != OUTCOME_OK]++;
    gather_done (self->gather, job->key, outcome, self->now_ms);
}

static void on_done (void *arg, void *tag, outcome_t outcome, const span_t *values, size_t count)
{
    sink_t *self = arg;
    sink_job_t *job = tag;
    if (outcome == OUTCOME_RETRY) { /* the writer ends: what is not acked is sent again */
        free (job);
        return;
    }
    switch (job->kind) {
    case JOB_PROFILE:
        self->counts.profiles[outcome != OUTCOME_OK]++;
        result_chain_executed (self->chain, &job->token);
        break;
    case JOB_WINDOW:
        finish_window (self, job, outcome);
        break;
    case JOB_ORDER: {
        result_order_t order = result_lookup_order (values, count);
        gather_learn_order (job->key, job->serial, &order);
        CRASH_POINT (ORDER_READ);
        if (job->key->kind == RESULT_RANKING)
            gather_learned (self->gather, job->key, job->serial);
        break;
    }
    case JOB_HISTORY:
        learn_history (job, values, count);
        gather_learned (self->gather, job->key, job->serial);
        break;
    }
    free (job);
}

/*  ---- results go ---- */

static void ask (sink_t *self, gather_key_t *key)
{
    for (int i = 0; i < (key->kind == RESULT_METRICS ? 2 : 1); i++) {
        commands_t commands = {0};
        sink_job_t *job = memory_new (sizeof *job);
        job->kind = i == 0 ? JOB_ORDER : JOB_HISTORY;
        job->key = key;
        job->serial = key->lookup_serial;
        if (i == 0)
            result_commands_lookup_order (self->commands, key, &commands);
        else
            result_commands_lookup_history (self->commands, key, &commands);
        redis_writer_ask (self->writer, &commands, job);
    }
}

static void put_windows (sink_t *self)
{
    gather_result_t result;
    chain_token_t token;
    for (gather_key_t *key;
         redis_writer_has_room (self->writer) && (key = gather_next_lookup (self->gather));)
        ask (self, key);
    while (redis_writer_has_room (self->writer) &&
           gather_next (self->gather, self->now_ms, &result)) {
        commands_t prepare = {0}, commands = {0};
        int made =
            result_commands_window (self->commands, &result, clock_wall_ms (), &prepare, &commands);
        CHECK (made == 0); /* gather_put read its metrics block */
        sink_job_t *job = memory_new (sizeof *job);
        job->kind = JOB_WINDOW;
        self->counts.incomplete += !result.complete;
        job->key = result.key;
        redis_writer_put (self->writer, &prepare, &commands, job);
    }
    while (gather_take_done (self->gather, &token))
        result_chain_executed (self->chain, &token);
}

static void follow_redis (sink_t *self)
{
    uint64_t generation = redis_writer_generation (self->writer);
    if (generation == self->redis_generation)
        return;
    if (self->redis_generation)
        gather_forget (self->gather, self->now_ms);
    self->redis_generation = generation;
    ack_peers_tell_all (self->peers);
}

static void wait_for_work (sink_t *self, bool take)
{
    short wanted = redis_writer_events (self->writer);
    short events =
        (short)((wanted & POLLIN ? ZMQ_POLLIN : 0) | (wanted & POLLOUT ? ZMQ_POLLOUT : 0));
    zmq_pollitem_t items[] = {
        {NULL, redis_writer_fd (self->writer), events, 0},
        {zsock_resolve (self->intake), 0, ZMQ_POLLIN, 0},
    };
    bool connected = items[0].fd >= 0;
    take = take && redis_writer_has_room (self->writer);
    zmq_poll (items + !connected, connected + take, SINK_TURN_MS);
}

static void turn (sink_t *self, bool take)
{
    self->now_ms = clock_ms ();
    if (take)
        take_frames (self);
    redis_writer_work (self->writer, self->now_ms);
    follow_redis (self);
    put_windows (self);
    redis_writer_work (self->writer, self->now_ms);
    ack_peers_send (self->peers, self->chain, self->redis_generation);
    status_turn (self->status, self->now_ms);
    beat_tick (&self->beat, self->now_ms);
    /* While nothing is taken nobody can be heard: silence then means nothing. */
    if (take && redis_writer_has_room (self->writer) && self->now_ms - self->swept_ms > 1000) {
        ack_peers_forget (self->peers, self->now_ms);
        self->swept_ms = self->now_ms;
    }
}

void sink_run (sink_t *self)
{
    beat_say (&self->beat, "ready");
    while (!stop_requested ()) {
        wait_for_work (self, true);
        turn (self, true);
    }
}

void sink_drain (sink_t *self)
{
    int64_t deadline_ms = clock_ms () + SINK_DRAIN_MS;
    turn (self, false);
    while (!redis_writer_idle (self->writer) && clock_ms () < deadline_ms) {
        wait_for_work (self, false);
        turn (self, false);
    }
    log_info ("drained", F_INT ("left", !redis_writer_idle (self->writer)));
}

/*  ---- life ---- */

static int listen_on (sink_t *self, char *error, size_t error_size)
{
    char actual[ENDPOINT_BYTES_MAX];
    self->intake = zsock_new (ZMQ_PULL);
    CHECK (self->intake);
    zsock_set_rcvhwm (self->intake, SINK_RECEIVE_FRAMES);
    zsock_set_linger (self->intake, 0);
    zsock_set_maxmsgsize (self->intake, WIRE_FRAME_BYTES_MAX);
    if (endpoint_bind (self->intake, self->options->listen, self->options->allow_plain_tcp, actual,
                       error, error_size) != 0)
        return -1;
    log_info ("sink listens", F_STR ("endpoint", actual), F_INT ("incarnation", self->incarnation));
    return 0;
}

sink_t *sink_new (const sink_options_t *options, char *error, size_t error_size, int *code)
{
    sink_t *self = memory_new (sizeof *self);
    self->options = options;
    self->beat = options->beat;
    self->incarnation = (uint64_t)clock_wall_ms ();
    self->chain = result_chain_new (self->incarnation);
    self->gather = gather_new (options->gather_timeout_ms);
    self->commands = result_commands_new (options->key_prefix, options->cluster_keys);
    self->peers = ack_peers_new (options->name, self->incarnation);
    const redis_writer_options_t writer = {.url = &options->redis,
                                           .name = options->name,
                                           .key_prefix = options->key_prefix,
                                           .timeout_ms = options->redis_timeout_ms,
                                           .done = on_done,
                                           .arg = self};
    self->writer = redis_writer_new (&writer);
    self->view = (sink_view_t){&self->counts, self->writer, self->gather, &options->redis};
    const status_source_t told = {&self->view, sink_tell_readiness, sink_tell_metrics};
    *code = EX_UNAVAILABLE;
    const status_process_t process = {"sink", options->name, options->name_given, NULL};
    if (status_open (options->status, &process, &told, &self->status, error, error_size) != 0)
        goto failed;
    outcome_t started = redis_writer_start (self->writer, options->redis_wait_ms);
    if (started != OUTCOME_OK) {
        snprintf (error, error_size,
                  started == OUTCOME_ERROR ? "redis at %s:%d refuses this connection: %s"
                                           : "redis at %s:%d cannot be reached: %s",
                  options->redis.host, options->redis.port, redis_writer_error (self->writer));
        *code = started == OUTCOME_ERROR ? EX_CONFIG : EX_UNAVAILABLE;
        goto failed;
    }
    if (listen_on (self, error, error_size) != 0)
        goto failed;
    self->now_ms = clock_ms ();
    follow_redis (self);
    return self;
failed:
    sink_destroy (&self);
    return NULL;
}

void sink_destroy (sink_t **self_p)
{
    sink_t *self = *self_p;
    if (!self)
        return;
    status_close (&self->status);
    zsock_destroy (&self->intake);
    ack_peers_destroy (&self->peers, SINK_LINGER_MS);
    redis_writer_destroy (&self->writer);
    gather_destroy (&self->gather);
    result_commands_destroy (&self->commands);
    result_chain_destroy (&self->chain);
    free (self);
    *self_p = NULL;
}
