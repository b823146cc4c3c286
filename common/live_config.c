/*  live_config: see live_config.h. The sockets; what messages mean is in config_sequence, what they
 *  change in live_scenarios.
 */
#include "common/live_config.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>
#include "common/buffer.h"
#include "common/config_sequence.h"
#include "common/config_wire.h"
#include "common/live_scenarios.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/silence.h"

enum {
    STEP_MESSAGES_MAX = 256,
    RECEIVE_HWM = 4096,
    REQUESTS_HWM = 2048, /* an answer of each shard to each question */
    APPLIED_EVERY_MS = 2000,
};

/*  What was written of a scenario. */
typedef struct {
    config_written_t written;
    bool told; /* to the configd that lives now */
} wrote_t;

struct live_config {
    void *subscriber, *requests;
    char *process;
    uint64_t process_incarnation;
    char topic[CONFIG_TOPIC_BYTES + 1];
    config_sequence_t sequence;
    live_scenarios_t *scenarios;
    buffer_t staged; /* entries of a snapshot that is coming in */
    uint64_t told_incarnation, told_sequence;
    int64_t told_ms;
    silence_t silence; /* of configd */
    config_role_t role;
    uint32_t shards_owned, shard_count;
    bool described; /* anew since the last report */
    wrote_t *wrote; /* by index of the scenario */
    uint32_t wrote_count, untold;
    live_config_question_t *on_question;
    void *question_arg;
    buffer_t frame;
};

static int set_int (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof value);
}

static int open_sockets (live_config_t *self, void *context, const char *endpoint)
{
    char requests[CONFIG_ENDPOINT_BYTES_MAX];
    if (config_wire_requests_endpoint (endpoint, requests, sizeof requests) != 0) {
        errno = EINVAL;
        return -1;
    }
    self->subscriber = zmq_socket (context, ZMQ_SUB);
    self->requests = zmq_socket (context, ZMQ_PUSH);
    if (!self->subscriber || !self->requests)
        return -1;
    int failed = set_int (self->subscriber, ZMQ_LINGER, 0);
    failed |= set_int (self->subscriber, ZMQ_RCVHWM, RECEIVE_HWM);
    failed |= set_int (self->subscriber, ZMQ_RECONNECT_IVL_MAX, 1000);
    failed |= set_int (self->subscriber, ZMQ_HEARTBEAT_IVL, 2000);
    failed |= set_int (self->requests, ZMQ_LINGER, 0);
    failed |= set_int (self->requests, ZMQ_SNDHWM, REQUESTS_HWM);
    failed |= set_int (self->requests, ZMQ_RECONNECT_IVL_MAX, 1000);
    failed |= set_int (self->requests, ZMQ_HEARTBEAT_IVL, 2000);
    failed |= zmq_setsockopt (self->subscriber, ZMQ_SUBSCRIBE, CONFIG_TOPIC_ALL, 1);
    failed |= zmq_setsockopt (self->subscriber, ZMQ_SUBSCRIBE, self->topic, CONFIG_TOPIC_BYTES);
    if (failed)
        return -1;
    return zmq_connect (self->subscriber, endpoint) || zmq_connect (self->requests, requests) ? -1
                                                                                              : 0;
}

live_config_t *live_config_new (void *context, const char *endpoint, const char *process,
                                uint64_t incarnation, live_config_change_t *on_change, void *arg)
{
    live_config_t *self = memory_new (sizeof *self);
    self->process = memory_copy_string (process, strlen (process));
    self->process_incarnation = incarnation;
    self->sequence = config_sequence_start ();
    self->scenarios = live_scenarios_new (on_change, arg);
    self->told_ms = INT64_MIN;
    config_wire_topic (span_of (process), incarnation, self->topic);
    if (open_sockets (self, context, endpoint) != 0) {
        int error = errno;
        live_config_destroy (&self);
        errno = error;
    }
    return self;
}

void live_config_destroy (live_config_t **self_p)
{
    live_config_t *self = *self_p;
    if (!self)
        return;
    if (self->requests)
        zmq_close (self->requests);
    if (self->subscriber)
        zmq_close (self->subscriber);
    live_scenarios_destroy (&self->scenarios);
    buffer_free (&self->staged);
    buffer_free (&self->frame);
    free (self->wrote);
    free (self->process);
    free (self);
    *self_p = NULL;
}

void *live_config_socket (live_config_t *self)
{
    return self->subscriber;
}

/*  Applies `count` entries, or as many as can be read. */
static uint32_t apply (live_config_t *self, cursor_t *entries, uint64_t count)
{
    uint32_t changed = 0;
    for (uint64_t i = 0; i < count; i++) {
        config_entry_t entry;
        config_wire_read_entry (entries, &entry);
        if (entries->failed)
            break;
        changed += live_scenarios_apply (self->scenarios, &entry);
    }
    return changed;
}

