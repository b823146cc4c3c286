/*  ingestor_send: rows become sections, sections frames, one frame at a time to each worker. */
#include "ingestor/ingestor_parts.h"

#include "common/log.h"
#include "common/crash_point.h"

void ingestor_connect_workers (ingestor_t *self)
{
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++) {
        owners_worker_t *known = owners_worker (self->owners, i);
        ingestor_worker_t *worker = &self->workers[i];
        if (!known->changed)
            continue;
        known->changed = false;
        /* LINGER 0: what was for another incarnation must not reach this one. */
        zsock_destroy (&worker->socket);
        buffer_clear (&worker->frame);
        worker->blocked_since_ms = 0;
        if (!known->live)
            continue;
        worker->socket = zsock_new (ZMQ_PUSH);
        zsock_set_linger (worker->socket, 0);
        zsock_set_sndhwm (worker->socket, INGESTOR_WORKER_FRAMES);
        worker->partitions_due = true;
        if (zsock_connect (worker->socket, "%s", known->endpoint) != 0)
            log_error ("a worker announced what is no endpoint", F_STR ("worker", known->name),
                       F_STR ("endpoint", known->endpoint));
    }
}

/*  True: nothing is left to send. */
static bool flush_frame (ingestor_t *self, ingestor_worker_t *worker)
{
    if (!worker->frame.size)
        return true;
    if (zmq_send (zsock_resolve (worker->socket), worker->frame.bytes, worker->frame.size,
                  ZMQ_DONTWAIT) < 0) {
        if (!worker->blocked_since_ms) {
            worker->blocked_since_ms = self->now_ms;
            self->blocks++;
        }
        return false;
    }
    CRASH_POINT (FRAME_SENT);
    worker->blocked_since_ms = 0;
    self->frames++;
    buffer_clear (&worker->frame);
    return true;
}

/*  ---- partitions ---- */

static void make_partitions_frame (ingestor_t *self, bool leaving, buffer_t *frame)
{
    const source_ops_t *ops = self->source->ops;
    wire_partitions_t head = {.idle_time_ms = ingestor_idle_time_ms (self),
                              .once = self->settings.once,
                              .leaving = leaving};
    for (uint32_t i = 0; i < ops->partition_count (self->source); i++)
        head.partition_count += ops->partition_listed (self->source, i);
    for (uint32_t i = 0; i < self->ledger.count; i++)
        head.own_count += self->ledger.partitions[i] && self->ledger.partitions[i]->started;
    wire_write_header (frame, WIRE_PARTITIONS, span_of (self->settings.name), self->incarnation);
    wire_write_partitions (frame, &head);
    for (uint32_t i = 0; i < ops->partition_count (self->source); i++) {
        if (ops->partition_listed (self->source, i))
            pack_span (frame, span_of (ops->partition_name (self->source, i)));
    }
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        const ledger_partition_t *partition = self->ledger.partitions[i];
        if (!partition || !partition->started)
            continue;
        wire_own_partition_t own = {.partition = partition_names_get (self->partitions, i),
                                    .idle = ingestor_is_idle (self, partition),
                                    .ended = ingestor_has_ended (self, partition),
                                    .at = partition->position};
        wire_write_own_partition (frame, &own);
    }
}

/*  ---- sections ---- */

/*  Which empty sections a frame has: none; those of ranges that were passed; also those of no range, that
 *  say where a shard must stand (it asks for a rewind, or asks again, where it does not). */
typedef enum { EMPTY_NONE, EMPTY_PASSED, EMPTY_ALL } empty_t;

static void write_section (const ingestor_t *self, buffer_t *sections, uint32_t number,
                           const ledger_partition_t *partition, uint32_t slot_number, bool passed)
{
    const ledger_slot_t *slot = &partition->slots[slot_number];
    bool at_base = partition->base >= 0 && slot->handed == partition->base;
    wire_section_t section = {
        .shard = slot_number % self->settings.shard_count,
        .partition = partition_names_get (self->partitions, number),
        .from = slot->handed,
        .to = passed ? partition->position : slot->handed,
        .base = at_base ? partition->base : -1,
        .base_lost = at_base && partition->base_lost,
        .greatest_from_ms = slot->greatest_ms,
        .greatest_to_ms = passed ? partition->greatest_ms : slot->greatest_ms,
        .rewinds = partition->rewinds,
        .event_count = slot->row_count,
        .rows = {(const char *)slot->rows.bytes, slot->rows.size},
    };
    wire_write_section (sections, &section);
}

/*  Appends what the slot has not been handed; false: nothing. */
static bool hand_out (ingestor_t *self, uint32_t number, ledger_partition_t *partition,
                      uint32_t slot_number, empty_t empty)
{
    ledger_slot_t *slot = &partition->slots[slot_number];
    bool passed = partition->position > slot->handed ||
                  (partition->position == slot->handed && !slot->begun);
    if (!passed && (empty != EMPTY_ALL || !owners_takes_part (self->owners, slot_number)))
        return false;
    if (passed && !slot->row_count && empty == EMPTY_NONE)
        return false;
    write_section (self, &self->sections, number, partition, slot_number, passed);
    if (!passed)
        return true;
    slot->handed = partition->position;
    slot->greatest_ms = partition->greatest_ms;
    slot->begun = true;
    slot->row_count = 0;
    buffer_clear (&slot->rows);
    return true;
}

