/*  ingestor_pace: which partitions are idle or ended, how event time goes on while all are, and which must
 *  wait for others (design 5 "Time", 8.1 lead). */
#include "ingestor/ingestor_parts.h"

#include "common/log.h"

/*  Greatest event time that is known of a partition: read here, or applied from elsewhere. */
static int64_t known_greatest_ms (const ingestor_t *self, uint32_t number)
{
    const ledger_partition_t *partition =
        number < self->ledger.count ? self->ledger.partitions[number] : NULL;
    if (partition && partition->started)
        return partition->greatest_ms;
    return owners_greatest_ms (self->owners, number);
}

static int64_t greatest_of_all_ms (const ingestor_t *self)
{
    int64_t greatest_ms = EVENT_TIME_NONE;
    for (uint32_t i = 0; i < partition_names_count (self->partitions); i++) {
        int64_t ms = known_greatest_ms (self, i);
        greatest_ms = ms > greatest_ms ? ms : greatest_ms;
    }
    return greatest_ms;
}

bool ingestor_has_ended (const ingestor_t *self, const ledger_partition_t *partition)
{
    return self->settings.once && partition->at_end;
}

bool ingestor_is_idle (const ingestor_t *self, const ledger_partition_t *partition)
{
    const ingestor_settings_t *settings = &self->settings;
    const idleness_rules_t rules = {.idle_timeout_ms = settings->idle_timeout_ms,
                                    .max_hold_ms = settings->max_hold_ms,
                                    .max_skew_ms = settings->max_skew_ms,
                                    .once = settings->once};
    const idleness_partition_t known = {.at_end = partition->at_end,
                                        .greatest_ms = partition->greatest_ms,
                                        .valid_ms = partition->valid_clock_ms,
                                        .run = partition->run};
    return idleness_is_idle (&rules, &known, self->greatest_ms, self->now_ms);
}

/*  Looks at one listed partition: one that is read here, or one of which others speak. */
static void survey_one (ingestor_t *self, uint32_t number, ingestor_survey_t *survey)
{
    ledger_partition_t *own =
        number < self->ledger.count ? self->ledger.partitions[number] : NULL;
    bool here = own && own->started;
    if (here && own->run.last_ms < survey->confirmed_ms)
        survey->confirmed_ms = own->run.last_ms;
    if (here ? ingestor_is_idle (self, own)
             : !(own && own->owned) && owners_partition_idle (self->owners, number))
        return;
    survey->all_idle = false;
    int64_t ms = known_greatest_ms (self, number);
    if (ms == EVENT_TIME_NONE && here)
        ms = self->first_ms;
    if (ms != EVENT_TIME_NONE && ms < survey->least_ms)
        survey->least_ms = ms;
}

/*  Vectors keep partitions of long ago: what is not of the source any more holds nobody back. */
static void survey_listed (ingestor_t *self)
{
    const source_ops_t *ops = self->source->ops;
    ingestor_survey_t survey = {true, INT64_MAX, INT64_MAX};
    for (uint32_t i = 0; i < ops->partition_count (self->source); i++) {
        if (ops->partition_listed (self->source, i))
            survey_one (self, ingestor_number (self, i), &survey);
    }
    self->survey = survey;
}

int64_t ingestor_idle_time_ms (const ingestor_t *self)
{
    if (!self->all_idle_ms)
        return EVENT_TIME_NONE;
    int64_t confirmed_ms = self->settings.idle_advance ? self->survey.confirmed_ms : 0;
    return idleness_time_ms (self->idle_base_ms, self->all_idle_ms, confirmed_ms, self->now_ms);
}

/*  Event time goes on from where it is: the shards may be beyond the greatest event, since it went on by the
 *  clock before. */
static int64_t idle_base_ms (const ingestor_t *self)
{
    if (self->greatest_ms == EVENT_TIME_NONE)
        return EVENT_TIME_NONE;
    int64_t base_ms = self->greatest_ms - self->settings.out_of_orderness_ms;
    int64_t reached_ms = owners_watermark_ms (self->owners);
    return self->settings.idle_advance && reached_ms > base_ms ? reached_ms : base_ms;
}

