/*  model_stage: see model_stage.h. Records: 'c' 'e' number: the event's mark; 'c' 'w': the
 *  newest window that was computed, and until when there was nothing.
 */
#include "model_stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/pack.h"
#include "common/results.h"
#include "common/windows.h"
#include "oracle.h"
#include "sim.h"
#include "world.h"

enum { TTL_MS = 3600000, JSON_BYTES = 64 };

typedef struct {
    stage_context_t context;
    uint32_t events, fresh; /* masks: applied; of those, not yet collected, … */
    uint32_t collecting;    /* … and to be collected one at a time */
    uint32_t users;         /* changed since their profile was owed */
    int64_t marks_ms[ORACLE_EVENTS_MAX];
    int64_t computed_ms;
    int64_t empty_until_ms; /* result_metrics_t */
    bool computed_changed;
} state_t;

static void *open_state (const stage_context_t *context)
{
    state_t *self = memory_new (sizeof *self);
    self->context = *context;
    self->computed_ms = EVENT_TIME_NONE;
    return self;
}

static void close_state (void **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

uint32_t model_stage_events (const void *shard)
{
    return ((const state_t *)shard)->events;
}

/*  ---- records ---- */

int model_stage_record (span_t key)
{
    bool is_event = key.size == 3 && key.bytes[0] == 'c' && key.bytes[1] == 'e';
    return is_event ? (uint8_t)key.bytes[2] : -1;
}

static int load (void *shard, const uint8_t *key, size_t key_size, const uint8_t *value,
                 size_t value_size)
{
    state_t *self = shard;
    cursor_t cursor = cursor_of (value, value_size);
    int event = model_stage_record ((span_t){(const char *)key, key_size});
    int64_t read = cursor_int (&cursor);
    if (event >= 0) {
        self->events |= UINT32_C (1) << event;
        self->marks_ms[event] = read;
    } else {
        self->computed_ms = read;
        self->empty_until_ms = cursor_int (&cursor);
    }
    return cursor_finished (&cursor) ? 0 : -1;
}

/*  Events are left to collect_more (). */
static void collect (void *shard, change_set_t *changes)
{
    state_t *self = shard;
    buffer_t value = {0};
    if (self->collecting)
        sim_fail ("shard %u is collected anew before it was", self->context.shard);
    self->collecting = self->fresh;
    if (self->computed_changed) {
        buffer_clear (&value);
        pack_int (&value, self->computed_ms);
        pack_int (&value, self->empty_until_ms);
        change_set_put (changes, "cw", 2, value.bytes, value.size);
    }
    self->fresh = 0;
    self->computed_changed = false;
    buffer_free (&value);
}

/*  One event at a time: others are applied in between, which are of the next commit. */
static bool collect_more (void *shard, change_set_t *changes)
{
    state_t *self = shard;
    if (!self->collecting)
        return false;
    uint32_t number = (uint32_t)__builtin_ctz (self->collecting);
    const char key[3] = {'c', 'e', (char)number};
    buffer_t value = {0};
    pack_int (&value, self->marks_ms[number]);
    change_set_put (changes, key, sizeof key, value.bytes, value.size);
    buffer_free (&value);
    self->collecting &= self->collecting - 1;
    return self->collecting != 0;
}

/*  ---- results ---- */

static uint32_t in_window (const state_t *self, int64_t window_ms)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < oracle.event_count; i++) {
        const oracle_event_t *event = &oracle.events[i];
        bool counts = (self->events >> i & 1) && self->marks_ms[i] != WINDOWS_LATE &&
                      self->marks_ms[i] <= window_ms && event->time_ms < window_ms &&
                      event->time_ms >= window_ms - oracle.size_ms;
        mask |= (uint32_t)counts << i;
    }
    return mask;
}

static void write_header (buffer_t *body, const live_scenario_t *live, const stage_time_t *time,
                          result_kind_t kind, int64_t window_ms)
{
    int64_t start_ms = kind == RESULT_PROFILE ? 0 : window_ms - oracle.size_ms;
    const result_header_t header = {.kind = kind,
                                    .tenant = live_scenario_tenant (live),
                                    .scenario = live_scenario_id (live),
                                    .revision = kind == RESULT_PROFILE
                                                    ? (revision_t){live->era, live->number}
                                                    : stage_revision (time, live, window_ms),
                                    .window_start_ms = start_ms,
                                    .window_end_ms = window_ms,
                                    .exact = start_ms >= time->exact_from_ms,
                                    .ttl_ms = TTL_MS};
    results_write_header (body, &header);
}

static const live_scenario_t *live_of (const state_t *self)
{
    return self->context.at (self->context.find_arg, 0);
}

