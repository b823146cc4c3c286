/*  sink_results: results as they come: frame, chain, and then by kind. */
#include "sink/sink_parts.h"

#include "common/crash_point.h"
#include "common/log.h"
#include "common/results.h"
#include "common/stage.h"
#include "common/wire.h"

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
            sink_put_profile (self, &header, &profile, token);
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

static bool has_room (const sink_t *self, const wire_results_t *frame)
{
    return frame->stage != STAGE_PROFILER || sink_has_room_for_profiles (self);
}

static void take_result (sink_t *self, uint32_t peer, const wire_results_t *frame,
                         const wire_result_t *result)
{
    chain_token_t token;
    span_t body;
    chain_verdict_t verdict =
        result_chain_take (self->chain, peer, frame, result, has_room (self, frame), self->now_ms,
                           &token, &body);
    self->counts.results[verdict]++;
    switch (verdict) {
    case CHAIN_ACCEPT:
        CRASH_POINT (RESULT_TAKEN);
        take_body (self, frame, &token, body);
        break;
    case CHAIN_GAP:
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
    case CHAIN_FULL:
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

void sink_take_frames (sink_t *self)
{
    void *socket = zsock_resolve (self->intake);
    for (int i = 0; i < SINK_FRAMES_A_TURN && sink_may_take (self); i++) {
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
