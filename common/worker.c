#include "common/worker.h"

#include <sysexits.h>

#include "common/clock.h"
#include "common/crash_mark.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/state_clock.h"
#include "common/stop.h"
#include "common/worker_parts.h"

#define FIELD(name) offsetof (worker_settings_t, name)

const setting_t worker_settings_table[] = {
    {.name = "state", .type = SETTING_TEXT, .offset = FIELD (state), .value = "DIR",
     .help = "state folder, shared by all processes of the pipeline on this host"},
    {.name = "shards", .type = SETTING_INTEGER, .offset = FIELD (shards), .otherwise = "16",
     .value = "N", .help = "fixed fractions of the keys; kept in the state folder", .least = 1,
     .most = WIRE_SHARDS_MAX},
    {.name = "ingestors", .type = SETTING_LIST, .offset = FIELD (ingestors), .value = "ENDPOINT,...",
     .help = "where the ingestors listen; a name with several addresses means all of them"},
    {.name = "sinks", .type = SETTING_LIST, .offset = FIELD (sinks), .value = "ENDPOINT,...",
     .help = "all sinks: the same list for all workers"},
    {.name = "configd", .type = SETTING_TEXT, .offset = FIELD (configd), .value = "ENDPOINT",
     .help = "where configd publishes"},
    {.name = "listen", .type = SETTING_TEXT, .offset = FIELD (listen),
     .otherwise = "tcp://127.0.0.1:*", .value = "ENDPOINT",
     .help = "where to take events; told to the ingestors"},
    {.name = "name", .type = SETTING_TEXT, .offset = FIELD (name), .value = "NAME",
     .help = "name of this process; by default stage, host and pid"},
    {.name = "commit-interval", .type = SETTING_DURATION, .offset = FIELD (commit_interval_ms),
     .otherwise = "5s", .value = "TIME", .help = "least time between two commits of a shard",
     .least = 10, .most = 600000},
    {.name = "shard-bytes-max", .type = SETTING_BYTES, .offset = FIELD (shard_bytes_max),
     .otherwise = "1T", .value = "SIZE", .least = SHARD_STORE_BYTES_LEAST, .most = INT64_C (1) << 46,
     .help = "bound of one shard's stored state, up to which it grows by itself"},
    {.name = "max-out-of-orderness", .type = SETTING_DURATION, .offset = FIELD (out_of_orderness_ms),
     .otherwise = "5s", .value = "TIME",
     .help = "how far the watermark stays behind a partition's greatest event time", .least = 0,
     .most = 86400000},
    {.name = "retire-partitions", .type = SETTING_DURATION, .offset = FIELD (retire_ms),
     .otherwise = "10m", .value = "TIME",
     .help = "what is known of a partition that no ingestor lists for so long is kept apart", .least = 0,
     .most = 86400000},
    {.name = "allow-plain-tcp", .type = SETTING_FLAG, .offset = FIELD (allow_plain_tcp),
     .help = "listen on tcp beyond loopback without encryption"},
    STATUS_SETTINGS (worker_settings_t, status),
    {.name = "log-level", .type = SETTING_CHOICE, .offset = FIELD (log_level), .otherwise = "info",
     .help = "least level logged", .choices = "debug|info|warning|error"},
    {.name = "log-format", .type = SETTING_CHOICE, .offset = FIELD (log_format),
     .otherwise = "logfmt", .help = "form of log lines", .choices = "logfmt|json"},
    {.name = "beat-fd", .type = SETTING_INTEGER, .offset = FIELD (beat_fd), .otherwise = "-1",
     .value = "FD", .help = "pipe to a supervisor (hotpath run sets it)", .least = -1,
     .most = 1 << 20},
    {.name = NULL},
};

/*  ---- config ---- */

static const live_scenario_t *find_scenario (void *arg, uint64_t hash)
{
    return live_config_find_hash (((worker_t *)arg)->config, hash);
}

static const live_scenario_t *scenario_at (void *arg, uint32_t index)
{
    return live_config_at (((worker_t *)arg)->config, index);
}

