#include "common/worker.h"

#include <sysexits.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
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
    {.name = "max-out-of-orderness", .type = SETTING_DURATION, .offset = FIELD (out_of_orderness_ms),
     .otherwise = "5s", .value = "TIME",
     .help = "how far the watermark stays behind a partition's greatest event time", .least = 0,
     .most = 86400000},
    {.name = "allow-plain-tcp", .type = SETTING_FLAG, .offset = FIELD (allow_plain_tcp),
     .help = "listen on tcp beyond loopback without encryption"},
    STATUS_SETTING (worker_settings_t, status_listen),
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
    return live_config_find_hash (((worker_t *) arg)->config, hash);
}

static const live_scenario_t *scenario_at (void *arg, uint32_t index)
{
    return live_config_at (((worker_t *) arg)->config, index);
}

/*  ---- ownership ---- */

/*  For the sum that `hotpath run --once` prints: what the shard had counted when it came and when it went. */
static void say_counts (worker_t *self, const char *verb, const shard_t *shard)
{
    char line[256];
    snprintf (line, sizeof line, "%s %s %u %llu %llu %llu", verb, self->stage->name, shard->number,
              (unsigned long long) shard->counts.counted, (unsigned long long) shard->counts.late,
              (unsigned long long) shard->counts.skipped);
    beat_say (&self->beat, line);
}

static int on_taken (void *arg, uint32_t number)
{
    worker_t *self = arg;
    char error[512];
    self->context.shard = number;
    shard_t *shard = shard_open (self->stage, &self->context, self->sink_count, self->partitions,
                                 shard_owner_folder (self->owner, number), clock_wall_ms (),
                                 clock_ms (), error, sizeof error);
    if (!shard) {
        log_error ("a shard cannot be opened and stands still", F_STR ("reason", error),
                   F_STR ("stage", self->stage->name), F_INT ("shard", number));
        self->unopened_shard = number;
        self->unopened_ms = clock_ms ();
        return -1;
    }
    if (self->unopened_shard == number)
        self->unopened_ms = 0;
    shard->touched = true;
    self->shards[number] = shard;
    worker_config_taken (self, shard);
    self->announce_now = true;
    say_counts (self, "taken", shard);
    log_debug ("shard taken", F_INT ("shard", number), F_INT ("epoch", shard->epoch));
    return 0;
}

static void on_surplus (void *arg, uint32_t number)
{
    worker_t *self = arg;
    shard_t *shard = self->shards[number];
    if (!shard || shard->closing)
        return;
    shard->closing = true;
    shard->next_commit_ms = 0;
    self->announce_now = true;
}

static void let_go (worker_t *self, uint32_t number)
{
    log_debug ("shard given back", F_INT ("shard", number));
    worker_forget_rewinds (self, number);
    say_counts (self, "given", self->shards[number]);
    shard_destroy (&self->shards[number]);
    shard_owner_release (self->owner, number);
    self->announce_now = true;
}

/*  ---- commits ---- */

static void take_commits (worker_t *self, int64_t now_ms)
{
    for (commit_job_t *job; (job = committer_take (self->committer)) != NULL;) {
        shard_committed (job->owner, job, self->settings->commit_interval_ms, now_ms);
        self->counts.commits += job->outcome == OUTCOME_OK;
        self->counts.failed_commits += job->outcome != OUTCOME_OK;
        self->counts.commit_ms += (uint64_t) job->took_ms;
        commit_job_destroy (&job);
        self->announce_now = true;
    }
}

static void submit_commit (worker_t *self, shard_t *shard)
{
    commit_job_t *job = shard_collect (shard);
    if (job)
        committer_submit (self->committer, &job);
    else if (shard->closing)
        let_go (self, shard->number);
    else
        shard->next_commit_ms = clock_ms () + self->settings->commit_interval_ms;
}

static bool is_commit_due (const shard_t *shard, int64_t now_ms)
{
    if (!shard || shard->committing)
        return false;
    /* The end of all input: as soon as everything is acknowledged, not at the next interval. */
    bool last = shard->finished && shard->changed && owed_count (shard->owed) == 0 &&
                !shard->storage_failed;
    last |= shard->closing && !shard->storage_failed;
    return last || now_ms >= shard->next_commit_ms;
}

/*  A few at once: shards come due together, and each set of changes is a copy. Who waits longest is
 *  first, so that none waits for ever. */
static void commit_due (worker_t *self, int64_t now_ms)
{
    uint32_t committing = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++)
        committing += self->shards[i] && self->shards[i]->committing;
    while (committing < WORKER_COMMITS_MAX) {
        shard_t *due = NULL;
        for (uint32_t i = 0; i < self->layout.shard_count; i++) {
            shard_t *shard = self->shards[i];
            if (is_commit_due (shard, now_ms) &&
                (!due || shard->next_commit_ms < due->next_commit_ms))
                due = shard;
        }
        if (!due)
            return;
        submit_commit (self, due);
        committing++;
    }
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

static int join_stage (worker_t *self, char *error, size_t error_size)
{
    char folder[4096];
    snprintf (folder, sizeof folder, "%s/%s", self->settings->state, self->stage->name);
    const shard_owner_events_t events = {self, on_taken, on_surplus};
    self->owner = shard_owner_new (folder, self->name, self->layout.shard_count, &events, error,
                                   error_size);
    return self->owner ? 0 : -1;
}

