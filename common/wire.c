#include "common/wire.h"

#include "common/event_time.h"
#include "common/stage.h"

/*  Bounds of what a reader takes: they bound every allocation that follows from a frame. */
enum { LIST_COUNT_MAX = 1 << 20, SCENARIOS_MAX = 1 << 20 };

/*  Names are also kept as C strings. */
static span_t read_name (cursor_t *frame)
{
    span_t name = cursor_span (frame, WIRE_NAME_BYTES_MAX);
    if (name.size == 0 || memchr (name.bytes, '\0', name.size))
        frame->failed = true;
    return name;
}

static int64_t read_time_ms (cursor_t *frame)
{
    int64_t time_ms = cursor_int (frame);
    if (time_ms != EVENT_TIME_NONE && (time_ms < -WIRE_TIME_MS_MAX || time_ms > WIRE_TIME_MS_MAX))
        frame->failed = true;
    return time_ms;
}

static int64_t read_greatest_ms (cursor_t *frame)
{
    int64_t time_ms = cursor_int (frame);
    if (time_ms != EVENT_TIME_NONE && (time_ms < 0 || time_ms > EVENT_TIME_MS_MAX))
        frame->failed = true;
    return time_ms;
}

void wire_write_header (buffer_t *frame, wire_kind_t kind, span_t sender, uint64_t incarnation)
{
    pack_uint (frame, WIRE_VERSION);
    pack_uint (frame, kind);
    pack_span (frame, sender);
    pack_uint (frame, incarnation);
}

bool wire_read_header (cursor_t *frame, wire_header_t *header)
{
    if (frame->end - frame->at > WIRE_FRAME_BYTES_MAX || cursor_uint (frame) != WIRE_VERSION)
        frame->failed = true;
    uint64_t kind = cursor_uint_max (frame, WIRE_ACKS);
    if (kind < WIRE_SECTIONS)
        frame->failed = true;
    header->kind = (wire_kind_t)kind;
    header->sender = read_name (frame);
    header->incarnation = cursor_uint (frame);
    return !frame->failed;
}

void wire_write_sections (buffer_t *frame, const wire_sections_t *head)
{
    pack_uint (frame, head->stage);
    pack_uint (frame, head->config_incarnation);
    pack_uint (frame, head->config_sequence);
    pack_uint (frame, head->scenario_count);
    pack_uint (frame, head->action_count);
    pack_uint (frame, head->section_count);
}

void wire_write_scenario (buffer_t *frame, const wire_scenario_t *scenario)
{
    pack_uint (frame, scenario->index);
    pack_uint (frame, scenario->hash);
}

void wire_write_action (buffer_t *frame, const wire_action_t *action)
{
    pack_uint (frame, action->number);
    pack_span (frame, action->name);
}

void wire_write_section (buffer_t *frame, const wire_section_t *section)
{
    pack_uint (frame, section->shard);
    pack_span (frame, section->partition);
    pack_int (frame, section->from);
    pack_int (frame, section->to);
    pack_int (frame, section->base);
    pack_bool (frame, section->base_lost);
    pack_int (frame, section->greatest_from_ms);
    pack_int (frame, section->greatest_to_ms);
    pack_uint (frame, section->rewinds);
    pack_uint (frame, section->event_count);
    pack_bytes (frame, section->rows.bytes, section->rows.size);
}

void wire_write_partitions (buffer_t *frame, const wire_partitions_t *head)
{
    pack_int (frame, head->idle_time_ms);
    pack_bool (frame, head->once);
    pack_bool (frame, head->leaving);
    pack_uint (frame, head->partition_count);
    pack_uint (frame, head->own_count);
}

void wire_write_own_partition (buffer_t *frame, const wire_own_partition_t *own)
{
    pack_span (frame, own->partition);
    pack_bool (frame, own->idle);
    pack_bool (frame, own->ended);
    pack_int (frame, own->at);
}

void wire_write_announce (buffer_t *frame, const wire_announce_t *head)
{
    pack_uint (frame, head->stage);
    pack_span (frame, head->endpoint);
    pack_uint (frame, head->shards_total);
    pack_uint (frame, head->partition_count);
    pack_uint (frame, head->shard_count);
    pack_uint (frame, head->rewind_count);
    pack_bool (frame, head->leaving);
}

void wire_write_known_partition (buffer_t *frame, const wire_known_partition_t *partition)
{
    pack_span (frame, partition->name);
    pack_bool (frame, partition->idle);
    pack_bool (frame, partition->ended);
}

