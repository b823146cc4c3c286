/*  worker_results: owed results into the pipes to the sinks, and what the sinks acknowledge. */
#include "common/worker_parts.h"

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/incarnation.h"
#include "common/log.h"
#include "common/memory.h"

enum { ACK_FRAMES_A_TURN = 256, RENDER_GROUP = 16 };

void worker_connect_sinks (worker_t *self)
{
    settings_list_t sinks = endpoint_resolve_fixed (&self->settings->sinks);
    for (size_t i = 0; i < sinks.count && i < WORKER_SINKS_MAX; i++) {
        worker_sink_t *sink = &self->sinks[self->sink_count++];
        sink->socket = zsock_new (ZMQ_PUSH);
        zsock_set_sndhwm (sink->socket, WORKER_SINK_FRAMES);
        zsock_set_linger (sink->socket, 0);
        if (zsock_connect (sink->socket, "%s", sinks.list[i]) != 0)
            log_error ("not an endpoint", F_STR ("sink", sinks.list[i]));
        sink->endpoint = memory_copy_string (sinks.list[i], strlen (sinks.list[i]));
    }
    endpoint_list_free (&sinks);
}

/*  ---- acknowledgements ---- */

/*  The sink is another incarnation than the last that answered: what is owed is numbered anew. */
static void sink_started (worker_t *self, uint32_t index, const wire_header_t *header, int64_t now_ms)
{
    worker_sink_t *sink = &self->sinks[index];
    bool first = sink->incarnation == 0;
    sink->incarnation = header->incarnation;
    buffer_clear (&sink->frame);
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (!shard)
            continue;
        owed_restart (shard->owed, index);
        stage_time_t time = shard_time (shard, now_ms);
        if (!first)
            shard->stage->refresh (shard->state, &time,
                                   (stage_refresh_t){false, index, self->sink_count});
    }
    if (!first)
        log_info ("a sink started anew: what it did not acknowledge is sent again",
                  F_INT ("sink", index));
}

/*  Everything live is owed again where Redis behind the sink is not the one for which it was: it came back
 *  empty or as another, or this shard is new here and its former owner did not come to it. One shard a
 *  turn, since it may have very many. */
static void follow_redis (worker_t *self, shard_t *shard, uint32_t index, int64_t now_ms)
{
    uint64_t generation = self->sinks[index].redis_generation;
    if (!generation || owed_generation (shard->owed, index) == generation || self->refreshed)
        return;
    self->refreshed = true;
    stage_time_t time = shard_time (shard, now_ms);
    owed_set_generation (shard->owed, index, generation);
    shard->stage->refresh (shard->state, &time, (stage_refresh_t){true, index, self->sink_count});
    shard->changed = true;
}

bool worker_follows_redis (const worker_t *self, const shard_t *shard)
{
    bool follows = true;
    for (uint32_t i = 0; i < self->sink_count; i++)
        follows = follows && self->sinks[i].redis_generation &&
                  owed_generation (shard->owed, i) == self->sinks[i].redis_generation;
    return follows;
}

static void take_ack (worker_t *self, uint32_t index, const wire_ack_t *ack)
{
    shard_t *shard = ack->shard < self->layout.shard_count ? self->shards[ack->shard] : NULL;
    if (!shard || shard->epoch != ack->epoch)
        return;
    size_t before = owed_pipe_bytes (shard->owed, index);
    owed_acknowledged (shard->owed, index, ack->executed);
    self->sinks[index].acknowledged += owed_pipe_bytes (shard->owed, index) < before;
    CRASH_POINT (ACK_TAKEN);
    if (ack->gap)
        owed_again (shard->owed, index, ack->expected);
}