static uint32_t hand_out_partition (ingestor_t *self, uint32_t worker_number, uint32_t number,
                                    empty_t empty)
{
    ledger_partition_t *partition = self->ledger.partitions[number];
    uint32_t count = 0;
    /* While it waits to be started anew (until every shard has an owner again), a slot that was set back has
     * lost the rows between what it was handed and the position: a section now would pass over them. */
    if (!partition || !partition->started || partition->restart)
        return 0;
    /* Dead letters below the section's end come first. */
    if (self->dead_letters->ops->pending (self->dead_letters, partition->source_index))
        return 0;
    for (uint32_t slot = 0; slot < owners_slot_count (self->owners); slot++) {
        if (owners_slot (self->owners, slot)->worker == (int32_t)worker_number)
            count += hand_out (self, number, partition, slot, empty);
    }
    return count;
}

static uint32_t count_bits (const ingestor_worker_t *worker)
{
    uint32_t count = 0;
    for (size_t i = 0; i < worker->used_words; i++)
        count += (uint32_t)__builtin_popcountll (worker->used_scenarios[i]);
    return count;
}

static uint32_t custom_action_count (const ingestor_t *self, const ingestor_worker_t *worker)
{
    return worker->used_actions ? action_names_custom_count (self->actions) : 0;
}

static void write_tables (const ingestor_t *self, const ingestor_worker_t *worker, buffer_t *frame)
{
    for (size_t word = 0; word < worker->used_words; word++) {
        for (uint64_t bits = worker->used_scenarios[word]; bits; bits &= bits - 1) {
            uint32_t index = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll (bits);
            wire_scenario_t scenario = {index, live_config_at (self->config, index)->hash};
            wire_write_scenario (frame, &scenario);
        }
    }
    for (uint32_t i = 0; i < custom_action_count (self, worker); i++) {
        uint16_t number = (uint16_t)(ACTION_CUSTOM + i);
        wire_action_t action = {number, action_names_get (self->actions, number)};
        wire_write_action (frame, &action);
    }
}

static bool rows_wait (const ingestor_t *self, uint32_t worker_number)
{
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        const ledger_partition_t *partition = self->ledger.partitions[i];
        for (uint32_t slot = 0; partition && slot < owners_slot_count (self->owners); slot++) {
            if (owners_slot (self->owners, slot)->worker == (int32_t)worker_number &&
                partition->slots[slot].row_count)
                return true;
        }
    }
    return false;
}

static void make_sections_frame (ingestor_t *self, uint32_t number, empty_t empty)
{
    ingestor_worker_t *worker = &self->workers[number];
    wire_sections_t head = {.stage = owners_worker (self->owners, number)->stage,
                            .scenario_count = count_bits (worker),
                            .action_count = custom_action_count (self, worker)};
    live_config_position (self->config, &head.config_incarnation, &head.config_sequence);
    buffer_clear (&self->sections);
    for (uint32_t i = 0; i < self->ledger.count; i++)
        head.section_count += hand_out_partition (self, number, i, empty);
    worker->waiting_bytes = 0;
    if (!head.section_count)
        return;
    wire_write_header (&worker->frame, WIRE_SECTIONS, span_of (self->settings.name),
                       self->incarnation);
    wire_write_sections (&worker->frame, &head);
    write_tables (self, worker, &worker->frame);
    buffer_append (&worker->frame, self->sections.bytes, self->sections.size);
    CRASH_POINT (FRAME_MADE);
    /* Rows that stay behind a dead letter still need their entries. */
    if (rows_wait (self, number))
        return;
    for (size_t word = 0; word < worker->used_words; word++)
        worker->used_scenarios[word] = 0;
    worker->used_actions = false;
}

static void serve_worker (ingestor_t *self, uint32_t number, empty_t empty)
{
    ingestor_worker_t *worker = &self->workers[number];
    if (!worker->socket || !flush_frame (self, worker))
        return;
    if (worker->partitions_due) {
        make_partitions_frame (self, false, &worker->frame);
        worker->partitions_due = false;
        if (!flush_frame (self, worker))
            return;
    }
    make_sections_frame (self, number, empty);
    flush_frame (self, worker);
}

void ingestor_send_full (ingestor_t *self)
{
    self->some_full = false;
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++) {
        if (self->workers[i].waiting_bytes >= INGESTOR_WORKER_BYTES_MAX)
            serve_worker (self, i, EMPTY_NONE);
    }
}

void ingestor_send_due (ingestor_t *self)
{
    empty_t empty = EMPTY_NONE;
    if (self->now_ms - self->repeated_ms >= INGESTOR_REPEAT_MS)
        empty = EMPTY_ALL;
    else if (self->now_ms - self->emptied_ms >= INGESTOR_EMPTY_MS)
        empty = EMPTY_PASSED;
    bool due = self->now_ms - self->sent_ms >= INGESTOR_SEND_MS || empty != EMPTY_NONE;
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++) {
        if (due)
            serve_worker (self, i, empty);
        else if (self->workers[i].frame.size)
            flush_frame (self, &self->workers[i]);
    }
    if (due)
        self->sent_ms = self->now_ms;
    if (empty != EMPTY_NONE)
        self->emptied_ms = self->now_ms;
    if (empty == EMPTY_ALL)
        self->repeated_ms = self->now_ms;
}

/*  Soft state: a worker that has no room for it misses it, and names us as silent for a while. */
void ingestor_leave (ingestor_t *self)
{
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++) {
        ingestor_worker_t *worker = &self->workers[i];
        if (!worker->socket || !flush_frame (self, worker))
            continue;
        make_partitions_frame (self, true, &worker->frame);
        flush_frame (self, worker);
        zsock_set_linger (worker->socket, INGESTOR_LINGER_MS);
    }
}

int64_t ingestor_blocked_since (const ingestor_t *self)
{
    int64_t since_ms = 0;
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++) {
        int64_t worker_ms = self->workers[i].blocked_since_ms;
        if (worker_ms && (!since_ms || worker_ms < since_ms))
            since_ms = worker_ms;
    }
    return since_ms;
}