void wire_write_shard (buffer_t *frame, const wire_shard_t *shard)
{
    pack_uint (frame, shard->shard);
    pack_uint (frame, shard->epoch);
    pack_int (frame, shard->watermark_ms);
    pack_bool (frame, shard->settled);
    pack_bool (frame, shard->exact);
    pack_uint (frame, shard->counted);
    pack_uint (frame, shard->late);
    pack_uint (frame, shard->skipped);
    pack_uint (frame, shard->entry_count);
}

void wire_write_entry (buffer_t *frame, const wire_entry_t *entry)
{
    pack_uint (frame, entry->partition);
    pack_int (frame, entry->next);
    pack_int (frame, entry->greatest_ms);
    pack_int (frame, entry->durable);
}

void wire_write_rewind (buffer_t *frame, const wire_rewind_t *rewind)
{
    pack_uint (frame, rewind->shard);
    pack_uint (frame, rewind->partition);
    pack_int (frame, rewind->next);
    pack_int (frame, rewind->greatest_ms);
    pack_span (frame, rewind->ingestor);
    pack_uint (frame, rewind->incarnation);
    pack_uint (frame, rewind->rewinds);
}

void wire_write_results (buffer_t *frame, const wire_results_t *head)
{
    pack_span (frame, head->answers);
    pack_uint (frame, head->lineage);
    pack_uint (frame, head->stage);
    pack_uint (frame, head->sink_index);
    pack_uint (frame, head->shards_total);
    pack_uint (frame, head->sink_incarnation);
    pack_uint (frame, head->result_count);
}

void wire_write_result (buffer_t *frame, const wire_result_t *result)
{
    pack_uint (frame, result->shard);
    pack_uint (frame, result->epoch);
    pack_uint (frame, result->sequence);
    pack_uint (frame, result->chunk);
    pack_uint (frame, result->chunk_count);
    pack_bytes (frame, result->body.bytes, result->body.size);
}

void wire_write_acks (buffer_t *frame, const wire_acks_t *head)
{
    pack_uint (frame, head->sink_index);
    pack_uint (frame, head->redis_generation);
    pack_uint (frame, head->ack_count);
}

void wire_write_ack (buffer_t *frame, const wire_ack_t *ack)
{
    pack_uint (frame, ack->shard);
    pack_uint (frame, ack->epoch);
    pack_uint (frame, ack->executed);
    pack_uint (frame, ack->expected);
    pack_bool (frame, ack->gap);
}

void wire_read_sections (cursor_t *frame, wire_sections_t *head)
{
    head->stage = (uint8_t)cursor_uint_max (frame, STAGE_COUNT - 1);
    head->config_incarnation = cursor_uint (frame);
    head->config_sequence = cursor_uint (frame);
    head->scenario_count = (uint32_t)cursor_uint_max (frame, SCENARIOS_MAX);
    head->action_count = (uint32_t)cursor_uint_max (frame, SCENARIOS_MAX);
    head->section_count = (uint32_t)cursor_uint_max (frame, LIST_COUNT_MAX);
}

void wire_read_scenario (cursor_t *frame, wire_scenario_t *scenario)
{
    scenario->index = (uint32_t)cursor_uint_max (frame, UINT32_MAX);
    scenario->hash = cursor_uint (frame);
}

void wire_read_action (cursor_t *frame, wire_action_t *action)
{
    action->number = (uint16_t)cursor_uint_max (frame, UINT16_MAX);
    action->name = cursor_span (frame, EVENT_ACTION_BYTES_MAX);
}

void wire_read_section (cursor_t *frame, wire_section_t *section)
{
    section->shard = (uint32_t)cursor_uint_max (frame, WIRE_SHARDS_MAX - 1);
    section->partition = read_name (frame);
    section->from = cursor_int (frame);
    section->to = cursor_int (frame);
    section->base = cursor_int (frame);
    section->base_lost = cursor_bool (frame);
    section->greatest_from_ms = read_greatest_ms (frame);
    section->greatest_to_ms = read_greatest_ms (frame);
    section->rewinds = cursor_uint (frame);
    section->event_count = (uint32_t)cursor_uint_max (frame, UINT32_MAX);
    section->rows = cursor_span (frame, WIRE_FRAME_BYTES_MAX);
}

void wire_read_partitions (cursor_t *frame, wire_partitions_t *head)
{
    head->idle_time_ms = read_time_ms (frame);
    head->once = cursor_bool (frame);
    head->leaving = cursor_bool (frame);
    head->partition_count = (uint32_t)cursor_uint_max (frame, WIRE_PARTITIONS_MAX);
    head->own_count = (uint32_t)cursor_uint_max (frame, WIRE_PARTITIONS_MAX);
}

