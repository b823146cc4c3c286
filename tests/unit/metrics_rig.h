/*  metrics_rig: one shard of the metrics stage on a bench: scenarios that a test may change, stored
 * records as a commit leaves them, and a sink that takes all parts. For the unit tests of the stage
 * alone.
 */
#ifndef HOTPATH_METRICS_RIG_H
#define HOTPATH_METRICS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/results.h"
#include "common/stage.h"
#include "common/windows.h"

enum { SCENARIOS = 2, PARTS_MAX = 4096, RECORDS_MAX = 4096, HISTORY = 5 };

/*  A part as the sink would see it. */
typedef struct {
    int64_t window_ms, start_ms;
    char scenario;
    uint64_t revision, total, views, waves, watched_ms, watched_count, rate_known, rate_done;
    uint64_t users, items; /* UINT64_MAX: not collected */
    int64_t empty_until_ms;
    bool exact;
} part_t;

typedef struct {
    uint8_t *key, *value;
    size_t key_size, value_size;
} record_t;

typedef struct {
    action_names_t *actions;
    owed_t *owed;
    live_scenario_t live[SCENARIOS];
    scenario_config_t config[SCENARIOS];
    uint32_t live_count;
    void *shard;
    stage_time_t time;
    part_t parts[PARTS_MAX]; /* taken by the last take () */
    size_t part_count;
    record_t records[RECORDS_MAX]; /* what is stored */
    size_t record_count;
} rig_t;

static inline const live_scenario_t *find (void *arg, uint64_t hash)
{
    rig_t *rig = arg;
    for (uint32_t i = 0; i < rig->live_count; i++)
        if (rig->live[i].hash == hash)
            return &rig->live[i];
    return NULL;
}

static inline const live_scenario_t *at (void *arg, uint32_t index)
{
    rig_t *rig = arg;
    return index < rig->live_count ? &rig->live[index] : NULL;
}

static inline void open_shard (rig_t *rig)
{
    stage_context_t context = {.shard_count = 1,
                               .actions = rig->actions,
                               .owed = rig->owed,
                               .find = find,
                               .at = at,
                               .find_arg = rig};
    rig->shard = metrics_stage.open (&context);
    for (size_t i = 0; i < rig->record_count; i++) {
        const record_t *record = &rig->records[i];
        assert_int_equal (metrics_stage.load (rig->shard, record->key, record->key_size,
                                              record->value, record->value_size),
                          0);
    }
    metrics_stage.loaded (rig->shard, &rig->time);
}

static inline rig_t *rig_new (int64_t size_ms, int64_t slide_ms, uint32_t live_count)
{
    rig_t *rig = memory_new (sizeof *rig);
    rig->actions = action_names_new ();
    rig->owed = owed_new (1);
    rig->live_count = live_count;
    rig->time = (stage_time_t){EVENT_TIME_NONE, EVENT_TIME_NONE, EVENT_TIME_NONE, 0, EVENT_TIME_NONE};
    for (uint32_t i = 0; i < SCENARIOS; i++) {
        rig->config[i].metrics = (config_metrics_t){.enabled = true,
                                                    .size_ms = size_ms,
                                                    .slide_ms = slide_ms,
                                                    .active_users = true,
                                                    .exposed_items = true,
                                                    .ctr_denominator = "impression",
                                                    .history_windows = HISTORY,
                                                    .ttl_ms = 60000};
        rig->live[i] = (live_scenario_t){.index = i,
                                         .hash = 900 - i, /* not in the order of names */
                                         .tenant = "t",
                                         .scenario = i ? "b" : "a",
                                         .tenant_size = 1,
                                         .scenario_size = 1,
                                         .active = true,
                                         .era = 7,
                                         .number = 1,
                                         .config = &rig->config[i]};
    }
    open_shard (rig);
    return rig;
}

static inline void forget_records (rig_t *rig)
{
    for (size_t i = 0; i < rig->record_count; i++) {
        free (rig->records[i].key);
        free (rig->records[i].value);
    }
    rig->record_count = 0;
}

static inline void rig_destroy (rig_t *rig)
{
    metrics_stage.close (&rig->shard);
    assert_null (rig->shard);
    forget_records (rig);
    owed_destroy (&rig->owed);
    action_names_destroy (&rig->actions);
    free (rig);
}

static inline int order (const record_t *record, const void *key, size_t key_size)
{
    return span_compare ((span_t){(const char *)record->key, record->key_size},
                         (span_t){key, key_size});
}

static inline void delete_range (rig_t *rig, const void *from, size_t from_size, const void *to,
                                 size_t to_size)
{
    size_t kept = 0;
    for (size_t i = 0; i < rig->record_count; i++) {
        record_t record = rig->records[i];
        if (order (&record, from, from_size) >= 0 && order (&record, to, to_size) < 0) {
            free (record.key);
            free (record.value);
        } else
            rig->records[kept++] = record;
    }
    rig->record_count = kept;
}

