/*  worker_intake: frames from ingestors: sections applied to shards, and what they say of partitions. */
#include "common/worker_parts.h"

#include "common/clock.h"
#include "common/counting.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"

enum { SCENARIO_INDEX_MAX = 1 << 20, GROUP_ROWS = 16 };

static const live_scenario_t *scenario_of (const worker_t *self, const wire_row_t *row)
{
    return row->scenario < self->frame_scenario_count ? self->frame_scenarios[row->scenario] : NULL;
}

static uint16_t action_of (const worker_t *self, const wire_row_t *row)
{
    return row->action < ACTION_CUSTOM ? row->action
                                       : self->frame_actions[row->action - ACTION_CUSTOM];
}

/*  An event of a known scenario, or of one that is not in the config now. */
static void apply_event (worker_t *self, shard_t *shard, const wire_row_t *row, stage_event_t *event)
{
    const live_scenario_t *scenario = event->scenario;
    if (!scenario || !scenario->config) {
        self->counts.skipped++;
        shard->counts.skipped += shard->stage->id == STAGE_METRICS;
        return;
    }
    bool counts_here = counting_stage (scenario->config, event->time_ms) == shard->stage->id;
    if (!scenario->active || !counting_stage_enabled (scenario->config, shard->stage->id)) {
        self->counts.skipped++;
        shard->counts.skipped += counts_here;
        return;
    }
    int64_t out_of_orderness_ms = self->settings->out_of_orderness_ms;
    int64_t own_ms = row->greatest_ms == EVENT_TIME_NONE ? EVENT_TIME_NONE
                                                         : row->greatest_ms - out_of_orderness_ms;
    event->complete_ms = own_ms > shard->watermark_ms ? own_ms : shard->watermark_ms;
    apply_t applied = shard->stage->apply (shard->state, event);
    self->counts.applied += applied == APPLY_COUNTED;
    self->counts.late += applied == APPLY_LATE;
    shard->counts.counted += counts_here && applied == APPLY_COUNTED;
    shard->counts.late += counts_here && applied == APPLY_LATE;
}

/*  ---- rewinds ---- */

static worker_rewind_t *find_rewind (worker_t *self, uint32_t shard, uint32_t partition)
{
    for (uint32_t i = 0; i < self->rewind_count; i++) {
        if (self->rewinds[i].shard == shard && self->rewinds[i].partition == partition)
            return &self->rewinds[i];
    }
    return NULL;
}

static void remove_rewind (worker_t *self, worker_rewind_t *rewind)
{
    free (rewind->ingestor);
    *rewind = self->rewinds[--self->rewind_count];
}

void worker_forget_rewinds (worker_t *self, uint32_t shard)
{
    for (uint32_t i = self->rewind_count; i-- > 0;) {
        if (self->rewinds[i].shard == shard)
            remove_rewind (self, &self->rewinds[i]);
    }
}

static void want_rewind (worker_t *self, const wire_header_t *header, const wire_section_t *section,
                         uint32_t partition)
{
    worker_rewind_t *rewind = find_rewind (self, section->shard, partition);
    /* Two ingestors that began in one millisecond have one incarnation. */
    if (rewind && rewind->incarnation == header->incarnation &&
        rewind->rewinds == section->rewinds && span_equal (span_of (rewind->ingestor), header->sender))
        return;
    if (!rewind) {
        if (self->rewind_count == WORKER_REWINDS_MAX)
            return;
        self->rewinds =
            memory_resize (self->rewinds, (self->rewind_count + 1) * sizeof *self->rewinds);
        rewind = &self->rewinds[self->rewind_count++];
        *rewind = (worker_rewind_t){.shard = section->shard, .partition = partition};
    }
    free (rewind->ingestor);
    rewind->ingestor = memory_copy_string (header->sender.bytes, header->sender.size);
    rewind->incarnation = header->incarnation;
    rewind->rewinds = section->rewinds;
    CRASH_POINT (REWIND_WANTED);
    self->announce_now = true;
    log_info ("a gap: a rewind is wanted", F_SPAN ("partition", section->partition),
              F_INT ("shard", section->shard), F_INT ("from", section->from));
}

/*  ---- sections ---- */

/*  Rows are applied in groups: the memory that a group will touch is asked for at once, since most
 *  of an event's time is waiting for it. */