/*  ---- life ---- */

static int open_sockets (worker_t *self, char *error, size_t error_size)
{
    const worker_settings_t *settings = self->settings;
    char answers[ENDPOINT_BYTES_MAX];
    self->intake = zsock_new (ZMQ_PULL);
    zsock_set_rcvhwm (self->intake, WORKER_INTAKE_FRAMES);
    self->answers = zsock_new (ZMQ_PULL);
    endpoint_beside (settings->listen, "acks", answers);
    if (endpoint_bind (self->intake, settings->listen, settings->allow_plain_tcp,
                       self->intake_endpoint, error, error_size) != 0)
        return -1;
    return endpoint_bind (self->answers, answers, settings->allow_plain_tcp, self->answers_endpoint,
                          error, error_size);
}

static void name_process (worker_t *self)
{
    if (self->settings->name)
        snprintf (self->name, sizeof self->name, "%s", self->settings->name);
    else
        endpoint_process_name (self->stage->name, self->name, sizeof self->name);
}

worker_t *worker_new (const worker_settings_t *settings, const stage_t *stage, char *error,
                      size_t error_size, int *code)
{
    worker_t *self = memory_new (sizeof *self);
    self->settings = settings;
    self->stage = stage;
    self->gave_ms = INT64_MIN / 2;
    self->beat = beat_of (settings->beat_fd);
    name_process (self);
    *code = state_layout_open (settings->state, (uint32_t)settings->shards, &self->layout, error,
                               error_size);
    if (*code)
        goto failed;
    self->incarnation = state_clock_next (settings->state, 0, clock_wall_ms ());
    *code = EX_UNAVAILABLE;
    self->shards = memory_new_array (self->layout.shard_count, sizeof *self->shards);
    self->reaches = memory_new_array (self->layout.shard_count, sizeof *self->reaches);
    self->frame_actions = memory_new_array (ACTION_NUMBER_MAX + 1, sizeof *self->frame_actions);
    self->actions = action_names_new ();
    self->partitions = partition_names_new ();
    self->watermark = watermark_new (self->partitions, settings->out_of_orderness_ms);
    self->committer = committer_new ();
    self->resolver = resolver_new (&settings->ingestors, NULL, NULL);
    const status_source_t told = {self, worker_tell_readiness, worker_tell_metrics};
    const status_process_t process = {stage->name, self->name, settings->name != NULL, settings->state};
    if (status_open (&settings->status, &process, &told, &self->status, error, error_size) != 0 ||
        open_sockets (self, error, error_size) != 0 ||
        worker_join_stage (self, error, error_size) != 0)
        goto failed;
    worker_connect_sinks (self);
    if (worker_config_open (self) != 0 || !self->sink_count) {
        snprintf (error, error_size, "%s is not an endpoint",
                  self->config ? "--sinks" : settings->configd);
        *code = EX_USAGE;
        goto failed;
    }
    self->context = (stage_context_t){.shard_count = self->layout.shard_count,
                                      .actions = self->actions,
                                      .find = find_scenario,
                                      .at = scenario_at,
                                      .find_arg = self};
    return self;
failed:
    worker_destroy (&self);
    return NULL;
}

