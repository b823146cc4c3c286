/*  metric_owed: the keys under which a shard's parts are owed, and which of them are worth owing.
 *
 *  Redis keeps the newest history_windows of a scenario: a part that waits while Redis is away, and that
 *  would be trimmed there at once, is owed no more. So an outage of any length leaves at most twice
 *  history_windows parts a scenario: the newest by time, and after a silence those from the last window
 *  with events on, which Redis would still show.
 */
#ifndef HOTPATH_METRIC_OWED_H
#define HOTPATH_METRIC_OWED_H

#include <stdbool.h>
#include <stdint.h>
#include "common/owed.h"
#include "metrics/metric_scenario.h"

enum { METRIC_OWED_KEY_BYTES = 17 }; /* 'm', window (8 bytes, big endian), scenario (likewise) */

void metric_owed_key (uint8_t *key, int64_t window_ms, uint64_t scenario);
/*  Is it the key of a window? Fills *scenario (its hash) and *window_ms. */
bool metric_owed_read (const void *key, size_t key_size, uint64_t *scenario, int64_t *window_ms);

/*  A scenario knows which of its windows may be owed, so that nobody walks over those of all others:
 * this one is, or was when it was stored. */
void metric_owed_note (metric_scenario_t *scenario, int64_t window_ms);
/*  Is it owed still? */
bool metric_owed_has (const owed_t *owed, const metric_scenario_t *scenario, int64_t window_ms);
/*  A part of a scenario that runs was owed and noted; `filled`: it has events. Forgets what need not
 * be owed. */
void metric_owed_trim (owed_t *owed, metric_scenario_t *scenario, int64_t window_ms, bool filled);

#endif