static void apply_rows (worker_t *self, shard_t *shard, int64_t next)
{
    const wire_row_t *rows = self->rows.rows;
    stage_event_t *events = self->rows.events;
    for (uint32_t from = 0, to; from < self->rows.count; from = to) {
        to = from + GROUP_ROWS < self->rows.count ? from + GROUP_ROWS : self->rows.count;
        for (uint32_t i = from; i < to; i++) {
            events[i].scenario = scenario_of (self, &rows[i]);
            events[i].action = action_of (self, &rows[i]);
        }
        if (self->stage->prefetch)
            self->stage->prefetch (shard->state, events + from, to - from);
        for (uint32_t i = from; i < to; i++) {
            if (rows[i].offset >= next)
                apply_event (self, shard, &rows[i], &events[i]);
        }
        CRASH_POINT (SECTION_HALF);
    }
}

/*  Events of offsets that are gone may be missing from every window that began before the first event that is
 *  still there; while there is none, before the last one of any partition. */
static void begin_inexact (shard_t *shard, const wire_section_t *section)
{
    if (!section->base_lost)
        return;
    int64_t first_ms = section->greatest_to_ms;
    if (first_ms == EVENT_TIME_NONE)
        first_ms = vector_greatest_ms (&shard->applied);
    if (first_ms > shard->exact_from_ms)
        shard->exact_from_ms = first_ms;
    log_warning ("a shard begins where older events are gone: its first windows are inexact",
                 F_STR ("stage", shard->stage->name), F_INT ("shard", shard->number),
                 F_SPAN ("partition", section->partition), F_INT ("base", section->base));
}

static void take_section (worker_t *self, const wire_header_t *header, const wire_section_t *section)
{
    shard_t *shard = section->shard < self->layout.shard_count ? self->shards[section->shard] : NULL;
    if (!shard || shard->closing)
        return;
    if (section->from < 0 || section->to < section->from ||
        !section_rows_read (&self->rows, section, self->stage->id)) {
        self->counts.invalid++;
        log_error ("a section is not valid and was not applied",
                   F_SPAN ("partition", section->partition), F_SPAN ("sender", header->sender));
        return;
    }
    uint32_t partition = partition_names_intern (self->partitions, section->partition);
    shard_revive (shard, partition);
    vector_entry_t entry = vector_get (&shard->applied, partition);
    vector_verdict_t verdict = vector_judge (entry, section->from, section->to, section->base);
    if (verdict == VECTOR_GAP) {
        self->counts.gaps++;
        want_rewind (self, header, section, partition);
        return;
    }
    worker_rewind_t *rewind = find_rewind (self, section->shard, partition);
    if (rewind)
        remove_rewind (self, rewind);
    self->counts.repeats += verdict == VECTOR_REPEAT;
    if (verdict == VECTOR_REPEAT)
        return;
    if (entry.next < section->base) {
        entry.next = section->base;
        begin_inexact (shard, section);
    }
    apply_rows (self, shard, entry.next);
    self->counts.sections++;
    if (section->event_count)
        worker_pause_applied (&self->pause, clock_ms ());
    entry.next = section->to;
    if (section->greatest_to_ms > entry.greatest_ms)
        entry.greatest_ms = section->greatest_to_ms;
    vector_set (&shard->applied, partition, entry);
    shard->touched = true;
    shard->changed = true;
    /* Only events undo the end of input: an empty range says that there were none. */
    if (section->event_count)
        shard->finished = false;
    CRASH_POINT (SECTION_APPLIED);
}

static bool read_tables (worker_t *self, cursor_t *frame, const wire_sections_t *head)
{
    wire_scenario_t scenario;
    for (uint32_t i = 0; i < self->frame_scenario_count; i++)
        self->frame_scenarios[i] = NULL;
    for (uint32_t i = 0; i < head->scenario_count && !frame->failed; i++) {
        wire_read_scenario (frame, &scenario);
        if (frame->failed || scenario.index >= SCENARIO_INDEX_MAX)
            return false;
        if (scenario.index >= self->frame_scenario_count) {
            size_t count = scenario.index + 1;
            self->frame_scenarios =
                memory_resize (self->frame_scenarios, count * sizeof *self->frame_scenarios);
            for (size_t at = self->frame_scenario_count; at < count; at++)
                self->frame_scenarios[at] = NULL;
            self->frame_scenario_count = (uint32_t)count;
        }
        self->frame_scenarios[scenario.index] = live_config_find_hash (self->config, scenario.hash);
    }
    wire_action_t action;
    for (uint32_t i = 0; i < head->action_count && !frame->failed; i++) {
        wire_read_action (frame, &action);
        if (frame->failed || action.number < ACTION_CUSTOM || action.name.size == 0)
            return false;
        self->frame_actions[action.number - ACTION_CUSTOM] =
            action_names_intern (self->actions, action.name);
    }
    return !frame->failed;
}

/*  The frame was made by a config that this worker does not have yet: it waits (bounded), so that an
 *  event of a new scenario is not skipped here. */