void worker_destroy (worker_t **self_p)
{
    worker_t *self = *self_p;
    if (!self)
        return;
    status_close (&self->status);
    committer_destroy (&self->committer);
    for (uint32_t i = 0; self->shards && i < self->layout.shard_count; i++) {
        if (self->shards[i])
            self->shards[i]->committing = false;
        shard_destroy (&self->shards[i]);
        vector_free (&self->reaches[i].vector);
    }
    free (self->reaches);
    shard_owner_destroy (&self->owner);
    worker_config_close (self);
    resolver_destroy (&self->resolver);
    for (uint32_t i = 0; i < self->sink_count; i++) {
        zsock_destroy (&self->sinks[i].socket);
        free (self->sinks[i].endpoint);
        buffer_free (&self->sinks[i].frame);
    }
    for (uint32_t i = 0; i < self->ingestor_count; i++) {
        zsock_destroy (&self->ingestors[i].socket);
        free (self->ingestors[i].endpoint);
    }
    worker_forget_peers (self);
    if (self->has_held)
        zmq_msg_close (&self->held);
    for (uint32_t i = 0; i < self->rewind_count; i++)
        free (self->rewinds[i].ingestor);
    zsock_destroy (&self->intake);
    zsock_destroy (&self->answers);
    watermark_destroy (&self->watermark);
    partition_names_destroy (&self->partitions);
    action_names_destroy (&self->actions);
    buffer_free (&self->announce_frame);
    free (self->rewinds);
    free (self->shards);
    free (self->frame_scenarios);
    section_rows_free (&self->rows);
    free (self->frame_actions);
    free (self->unlisted_ms);
    free (self->announced);
    free (self);
    *self_p = NULL;
}

/*  Intake stops while a shard cannot commit: the others share its disk, and the source keeps what is not taken. */
static bool may_take (const worker_t *self)
{
    return live_config_ready (self->config) && worker_stuck (self, NULL) == 0;
}

/*  Is some work of the last turn left to this one? */
static bool has_work_left (const worker_t *self)
{
    return self->unadvanced || self->uncollected || self->unrendered;
}

static void wait_for_work (worker_t *self, bool take)
{
    zmq_pollitem_t items[] = {
        {zsock_resolve (self->answers), 0, ZMQ_POLLIN, 0},
        {live_config_socket (self->config), 0, ZMQ_POLLIN, 0},
        {NULL, committer_fd (self->committer), ZMQ_POLLIN, 0},
        {zsock_resolve (self->intake), 0, ZMQ_POLLIN, 0},
    };
    bool takes = take && !self->has_held;
    bool empty = zmq_poll (items, takes ? 4 : 3, 0) == 0;
    if (empty && !has_work_left (self))
        zmq_poll (items, takes ? 4 : 3, WORKER_TURN_MS);
    self->none_waits = takes && (empty || !(items[3].revents & ZMQ_POLLIN));
    if (self->none_waits)
        worker_pause_none_waits (&self->pause, clock_ms ());
}

void worker_begin_part (worker_t *self)
{
    self->part_until_ms = clock_ms () + WORKER_PART_MS;
}

bool worker_may_go_on (const worker_t *self, bool first)
{
    return first || clock_ms () < self->part_until_ms;
}

static bool is_advance_due (const shard_t *shard, int64_t now_ms)
{
    return shard && shard_may_advance (shard) &&
           (shard->touched || now_ms - shard->advanced_ms >= WORKER_ANNOUNCE_LEAST_MS);
}

static void advance_shards (worker_t *self, int64_t now_ms)
{
    uint32_t from = self->advance_from;
    bool first = true;
    self->unadvanced = false;
    worker_begin_part (self);
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[(from + i) % self->layout.shard_count];
        if (!is_advance_due (shard, now_ms))
            continue;
        if (!worker_may_go_on (self, first)) {
            self->unadvanced = true;
            self->advance_from = shard->number;
            return;
        }
        first = false;
        self->announce_now |= shard->touched;
        shard_advance (shard, self->watermark, self->once, now_ms);
    }
}

/*  What comes later is prepared while nothing else waits. */
static void prepare_shards (worker_t *self)
{
    if (!self->stage->prepare || !self->none_waits || has_work_left (self))
        return;
    worker_begin_part (self);
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[(self->prepare_from + i) % self->layout.shard_count];
        while (shard && !shard->dropped && self->stage->prepare (shard->state))
            if (!worker_may_go_on (self, false)) {
                self->prepare_from = shard->number;
                return;
            }
    }
}

