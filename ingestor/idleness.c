#include "ingestor/idleness.h"

#include "common/event.h"

void idleness_confirm (idleness_run_t *run, int64_t known_ms)
{
    if (known_ms <= run->last_ms)
        return;
    if (!run->last_ms || known_ms - run->last_ms > IDLENESS_FRESH_MS)
        run->first_ms = known_ms;
    run->last_ms = known_ms;
}

bool idleness_is_behind (int64_t own_greatest_ms, int64_t greatest_ms, int64_t by_ms)
{
    return own_greatest_ms == EVENT_TIME_NONE || greatest_ms - own_greatest_ms > by_ms;
}

bool idleness_is_idle (const idleness_rules_t *rules, const idleness_partition_t *partition,
                       int64_t greatest_ms, int64_t now_ms)
{
    if (!partition->at_end)
        return false;
    /* An ended partition holds the watermark back only as far as it would hold other partitions back: so
     * what comes to it in a later run is judged as if it had come in this one (decision 0003). */
    if (rules->once)
        return idleness_is_behind (partition->greatest_ms, greatest_ms, rules->max_skew_ms);
    const idleness_run_t *run = &partition->run;
    if (!run->last_ms || now_ms - run->last_ms > IDLENESS_FRESH_MS)
        return false;
    int64_t from_ms = partition->valid_ms > run->first_ms ? partition->valid_ms : run->first_ms;
    if (run->last_ms - from_ms >= rules->idle_timeout_ms)
        return true;
    int64_t run_ms =
        rules->idle_timeout_ms < IDLENESS_RUN_MS ? rules->idle_timeout_ms : IDLENESS_RUN_MS;
    return run->last_ms - run->first_ms >= run_ms &&
           idleness_is_behind (partition->greatest_ms, greatest_ms, rules->max_hold_ms);
}

int64_t idleness_time_ms (int64_t base_ms, int64_t since_ms, int64_t confirmed_ms, int64_t now_ms)
{
    int64_t until_ms = confirmed_ms < now_ms ? confirmed_ms : now_ms;
    if (base_ms == EVENT_TIME_NONE)
        return EVENT_TIME_NONE;
    return until_ms > since_ms ? base_ms + until_ms - since_ms : base_ms;
}