static uint32_t swap (live_config_t *self)
{
    cursor_t entries = cursor_of (self->staged.bytes, self->staged.size);
    uint32_t changed = 0;
    live_scenarios_begin (self->scenarios);
    while (!entries.failed && entries.at < entries.end)
        changed += apply (self, &entries, 1);
    changed += live_scenarios_end (self->scenarios);
    buffer_free (&self->staged);
    log_info ("config snapshot applied",
              F_INT ("scenarios", live_scenarios_count (self->scenarios)),
              F_INT ("changed", changed), F_INT ("incarnation", self->sequence.incarnation),
              F_INT ("sequence", self->sequence.sequence));
    return changed;
}

/*  Reads the entries of a message once to see that they are whole: half a change is none. */
static bool are_whole (cursor_t entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        config_entry_t entry;
        config_wire_read_entry (&entries, &entry);
    }
    return cursor_finished (&entries);
}

static uint32_t take (live_config_t *self, span_t frame, int64_t now_ms)
{
    config_message_t message;
    config_question_t question;
    cursor_t entries;
    if (config_wire_read_question (frame, &question)) {
        if (self->on_question)
            self->on_question (self->question_arg, &question);
        return 0;
    }
    if (!config_wire_read_message (frame, &message, &entries) ||
        !are_whole (entries, message.entry_count)) {
        log_warning ("config message that cannot be read", F_INT ("bytes", frame.size));
        return 0;
    }
    silence_heard (&self->silence);
    config_verdict_t verdict = config_sequence_take (&self->sequence, &message, now_ms);
    if (verdict.empty)
        buffer_clear (&self->staged);
    if (verdict.stage)
        buffer_append (&self->staged, entries.at, (size_t)(entries.end - entries.at));
    if (verdict.swap)
        return swap (self);
    return verdict.apply ? apply (self, &entries, message.entry_count) : 0;
}

static config_request_t request_of (const live_config_t *self, config_request_kind_t kind)
{
    return (config_request_t){.kind = kind,
                              .process = span_of (self->process),
                              .process_incarnation = self->process_incarnation,
                              .topic = (span_t){self->topic, CONFIG_TOPIC_BYTES},
                              .incarnation = self->sequence.incarnation,
                              .sequence = self->sequence.sequence};
}

/*  False if it could not be handed to the socket now: the same is tried again later. `more` goes
 *  behind it; or NULL. */
static bool request (live_config_t *self, const config_request_t *wanted, const buffer_t *more)
{
    buffer_clear (&self->frame);
    config_wire_write_request (&self->frame, wanted);
    if (more)
        buffer_append (&self->frame, more->bytes, more->size);
    return zmq_send (self->requests, self->frame.bytes, self->frame.size, ZMQ_DONTWAIT) >= 0;
}

static void ask_snapshot (live_config_t *self, int64_t now_ms)
{
    const config_request_t wanted = request_of (self, CONFIG_WIRE_WANTED);
    if (config_sequence_ask (&self->sequence, now_ms))
        request (self, &wanted, NULL);
}

/*  ---- what is told of this process ---- */

/*  Up to CONFIG_WRITTEN_MAX that this configd was not told of. */
static uint32_t gather_wrote (const live_config_t *self, config_written_t *list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; self->untold && i < self->wrote_count && count < CONFIG_WRITTEN_MAX; i++)
        if (self->wrote[i].written.number && !self->wrote[i].told)
            list[count++] = self->wrote[i].written;
    return count;
}

static void mark_wrote (live_config_t *self, uint32_t count)
{
    for (uint32_t i = 0; count && i < self->wrote_count; i++)
        if (self->wrote[i].written.number && !self->wrote[i].told) {
            self->wrote[i].told = true;
            self->untold--;
            count--;
        }
}

static void forget_told (live_config_t *self)
{
    for (uint32_t i = 0; i < self->wrote_count; i++) {
        self->untold += self->wrote[i].written.number && self->wrote[i].told;
        self->wrote[i].told = false;
    }
}

