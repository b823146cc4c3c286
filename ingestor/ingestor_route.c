/*  ingestor_route: one record: judged, counted once, and appended to the section of each stage's shard. */
#include "ingestor/ingestor_parts.h"

#include "common/clock.h"
#include "common/counting.h"
#include "common/crash_point.h"
#include "common/key_hash.h"
#include "common/log.h"

enum { DEAD_LETTER_TRIES = 20, DEAD_LETTER_WAIT_US = 10000, DEAD_LETTER_RETRY_MS = 1000 };

static bool first_reading (ledger_partition_t *partition, const source_record_t *record)
{
    if (record->offset < partition->counted)
        return false;
    partition->counted = record->next;
    return true;
}

/*  Waits a moment while the queue of dead letters is full. What cannot be kept is not passed over: the position
 *  stays, and the partition is read again from here in a second; the loop goes on meanwhile. */
static bool bury (ingestor_t *self, ledger_partition_t *partition, const source_record_t *record,
                  event_reason_t reason)
{
    const char *name = self->source->ops->partition_name (self->source, record->partition);
    outcome_t outcome = OUTCOME_RETRY;
    for (int i = 0; i < DEAD_LETTER_TRIES && outcome == OUTCOME_RETRY; i++) {
        outcome = self->dead_letters->ops->add (self->dead_letters, record, name, reason,
                                                clock_wall_ms ());
        if (outcome == OUTCOME_RETRY) {
            self->dead_letters->ops->poll (self->dead_letters);
            beat_tick (&self->beat, clock_ms ()); /* a full disk is no hang */
            usleep (DEAD_LETTER_WAIT_US);
        }
    }
    if (outcome != OUTCOME_OK) {
        log_error ("a dead letter cannot be kept: its partition stands still until it can",
                   F_STR ("partition", name), F_INT ("offset", record->offset));
        partition->retry_ms = self->now_ms + DEAD_LETTER_RETRY_MS;
        return false;
    }
    CRASH_POINT (LETTER_QUEUED);
    self->letters++;
    if (first_reading (partition, record)) {
        self->counts.in++;
        self->counts.dead[reason]++;
        log_debug ("a message is not valid", F_STR ("partition", name),
                   F_INT ("offset", record->offset), F_STR ("reason", event_reason_name (reason)));
    }
    return true;
}

static event_reason_t judge (ingestor_t *self, const source_record_t *record, event_t *event)
{
    if (record->value_bytes > EVENT_MESSAGE_BYTES_MAX)
        return EVENT_REASON_TOO_LARGE;
    if (!record->value.bytes)
        return EVENT_REASON_EMPTY;
    event_reason_t reason =
        event_parse (self->parser, record->value, record->record_time_ms, event);
    if (reason != EVENT_REASON_NONE)
        return reason;
    int64_t reference_ms =
        record->record_time_ms == EVENT_TIME_NONE ? self->wall_ms : record->record_time_ms;
    return event->time_ms > reference_ms + self->settings.max_future_ms ? EVENT_REASON_FUTURE
                                                                        : EVENT_REASON_NONE;
}

static bool is_ours (const ingestor_t *self, const event_t *event)
{
    return scenario_scope_has (self->settings.scope, event->tenant, event->scenario);
}

static bool begins_unknown (const ingestor_t *self, const event_t *event)
{
    return self->settings.begin_unknown && is_ours (self, event) &&
           !live_config_find (self->config, event->tenant, event->scenario);
}

/*  The scenario that the event counts in, or NULL with the reason counted. */
static const live_scenario_t *find_scenario (ingestor_t *self, ledger_partition_t *partition,
                                             const source_record_t *record, const event_t *event)
{
    uint64_t *reason = &self->counts.other;
    const live_scenario_t *scenario = NULL;
    if (is_ours (self, event)) {
        scenario = live_config_find (self->config, event->tenant, event->scenario);
        reason = scenario ? &self->counts.inactive : &self->counts.unknown;
    }
    if (scenario && scenario->active && scenario->config &&
        (scenario->config->hot_score.enabled || scenario->config->profile.enabled ||
         scenario->config->metrics.enabled))
        return scenario;
    if (first_reading (partition, record)) {
        self->counts.in++;
        (*reason)++;
    }
    return NULL;
}

static uint16_t find_action (ingestor_t *self, const live_scenario_t *scenario, const event_t *event)
{
    if (event->action_known >= 0)
        return (uint16_t)event->action_known;
    if (scenario_config_names_action (scenario->config, event->action))
        return action_names_intern (self->actions, event->action);
    return ACTION_OTHER;
}