static inline void put (rig_t *rig, const change_t *change)
{
    size_t i = 0;
    while (i < rig->record_count && order (&rig->records[i], change->key, change->key_size) < 0)
        i++;
    if (i < rig->record_count && order (&rig->records[i], change->key, change->key_size) == 0)
        free (rig->records[i].value);
    else {
        assert_true (rig->record_count < RECORDS_MAX);
        memmove (rig->records + i + 1, rig->records + i,
                 (rig->record_count - i) * sizeof *rig->records);
        rig->record_count++;
        rig->records[i].key = (uint8_t *)memory_copy_string (change->key, change->key_size);
        rig->records[i].key_size = change->key_size;
    }
    rig->records[i].value = (uint8_t *)memory_copy_string (change->value, change->value_size);
    rig->records[i].value_size = change->value_size;
}

/*  What a commit stores; returns the number of changes. */
static inline size_t commit (rig_t *rig)
{
    change_set_t changes = {0};
    metrics_stage.collect (rig->shard, &changes);
    size_t count = changes.count, position = 0;
    change_t change;
    while (change_set_next (&changes, &position, &change)) {
        uint8_t behind[64] = {0}; /* the least key behind a single one */
        if (change.kind == CHANGE_PUT)
            put (rig, &change);
        else if (change.kind == CHANGE_DELETE_RANGE)
            delete_range (rig, change.key, change.key_size, change.value, change.value_size);
        else {
            memcpy (behind, change.key, change.key_size);
            delete_range (rig, change.key, change.key_size, behind, change.key_size + 1);
        }
    }
    change_set_free (&changes);
    return count;
}

static inline void restart (rig_t *rig)
{
    commit (rig);
    metrics_stage.close (&rig->shard);
    open_shard (rig);
}

static inline part_t read_part (span_t body, distinct_t *users, distinct_t *items)
{
    result_header_t header;
    result_metrics_t metrics;
    result_action_t actions[64];
    cursor_t cursor = cursor_of (body.bytes, body.size);
    results_read_header (&cursor, &header);
    results_read_metrics (&cursor, &metrics, actions, 64, users, items);
    assert_true (cursor_finished (&cursor));
    assert_int_equal (header.kind, RESULT_METRICS);
    assert_true (metrics.metrics_json.size > 2);
    part_t part = {.window_ms = header.window_end_ms,
                   .start_ms = header.window_start_ms,
                   .scenario = header.scenario.bytes[0],
                   .revision = header.revision.number,
                   .exact = header.exact,
                   .total = metrics.total_actions,
                   .watched_ms = metrics.watched_ms,
                   .watched_count = metrics.watched_count,
                   .rate_known = metrics.rate_known,
                   .rate_done = metrics.rate_done,
                   .empty_until_ms = metrics.empty_until_ms,
                   .users = metrics.users ? distinct_count (metrics.users) : UINT64_MAX,
                   .items = metrics.items ? distinct_count (metrics.items) : UINT64_MAX};
    for (uint32_t i = 0; i < metrics.action_count; i++) {
        part.views += span_equal (actions[i].name, span_of ("view")) ? actions[i].count : 0;
        part.waves += span_equal (actions[i].name, span_of ("wave")) ? actions[i].count : 0;
    }
    return part;
}

/*  Takes all that is owed, as a sink that acknowledges at once; as "a100=3 b100=0": scenario,
 * window, total, and whatever differs from revision 1 and exact. */
static inline const char *take (rig_t *rig)
{
    static char text[PARTS_MAX];
    distinct_t *users = distinct_new (DISTINCT_METRICS), *items = distinct_new (DISTINCT_METRICS);
    owed_waiting_t waiting;
    size_t size = 0;
    text[0] = '\0';
    for (rig->part_count = 0; owed_waiting (rig->owed, 0, &waiting); rig->part_count++) {
        part_t part = read_part (waiting.body, users, items);
        assert_true (rig->part_count < PARTS_MAX);
        rig->parts[rig->part_count] = part;
        if (size < sizeof text - 64)
            size += (size_t)snprintf (text + size, sizeof text - size, "%s%c%ld=%lu%s",
                                      size ? " " : "", part.scenario, (long)part.window_ms,
                                      (unsigned long)part.total, part.exact ? "" : "?");
        if (part.revision != 1)
            size += (size_t)snprintf (text + size, sizeof text - size, "r%lu",
                                      (unsigned long)part.revision);
        owed_drop (rig->owed, 0);
    }
    distinct_destroy (&users);
    distinct_destroy (&items);
    return text;
}

static inline apply_t apply_to (rig_t *rig, uint32_t scenario, int64_t time_ms, int64_t complete_ms)
{
    stage_event_t event = {.scenario = &rig->live[scenario],
                           .time_ms = time_ms,
                           .complete_ms = complete_ms,
                           .action = ACTION_VIEW,
                           .key_hash = (uint64_t)time_ms,
                           .item_hash = 1,
                           .watched_ms = EVENT_MS_NONE};
    if (rig->time.greatest_ms < time_ms)
        rig->time.greatest_ms = time_ms;
    return metrics_stage.apply (rig->shard, &event);
}

static inline void advance (rig_t *rig, int64_t watermark_ms)
{
    rig->time.watermark_ms = watermark_ms;
    metrics_stage.advance (rig->shard, &rig->time);
}

static inline void reconfigure (rig_t *rig, uint32_t scenario)
{
    rig->live[scenario].number++;
    metrics_stage.configure (rig->shard, &rig->live[scenario], &rig->time);
}

#endif