static bool config_is_behind (const worker_t *self, const wire_sections_t *head)
{
    uint64_t incarnation, sequence;
    live_config_position (self->config, &incarnation, &sequence);
    if (head->config_incarnation != incarnation)
        return head->config_incarnation > incarnation &&
               head->config_incarnation != self->config_given_up;
    return head->config_sequence > sequence;
}

static bool take_sections (worker_t *self, const wire_header_t *header, cursor_t *frame, bool may_wait)
{
    wire_sections_t head;
    wire_read_sections (frame, &head);
    if (frame->failed || head.stage != self->stage->id)
        return true;
    if (config_is_behind (self, &head)) {
        if (may_wait)
            return false;
        /* A life of configd that is never heard may be a former one, whose clock was ahead: the other frames
         * that were made by it need not wait as well. */
        self->config_given_up = head.config_incarnation;
    }
    if (!read_tables (self, frame, &head))
        return true;
    wire_section_t section;
    for (uint32_t i = 0; i < head.section_count; i++) {
        wire_read_section (frame, &section);
        if (frame->failed)
            break;
        take_section (self, header, &section);
    }
    return true;
}

static void take_partitions (worker_t *self, const wire_header_t *header, cursor_t *frame)
{
    cursor_t check = *frame;
    wire_partitions_t head;
    wire_own_partition_t own;
    wire_read_partitions (&check, &head);
    for (uint32_t i = 0; i < head.partition_count && !check.failed; i++)
        cursor_span (&check, WIRE_NAME_BYTES_MAX);
    for (uint32_t i = 0; i < head.own_count && !check.failed; i++)
        wire_read_own_partition (&check, &own);
    if (!cursor_finished (&check)) {
        frame->failed = true;
        return;
    }
    wire_read_partitions (frame, &head);
    if (!watermark_begin (self->watermark, header->sender, header->incarnation, head.idle_time_ms))
        return;
    self->once = head.once;
    for (uint32_t i = 0; i < head.partition_count; i++) {
        span_t name = cursor_span (frame, WIRE_NAME_BYTES_MAX);
        watermark_list (self->watermark, partition_names_intern (self->partitions, name));
    }
    for (uint32_t i = 0; i < head.own_count; i++) {
        wire_read_own_partition (frame, &own);
        uint32_t partition = partition_names_intern (self->partitions, own.partition);
        watermark_own (self->watermark, partition, own.idle, own.ended, own.at);
    }
    watermark_end (self->watermark);
    worker_revive_partitions (self);
    if (head.leaving)
        worker_bid_farewell (self, header);
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        if (self->shards[i])
            self->shards[i]->touched = true;
    }
    self->announce_now = true;
}

/*  False: it must wait for its config and be offered again. */
static bool take_frame (worker_t *self, zmq_msg_t *message, bool may_wait)
{
    cursor_t frame = cursor_of (zmq_msg_data (message), zmq_msg_size (message));
    wire_header_t header;
    bool taken = true;
    if (wire_read_header (&frame, &header))
        worker_heard (self, &header);
    if (!frame.failed && header.kind == WIRE_SECTIONS)
        taken = take_sections (self, &header, &frame, may_wait);
    else if (!frame.failed && header.kind == WIRE_PARTITIONS)
        take_partitions (self, &header, &frame);
    else
        frame.failed = true;
    if (frame.failed)
        log_warning ("a frame that is none of ours, or of another version, was dropped",
                     F_INT ("bytes", zmq_msg_size (message)));
    return taken;
}

void worker_take_frames (worker_t *self, int64_t now_ms)
{
    if (self->has_held) {
        bool overdue = now_ms - self->held_ms > WORKER_CONFIG_WAIT_MS;
        if (overdue)
            log_warning ("the config that events were routed by has not come: they are applied by the "
                         "present one");
        if (!take_frame (self, &self->held, !overdue))
            return;
        zmq_msg_close (&self->held);
        self->has_held = false;
    }
    void *socket = zsock_resolve (self->intake);
    int64_t until_ms = clock_ms () + WORKER_TAKE_MS;
    for (int i = 0; i < WORKER_TURN_FRAMES && (!i || clock_ms () < until_ms); i++) {
        zmq_msg_t message;
        zmq_msg_init (&message);
        if (zmq_msg_recv (&message, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (&message);
            watermark_listen (self->watermark, now_ms, true);
            return;
        }
        if (take_frame (self, &message, true)) {
            zmq_msg_close (&message);
            continue;
        }
        zmq_msg_init (&self->held);
        zmq_msg_move (&self->held, &message);
        zmq_msg_close (&message);
        self->has_held = true;
        self->held_ms = now_ms;
        return;
    }
    watermark_listen (self->watermark, now_ms, false);
}
