/*  sink: see sink.h. */
#include "sink/sink_parts.h"

#include <poll.h>
#include <sysexits.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/endpoint.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/stop.h"
#include "common/wire.h"

/*  ---- the loop ---- */

static void wait_for_work (sink_t *self, bool take)
{
    short wanted = redis_writer_events (self->writer);
    short events =
        (short)((wanted & POLLIN ? ZMQ_POLLIN : 0) | (wanted & POLLOUT ? ZMQ_POLLOUT : 0));
    zmq_pollitem_t items[] = {
        {NULL, redis_writer_fd (self->writer), events, 0},
        {self->intake ? zsock_resolve (self->intake) : NULL, 0, ZMQ_POLLIN, 0},
    };
    bool connected = items[0].fd >= 0;
    take = take && sink_may_take (self);
    zmq_poll (items + !connected, connected + take, SINK_TURN_MS);
}

static void reload (sink_t *self)
{
    const sink_options_t *options = self->options;
    if (!stop_take_reload ())
        return;
    if (options->reload (options->reload_arg)) {
        log_info ("the URL of redis was read again", F_STR ("redis", options->redis->place));
        redis_writer_url_changed (self->writer, self->now_ms);
    } else {
        log_info ("SIGHUP: there is nothing to read again, or it is as it was");
    }
}

static void turn (sink_t *self, bool take)
{
    self->now_ms = clock_ms ();
    if (take)
        sink_take_frames (self);
    redis_writer_work (self->writer, self->now_ms);
    sink_put_windows (self);
    redis_writer_work (self->writer, self->now_ms);
    ack_peers_send (self->peers, self->chain, self->redis_generation);
    reload (self);
    status_turn (self->status, self->now_ms);
    beat_tick (&self->beat, self->now_ms);
    /* While nothing is taken nobody can be heard: silence then means nothing. */
    if (!sink_may_take (self))
        self->swept_ms = self->now_ms;
    if (sink_has_room_for_profiles (self))
        self->roomy_ms = self->now_ms;
    if (take && self->now_ms - self->swept_ms > SINK_SWEEP_MS) {
        ack_peers_forget (self->peers, self->now_ms);
        self->swept_ms = self->now_ms;
    }
}

int sink_run (sink_t *self)
{
    beat_say (&self->beat, "ready");
    while (!stop_requested ()) {
        wait_for_work (self, true);
        turn (self, true);
        if (redis_writer_state (self->writer) == WRITER_SUPERSEDED) {
            log_error ("this sink has been superseded and ends",
                       F_STR ("reason", redis_writer_error (self->writer)));
            return EX_TEMPFAIL;
        }
    }
    return EX_OK;
}

void sink_drain (sink_t *self)
{
    int64_t deadline_ms = clock_ms () + SINK_DRAIN_MS;
    if (redis_writer_state (self->writer) == WRITER_SUPERSEDED)
        return;
    turn (self, false);
    while (!redis_writer_idle (self->writer) && clock_ms () < deadline_ms) {
        wait_for_work (self, false);
        turn (self, false);
    }
    log_info ("drained", F_INT ("left", !redis_writer_idle (self->writer)));
}

/*  ---- life ---- */

/*  An absent Redis is waited for as long as told; so is one that refuses us, for somebody may mend that;
 *  another sink of our name SINK_RIVAL_MS at least: it may just be ending. */
static int64_t patience_ms (writer_state_t state, int64_t waits_ms)
{
    return state == WRITER_RIVAL && waits_ms < SINK_RIVAL_MS ? SINK_RIVAL_MS : waits_ms;
}

static int explain (const sink_t *self, char *error, size_t error_size)
{
    writer_state_t state = redis_writer_state (self->writer);
    const char *what = state == WRITER_REFUSED ? "refuses this connection"
                       : state == WRITER_RIVAL ? "is taken"
                                               : "cannot be reached";
    snprintf (error, error_size, "redis at %s %s: %s", self->options->redis->place, what,
              redis_writer_error (self->writer));
    if (state == WRITER_RIVAL)
        return EX_TEMPFAIL;
    return state == WRITER_REFUSED && self->options->redis_wait_ms == 0 ? EX_CONFIG
                                                                         : EX_UNAVAILABLE;
}

/*  Waits until Redis can be written. EX_OK, or the exit code with a sentence in error. */
static int wait_for_redis (sink_t *self, char *error, size_t error_size)
{
    int64_t began_ms = clock_ms ();
    while (!stop_requested ()) {
        self->now_ms = clock_ms ();
        redis_writer_work (self->writer, self->now_ms);
        writer_state_t state = redis_writer_state (self->writer);
        if (state == WRITER_READY)
            return EX_OK;
        bool between = redis_writer_failing (self->writer) && redis_writer_off (self->writer);
        if (between &&
            self->now_ms - began_ms >= patience_ms (state, self->options->redis_wait_ms))
            return explain (self, error, error_size);
        reload (self);
        beat_tick (&self->beat, self->now_ms);
        status_turn (self->status, self->now_ms);
        wait_for_work (self, false);
    }
    snprintf (error, error_size, "told to stop before redis at %s could be written",
              self->options->redis->place);
    return EX_TEMPFAIL;
}

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

static bool reload_url (void *arg)
{
    const sink_options_t *options = ((sink_t *)arg)->options;
    return options->reload (options->reload_arg) || options->can_reload;
}

static redis_writer_t *make_writer (sink_t *self)
{
    const sink_options_t *options = self->options;
    const redis_writer_options_t writer = {.url = options->redis,
                                           .name = options->name,
                                           .key_prefix = options->key_prefix,
                                           .cluster_keys = options->cluster_keys,
                                           .life = (uint64_t)clock_wall_ms (),
                                           .timeout_ms = options->redis_timeout_ms,
                                           .done = sink_on_done,
                                           .reload = reload_url,
                                           .arg = self};
    return redis_writer_new (&writer);
}

sink_t *sink_new (const sink_options_t *options, char *error, size_t error_size, int *code)
{
    sink_t *self = memory_new (sizeof *self);
    self->options = options;
    self->beat = options->beat;
    self->gather = gather_new (options->gather_timeout_ms, GATHER_HISTORY_BYTES_MAX);
    self->commands = result_commands_new (options->key_prefix, options->cluster_keys);
    self->writer = make_writer (self);
    self->view = (sink_view_t){&self->counts, self->writer, self->gather, options->redis};
    const status_source_t told = {&self->view, sink_tell_readiness, sink_tell_metrics};
    *code = EX_UNAVAILABLE;
    const status_process_t process = {"sink", options->name, options->name_given, NULL};
    if (status_open (options->status, &process, &told, &self->status, error, error_size) != 0)
        goto failed;
    *code = wait_for_redis (self, error, error_size);
    if (*code != EX_OK)
        goto failed;
    /* Only now is it known that no life of this sink had a greater number. */
    self->incarnation = redis_writer_life (self->writer);
    self->chain = result_chain_new (self->incarnation);
    self->peers = ack_peers_new (options->name, self->incarnation);
    *code = EX_UNAVAILABLE;
    if (listen_on (self, error, error_size) != 0)
        goto failed;
    self->now_ms = clock_ms ();
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
    commands_free (&self->prepare);
    commands_free (&self->write);
    free (self);
    *self_p = NULL;
}
