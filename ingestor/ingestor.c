#include "ingestor/ingestor_parts.h"

#include <stdlib.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/stop.h"

enum { COMMIT_MS = 1000, ANNOUNCES_A_TURN = 256, LETTERS_DRAIN_MS = 10000 };

/*  ---- what the source says ---- */

uint32_t ingestor_number (ingestor_t *self, uint32_t source_index)
{
    if (source_index >= self->number_count) {
        uint32_t count = source_index + 16;
        self->numbers = memory_resize (self->numbers, count * sizeof *self->numbers);
        memset (self->numbers + self->number_count, 0,
                (count - self->number_count) * sizeof *self->numbers);
        self->number_count = count;
    }
    if (!self->numbers[source_index]) {
        const char *name = self->source->ops->partition_name (self->source, source_index);
        self->numbers[source_index] =
            partition_names_intern (self->partitions, span_of (name)) + 1;
    }
    return self->numbers[source_index] - 1;
}

static ledger_partition_t *own_partition (ingestor_t *self, uint32_t source_index)
{
    ledger_partition_t *partition =
        offset_ledger_get (&self->ledger, ingestor_number (self, source_index));
    partition->source_index = source_index;
    return partition;
}

static void on_listed (void *arg)
{
    ingestor_t *self = arg;
    self->told_ms = 0;
    self->learned_count = 0;
}

static void on_assigned (void *arg, uint32_t source_index)
{
    ledger_partition_t *partition = own_partition (arg, source_index);
    partition->owned = true;
    /* What was committed under the former assignment may have been refused, and its retry dropped. */
    partition->committed = -1;
    partition->started = false;
    partition->stopped = partition->renew = false;
    partition->source_paused = false;
    partition->run = (idleness_run_t){0};
    CRASH_POINT (PARTITION_ASSIGNED);
}

static void on_revoked (void *arg, uint32_t source_index)
{
    ingestor_t *self = arg;
    ledger_partition_t *partition = own_partition (self, source_index);
    partition->owned = false;
    partition->started = false;
    self->told_ms = 0; /* nobody may go on by what was said of it here */
}

static void on_position (void *arg, uint32_t source_index, int64_t next)
{
    ledger_partition_t *partition = own_partition (arg, source_index);
    if (partition->started && !partition->awaiting && !partition->retry_ms &&
        next > partition->position)
        partition->position = next;
}

static void on_end (void *arg, uint32_t source_index, int64_t at)
{
    ledger_partition_t *partition = own_partition (arg, source_index);
    if (!partition->started || partition->awaiting || partition->retry_ms)
        return;
    if (at > partition->position)
        partition->position = at;
    partition->at_end = true;
}

static void on_lost (void *arg, uint32_t source_index, int64_t wanted, int64_t oldest, int64_t end)
{
    ingestor_lose (arg, own_partition (arg, source_index), wanted, oldest, end);
}

source_events_t ingestor_source_events (ingestor_t *self)
{
    return (source_events_t){.arg = self,
                             .record = ingestor_route,
                             .listed = on_listed,
                             .assigned = on_assigned,
                             .revoked = on_revoked,
                             .position = on_position,
                             .end = on_end,
                             .lost = on_lost};
}

void ingestor_use (ingestor_t *self, source_t *source, dead_letters_t *dead_letters)
{
    self->source = source;
    self->dead_letters = dead_letters;
}

/*  ---- what the workers say ---- */

static void on_owned (void *arg, uint32_t slot)
{
    ingestor_t *self = arg;
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        ledger_partition_t *partition = self->ledger.partitions[i];
        if (!partition || !partition->started)
            continue;
        vector_entry_t entry = vector_get (&owners_slot (self->owners, slot)->applied, i);
        offset_ledger_set_slot (partition, slot, entry);
        partition->restart |= partition->slots[slot].handed < partition->position;
    }
}

static void on_rewind (void *arg, uint32_t slot, uint32_t number, vector_entry_t entry,
                       uint64_t rewinds)
{
    ingestor_t *self = arg;
    ledger_partition_t *partition =
        number < self->ledger.count ? self->ledger.partitions[number] : NULL;
    if (!partition || !partition->started || partition->rewinds != rewinds)
        return;
    offset_ledger_set_slot (partition, slot, entry);
    partition->restart = true;
    CRASH_POINT (REWIND_BEFORE);
}

static void take_announces (ingestor_t *self)
{
    void *socket = zsock_resolve (self->back_channel);
    for (int i = 0; i < ANNOUNCES_A_TURN; i++) {
        zmq_msg_t message;
        zmq_msg_init (&message);
        bool got = zmq_msg_recv (&message, socket, ZMQ_DONTWAIT) >= 0;
        cursor_t frame = cursor_of (zmq_msg_data (&message), zmq_msg_size (&message));
        wire_header_t header;
        int taken = -1;
        if (got && wire_read_header (&frame, &header) && header.kind == WIRE_ANNOUNCE)
            taken = owners_take (self->owners, &header, &frame, self->now_ms);
        if (got && taken == -2)
            log_error ("a worker of another number of shards is not heard: --shards must be the same",
                       F_SPAN ("worker", header.sender));
        else if (got && taken != 0)
            log_warning ("a frame that is none of ours, or of another version, was dropped");
        zmq_msg_close (&message);
        if (!got)
            break;
    }
    owners_sweep (self->owners, self->now_ms);
    ingestor_learn (self);
    ingestor_connect_workers (self);
}

