/*  worker_results: owed results into the pipes to the sinks, and what the sinks acknowledge. */
#include "common/worker_parts.h"

#include "common/log.h"
#include "common/memory.h"

enum { ACK_FRAMES_A_TURN = 256 };

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

/*  The sink is another incarnation than the last that answered: sequences begin anew. */
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
            shard->stage->refresh (shard->state, &time, false);
    }
    if (!first)
        log_info ("a sink started anew: what it did not acknowledge is sent again",
                  F_INT ("sink", index));
}

/*  Each shard knows to which Redis its results went, also by a former owner. */
static void follow_redis (worker_t *self, uint32_t index, uint64_t generation, int64_t now_ms)
{
    worker_sink_t *sink = &self->sinks[index];
    if (sink->redis_generation && sink->redis_generation != generation)
        log_info ("Redis came back as another or empty: all that is live is sent again",
                  F_INT ("sink", index));
    sink->redis_generation = generation;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        if (self->shards[i])
            shard_follow_redis (self->shards[i], index, generation, now_ms);
    }
}

static void take_ack (worker_t *self, uint32_t index, const wire_ack_t *ack)
{
    shard_t *shard = ack->shard < self->layout.shard_count ? self->shards[ack->shard] : NULL;
    if (!shard || shard->epoch != ack->epoch)
        return;
    size_t before = owed_pipe_bytes (shard->owed, index);
    owed_acknowledged (shard->owed, index, ack->executed);
    self->sinks[index].acknowledged += owed_pipe_bytes (shard->owed, index) < before;
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
    if (header.incarnation < sink->incarnation)
        return;
    if (header.incarnation > sink->incarnation)
        sink_started (self, head.sink_index, &header, now_ms);
    follow_redis (self, head.sink_index, head.redis_generation, now_ms);
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

/*  Renders waiting results into the pipe as long as there is room in it. */
static void fill_pipe (shard_t *shard, uint32_t index, int64_t now_ms)
{
    owed_waiting_t waiting;
    buffer_t body = {0};
    stage_time_t time = shard_time (shard, now_ms);
    while (owed_pipe_bytes (shard->owed, index) < WORKER_PIPE_BYTES_MAX &&
           owed_waiting (shard->owed, index, &waiting)) {
        if (waiting.body.bytes) {
            owed_enter (shard->owed, index, waiting.body.bytes, waiting.body.size,
                        WIRE_CHUNK_BYTES_MAX);
            continue;
        }
        buffer_clear (&body);
        if (shard->stage->render (shard->state, waiting.key, waiting.key_size, &time, &body) == 0)
            owed_enter (shard->owed, index, body.bytes, body.size, WIRE_CHUNK_BYTES_MAX);
        else
            owed_drop (shard->owed, index);
    }
    buffer_free (&body);
}

/*  Collects unsent chunks of all shards into `results`; returns how many. */
static uint32_t gather_chunks (worker_t *self, uint32_t index, buffer_t *results, int64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        owed_chunk_t chunk;
        if (!shard)
            continue;
        fill_pipe (shard, index, now_ms);
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

/*  Asks whether what was sent has come, of each shard: its last results may be lost, and nothing that
 *  comes behind them would show it; or their ack is. Returns how many questions there are. */
static uint32_t ask (worker_t *self, uint32_t index, buffer_t *results, int64_t now_ms)
{
    worker_sink_t *sink = &self->sinks[index];
    uint32_t count = 0;
    if (!sink->incarnation || now_ms - sink->asked_ms < WORKER_GREETING_MS)
        return 0;
    sink->asked_ms = now_ms;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        const shard_t *shard = self->shards[i];
        wire_result_t question = {.body = {"", 0}};
        if (!shard || !owed_last_sent (shard->owed, index, &question.sequence))
            continue;
        question.shard = shard->number;
        question.epoch = shard->epoch;
        wire_write_result (results, &question);
        count++;
    }
    return count;
}

static void make_frame (worker_t *self, uint32_t index, const buffer_t *results, uint32_t count)
{
    worker_sink_t *sink = &self->sinks[index];
    wire_results_t head = {.answers = span_of (self->answers_endpoint),
                           .lineage = self->layout.lineage,
                           .stage = (uint8_t) self->stage->id,
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
static bool send_frame (worker_sink_t *sink, int64_t now_ms)
{
    if (!sink->frame.size)
        return true;
    if (zmq_send (zsock_resolve (sink->socket), sink->frame.bytes, sink->frame.size, ZMQ_DONTWAIT) < 0)
        return false;
    buffer_clear (&sink->frame);
    sink->greeted_ms = now_ms;
    return true;
}

static void serve_sink (worker_t *self, uint32_t index, int64_t now_ms)
{
    worker_sink_t *sink = &self->sinks[index];
    buffer_t results = {0};
    for (int i = 0; i < WORKER_SINK_FRAMES && send_frame (sink, now_ms); i++) {
        buffer_clear (&results);
        uint32_t count = sink->incarnation ? gather_chunks (self, index, &results, now_ms) : 0;
        count += ask (self, index, &results, now_ms);
        if (!count && now_ms - sink->greeted_ms < WORKER_GREETING_MS)
            break;
        make_frame (self, index, &results, count);
    }
    buffer_free (&results);
}

void worker_send_results (worker_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->sink_count; i++)
        serve_sink (self, i, now_ms);
}