static void owe_metrics (state_t *self, int64_t window_ms, const stage_time_t *time)
{
    const live_scenario_t *live = live_of (self);
    uint32_t mask = in_window (self, window_ms);
    buffer_t json = {0}, body = {0};
    scenario_config_write_metrics (live->config, &json);
    write_header (&body, live, time, RESULT_METRICS, window_ms);
    const result_metrics_t metrics = {
        .metrics_json = {(const char *)json.bytes, json.size},
        .total_actions = (uint64_t)__builtin_popcount (mask),
        .watched_ms = mask,
        .watched_count = (uint64_t)__builtin_popcount (mask),
        .empty_until_ms = self->empty_until_ms};
    results_write_metrics (&body, &metrics);
    uint32_t number = (uint32_t)(window_ms / oracle.slide_ms);
    const uint8_t key[] = {'m', (uint8_t)(number >> 24), (uint8_t)(number >> 16),
                           (uint8_t)(number >> 8), (uint8_t)number};
    owed_put (self->context.owed, key, sizeof key, live->hash, body.bytes, body.size);
    buffer_free (&json);
    buffer_free (&body);
}

static void owe_ranking (state_t *self)
{
    owed_put (self->context.owed, "r", 1, live_of (self)->hash, NULL, 0);
}

static void owe_profile (state_t *self, uint32_t user)
{
    const char key[] = {'p', (char)user};
    owed_put (self->context.owed, key, sizeof key, user, NULL, 0);
}

static int64_t newest_of (const stage_time_t *time)
{
    return windows_newest (time->watermark_ms, oracle.slide_ms);
}

/*  As metric_scenario_begin: before the first event there is nothing to owe, if none can have been missed. */
static int64_t begin (state_t *self, const stage_time_t *time, int64_t newest_ms, int64_t first_ms)
{
    int64_t oldest_ms = newest_ms;
    if (time->exact_from_ms != EVENT_TIME_NONE)
        return first_ms;
    for (uint32_t i = 0; i < oracle.event_count; i++) {
        int64_t slice_ms = windows_floor (oracle.events[i].time_ms, oracle.slide_ms);
        bool counts = (self->events >> i & 1) && self->marks_ms[i] != WINDOWS_LATE;
        if (counts && slice_ms < oldest_ms)
            oldest_ms = slice_ms;
    }
    self->empty_until_ms = oldest_ms;
    int64_t owed_ms = oldest_ms < newest_ms ? oldest_ms + oracle.slide_ms : newest_ms;
    return owed_ms > first_ms ? owed_ms : first_ms;
}

/*  Owes the windows that became complete, the first time the newest that there is a history of. */
static void owe_complete (state_t *self, const stage_time_t *time)
{
    int64_t newest_ms = newest_of (time);
    if (newest_ms == EVENT_TIME_NONE || newest_ms <= self->computed_ms)
        return;
    int64_t first_ms = newest_ms - (oracle.history_windows - 1) * oracle.slide_ms;
    if (self->computed_ms + oracle.slide_ms > first_ms && self->computed_ms != EVENT_TIME_NONE)
        first_ms = self->computed_ms + oracle.slide_ms;
    if (self->computed_ms == EVENT_TIME_NONE)
        first_ms = begin (self, time, newest_ms, first_ms);
    for (int64_t at_ms = first_ms; at_ms <= newest_ms; at_ms += oracle.slide_ms) {
        if (at_ms > 0)
            owe_metrics (self, at_ms, time);
    }
    owe_ranking (self);
    self->computed_ms = newest_ms;
    self->computed_changed = true;
}

static void owe_newest (state_t *self, const stage_time_t *time)
{
    int64_t newest_ms = newest_of (time);
    if (newest_ms == EVENT_TIME_NONE)
        return;
    owe_metrics (self, newest_ms, time);
    owe_ranking (self);
}

static int render_ranking (state_t *self, const stage_time_t *time, buffer_t *body)
{
    const live_scenario_t *live = live_of (self);
    int64_t newest_ms = newest_of (time);
    if (newest_ms == EVENT_TIME_NONE)
        return -1;
    uint32_t window = in_window (self, newest_ms), count = 0;
    for (uint32_t i = 0; i < oracle.item_count; i++)
        count += (oracle_item (i) & window) != 0;
    write_header (body, live, time, RESULT_RANKING, newest_ms);
    const result_ranking_t ranking = {.top_k = 1000, .item_count = count};
    results_write_ranking (body, &ranking);
    /* In order of score, and of name where they are equal: what a shard must send. The item has
     * the shard in its name, since rankings are merged as if each item had one shard. */
    for (uint32_t left = ORACLE_EVENTS_MAX; left > 0; left--) {
        for (uint32_t i = 0; i < oracle.item_count; i++) {
            uint32_t events = (uint32_t)__builtin_popcount (oracle_item (i) & window);
            if (events != left)
                continue;
            char name[32];
            snprintf (name, sizeof name, "%s-%u", oracle_item_name (i), self->context.shard);
            const result_item_t item = {.item = span_of (name),
                                        .score = events * world_weight (live->number)};
            results_write_item (body, &item, false);
        }
    }
    return 0;
}

