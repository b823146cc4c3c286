/*  metrics_stage against a naive count over all events, on random input: jitter, stragglers,
 * partitions at different speeds, jumps, restarts, two scenarios. Every part that is owed must be
 * what the rule says: the event at t counts in T where T - size <= t < T and T > what was complete
 * for it.
 */
#include "tests/unit/metrics_rig.h"

enum { EVENTS = 4000, USERS = 60, ITEMS = 40, PARTITIONS = 3 };

typedef struct {
    uint32_t scenario;
    int64_t time_ms, complete_ms;
    uint16_t action; /* wave: 0xffff */
    uint64_t user, item;
    int64_t watched_ms;
    event_rate_t rate;
    bool late;
} fact_t;

static uint64_t seed;

static uint64_t draw (uint64_t below)
{
    seed = seed * UINT64_C (6364136223846793005) + 1442695040888963407;
    return (seed >> 33) % below;
}

static fact_t draw_fact (int64_t around_ms, int64_t complete_ms)
{
    int64_t back_ms = draw (20) ? (int64_t)draw (200) : (int64_t)draw (3000);
    fact_t fact = {.scenario = (uint32_t)draw (2),
                   .time_ms = around_ms > back_ms ? around_ms - back_ms : 0,
                   .complete_ms = complete_ms,
                   .action = draw (3)   ? ACTION_VIEW
                             : draw (2) ? ACTION_OTHER
                                        : UINT16_MAX,
                   .user = draw (USERS),
                   .item = draw (ITEMS),
                   .watched_ms = draw (2) ? EVENT_MS_NONE : (int64_t)draw (9000),
                   .rate = (event_rate_t)draw (3)};
    return fact;
}

static void apply_fact (rig_t *rig, fact_t *fact)
{
    stage_event_t event = {.scenario = &rig->live[fact->scenario],
                           .time_ms = fact->time_ms,
                           .complete_ms = fact->complete_ms,
                           .action = fact->action,
                           .key_hash = fact->user << 40,
                           .item_hash = fact->item << 40,
                           .watched_ms = fact->watched_ms,
                           .rate = fact->rate};
    if (fact->action == UINT16_MAX)
        event.action = action_names_intern (rig->actions, span_of ("wave"));
    if (rig->time.greatest_ms < fact->time_ms)
        rig->time.greatest_ms = fact->time_ms;
    fact->late = metrics_stage.apply (rig->shard, &event) == APPLY_LATE;
}

static part_t count_naively (const fact_t *facts, size_t count, uint32_t scenario,
                             int64_t window_ms, int64_t size_ms)
{
    bool users[USERS] = {false}, items[ITEMS] = {false};
    part_t part = {.window_ms = window_ms};
    for (size_t i = 0; i < count; i++) {
        const fact_t *fact = &facts[i];
        if (fact->scenario != scenario || fact->time_ms < window_ms - size_ms ||
            fact->time_ms >= window_ms || window_ms <= fact->complete_ms)
            continue;
        part.total++;
        part.views += fact->action == ACTION_VIEW;
        part.waves += fact->action == UINT16_MAX;
        part.watched_ms += fact->watched_ms >= 0 ? (uint64_t)fact->watched_ms : 0;
        part.watched_count += fact->watched_ms >= 0;
        part.rate_known += fact->rate != EVENT_RATE_UNKNOWN;
        part.rate_done += fact->rate == EVENT_RATE_DONE;
        part.users += !users[fact->user];
        part.items += !items[fact->item];
        users[fact->user] = items[fact->item] = true;
    }
    return part;
}

static void compare (const rig_t *rig, const fact_t *facts, size_t count, size_t *full)
{
    for (size_t i = 0; i < rig->part_count; i++) {
        const part_t *part = &rig->parts[i];
        uint32_t scenario = part->scenario == 'b';
        part_t naive = count_naively (facts, count, scenario, part->window_ms,
                                      rig->config[scenario].metrics.size_ms);
        assert_int_equal (part->total, naive.total);
        assert_int_equal (part->views, naive.views);
        assert_int_equal (part->waves, naive.waves);
        assert_int_equal (part->watched_ms, naive.watched_ms);
        assert_int_equal (part->watched_count, naive.watched_count);
        assert_int_equal (part->rate_known, naive.rate_known);
        assert_int_equal (part->rate_done, naive.rate_done);
        assert_int_equal (part->users, naive.users);
        assert_int_equal (part->items, naive.items);
        assert_true (part->exact);
        *full += part->total != 0;
    }
}

static void run (uint64_t number, int64_t size_ms, int64_t slide_ms)
{
    static fact_t facts[EVENTS];
    int64_t greatest_ms[PARTITIONS];
    size_t late = 0, marked = 0, full = 0, finals = 0;
    seed = number * 7919;
    rig_t *rig = rig_new (size_ms, slide_ms, 2);
    rig->config[1].metrics.slide_ms = size_ms;
    reconfigure (rig, 1);
    for (size_t p = 0; p < PARTITIONS; p++)
        greatest_ms[p] = EVENT_TIME_NONE;
    int64_t now_ms = 5000, watermark_ms = EVENT_TIME_NONE;
    for (size_t i = 0; i < EVENTS; i++) {
        size_t p = draw (PARTITIONS);
        now_ms += (int64_t)(draw (1000) ? draw (8) : draw (20000)); /* the latter is a jump */
        int64_t wm_ms = greatest_ms[p] == EVENT_TIME_NONE ? EVENT_TIME_NONE : greatest_ms[p] - 50;
        facts[i] = draw_fact (now_ms, wm_ms > watermark_ms ? wm_ms : watermark_ms);
        apply_fact (rig, &facts[i]);
        late += facts[i].late;
        marked += windows_mark (facts[i].time_ms, facts[i].complete_ms, size_ms, slide_ms) > 0;
        if (greatest_ms[p] < facts[i].time_ms)
            greatest_ms[p] = facts[i].time_ms;
        if (draw (10) == 0) {
            int64_t least_ms = INT64_MAX;
            for (size_t q = 0; q < PARTITIONS; q++)
                least_ms = greatest_ms[q] < least_ms ? greatest_ms[q] : least_ms;
            if (least_ms != EVENT_TIME_NONE && least_ms - 50 > watermark_ms)
                watermark_ms = least_ms - 50;
            advance (rig, watermark_ms);
            take (rig);
            compare (rig, facts, i + 1, &full);
        }
        if (draw (400) == 0)
            restart (rig);
        if (draw (400) == 0) {
            metrics_stage.finish (rig->shard, &rig->time);
            take (rig);
            compare (rig, facts, i + 1, &finals);
        }
        if (draw (400) == 0) {
            reconfigure (rig, (uint32_t)draw (2));
            take (rig);
            compare (rig, facts, i + 1, &finals);
        }
    }
    /*  A case that shows nothing is no case. */
    assert_true (late > 20 && full > 20 && finals > 5 && (marked > 20 || size_ms == slide_ms));
    rig_destroy (rig);
}

static void equals_the_naive_count (void **state)
{
    (void)state;
    static const struct {
        int64_t size_ms, slide_ms;
    } cases[] = {{1000, 1000}, {1000, 250}, {600, 100}, {200, 200}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (uint64_t number = 1; number <= 5; number++)
            run (number, cases[c].size_ms, cases[c].slide_ms);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (equals_the_naive_count)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
