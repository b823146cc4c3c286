/*  checks_redis: see checks_redis.h. Every write is looked at: a window's values are those of
 *  its events, whole where it says complete, of some shards where not; and no order goes back.
 */
#include "checks_redis.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "oracle.h"
#include "sim_redis.h"
#include "world.h"

#define SCENARIO_KEY ORACLE_TENANT ":" ORACLE_SCENARIO
static const char ranking_key[] = "hot:items:" SCENARIO_KEY;
static const char meta_key[] = "hot:items:" SCENARIO_KEY ":meta";
static const char metrics_key[] = "rec:metrics:" SCENARIO_KEY;
static const char history_key[] = "rec:metrics:" SCENARIO_KEY ":history";

/*  The order of a result: revision, window, shards. */
typedef struct {
    int64_t revision, window_ms, shards;
    bool complete;
} order_t;

static struct {
    order_t ranking, metrics; /* as last read */
    bool lost;                /* Redis lost data in this schedule */
    bool folder_lost;
} reader;

void checks_redis_begin (void)
{
    memset (&reader, 0, sizeof reader);
}

void checks_redis_folder_lost (void)
{
    reader.folder_lost = true;
}

bool checks_redis_is_folder_lost (void)
{
    return reader.folder_lost;
}

/*  ---- reading ---- */

static int64_t field (const char *key, const char *name)
{
    const char *text = sim_redis_field (key, name);
    return text ? strtoll (text, NULL, 10) : -1;
}

static bool read_order (const char *key, order_t *order)
{
    if (!sim_redis_field (key, "window_end"))
        return false;
    *order = (order_t){.revision = field (key, "revision"),
                       .window_ms = field (key, "window_end"),
                       .shards = field (key, "shards"),
                       .complete = field (key, "complete") == 1};
    return true;
}

static uint32_t mask_of_seconds (const char *text)
{
    return text ? (uint32_t)llround (strtod (text, NULL) * 1000) : 0;
}