static void append (ingestor_t *self, ledger_partition_t *partition, uint32_t slot_number,
                    stage_id_t stage, const wire_row_t *row, const event_t *event, uint64_t user_hash,
                    uint64_t item_hash, bool item_stats)
{
    ledger_slot_t *slot = &partition->slots[slot_number];
    if (row->offset < slot->handed)
        return;
    if (!slot->row_count)
        slot->chain = (wire_chain_t){slot->handed, slot->greatest_ms};
    size_t before = slot->rows.size;
    wire_event_write (&slot->rows, &slot->chain, stage, row, event, user_hash, item_hash, item_stats);
    slot->row_count++;
    int32_t owner = owners_slot (self->owners, slot_number)->worker;
    if (owner == OWNERS_NOBODY)
        return;
    ingestor_worker_t *worker = &self->workers[owner];
    worker->waiting_bytes += slot->rows.size - before;
    size_t word = row->scenario / 64;
    if (word >= worker->used_words) {
        worker->used_scenarios =
            memory_resize (worker->used_scenarios, (word + 1) * sizeof *worker->used_scenarios);
        memset (worker->used_scenarios + worker->used_words, 0,
                (word + 1 - worker->used_words) * sizeof *worker->used_scenarios);
        worker->used_words = word + 1;
    }
    worker->used_scenarios[word] |= UINT64_C (1) << (row->scenario % 64);
    worker->used_actions |= row->action >= ACTION_CUSTOM;
    self->some_full |= worker->waiting_bytes >= INGESTOR_WORKER_BYTES_MAX;
}

static void route (ingestor_t *self, ledger_partition_t *partition, const source_record_t *record,
                   const event_t *event, const live_scenario_t *scenario)
{
    const scenario_config_t *config = scenario->config;
    uint64_t item_hash = key_hash (event->tenant, event->scenario, event->item);
    uint64_t user_hash = key_hash (event->tenant, event->scenario, event->user);
    uint32_t shard_count = self->settings.shard_count;
    const wire_row_t row = {.offset = record->offset,
                            .greatest_ms = partition->greatest_ms,
                            .scenario = scenario->index,
                            .action = find_action (self, scenario, event)};
    stage_id_t counting = counting_stage (config, event->time_ms);
    for (stage_id_t stage = 0; stage < STAGE_COUNT; stage++) {
        uint64_t hash = stage == STAGE_SCORER ? item_hash : user_hash;
        uint32_t slot = (uint32_t)stage * shard_count + key_hash_shard (hash, shard_count);
        bool takes_part = owners_takes_part (self->owners, slot);
        if (stage == counting && record->offset >= partition->slots[slot].counted) {
            partition->slots[slot].counted = record->next;
            self->counts.in++;
            self->counts.wrong_types += event->wrong_types;
            self->counts.unconfirmed += !takes_part;
        }
        if (takes_part && counting_stage_enabled (config, stage))
            append (self, partition, slot, stage, &row, event, user_hash, item_hash,
                    config->hot_score.item_stats);
    }
}

void ingestor_route (void *arg, const source_record_t *record)
{
    ingestor_t *self = arg;
    ledger_partition_t *partition = self->ledger.partitions[self->numbers[record->partition] - 1];
    if (!partition->started || partition->awaiting || partition->retry_ms ||
        record->offset < partition->position)
        return;
    partition->at_end = false;
    event_t event;
    event_reason_t reason = judge (self, record, &event);
    if (reason != EVENT_REASON_NONE) {
        if (bury (self, partition, record, reason))
            partition->position = record->next;
        return;
    }
    if (begins_unknown (self, &event)) {
        ingestor_await (self, partition, &event);
        return;
    }
    const live_scenario_t *scenario = find_scenario (self, partition, record, &event);
    if (scenario)
        route (self, partition, record, &event, scenario);
    partition->position = record->next;
    if (event.time_ms > partition->greatest_ms)
        partition->greatest_ms = event.time_ms;
    CRASH_POINT (ROW_APPENDED);
    if (partition->first_ms == EVENT_TIME_NONE)
        partition->first_ms = event.time_ms;
    partition->valid_clock_ms = self->now_ms;
    /* Only now, when the position covers every row, may a section be made of them. */
    if (self->some_full)
        ingestor_send_full (self);
}
