/*  ingestor_await: an event of a scenario that this process does not know yet, where such are begun
 * by default: its partition stands still in front of it, configd is asked, and once the scenario is
 * known the partition is read again from where its sections stand. So the event counts by a config
 * that every worker has, and no order of arrival decides whether it counts. It judges no event
 * (ingestor_route).
 */
#include "ingestor/ingestor_parts.h"

#include "common/log.h"

enum { ASK_MS = 500, WARN_FIRST_MS = 2000, WARN_MS = 10000 };

static void ask (ingestor_t *self, ledger_awaited_t *awaited)
{
    if (awaited->asked_ms && self->now_ms - awaited->asked_ms < ASK_MS)
        return;
    if (live_config_want (self->config, span_of (awaited->tenant), span_of (awaited->scenario)))
        awaited->asked_ms = self->now_ms;
}

/*  configd publishes what it begins, and never says no. */
static void warn (const ingestor_t *self, ledger_partition_t *partition, uint32_t number)
{
    ledger_awaited_t *awaited = &partition->awaited;
    int64_t waits_ms = self->now_ms - awaited->since_ms;
    if (waits_ms < WARN_FIRST_MS ||
        (awaited->warned_ms && self->now_ms - awaited->warned_ms < WARN_MS))
        return;
    awaited->warned_ms = self->now_ms;
    log_warning ("a partition waits for a scenario that configd does not begin: start configd with "
                 "--unknown-scenarios=defaults too, or write the scenario's document",
                 F_SPAN ("tenant", span_of (awaited->tenant)),
                 F_SPAN ("scenario", span_of (awaited->scenario)),
                 F_SPAN ("partition", partition_names_get (self->partitions, number)),
                 F_INT ("offset", partition->position), F_INT ("waits_ms", waits_ms));
}

void ingestor_await (ingestor_t *self, ledger_partition_t *partition, const event_t *event)
{
    offset_ledger_await (partition, event->tenant, event->scenario, self->now_ms);
    ask (self, &partition->awaited);
}

void ingestor_await_step (ingestor_t *self)
{
    for (uint32_t i = 0; i < self->ledger.count; i++) {
        ledger_partition_t *partition = self->ledger.partitions[i];
        if (!partition || !partition->started || !partition->awaiting)
            continue;
        const ledger_awaited_t *awaited = &partition->awaited;
        if (live_config_find (self->config, span_of (awaited->tenant),
                              span_of (awaited->scenario))) {
            partition->restart = true;
            continue;
        }
        ask (self, &partition->awaited);
        warn (self, partition, i);
    }
}
