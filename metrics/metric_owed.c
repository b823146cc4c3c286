/*  metric_owed: see metric_owed.h. Windows follow each other by the slide, so that one new window puts
 *  one out of reach; a walk over all that is owed is needed only where that does not hold.
 */
#include "metrics/metric_owed.h"

#include "common/event.h"

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

bool metric_owed_read (const void *key, size_t key_size, uint64_t scenario, int64_t *window_ms)
{
    const uint8_t *bytes = key;
    uint64_t numbers[2] = {0, 0};
    if (key_size != METRIC_OWED_KEY_BYTES || bytes[0] != 'm')
        return false;
    for (size_t i = 0; i < 16; i++)
        numbers[i / 8] = numbers[i / 8] << 8 | bytes[1 + i];
    *window_ms = (int64_t)numbers[0];
    return numbers[1] == scenario;
}

typedef struct {
    owed_t *owed;
    const metric_scenario_t *scenario;
    int64_t reach_ms; /* length of the history */
    int64_t floor_ms; /* windows up to it are not of the newest history_windows */
} trim_t;

/*  Would Redis still show it, since nothing but empty windows may have come after it? */
static bool is_shown (const trim_t *trim, int64_t window_ms)
{
    int64_t filled_ms = trim->scenario->filled_ms;
    return filled_ms != EVENT_TIME_NONE && window_ms >= filled_ms &&
           window_ms < filled_ms + trim->reach_ms;
}

static void forget (const trim_t *trim, int64_t window_ms)
{
    uint8_t key[METRIC_OWED_KEY_BYTES];
    if (window_ms > trim->floor_ms || is_shown (trim, window_ms))
        return;
    metric_owed_key (key, window_ms, trim->scenario->hash);
    owed_forget (trim->owed, key, sizeof key);
}

static void visit (void *arg, const void *key, size_t key_size)
{
    const trim_t *trim = arg;
    int64_t window_ms;
    if (metric_owed_read (key, key_size, trim->scenario->hash, &window_ms))
        forget (trim, window_ms);
}

void metric_owed_trim (owed_t *owed, metric_scenario_t *scenario, int64_t window_ms, bool filled)
{
    int64_t slide_ms = scenario->slide_ms;
    int64_t reach_ms = slide_ms * scenario->live->config->metrics.history_windows;
    int64_t shown_ms = scenario->filled_ms, trimmed_ms = scenario->trimmed_ms;
    trim_t trim = {owed, scenario, reach_ms, window_ms - reach_ms};
    if (filled && window_ms > shown_ms)
        scenario->filled_ms = window_ms;
    bool moved = shown_ms != EVENT_TIME_NONE && shown_ms != scenario->filled_ms;
    for (int64_t at_ms = shown_ms; moved && at_ms < shown_ms + reach_ms; at_ms += slide_ms) {
        if (at_ms > trim.floor_ms)
            break;
        forget (&trim, at_ms);
    }
    if (trimmed_ms != EVENT_TIME_NONE && trim.floor_ms <= trimmed_ms)
        return;
    if (trimmed_ms == EVENT_TIME_NONE || trim.floor_ms - trimmed_ms > 2 * reach_ms)
        owed_each_with_body (owed, visit, &trim);
    else
        for (int64_t at_ms = trimmed_ms + slide_ms; at_ms <= trim.floor_ms; at_ms += slide_ms)
            forget (&trim, at_ms);
    scenario->trimmed_ms = trim.floor_ms;
}
