/*  metric_owed: see metric_owed.h. */
#include "metrics/metric_owed.h"

#include <string.h>
#include "common/event.h"
#include "common/memory.h"

static void put_number (uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * (7 - i));
}

void metric_owed_key (uint8_t *key, int64_t window_ms, uint64_t scenario)
{
    key[0] = 'm';
    put_number (key + 1, (uint64_t)window_ms);
    put_number (key + 9, scenario);
}

bool metric_owed_read (const void *key, size_t key_size, uint64_t *scenario, int64_t *window_ms)
{
    const uint8_t *bytes = key;
    uint64_t numbers[2] = {0, 0};
    if (key_size != METRIC_OWED_KEY_BYTES || bytes[0] != 'm')
        return false;
    for (size_t i = 0; i < 16; i++)
        numbers[i / 8] = numbers[i / 8] << 8 | bytes[1 + i];
    *window_ms = (int64_t)numbers[0];
    *scenario = numbers[1];
    return true;
}

void metric_owed_note (metric_scenario_t *scenario, int64_t window_ms)
{
    uint32_t at = scenario->owed_count;
    while (at && scenario->owed_ms[at - 1] > window_ms) /* nearly always the newest */
        at--;
    if (at && scenario->owed_ms[at - 1] == window_ms)
        return;
    if (scenario->owed_count == scenario->owed_capacity) {
        scenario->owed_capacity = scenario->owed_capacity ? 2 * scenario->owed_capacity : 8;
        scenario->owed_ms = memory_resize (scenario->owed_ms,
                                           scenario->owed_capacity * sizeof *scenario->owed_ms);
    }
    memmove (scenario->owed_ms + at + 1, scenario->owed_ms + at,
             (scenario->owed_count - at) * sizeof *scenario->owed_ms);
    scenario->owed_ms[at] = window_ms;
    scenario->owed_count++;
}

bool metric_owed_has (const owed_t *owed, const metric_scenario_t *scenario, int64_t window_ms)
{
    uint8_t key[METRIC_OWED_KEY_BYTES];
    metric_owed_key (key, window_ms, scenario->hash);
    return owed_has (owed, key, sizeof key);
}

/*  Would Redis still show it, since nothing but empty windows may have come after it? */
static bool is_shown (const metric_scenario_t *scenario, int64_t window_ms, int64_t reach_ms)
{
    int64_t filled_ms = scenario->filled_ms;
    return filled_ms != EVENT_TIME_NONE && window_ms >= filled_ms &&
           window_ms < filled_ms + reach_ms;
}

void metric_owed_trim (owed_t *owed, metric_scenario_t *scenario, int64_t window_ms, bool filled)
{
    int64_t reach_ms = scenario->slide_ms * scenario->live->config->metrics.history_windows;
    uint32_t at = 0, kept = 0;
    if (filled && window_ms > scenario->filled_ms)
        scenario->filled_ms = window_ms;
    for (; at < scenario->owed_count && scenario->owed_ms[at] <= window_ms - reach_ms; at++) {
        uint8_t key[METRIC_OWED_KEY_BYTES];
        int64_t old_ms = scenario->owed_ms[at];
        if (is_shown (scenario, old_ms, reach_ms)) {
            scenario->owed_ms[kept++] = old_ms;
            continue;
        }
        metric_owed_key (key, old_ms, scenario->hash);
        owed_forget (owed, key, sizeof key);
    }
    if (kept == at)
        return;
    memmove (scenario->owed_ms + kept, scenario->owed_ms + at,
             (scenario->owed_count - at) * sizeof *scenario->owed_ms);
    scenario->owed_count -= at - kept;
}