static void take_acks (worker_t *self, zmq_msg_t *message, int64_t now_ms)
{
    cursor_t frame = cursor_of (zmq_msg_data (message), zmq_msg_size (message));
    wire_header_t header;
    wire_acks_t head;
    wire_ack_t ack;
    if (!wire_read_header (&frame, &header) || header.kind != WIRE_ACKS)
        return;
    wire_read_acks (&frame, &head);
    if (frame.failed || head.sink_index >= self->sink_count)
        return;
    worker_sink_t *sink = &self->sinks[head.sink_index];
    incarnation_verdict_t verdict =
        incarnation_judge (sink->incarnation, sink->heard_ms, header.incarnation, now_ms);
    if (verdict == INCARNATION_STALE)
        return;
    sink->heard_ms = now_ms;
    if (verdict == INCARNATION_NEWER)
        sink_started (self, head.sink_index, &header, now_ms);
    silence_heard (&sink->silence);
    if (sink->redis_generation && head.redis_generation != sink->redis_generation)
        log_info ("Redis came back as another or empty: all that is live is sent again");
    sink->redis_generation = head.redis_generation;
    for (uint32_t i = 0; i < head.ack_count && !frame.failed; i++) {
        wire_read_ack (&frame, &ack);
        if (!frame.failed)
            take_ack (self, head.sink_index, &ack);
    }
}

void worker_take_acks (worker_t *self, int64_t now_ms)
{
    void *socket = zsock_resolve (self->answers);
    for (int i = 0; i < ACK_FRAMES_A_TURN; i++) {
        zmq_msg_t message;
        zmq_msg_init (&message);
        bool got = zmq_msg_recv (&message, socket, ZMQ_DONTWAIT) >= 0;
        if (got)
            take_acks (self, &message, now_ms);
        zmq_msg_close (&message);
        if (!got)
            return;
    }
}

/*  ---- sending ---- */

/*  Rankings and metrics have an order, by which the sink keeps what is newer; profiles have none: those of a
 *  shard that computes the past anew wait, by their users' names, until it has caught up. */
static bool holds_back (const worker_t *self, const shard_t *shard)
{
    return shard->stage->id == STAGE_PROFILER &&
           ((shard->fresh && !shard->judged) || worker_shard_is_behind (self, shard));
}

/*  The oldest waiting result enters the pipe, or has no content any more. */
static void render_one (shard_t *shard, uint32_t index, const owed_waiting_t *waiting,
                        const stage_time_t *time, buffer_t *body)
{
    span_t bytes = waiting->body;
    if (!bytes.bytes) {
        buffer_clear (body);
        if (shard->stage->render (shard->state, waiting->key, waiting->key_size, time, body) != 0) {
            owed_drop (shard->owed, index);
            return;
        }
        bytes = (span_t){(const char *)body->bytes, body->size};
    }
    owed_enter (shard->owed, index, bytes.bytes, bytes.size, WIRE_CHUNK_BYTES_MAX);
}

/*  Where this turn has no time left, the next one begins. */
static bool may_render (worker_t *self, uint32_t shard)
{
    if (worker_may_go_on (self, !self->rendered)) {
        self->rendered = true;
        return true;
    }
    if (!self->unrendered)
        self->render_from = shard;
    self->unrendered = true;
    return false;
}

/*  Is there room for one more result in the pipe? Parts are acknowledged when all shards' are there. Shards that are
 *  not equally far send those of many scenarios in orders of their own: what is ahead in each must fit, or all wait. */
static bool has_room (const shard_t *shard, uint32_t index)
{
    size_t most = shard->stage->id == STAGE_PROFILER ? WORKER_PIPE_BYTES_MAX : WORKER_PARTS_BYTES_MAX;
    return owed_pipe_bytes (shard->owed, index) < most;
}

/*  Renders waiting results into the pipe as long as there is room in it, and time; in groups, for the stage to ask
 *  for the memory of a whole one at once. */
static void fill_pipe (worker_t *self, shard_t *shard, uint32_t index, int64_t now_ms)
{
    owed_waiting_t waiting[RENDER_GROUP];
    buffer_t body = {0};
    stage_time_t time = shard_time (shard, now_ms);
    for (uint32_t count = 1; count && has_room (shard, index);) {
        count = owed_waiting_next (shard->owed, index, waiting, RENDER_GROUP);
        if (count && !may_render (self, shard->number))
            break;
        if (shard->stage->foresee)
            shard->stage->foresee (shard->state, waiting, count);
        for (uint32_t i = 0; i < count && has_room (shard, index); i++) {
            if (i && !may_render (self, shard->number))
                break;
            render_one (shard, index, &waiting[i], &time, &body);
        }
    }
    buffer_free (&body);
}

/*  False: there is no sequence to tell of. */
static bool write_mark (const shard_t *shard, uint64_t sequence, uint32_t mark, buffer_t *results)
{
    const wire_result_t result = {.shard = shard->number,
                                  .epoch = shard->epoch,
                                  .sequence = sequence,
                                  .chunk = mark,
                                  .body = span_of ("")};
    if (sequence)
        wire_write_result (results, &result);
    return sequence != 0;
}