/*  Tells the workers where a partition became idle, ended or busy, before anything else is sent. */
static void notice_changes (ingestor_t *self)
{
    bool changed = false;
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        ledger_partition_t *partition = self->ledger.partitions[i];
        if (!partition || !partition->started)
            continue;
        bool idle = ingestor_is_idle (self, partition);
        bool ended = ingestor_has_ended (self, partition);
        changed |= idle != partition->told_idle || ended != partition->told_ended;
        partition->told_idle = idle;
        partition->told_ended = ended;
    }
    bool idle_now =
        !self->settings.once && owners_complete (self->owners) && self->survey.all_idle;
    if (!idle_now)
        self->all_idle_ms = 0;
    else if (!self->all_idle_ms) {
        self->all_idle_ms = self->now_ms;
        self->idle_base_ms = idle_base_ms (self);
    }
    int64_t interval_ms = self->all_idle_ms ? INGESTOR_IDLE_MS : INGESTOR_PARTITIONS_MS;
    if (!changed && self->now_ms - self->told_ms < interval_ms)
        return;
    self->told_ms = self->now_ms;
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++)
        self->workers[i].partitions_due = true;
}

static void note_first (ingestor_t *self)
{
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        const ledger_partition_t *partition = self->ledger.partitions[i];
        if (partition && partition->first_ms != EVENT_TIME_NONE &&
            (self->first_ms == EVENT_TIME_NONE || partition->first_ms < self->first_ms))
            self->first_ms = partition->first_ms;
    }
}

static void note_letters (ledger_partition_t *partition, int64_t now_ms)
{
    if (!(partition->paused & PAUSE_LETTERS))
        partition->letters_ms = 0;
    else if (!partition->letters_ms)
        partition->letters_ms = now_ms;
}

static void note_ends (ingestor_t *self)
{
    const source_ops_t *ops = self->source->ops;
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        ledger_partition_t *partition = self->ledger.partitions[i];
        if (partition && partition->started)
            idleness_confirm (&partition->run,
                              ops->end_known_ms (self->source, partition->source_index));
    }
}

static uint32_t reasons_to_wait (ingestor_t *self, uint32_t number, ledger_partition_t *partition,
                                 int64_t limit_ms)
{
    uint32_t reasons = 0;
    int64_t blocked_ms = ingestor_blocked_since (self);
    if (blocked_ms && self->now_ms - blocked_ms > INGESTOR_BLOCKED_MS)
        reasons |= PAUSE_BLOCKED;
    if (!owners_complete (self->owners))
        reasons |= PAUSE_OWNERS;
    if (limit_ms != EVENT_TIME_NONE && partition->greatest_ms != EVENT_TIME_NONE &&
        partition->greatest_ms > limit_ms)
        reasons |= PAUSE_SKEW;
    if (partition->retry_ms ||
        self->dead_letters->ops->pending (self->dead_letters, partition->source_index))
        reasons |= PAUSE_LETTERS;
    if (partition->retry_ms && self->now_ms >= partition->retry_ms)
        partition->restart = true;
    if (partition->awaiting)
        reasons |= PAUSE_SCENARIO;
    offset_ledger_sample (partition, self->now_ms);
    int64_t lead_ms = offset_ledger_lead_ms (partition, owners_applied (self->owners, number),
                                             self->now_ms);
    if (lead_ms > self->settings.lead_max_ms) {
        reasons |= PAUSE_LEAD;
        if (!(partition->paused & PAUSE_LEAD))
            log_warning ("a partition waits for a shard that does not apply what it was handed",
                         F_SPAN ("partition", partition_names_get (self->partitions, number)),
                         F_INT ("lead_ms", lead_ms));
    }
    return reasons;
}

void ingestor_pace (ingestor_t *self)
{
    self->greatest_ms = greatest_of_all_ms (self);
    note_first (self);
    note_ends (self);
    survey_listed (self);
    /* The event time beyond which a partition waits for the least one. */
    int64_t limit_ms = self->survey.least_ms == INT64_MAX
                           ? EVENT_TIME_NONE
                           : self->survey.least_ms + self->settings.max_skew_ms;
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        ledger_partition_t *partition = self->ledger.partitions[i];
        if (!partition || !partition->started)
            continue;
        partition->paused = reasons_to_wait (self, i, partition, limit_ms);
        note_letters (partition, self->now_ms);
        bool pause = partition->paused != 0;
        if (pause != partition->source_paused)
            self->source->ops->pause (self->source, partition->source_index, pause);
        partition->source_paused = pause;
    }
    notice_changes (self);
}