void wire_read_own_partition (cursor_t *frame, wire_own_partition_t *own)
{
    own->partition = read_name (frame);
    own->idle = cursor_bool (frame);
    own->ended = cursor_bool (frame);
    own->at = cursor_int (frame);
}

void wire_read_announce (cursor_t *frame, wire_announce_t *head)
{
    head->stage = (uint8_t)cursor_uint_max (frame, STAGE_COUNT - 1);
    head->endpoint = read_name (frame);
    head->shards_total = (uint32_t)cursor_uint_max (frame, WIRE_SHARDS_MAX);
    head->partition_count = (uint32_t)cursor_uint_max (frame, WIRE_PARTITIONS_MAX);
    head->shard_count = (uint32_t)cursor_uint_max (frame, WIRE_SHARDS_MAX);
    head->rewind_count = (uint32_t)cursor_uint_max (frame, LIST_COUNT_MAX);
    head->leaving = cursor_bool (frame);
}

void wire_read_known_partition (cursor_t *frame, wire_known_partition_t *partition)
{
    partition->name = read_name (frame);
    partition->idle = cursor_bool (frame);
    partition->ended = cursor_bool (frame);
}

void wire_read_shard (cursor_t *frame, wire_shard_t *shard)
{
    shard->shard = (uint32_t)cursor_uint_max (frame, WIRE_SHARDS_MAX - 1);
    shard->epoch = cursor_uint (frame);
    shard->watermark_ms = read_time_ms (frame);
    shard->settled = cursor_bool (frame);
    shard->exact = cursor_bool (frame);
    shard->counted = cursor_uint (frame);
    shard->late = cursor_uint (frame);
    shard->skipped = cursor_uint (frame);
    shard->entry_count = (uint32_t)cursor_uint_max (frame, WIRE_PARTITIONS_MAX);
}

void wire_read_entry (cursor_t *frame, wire_entry_t *entry)
{
    entry->partition = (uint32_t)cursor_uint_max (frame, WIRE_PARTITIONS_MAX);
    entry->next = cursor_int (frame);
    entry->greatest_ms = read_greatest_ms (frame);
    entry->durable = cursor_int (frame);
}

void wire_read_rewind (cursor_t *frame, wire_rewind_t *rewind)
{
    rewind->shard = (uint32_t)cursor_uint_max (frame, WIRE_SHARDS_MAX - 1);
    rewind->partition = (uint32_t)cursor_uint_max (frame, WIRE_PARTITIONS_MAX);
    rewind->next = cursor_int (frame);
    rewind->greatest_ms = read_greatest_ms (frame);
    rewind->ingestor = read_name (frame);
    rewind->incarnation = cursor_uint (frame);
    rewind->rewinds = cursor_uint (frame);
}

void wire_read_results (cursor_t *frame, wire_results_t *head)
{
    head->answers = read_name (frame);
    head->lineage = cursor_uint (frame);
    head->stage = (uint8_t)cursor_uint_max (frame, STAGE_COUNT - 1);
    head->sink_index = (uint32_t)cursor_uint_max (frame, UINT32_MAX);
    head->shards_total = (uint32_t)cursor_uint_max (frame, WIRE_SHARDS_MAX);
    head->sink_incarnation = cursor_uint (frame);
    head->result_count = (uint32_t)cursor_uint_max (frame, LIST_COUNT_MAX);
}

void wire_read_result (cursor_t *frame, wire_result_t *result)
{
    result->shard = (uint32_t)cursor_uint_max (frame, WIRE_SHARDS_MAX - 1);
    result->epoch = cursor_uint (frame);
    result->sequence = cursor_uint (frame);
    result->chunk = (uint32_t)cursor_uint_max (frame, UINT32_MAX);
    result->chunk_count = (uint32_t)cursor_uint_max (frame, UINT32_MAX);
    result->body = cursor_span (frame, WIRE_FRAME_BYTES_MAX);
}

void wire_read_acks (cursor_t *frame, wire_acks_t *head)
{
    head->sink_index = (uint32_t)cursor_uint_max (frame, UINT32_MAX);
    head->redis_generation = cursor_uint (frame);
    head->ack_count = (uint32_t)cursor_uint_max (frame, LIST_COUNT_MAX);
}

void wire_read_ack (cursor_t *frame, wire_ack_t *ack)
{
    ack->shard = (uint32_t)cursor_uint_max (frame, WIRE_SHARDS_MAX - 1);
    ack->epoch = cursor_uint (frame);
    ack->executed = cursor_uint (frame);
    ack->expected = cursor_uint (frame);
    ack->gap = cursor_bool (frame);
}
