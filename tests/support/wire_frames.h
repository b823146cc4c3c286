/*  wire_frames: reads a whole frame of common/wire.h as its receiver does, and writes again what
 * was read: for the unit test (round trips, truncations) and the fuzzer (differential).
 */
#ifndef HOTPATH_WIRE_FRAMES_H
#define HOTPATH_WIRE_FRAMES_H

#include "common/wire.h"
#include "common/wire_event.h"

static inline void frames_copy_rows (const wire_section_t *section, stage_id_t stage)
{
    cursor_t rows = cursor_of (section->rows.bytes, section->rows.size);
    wire_chain_t chain = {section->from, section->greatest_from_ms};
    wire_row_t row;
    stage_event_t event;
    span_t tags[EVENT_TAGS_MAX];
    for (uint32_t i = 0; i < section->event_count; i++) {
        if (!wire_event_read (&rows, &chain, stage, &row, &event, tags))
            return;
    }
}

static inline void frames_copy_sections (cursor_t *frame, buffer_t *copy)
{
    wire_sections_t head;
    wire_scenario_t scenario;
    wire_action_t action;
    wire_section_t section;
    wire_read_sections (frame, &head);
    wire_write_sections (copy, &head);
    for (uint32_t i = 0; i < head.scenario_count && !frame->failed; i++) {
        wire_read_scenario (frame, &scenario);
        wire_write_scenario (copy, &scenario);
    }
    for (uint32_t i = 0; i < head.action_count && !frame->failed; i++) {
        wire_read_action (frame, &action);
        wire_write_action (copy, &action);
    }
    for (uint32_t i = 0; i < head.section_count && !frame->failed; i++) {
        wire_read_section (frame, &section);
        wire_write_section (copy, &section);
        if (!frame->failed)
            frames_copy_rows (&section, head.stage);
    }
}

static inline void frames_copy_partitions (cursor_t *frame, buffer_t *copy)
{
    wire_partitions_t head;
    wire_own_partition_t own;
    wire_read_partitions (frame, &head);
    wire_write_partitions (copy, &head);
    for (uint32_t i = 0; i < head.partition_count && !frame->failed; i++)
        pack_span (copy, cursor_span (frame, WIRE_NAME_BYTES_MAX));
    for (uint32_t i = 0; i < head.own_count && !frame->failed; i++) {
        wire_read_own_partition (frame, &own);
        wire_write_own_partition (copy, &own);
    }
}

static inline void frames_copy_announce (cursor_t *frame, buffer_t *copy)
{
    wire_announce_t head;
    wire_known_partition_t known;
    wire_shard_t shard;
    wire_entry_t entry;
    wire_rewind_t rewind;
    wire_read_announce (frame, &head);
    wire_write_announce (copy, &head);
    for (uint32_t i = 0; i < head.partition_count && !frame->failed; i++) {
        wire_read_known_partition (frame, &known);
        wire_write_known_partition (copy, &known);
    }
    for (uint32_t i = 0; i < head.shard_count && !frame->failed; i++) {
        wire_read_shard (frame, &shard);
        wire_write_shard (copy, &shard);
        for (uint32_t at = 0; at < shard.entry_count && !frame->failed; at++) {
            wire_read_entry (frame, &entry);
            wire_write_entry (copy, &entry);
        }
    }
    for (uint32_t i = 0; i < head.rewind_count && !frame->failed; i++) {
        wire_read_rewind (frame, &rewind);
        wire_write_rewind (copy, &rewind);
    }
}

static inline void frames_copy_results (cursor_t *frame, buffer_t *copy)
{
    wire_results_t head;
    wire_result_t result;
    wire_read_results (frame, &head);
    wire_write_results (copy, &head);
    for (uint32_t i = 0; i < head.result_count && !frame->failed; i++) {
        wire_read_result (frame, &result);
        wire_write_result (copy, &result);
    }
}

static inline void frames_copy_acks (cursor_t *frame, buffer_t *copy)
{
    wire_acks_t head;
    wire_ack_t ack;
    wire_read_acks (frame, &head);
    wire_write_acks (copy, &head);
    for (uint32_t i = 0; i < head.ack_count && !frame->failed; i++) {
        wire_read_ack (frame, &ack);
        wire_write_ack (copy, &ack);
    }
}

/*  Reads a frame of any kind to its end and writes it again behind `copy`. False: it is not valid.
 */
static inline bool frames_copy (const void *bytes, size_t size, buffer_t *copy)
{
    cursor_t frame = cursor_of (bytes, size);
    wire_header_t header;
    if (!wire_read_header (&frame, &header))
        return false;
    wire_write_header (copy, header.kind, header.sender, header.incarnation);
    switch (header.kind) {
    case WIRE_SECTIONS:
        frames_copy_sections (&frame, copy);
        break;
    case WIRE_PARTITIONS:
        frames_copy_partitions (&frame, copy);
        break;
    case WIRE_ANNOUNCE:
        frames_copy_announce (&frame, copy);
        break;
    case WIRE_RESULTS:
        frames_copy_results (&frame, copy);
        break;
    case WIRE_ACKS:
        frames_copy_acks (&frame, copy);
    }
    return cursor_finished (&frame);
}

#endif