static int render (void *shard, const uint8_t *key, size_t key_size, const stage_time_t *time,
                   buffer_t *body)
{
    state_t *self = shard;
    if (key[0] == 'r')
        return render_ranking (self, time, body);
    if (key[0] != 'p' || key_size != 2)
        return -1;
    const live_scenario_t *live = live_of (self);
    uint32_t mask = oracle_user (key[1]) & self->events;
    char json[JSON_BYTES];
    if (!mask)
        return -1;
    snprintf (json, sizeof json, "{\"events\":%" PRIu32 "}", mask);
    write_header (body, live, time, RESULT_PROFILE, time->greatest_ms > 0 ? time->greatest_ms : 0);
    const result_profile_t profile = {.user = span_of (oracle_user_name (key[1])),
                                      .json = span_of (json)};
    results_write_profile (body, &profile);
    return 0;
}

/*  ---- the stage ---- */

static void loaded (void *shard, const stage_time_t *time)
{
    (void)shard, (void)time;
}

static apply_t apply (void *shard, const stage_event_t *told)
{
    state_t *self = shard;
    uint32_t bit = (uint32_t)told->watched_ms;
    uint32_t number = (uint32_t)__builtin_ctz (bit | UINT32_C (1) << 31);
    if (sim_is_dead ())
        return APPLY_COUNTED;
    if (number >= oracle.event_count || bit != UINT32_C (1) << number) {
        sim_fail ("an event that there is none of: %" PRId64, told->watched_ms);
        return APPLY_COUNTED;
    }
    const oracle_event_t *event = &oracle.events[number];
    int64_t mark_ms =
        windows_mark (told->time_ms, told->complete_ms, oracle.size_ms, oracle.slide_ms);
    if (self->events & bit)
        sim_fail ("shard %u counts event %u twice", self->context.shard, number);
    if (event->shard != self->context.shard || event->time_ms != told->time_ms)
        sim_fail ("event %u came to shard %u as another", number, self->context.shard);
    if (mark_ms != event->mark_ms)
        sim_fail ("event %u counts from window %" PRId64 " on in shard %u, not from %" PRId64,
                  number, mark_ms, self->context.shard, event->mark_ms);
    sim_trace ("shard %u applies event %u", self->context.shard, number);
    self->events |= bit;
    self->fresh |= bit;
    self->users |= UINT32_C (1) << event->user;
    self->marks_ms[number] = mark_ms;
    return mark_ms == WINDOWS_LATE ? APPLY_LATE : APPLY_COUNTED;
}

static void advance (void *shard, const stage_time_t *time)
{
    state_t *self = shard;
    if (!live_of (self))
        return;
    owe_complete (self, time);
    for (uint32_t i = 0; i < ORACLE_USERS_MAX; i++) {
        if (self->users >> i & 1)
            owe_profile (self, i);
    }
    self->users = 0;
}

/*  Not used: the model's input goes on. */
static void finish (void *shard, const stage_time_t *time)
{
    (void)shard, (void)time;
}

/*  As that of metrics: older windows that are owed keep their body, and its revision. */
static void configure (void *shard, const live_scenario_t *live, const stage_time_t *time)
{
    (void)live;
    state_t *self = shard;
    owe_complete (self, time);
    owe_newest (self, time);
}

static void refresh (void *shard, const stage_time_t *time, stage_refresh_t what)
{
    state_t *self = shard;
    if (!live_of (self))
        return;
    advance (self, time);
    if (stage_refresh_wants (what, live_of (self)->hash))
        owe_newest (self, time);
    for (uint32_t i = 0; i < oracle.user_count && what.everything; i++) {
        if ((self->events & oracle_user (i)) && stage_refresh_wants (what, i))
            owe_profile (self, i);
    }
}

static void measure (const void *shard, uint64_t *cells, uint64_t *bytes)
{
    *cells = (uint64_t)__builtin_popcount (((const state_t *)shard)->events);
    *bytes = sizeof (state_t);
}

const stage_t model_stage = {
    .id = STAGE_METRICS,
    .name = "model",
    .open = open_state,
    .close = close_state,
    .load = load,
    .loaded = loaded,
    .apply = apply,
    .advance = advance,
    .finish = finish,
    .configure = configure,
    .refresh = refresh,
    .render = render,
    .collect = collect,
    .collect_more = collect_more,
    .measure = measure,
};