worker_t *worker_new (const worker_settings_t *settings, const stage_t *stage, char *error,
                      size_t error_size, int *code)
{
    worker_t *self = memory_new (sizeof *self);
    self->settings = settings;
    self->stage = stage;
    self->incarnation = (uint64_t) clock_wall_ms ();
    self->beat = beat_of (settings->beat_fd);
    name_process (self);
    *code = EX_CONFIG;
    if (state_layout_open (settings->state, (uint32_t) settings->shards, &self->layout, error,
                           error_size) != 0)
        goto failed;
    *code = EX_UNAVAILABLE;
    self->shards = memory_new_array (self->layout.shard_count, sizeof *self->shards);
    self->frame_actions = memory_new_array (ACTION_NUMBER_MAX + 1, sizeof *self->frame_actions);
    self->actions = action_names_new ();
    self->partitions = partition_names_new ();
    self->watermark = watermark_new (self->partitions, settings->out_of_orderness_ms);
    self->committer = committer_new ();
    const status_source_t told = {self, worker_tell_readiness, worker_tell_metrics};
    if (status_open (settings->status_listen, &told, &self->status, error, error_size) != 0 ||
        open_sockets (self, error, error_size) != 0 || join_stage (self, error, error_size) != 0)
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
    }
    shard_owner_destroy (&self->owner);
    worker_config_close (self);
    for (uint32_t i = 0; i < self->sink_count; i++) {
        zsock_destroy (&self->sinks[i].socket);
        free (self->sinks[i].endpoint);
        buffer_free (&self->sinks[i].frame);
    }
    for (uint32_t i = 0; i < self->ingestor_count; i++) {
        zsock_destroy (&self->ingestors[i].socket);
        free (self->ingestors[i].endpoint);
    }
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
    free (self->frame_actions);
    free (self);
    *self_p = NULL;
}

/*  Intake stops while a shard cannot commit: the source keeps what is not taken. */
static bool may_take (const worker_t *self)
{
    if (!live_config_ready (self->config) || self->draining)
        return false;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        if (self->shards[i] && self->shards[i]->storage_failed)
            return false;
    }
    return true;
}

static void wait_for_work (worker_t *self, bool take)
{
    zmq_pollitem_t items[] = {
        {zsock_resolve (self->answers), 0, ZMQ_POLLIN, 0},
        {live_config_socket (self->config), 0, ZMQ_POLLIN, 0},
        {NULL, committer_fd (self->committer), ZMQ_POLLIN, 0},
        {zsock_resolve (self->intake), 0, ZMQ_POLLIN, 0},
    };
    zmq_poll (items, take && !self->has_held ? 4 : 3, WORKER_TURN_MS);
}

static void advance_shards (worker_t *self, int64_t now_ms)
{
    bool due = now_ms - self->advanced_ms >= WORKER_ANNOUNCE_LEAST_MS;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (!shard || shard->closing || (!shard->touched && !due))
            continue;
        self->announce_now |= shard->touched;
        shard_advance (shard, self->watermark, self->once, now_ms);
    }
    if (due)
        self->advanced_ms = now_ms;
}

static void step_ownership (worker_t *self, int64_t now_ms)
{
    if (!live_config_ready (self->config) || now_ms - self->stepped_ms < SHARD_OWNER_STEP_MS / 4)
        return;
    uint32_t owned = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++)
        owned += self->shards[i] != NULL;
    if (owned && now_ms - self->stepped_ms < SHARD_OWNER_STEP_MS)
        return;
    self->stepped_ms = now_ms;
    shard_owner_step (self->owner, now_ms);
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
    advance_shards (self, now_ms);
    worker_send_results (self, now_ms);
    worker_config_step (self, now_ms);
    take_commits (self, now_ms);
    commit_due (self, now_ms);
    if (!self->draining)
        step_ownership (self, now_ms);
    worker_resolve_ingestors (self, now_ms);
    worker_announce (self, now_ms);
    status_turn (self->status, now_ms);
    beat_tick (&self->beat, now_ms);
}

void worker_run (worker_t *self)
{
    bool ready = false;
    while (!stop_requested ()) {
        turn (self);
        if (!ready && live_config_ready (self->config)) {
            ready = true;
            log_info ("ready", F_STR ("listen", self->intake_endpoint));
            beat_say (&self->beat, "ready");
        }
    }
}

int worker_drain (worker_t *self)
{
    int64_t until_ms = clock_ms () + WORKER_DRAIN_MS;
    self->draining = true;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        if (self->shards[i])
            on_surplus (self, i);
    }
    for (;;) {
        uint32_t left = 0;
        for (uint32_t i = 0; i < self->layout.shard_count; i++)
            left += self->shards[i] != NULL;
        if (!left)
            break;
        if (clock_ms () > until_ms) {
            log_error ("shards could not be committed: their last events will be read again",
                       F_INT ("shards", left));
            return -1;
        }
        turn (self);
    }
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
    const settings_program_t program = {program_name, summary, worker_settings_table, false};
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
    zsys_handler_set (NULL);

    int code = 0;
    worker_t *worker = worker_new (&settings, stage, error, sizeof error, &code);
    if (!worker)
        settings_fail (code, "%s", error);
    worker_run (worker);
    code = worker_drain (worker) == 0 ? 0 : EX_TEMPFAIL;
    worker_destroy (&worker);
    settings_free (&program, &settings);
    return code;
}