static void tell_applied (live_config_t *self, int64_t now_ms)
{
    const config_sequence_t *sequence = &self->sequence;
    bool another = sequence->incarnation != self->told_incarnation;
    bool changed = another || sequence->sequence != self->told_sequence || self->described;
    if (!sequence->ready ||
        (!changed && !self->untold && now_ms < self->told_ms + APPLIED_EVERY_MS))
        return;
    if (another)
        forget_told (self);
    config_written_t written[CONFIG_WRITTEN_MAX];
    config_request_t report = request_of (self, CONFIG_WIRE_APPLIED);
    report.role = self->role;
    report.shards_owned = self->shards_owned;
    report.shard_count = self->shard_count;
    report.written = written;
    report.written_count = gather_wrote (self, written);
    if (!request (self, &report, NULL))
        return;
    mark_wrote (self, report.written_count);
    self->told_incarnation = sequence->incarnation;
    self->told_sequence = sequence->sequence;
    self->told_ms = now_ms;
    self->described = false;
}

static void watch (live_config_t *self, int64_t now_ms)
{
    if (now_ms - self->silence.looked_ms < SILENCE_LOOK_MS ||
        !silence_look (&self->silence, true, now_ms))
        return;
    if (self->silence.silent)
        log_warning ("configd is silent: changes of scenarios do not come through",
                     F_INT ("silent_ms", self->silence.quiet_ms));
    else
        log_info ("configd is heard again");
}

int64_t live_config_silent_ms (const live_config_t *self)
{
    return self->silence.silent ? self->silence.quiet_ms : 0;
}

void live_config_describe (live_config_t *self, config_role_t role, uint32_t shards_owned,
                           uint32_t shard_count)
{
    self->described |= self->role != role || self->shards_owned != shards_owned ||
                       self->shard_count != shard_count;
    self->role = role;
    self->shards_owned = shards_owned;
    self->shard_count = shard_count;
}

void live_config_wrote (live_config_t *self, const live_scenario_t *scenario)
{
    if (scenario->index >= self->wrote_count) {
        uint32_t count = self->wrote_count ? self->wrote_count : 64;
        while (count <= scenario->index)
            count *= 2;
        self->wrote = memory_resize (self->wrote, count * sizeof *self->wrote);
        memset (self->wrote + self->wrote_count, 0,
                (count - self->wrote_count) * sizeof *self->wrote);
        self->wrote_count = count;
    }
    wrote_t *wrote = &self->wrote[scenario->index];
    self->untold += !wrote->written.number || wrote->told;
    *wrote = (wrote_t){.written = {scenario->hash, scenario->era, scenario->number}};
}

void live_config_take_questions (live_config_t *self, live_config_question_t *on_question,
                                 void *arg)
{
    self->on_question = on_question;
    self->question_arg = arg;
    zmq_setsockopt (self->subscriber, ZMQ_SUBSCRIBE, CONFIG_TOPIC_QUESTIONS, 1);
}

bool live_config_answer (live_config_t *self, const config_answer_t *answer,
                         const buffer_t *rankings)
{
    config_request_t told = request_of (self, CONFIG_WIRE_ANSWER);
    told.answer = *answer;
    return request (self, &told, rankings);
}

/*  ---- the loop's ---- */

uint32_t live_config_step (live_config_t *self, int64_t now_ms)
{
    uint32_t changed = 0;
    ask_snapshot (self, now_ms);
    for (int i = 0; i < STEP_MESSAGES_MAX; i++) {
        zmq_msg_t message;
        zmq_msg_init (&message);
        int size = zmq_msg_recv (&message, self->subscriber, ZMQ_DONTWAIT);
        if (size >= 0)
            changed += take (self, (span_t){zmq_msg_data (&message), (size_t)size}, now_ms);
        zmq_msg_close (&message);
        if (size < 0)
            break;
    }
    ask_snapshot (self, now_ms);
    tell_applied (self, now_ms);
    watch (self, now_ms);
    return changed;
}

bool live_config_want (live_config_t *self, span_t tenant, span_t scenario)
{
    config_request_t wanted = request_of (self, CONFIG_WIRE_SCENARIO);
    wanted.tenant = tenant;
    wanted.scenario = scenario;
    return request (self, &wanted, NULL);
}

bool live_config_ready (const live_config_t *self)
{
    return self->sequence.ready;
}

void live_config_position (const live_config_t *self, uint64_t *incarnation, uint64_t *sequence)
{
    *incarnation = self->sequence.incarnation;
    *sequence = self->sequence.sequence;
}

const live_scenario_t *live_config_find (const live_config_t *self, span_t tenant, span_t scenario)
{
    return live_scenarios_find (self->scenarios, tenant, scenario);
}

const live_scenario_t *live_config_find_hash (const live_config_t *self, uint64_t hash)
{
    return live_scenarios_find_hash (self->scenarios, hash);
}

const live_scenario_t *live_config_at (const live_config_t *self, uint32_t index)
{
    return live_scenarios_at (self->scenarios, index);
}

uint32_t live_config_count (const live_config_t *self)
{
    return live_scenarios_count (self->scenarios);
}