/*  ---- starts and rewinds ---- */

static void read_vectors (ingestor_t *self, ledger_partition_t *partition, uint32_t number)
{
    for (uint32_t slot = 0; slot < owners_slot_count (self->owners); slot++) {
        vector_entry_t entry = {INT64_MAX, EVENT_TIME_NONE};
        bool takes_part = owners_takes_part (self->owners, slot);
        int64_t counted = partition->slots[slot].counted;
        if (takes_part)
            entry = vector_get (&owners_slot (self->owners, slot)->applied, number);
        offset_ledger_set_slot (partition, slot, entry);
        /* No shard knows what was counted of these before: they count from the beginning of this life. */
        if (!takes_part)
            partition->slots[slot].counted = counted < 0 ? 0 : counted;
    }
}

static void start_partition (ingestor_t *self, ledger_partition_t *partition, uint32_t number)
{
    const source_ops_t *ops = self->source->ops;
    uint32_t slot_count = owners_slot_count (self->owners);
    if (!partition->started)
        read_vectors (self, partition, number);
    vector_entry_t entry = offset_ledger_start (partition, slot_count);
    bool oldest = entry.next == VECTOR_ABSENT || partition->skip_to_oldest;
    int64_t base = -1;
    bool base_lost = false;
    bool again = partition->started;
    partition->started = true;
    outcome_t outcome = ops->start (self->source, partition->source_index,
                                    oldest ? SOURCE_OLDEST : entry.next,
                                    offset_ledger_most (partition, slot_count), &base, &base_lost);
    if (outcome != OUTCOME_OK || partition->stopped) {
        partition->started = again && !partition->stopped;
        return;
    }
    if (!oldest)
        offset_ledger_rewind (partition, slot_count, entry, self->now_ms);
    else if (offset_ledger_begin (partition, slot_count, base, base_lost || partition->skip_to_oldest,
                                  partition->skip_to_oldest, self->now_ms) != 0) {
        vector_entry_t present = {INT64_MAX, EVENT_TIME_NONE};
        for (uint32_t slot = 0; slot < slot_count; slot++) {
            int64_t handed = partition->slots[slot].handed;
            present.next = handed >= 0 && handed < present.next ? handed : present.next;
        }
        ingestor_lose (self, partition, present.next, base, -1);
        return;
    }
    partition->skip_to_oldest = false;
    partition->restart = false;
    partition->rewinds += again;
    CRASH_POINT (PARTITION_STARTED);
    if (again)
        CRASH_POINT (REWIND_AFTER);
    /* A source keeps a pause over a start: what was paused before (while a shard had no owner, say) would
     * never be read again. */
    ops->pause (self->source, partition->source_index, false);
    partition->source_paused = false;
    log_debug ("a partition is read", F_SPAN ("partition", partition_names_get (self->partitions, number)),
               F_INT ("from", partition->position), F_INT ("rewinds", partition->rewinds));
}

static void start_partitions (ingestor_t *self)
{
    bool complete = owners_complete (self->owners) && live_config_ready (self->config);
    if (complete && !self->handing_out) {
        self->handing_out = true;
        log_info ("every shard has an owner: events are handed out");
    }
    if (!complete)
        return;
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        ledger_partition_t *partition = self->ledger.partitions[i];
        if (!partition || !partition->owned || partition->stopped)
            continue;
        if (partition->renew)
            ingestor_renew (self, partition);
        else if (partition->started ? partition->restart : owners_know (self->owners, i))
            start_partition (self, partition, i);
    }
}

/*  ---- the end of it ---- */

static void commit (ingestor_t *self)
{
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        ledger_partition_t *partition = self->ledger.partitions[i];
        int64_t durable = owners_durable (self->owners, i);
        if (!partition || !partition->started || durable <= partition->committed)
            continue;
        CRASH_POINT (OFFSET_BEFORE);
        self->source->ops->commit (self->source, partition->source_index, durable);
        CRASH_POINT (OFFSET_AFTER);
        partition->committed = durable;
    }
}

static bool all_done (const ingestor_t *self)
{
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        const ledger_partition_t *partition = self->ledger.partitions[i];
        if (partition && partition->owned && (!partition->started || !partition->at_end))
            return false;
    }
    return owners_settled (self->owners);
}