/*  Collects unsent chunks of all shards into `results`; returns how many. */
static uint32_t gather_chunks (worker_t *self, uint32_t index, buffer_t *results, int64_t now_ms)
{
    uint32_t count = 0, from = self->render_from;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[(from + i) % self->layout.shard_count];
        owed_chunk_t chunk;
        if (!shard || shard->dropped)
            continue;
        follow_redis (self, shard, index, now_ms);
        if (!holds_back (self, shard))
            fill_pipe (self, shard, index, now_ms);
        /* Before anything else: where the numbers begin, if not at 1. */
        count += write_mark (shard, owed_take_begin (shard->owed, index), WIRE_MARK_BEGIN, results);
        while (results->size < WIRE_FRAME_BYTES_GOAL && owed_to_send (shard->owed, index, &chunk)) {
            wire_result_t result = {.shard = shard->number,
                                    .epoch = shard->epoch,
                                    .sequence = chunk.sequence,
                                    .chunk = chunk.chunk,
                                    .chunk_count = chunk.chunk_count,
                                    .body = chunk.body};
            wire_write_result (results, &result);
            owed_sent (shard->owed, index);
            self->counts.results++;
            count++;
        }
    }
    return count;
}

static void make_frame (worker_t *self, uint32_t index, const buffer_t *results, uint32_t count)
{
    worker_sink_t *sink = &self->sinks[index];
    wire_results_t head = {.answers = span_of (self->answers_endpoint),
                           .lineage = self->layout.lineage,
                           .stage = (uint8_t)self->stage->id,
                           .sink_index = index,
                           .shards_total = self->layout.shard_count,
                           .sink_incarnation = sink->incarnation,
                           .result_count = count};
    buffer_clear (&sink->frame);
    wire_write_header (&sink->frame, WIRE_RESULTS, span_of (self->name), self->incarnation);
    wire_write_results (&sink->frame, &head);
    buffer_append (&sink->frame, results->bytes, results->size);
}

/*  True: it is gone. A full pipe keeps it: results wait as owed. */
static bool send_frame (worker_sink_t *sink)
{
    if (!sink->frame.size)
        return true;
    CRASH_POINT (RESULT_MADE);
    if (zmq_send (zsock_resolve (sink->socket), sink->frame.bytes, sink->frame.size, ZMQ_DONTWAIT) < 0)
        return false;
    CRASH_POINT (RESULT_SENT);
    buffer_clear (&sink->frame);
    return true;
}

/*  Where the numbers of each shard stand: what is lost behind the last result shows by it. */
static uint32_t gather_marks (worker_t *self, uint32_t index, buffer_t *results)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        const shard_t *shard = self->shards[i];
        if (shard)
            count += write_mark (shard, owed_next_sequence (shard->owed, index), WIRE_MARK_NEXT, results);
    }
    return count;
}

/*  Once a second, whatever else is sent: marks, and behind them the greeting, which is answered. */
static void serve_sink (worker_t *self, uint32_t index, int64_t now_ms)
{
    worker_sink_t *sink = &self->sinks[index];
    buffer_t results = {0};
    for (int i = 0; i < WORKER_SINK_FRAMES && send_frame (sink); i++) {
        uint32_t count = 0;
        bool known = sink->incarnation != 0, greets = sink->greets;
        buffer_clear (&results);
        sink->greets = false;
        if (!greets && now_ms - sink->greeted_ms >= WORKER_GREETING_MS) {
            sink->greeted_ms = now_ms;
            count = known ? gather_marks (self, index, &results) : 0;
            sink->greets = count > 0;
            greets = !count;
        } else if (!greets && known) {
            count = gather_chunks (self, index, &results, now_ms);
        }
        if (!count && !greets)
            break;
        make_frame (self, index, &results, count);
    }
    buffer_free (&results);
}

void worker_send_results (worker_t *self, int64_t now_ms)
{
    self->refreshed = false;
    self->rendered = false;
    self->unrendered = false;
    worker_begin_part (self);
    for (uint32_t i = 0; i < self->sink_count; i++)
        serve_sink (self, i, now_ms);
}