/*  The text behind "name": of a history member; NULL: it has none. */
static const char *json_field (const char *json, const char *name)
{
    char quoted[40];
    snprintf (quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr (json, quoted);
    return at ? at + strlen (quoted) : NULL;
}

static int64_t json_number (const char *json, const char *name)
{
    const char *text = json_field (json, name);
    return text ? strtoll (text, NULL, 10) : -1;
}

/*  ---- what a result must be ---- */

static int compare_orders (const order_t *a, const order_t *b)
{
    if (a->revision != b->revision)
        return a->revision < b->revision ? -1 : 1;
    if (a->window_ms != b->window_ms)
        return a->window_ms < b->window_ms ? -1 : 1;
    return (a->shards > b->shards) - (a->shards < b->shards);
}

/*  Metrics: the later window stays, whatever the revisions. */
static int compare_windows (const order_t *a, const order_t *b)
{
    int order = (a->window_ms > b->window_ms) - (a->window_ms < b->window_ms);
    return order ? order : compare_orders (a, b);
}

typedef int (*compare_t) (const order_t *a, const order_t *b);

static void check_order (const char *what, compare_t compare, order_t *was, const order_t *now)
{
    if (compare (now, was) < 0)
        sim_fail ("a reader of %s sees revision %" PRId64 " window %" PRId64 " shards %" PRId64
                  " after %" PRId64 " %" PRId64 " %" PRId64,
                  what, now->revision, now->window_ms, now->shards, was->revision, was->window_ms,
                  was->shards);
    if (now->complete != (now->shards == world.shard_count))
        sim_fail ("%s of %" PRId64 " shards says complete=%d", what, now->shards, now->complete);
    *was = *now;
}

/*  A metrics value is made of whole shards' shares, of all where it is complete. */
static void check_mask (const char *what, int64_t window_ms, bool complete, uint32_t mask)
{
    uint32_t expected = oracle_window (window_ms);
    bool wrong = complete ? mask != expected : (mask & ~expected) != 0;
    for (uint32_t i = 0; i < world.shard_count && !wrong; i++) {
        uint32_t share = expected & oracle_shard (i), has = mask & oracle_shard (i);
        wrong = has != 0 && has != share;
    }
    if (wrong)
        sim_fail ("%s of window %" PRId64 " is of events %#x, and should be of %#x%s", what,
                  window_ms, mask, expected, complete ? "" : " (or some shards' of them)");
}

/*  Of an item that a shard ranks: "i2-3" is item 2 of shard 3. A ranking without a revision is of shards that
 *  are rebuilt (stage_revision), each by a revision that there was. */
static bool is_score (const char *name, double score, const order_t *order)
{
    uint32_t item = (uint32_t)(name[1] - '0'), shard = (uint32_t)(name[3] - '0');
    if (item >= oracle.item_count || shard >= world.shard_count)
        return false;
    uint32_t events = oracle_item (item) & oracle_shard (shard) & oracle_window (order->window_ms);
    uint64_t first = order->revision ? (uint64_t)order->revision : 1;
    uint64_t last = order->revision ? (uint64_t)order->revision : world.revision;
    for (uint64_t revision = first; revision <= last; revision++) {
        if (fabs (score - __builtin_popcount (events) * world_weight (revision)) < 1e-9)
            return true;
    }
    return false;
}

/*  How many items a whole ranking has. */
static uint32_t expected_items (int64_t window_ms)
{
    uint32_t count = 0, window = oracle_window (window_ms);
    for (uint32_t item = 0; item < oracle.item_count; item++) {
        for (uint32_t shard = 0; shard < world.shard_count; shard++)
            count += (oracle_item (item) & oracle_shard (shard) & window) != 0;
    }
    return count;
}

static void check_ranking (void)
{
    order_t order;
    if (!read_order (meta_key, &order))
        return;
    check_order ("the ranking", compare_orders, &reader.ranking, &order);
    uint32_t count = sim_redis_members (ranking_key);
    for (uint32_t i = 0; i < count; i++) {
        double score;
        const char *name = sim_redis_member (ranking_key, i, &score);
        if (!is_score (name, score, &order))
            sim_fail ("the ranking of window %" PRId64 " revision %" PRId64 " gives %s %g",
                      order.window_ms, order.revision, name, score);
    }
    uint32_t expected = expected_items (order.window_ms);
    if (order.complete ? count != expected : count > expected)
        sim_fail ("the ranking of window %" PRId64 " has %u items, not %u", order.window_ms, count,
                  expected);
}

static void check_history (void)
{
    for (uint32_t i = 0; i < sim_redis_members (history_key); i++) {
        double score;
        const char *json = sim_redis_member (history_key, i, &score);
        int64_t window_ms = json_number (json, "window_end");
        if (window_ms != (int64_t)score)
            sim_fail ("a member of the history says window %" PRId64 " at %g", window_ms, score);
        check_mask ("the history", window_ms, json_number (json, "complete") == 1,
                    mask_of_seconds (json_field (json, "watch_time_seconds")));
    }
}

static uint32_t profile_mask (uint32_t user)
{
    char key[64];
    snprintf (key, sizeof key, "user:profile:" ORACLE_TENANT ":%s:" ORACLE_SCENARIO,
              oracle_user_name (user));
    const char *json = sim_redis_string (key);
    return json ? (uint32_t)json_number (json, "events") : 0;
}

/*  A profile is of the user's first events of each partition. */
static void check_profile (uint32_t user)
{
    uint32_t mask = profile_mask (user), all = oracle_user (user);
    bool wrong = (mask & ~all) != 0;
    for (uint32_t i = 0; i < oracle.event_count && !wrong; i++) {
        const oracle_event_t *event = &oracle.events[i];
        uint32_t before = oracle_below (event->partition, event->offset) & all;
        wrong = (mask >> i & 1) && (mask & before) != before;
    }
    if (wrong)
        sim_fail ("the profile of %s is of events %#x of %#x", oracle_user_name (user), mask, all);
}

/*  What the sink writes, for the trace. */
static void tell_written (void)
{
    char text[160] = "";
    size_t size = 0;
    for (uint32_t i = 0; i < sim_redis_members (history_key) && size < sizeof text; i++) {
        double score;
        const char *json = sim_redis_member (history_key, i, &score);
        size += (size_t)snprintf (text + size, sizeof text - size, " %d:%d/%d",
                                   (int)((int64_t)score / oracle.slide_ms % 1000),
                                   (int)json_number (json, "revision"),
                                   (int)json_number (json, "shards"));
    }
    sim_trace ("Redis: ranking %d:%d/%d metrics %d:%d/%d history%s",
               (int)(field (meta_key, "window_end") / oracle.slide_ms % 1000),
               (int)field (meta_key, "revision"), (int)field (meta_key, "shards"),
               (int)(field (metrics_key, "window_end") / oracle.slide_ms % 1000),
               (int)field (metrics_key, "revision"), (int)field (metrics_key, "shards"), text);
}

static void check_metrics (void)
{
    order_t order;
    if (read_order (metrics_key, &order)) {
        check_order ("the metrics", compare_windows, &reader.metrics, &order);
        check_mask ("the metrics", order.window_ms, order.complete,
                    mask_of_seconds (sim_redis_field (metrics_key, "watch_time_seconds")));
        uint32_t members = sim_redis_members (history_key);
        double newest = -1;
        if (members > 0)
            sim_redis_member (history_key, members - 1, &newest);
        if (newest != (double)order.window_ms)
            sim_fail ("the metrics are of window %" PRId64 ", the newest of their history of %.0f",
                      order.window_ms, newest);
    }
    check_history ();
}

void checks_redis_written (uint32_t kinds)
{
    if (sim.tracing)
        tell_written ();
    if (kinds & CHECKS_RANKING)
        check_ranking ();
    if (kinds & CHECKS_METRICS)
        check_metrics ();
    for (uint32_t i = 0; i < oracle.user_count && (kinds & CHECKS_PROFILE); i++)
        check_profile (i);
}

void checks_redis_lost (void)
{
    reader.lost = true;
    reader.ranking = reader.metrics = (order_t){0};
}

/*  ---- at the end ---- */

static char reason[256];

#define BECAUSE(...) (snprintf (reason, sizeof reason, __VA_ARGS__), reason)

static const char *unquiet_order (const char *what, const char *key)
{
    order_t order;
    if (!read_order (key, &order))
        return BECAUSE ("%s is not in Redis", what);
    if (order.window_ms != oracle.newest_ms || order.revision != (int64_t)world.revision ||
        !order.complete)
        return BECAUSE ("%s is of window %" PRId64 " revision %" PRId64 " complete=%d, not %" PRId64
                        " %" PRIu64 " 1",
                        what, order.window_ms, order.revision, order.complete, oracle.newest_ms,
                        world.revision);
    return NULL;
}

/*  0: not there, 1: not complete, 2: complete. */
static int history_has (int64_t window_ms)
{
    for (uint32_t i = 0; i < sim_redis_members (history_key); i++) {
        double score;
        const char *json = sim_redis_member (history_key, i, &score);
        if ((int64_t)score == window_ms)
            return json_number (json, "complete") == 1 ? 2 : 1;
    }
    return 0;
}

/*  A window that waits for a shard for longer than GATHER_HOLD_MS is no longer owed by the others: a sink that
 *  ends then takes their parts with it, and the history keeps it as not complete (docs/recovery.md). */
static bool sink_ended (void)
{
    for (uint32_t i = 0; i < sim.process_count; i++) {
        if (sim.processes[i].kind == PROCESS_SINK && sim.processes[i].lives > 1)
            return true;
    }
    return false;
}

static const char *unquiet_history (int64_t first_ms)
{
    for (int64_t at_ms = first_ms; at_ms <= oracle.newest_ms; at_ms += oracle.slide_ms) {
        int has = history_has (at_ms);
        bool excused = reader.lost && (at_ms < oracle.newest_ms || !oracle_window (at_ms));
        excused |= has == 1 && sink_ended ();
        if (has < 2 && !excused)
            return BECAUSE ("window %" PRId64 " of the history is %s", at_ms,
                            has ? "not complete" : "absent");
    }
    return NULL;
}

const char *checks_redis_unquiet (void)
{
    int64_t first_ms = oracle_first_window_ms ();
    const char *why = unquiet_order ("the ranking", meta_key);
    /* An empty window is only written behind one with events: where Redis lost those, it has
     * none. */
    bool excused = reader.lost && !oracle_window (oracle.newest_ms);
    if (!why && first_ms <= oracle.newest_ms && !excused)
        why = unquiet_order ("the metrics", metrics_key);
    if (!why && first_ms <= oracle.newest_ms)
        why = unquiet_history (first_ms);
    for (uint32_t i = 0; i < oracle.user_count && !why; i++) {
        if (profile_mask (i) != oracle_user (i))
            why = BECAUSE ("the profile of %s is of events %#x, not %#x", oracle_user_name (i),
                           profile_mask (i), oracle_user (i));
    }
    return why;
}