static void say_done (ingestor_t *self)
{
    const ingestor_counts_t *counts = &self->counts;
    char line[2048];
    uint64_t dead = 0;
    for (int i = 0; i < EVENT_REASON_COUNT; i++)
        dead += counts->dead[i];
    int size = snprintf (line, sizeof line,
                         "done in=%llu unknown=%llu inactive=%llu other=%llu unconfirmed=%llu "
                         "wrong_types=%llu dead=%llu",
                         (unsigned long long) counts->in, (unsigned long long) counts->unknown,
                         (unsigned long long) counts->inactive, (unsigned long long) counts->other,
                         (unsigned long long) counts->unconfirmed,
                         (unsigned long long) counts->wrong_types, (unsigned long long) dead);
    for (int i = 0; i < EVENT_REASON_COUNT; i++) {
        if (counts->dead[i] && size < (int)sizeof line)
            size += snprintf (line + size, sizeof line - (size_t)size, " dead.%s=%llu",
                              event_reason_name ((event_reason_t)i),
                              (unsigned long long) counts->dead[i]);
    }
    beat_say (&self->beat, line);
    log_info ("all input is in Redis", F_INT ("events", counts->in));
}

/*  ---- life ---- */

ingestor_t *ingestor_new (const ingestor_settings_t *settings, char *error, size_t error_size,
                          int *code)
{
    ingestor_t *self = memory_new (sizeof *self);
    char actual[ENDPOINT_BYTES_MAX];
    self->settings = *settings;
    self->incarnation = settings->incarnation;
    self->beat = beat_of (settings->beat_fd);
    self->first_ms = EVENT_TIME_NONE;
    self->greatest_ms = EVENT_TIME_NONE;
    self->now_ms = clock_ms ();
    self->actions = action_names_new ();
    self->parser = event_parser_new ();
    self->partitions = partition_names_new ();
    const owners_events_t events = {self, on_owned, on_rewind};
    self->owners = owners_new (settings->stages, settings->shard_count, self->partitions,
                               span_of (settings->name), self->incarnation, &events);
    self->ledger.slot_count = owners_slot_count (self->owners);
    self->back_channel = zsock_new (ZMQ_PULL);
    *code = EX_UNAVAILABLE;
    const status_source_t told = {self, ingestor_tell_readiness, ingestor_tell_metrics};
    const status_process_t process = {"ingestor", settings->name, settings->name_given, settings->state};
    if (status_open (settings->status, &process, &told, &self->status, error, error_size) != 0)
        goto failed;
    if (endpoint_bind (self->back_channel, settings->listen, settings->allow_plain_tcp, actual, error,
                       error_size) != 0)
        goto failed;
    self->config = live_config_new (zsys_init (), settings->configd, settings->name,
                                    self->incarnation, NULL, NULL);
    if (!self->config) {
        snprintf (error, error_size, "%s is not an endpoint", settings->configd);
        *code = EX_USAGE;
        goto failed;
    }
    return self;
failed:
    ingestor_destroy (&self);
    return NULL;
}

void ingestor_destroy (ingestor_t **self_p)
{
    ingestor_t *self = *self_p;
    if (!self)
        return;
    status_close (&self->status);
    for (uint32_t i = 0; i < OWNERS_WORKERS_MAX; i++) {
        zsock_destroy (&self->workers[i].socket);
        buffer_free (&self->workers[i].frame);
        free (self->workers[i].used_scenarios);
    }
    live_config_destroy (&self->config);
    zsock_destroy (&self->back_channel);
    owners_destroy (&self->owners);
    offset_ledger_free (&self->ledger);
    partition_names_destroy (&self->partitions);
    event_parser_destroy (&self->parser);
    action_names_destroy (&self->actions);
    buffer_free (&self->sections);
    free (self->numbers);
    free (self->marks);
    free (self);
    *self_p = NULL;
}

/*  A worker that takes nothing stops the reading; the source is still asked, but for nothing, once the
 *  partitions are paused (ingestor_pace): a consumer that never polls would lose its membership. */
static void read_source (ingestor_t *self)
{
    int64_t blocked_ms = ingestor_blocked_since (self);
    if (blocked_ms && self->now_ms - blocked_ms <= INGESTOR_BLOCKED_MS) {
        zmq_pollitem_t item = {zsock_resolve (self->back_channel), 0, ZMQ_POLLIN, 0};
        zmq_poll (&item, 1, 1);
        return;
    }
    self->source->ops->poll (self->source, INGESTOR_TURN_MS);
}

static void turn (ingestor_t *self)
{
    self->now_ms = clock_ms ();
    self->wall_ms = clock_wall_ms ();
    live_config_step (self->config, self->now_ms);
    ingestor_await_step (self);
    take_announces (self);
    ingestor_watch_workers (self);
    start_partitions (self);
    read_source (self);
    self->dead_letters->ops->poll (self->dead_letters);
    self->now_ms = clock_ms ();
    ingestor_pace (self);
    ingestor_send_due (self);
    if (self->now_ms - self->committed_ms >= COMMIT_MS) {
        commit (self);
        self->committed_ms = self->now_ms;
    }
    status_turn (self->status, self->now_ms);
    beat_tick (&self->beat, self->now_ms);
}

int ingestor_run (ingestor_t *self)
{
    beat_say (&self->beat, "ready");
    while (!stop_requested ()) {
        turn (self);
        if (self->settings.once && self->lost_offsets)
            return EX_DATAERR;
        if (self->settings.once && all_done (self)) {
            commit (self);
            say_done (self);
            ingestor_leave (self);
            return 0;
        }
    }
    commit (self);
    ingestor_leave (self);
    return 0;
}
