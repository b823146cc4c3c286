/*  profiler_stage: the profiler as a stage (stage.h): joins the table of profiles to the owed
 * results and writes their bodies. Everything else is in profile_table.
 */
#include "common/check.h"
#include "common/memory.h"
#include "common/results.h"
#include "common/stage.h"
#include "profiler/profile_json.h"
#include "profiler/profile_table.h"

#include <stdlib.h>

/*  To give back the strings of all of a shard's users takes milliseconds, and a process that ends closes
 * all of its shards: one that was closed waits so long for the others to go as well. */
enum { CLOSED_KEPT_MS = 10000 };

typedef struct shard {
    profile_table_t *table;
    int64_t closed_ms;
    struct shard *next; /* that was closed before */
} shard_t;

/*  The strings of all shards, how many shards there are, and those that were closed and still have
 * their memory: they are opened and closed by one thread (stage.h). */
static profile_strings_t *strings;
static uint32_t strings_users;
static shard_t *closed;
static int64_t last_ms; /* as stage_advance was last told */

static void owe (void *arg, const void *key, size_t key_size, uint64_t route)
{
    owed_put (arg, key, key_size, route, NULL, 0);
}

static void ask_owed (void *arg, const void *key, size_t key_size, int step)
{
    owed_prefetch (arg, key, key_size, step);
}

static bool is_owed (void *arg, const void *key, size_t key_size)
{
    return owed_has (arg, key, key_size);
}

static void *stage_open (const stage_context_t *context)
{
    shard_t *shard = memory_new (sizeof *shard);
    if (!strings_users++)
        strings = profile_strings_new ();
    profile_table_setup_t setup = {.actions = context->actions,
                                   .strings = strings,
                                   .find = context->find,
                                   .find_arg = context->find_arg,
                                   .owe = owe,
                                   .ask_owed = ask_owed,
                                   .is_owed = is_owed,
                                   .owed_arg = context->owed};
    shard->table = profile_table_new (&setup);
    return shard;
}

/*  The last shard is gone: with it the strings, and all that refers to them. */
static void end_all (void)
{
    for (shard_t *shard; (shard = closed) != NULL;) {
        closed = shard->next;
        profile_table_abandon (&shard->table);
        free (shard);
    }
    profile_strings_destroy (&strings);
}

static void stage_close (void **shard_p)
{
    shard_t *shard = *shard_p;
    if (!shard)
        return;
    shard->closed_ms = last_ms;
    shard->next = closed;
    closed = shard;
    *shard_p = NULL;
    if (!--strings_users)
        end_all ();
}

/*  One that was closed, and did not go with the others. */
static void free_closed (int64_t now_ms)
{
    last_ms = now_ms;
    shard_t *shard = closed;
    if (!shard || now_ms - shard->closed_ms < CLOSED_KEPT_MS)
        return;
    closed = shard->next;
    profile_table_destroy (&shard->table);
    free (shard);
}

static int stage_load (void *shard, const uint8_t *key, size_t key_size, const uint8_t *value,
                       size_t value_size)
{
    return profile_table_load (((shard_t *)shard)->table, key, key_size, value, value_size);
}

static void stage_loaded (void *shard, const stage_time_t *time)
{
    profile_table_loaded (((shard_t *)shard)->table, time);
}

static void stage_prefetch (const void *shard, const stage_event_t *events, uint32_t count)
{
    profile_table_prefetch (((const shard_t *)shard)->table, events, count);
}

static apply_t stage_apply (void *shard, const stage_event_t *event)
{
    return profile_table_apply (((shard_t *)shard)->table, event);
}

static void stage_advance (void *shard, const stage_time_t *time)
{
    profile_table_advance (((shard_t *)shard)->table, time);
    free_closed (time->now_ms);
}

static void stage_finish (void *shard, const stage_time_t *time)
{
    profile_table_finish (((shard_t *)shard)->table, time);
}

static void stage_configure (void *shard, const live_scenario_t *scenario, const stage_time_t *time)
{
    profile_table_configure (((shard_t *)shard)->table, scenario, time);
}

static void stage_refresh (void *shard, const stage_time_t *time, stage_refresh_t what)
{
    if (what.everything)
        profile_table_refresh (((shard_t *)shard)->table, time, what);
}

static int stage_render (void *shard_, const uint8_t *key, size_t key_size,
                         const stage_time_t *time, buffer_t *body)
{
    (void)time;
    shard_t *shard = shard_;
    profile_view_t view;
    if (!profile_table_view (shard->table, key, key_size, &view))
        return -1;
    const config_profile_t *config = &view.live->config->profile;
    span_t tenant = live_scenario_tenant (view.live), scenario = live_scenario_id (view.live);
    results_write_header (body, &(result_header_t){.kind = RESULT_PROFILE,
                                                   .tenant = tenant,
                                                   .scenario = scenario,
                                                   .revision = {view.live->era, view.live->number},
                                                   .window_start_ms = 0,
                                                   .window_end_ms = view.profile->newest_ms,
                                                   .exact = true,
                                                   .ttl_ms = config->ttl_ms});
    size_t began = results_begin_profile (body, view.user);
    profile_json_write (body, &(profile_json_t){.tenant = tenant,
                                                .scenario = scenario,
                                                .user = view.user,
                                                .profile = view.profile,
                                                .shared = view.shared,
                                                .weights = view.weights,
                                                .top_categories = config->top_categories,
                                                .top_tags = config->top_tags,
                                                .recent_items = config->recent_items});
    results_end_profile (body, began);
    return 0;
}

static void stage_foresee (const void *shard, const owed_waiting_t *list, uint32_t count)
{
    profile_table_foresee (((const shard_t *)shard)->table, list, count);
}

static void stage_collect (void *shard, change_set_t *changes)
{
    profile_table_collect (((shard_t *)shard)->table, changes);
}

static bool stage_collect_more (void *shard, change_set_t *changes)
{
    return profile_table_collect_more (((shard_t *)shard)->table, changes);
}

static void stage_measure (const void *shard, uint64_t *cells, uint64_t *bytes)
{
    profile_measure_t measure = profile_table_measure (((const shard_t *)shard)->table);
    *cells = measure.users;
    *bytes = measure.bytes + profile_strings_bytes (strings) / strings_users; /* its share */
}

const stage_t profiler_stage = {
    .id = STAGE_PROFILER,
    .name = "profiler",
    .open = stage_open,
    .close = stage_close,
    .load = stage_load,
    .loaded = stage_loaded,
    .prefetch = stage_prefetch,
    .apply = stage_apply,
    .advance = stage_advance,
    .finish = stage_finish,
    .configure = stage_configure,
    .refresh = stage_refresh,
    .render = stage_render,
    .foresee = stage_foresee,
    .collect = stage_collect,
    .collect_more = stage_collect_more,
    .measure = stage_measure,
};