static void turn (worker_t *self)
{
    bool take = may_take (self);
    wait_for_work (self, take);
    int64_t now_ms = clock_ms ();
    live_config_step (self->config, now_ms);
    worker_take_acks (self, now_ms);
    if (take)
        worker_take_frames (self, now_ms);
    worker_judge_rebuilt (self);
    self->deaf |= !take || self->has_held;
    worker_watch_peers (self, now_ms);
    advance_shards (self, now_ms);
    worker_catch_up (self, now_ms);
    worker_take_commits (self, now_ms);
    worker_commit_due (self, now_ms);
    worker_send_results (self, now_ms);
    worker_config_step (self, now_ms);
    worker_step_ownership (self, now_ms);
    worker_retire_partitions (self, now_ms);
    worker_resolve_ingestors (self, now_ms);
    worker_announce (self, now_ms);
    prepare_shards (self);
    status_turn (self->status, now_ms);
    beat_tick (&self->beat, now_ms);
}

int worker_run (worker_t *self, char *error, size_t error_size)
{
    bool ready = false;
    while (!stop_requested () && !self->end_code) {
        turn (self);
        if (!ready && live_config_ready (self->config)) {
            ready = true;
            log_info ("ready", F_STR ("listen", self->intake_endpoint));
            beat_say (&self->beat, "ready");
        }
    }
    snprintf (error, error_size, "%s", self->end_reason);
    return self->end_code;
}

/*  Are there shards left, and reason to wait for them? */
static bool goes_on_draining (const worker_t *self)
{
    const char *reason = "there was no time";
    uint32_t left = worker_owned (self), stuck = worker_stuck (self, &reason);
    int64_t waited_ms = clock_ms () - self->drain_ms;
    bool late = waited_ms > WORKER_DRAIN_MS || (stuck == left && waited_ms > WORKER_DRAIN_STUCK_MS);
    if (!left || self->end_code)
        return false;
    if (late)
        log_error ("shards could not be committed: nothing is lost, their last events will be read again",
                   F_INT ("shards", left), F_STR ("reason", reason));
    return !late;
}

int worker_drain (worker_t *self)
{
    self->draining = true;
    self->drain_ms = clock_ms ();
    shard_owner_leave (self->owner);
    worker_give_all (self);
    while (goes_on_draining (self))
        turn (self);
    if (worker_owned (self) > 0)
        return -1;
    CRASH_POINT (DRAIN_LEFT);
    self->announced_ms = 0;
    self->announce_now = true;
    worker_announce (self, clock_ms ());
    for (uint32_t i = 0; i < self->ingestor_count; i++)
        zsock_set_linger (self->ingestors[i].socket, 200);
    log_info ("drained");
    return 0;
}

static void need (const char *value, const char *name)
{
    if (!value || !*value)
        settings_fail (EX_USAGE, "--%s is needed (see --help)", name);
}

int worker_main (const stage_t *stage, const char *summary, int argc, char **argv)
{
    char program_name[64], error[512];
    snprintf (program_name, sizeof program_name, "hotpath-%s", stage->name);
    const settings_program_t program = {program_name, summary, worker_settings_table, NULL};
    worker_settings_t settings = {0};
    settings_load (&program, argc, argv, &settings);
    need (settings.state, "state");
    need (settings.configd, "configd");
    need (settings.ingestors.count ? "given" : NULL, "ingestors");
    need (settings.sinks.count ? "given" : NULL, "sinks");
    log_level_t level;
    log_level_parse (settings.log_level, &level);
    log_start (settings.name ? settings.name : stage->name, level,
               strcmp (settings.log_format, "json") == 0);
    stop_install ();
    crash_mark_install ();
    zsys_handler_set (NULL);

    int code = 0;
    worker_t *worker = worker_new (&settings, stage, error, sizeof error, &code);
    if (!worker)
        settings_fail (code, "%s", error);
    code = worker_run (worker, error, sizeof error);
    int drained = code ? 0 : worker_drain (worker);
    worker_destroy (&worker);
    settings_free (&program, &settings);
    if (code)
        settings_fail (code, "%s", error);
    return drained == 0 ? 0 : EX_TEMPFAIL;
}
