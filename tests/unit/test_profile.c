/*  profile: agrees with the formulas over raw events in any order; new weights and periods; what
 * begins and ends a profile; caps; recent items. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/memory.h"
#include "profiler/profile.h"

enum { LABELS = 30, ITEMS = 60, ACTIONS = 6, RECENT = 20, EVENTS_MAX = 20000 };
#define BASE   INT64_C (1700000123456)
#define PERIOD 3600000.0

typedef struct {
    int64_t time_ms;
    uint32_t action; /* index of names */
    uint32_t item;
    int category;  /* -1: none */
    uint32_t tags; /* bits */
} raw_t;

static const char *const names[ACTIONS] = {"view",     "click",   "impression",
                                           "purchase", "dislike", "wave"};
static config_weight_t weight_list[] = {
    {"click", 2.5}, {"dislike", -4}, {"purchase", 10}, {"view", 1}, {"wave", 0.3}};
static char label_names[LABELS][24], item_names[ITEMS][24];

typedef struct {
    action_names_t *names;
    uint16_t numbers[ACTIONS];
    config_weights_t config;
    profile_weights_t weights;
    profile_shared_t shared;
    profile_rules_t rules;
    profile_t profile, scratch;
} fixture_t;

static void begin (fixture_t *f)
{
    *f = (fixture_t){.names = action_names_new ()};
    for (int i = 0; i < ACTIONS; i++) {
        int known = actions_find (span_of (names[i]));
        f->numbers[i] =
            known >= 0 ? (uint16_t)known : action_names_intern (f->names, span_of (names[i]));
    }
    f->config = (config_weights_t){weight_list, 5, 0.125};
    profile_weights_set (&f->weights, f->names, &f->config);
    f->shared.strings = profile_strings_new ();
    f->rules = (profile_rules_t){PERIOD, RECENT, &f->weights};
    profile_init (&f->profile);
    profile_init (&f->scratch);
    for (int i = 0; i < LABELS; i++)
        snprintf (label_names[i], sizeof label_names[i], "label %d", i);
    for (int i = 0; i < ITEMS; i++)
        snprintf (item_names[i], sizeof item_names[i], "item %d", i);
}

static void end (fixture_t *f)
{
    profile_free (&f->profile, &f->shared);
    profile_free (&f->scratch, &f->shared);
    assert_int_equal (profile_strings_count (f->shared.strings), 0); /* every reference came back */
    assert_int_equal (f->shared.bytes, 0);
    profile_strings_destroy (&f->shared.strings);
    profile_slab_free (&f->shared.slab);
    profile_weights_free (&f->weights);
    action_names_destroy (&f->names);
}

/*  What readers see of it. */
static const profile_t *seen (fixture_t *f)
{
    return profile_read (&f->profile, &f->shared, &f->rules, &f->scratch);
}

static bool apply_at (fixture_t *f, const raw_t *raw, int64_t complete_ms)
{
    span_t tags[LABELS];
    uint32_t tag_count = 0;
    for (uint32_t i = 0; i < LABELS; i++)
        if (raw->tags >> i & 1)
            tags[tag_count++] = span_of (label_names[i]);
    stage_event_t event = {
        .time_ms = raw->time_ms,
        .complete_ms = complete_ms,
        .action = f->numbers[raw->action],
        .item = span_of (item_names[raw->item]),
        .category = raw->category < 0 ? (span_t){0} : span_of (label_names[raw->category]),
        .tags = tags,
        .tag_count = tag_count,
    };
    return profile_apply (&f->profile, &f->shared, &f->rules, &event);
}

static bool apply (fixture_t *f, const raw_t *raw)
{
    return apply_at (f, raw, EVENT_TIME_NONE);
}

static bool apply_simple (fixture_t *f, int64_t time_ms, uint32_t action, uint32_t item,
                          int category)
{
    raw_t raw = {.time_ms = time_ms, .action = action, .item = item, .category = category};
    return apply (f, &raw);
}

static void make (raw_t *raw, int count, int64_t span_ms, int64_t jitter_ms)
{
    for (int i = 0; i < count; i++)
        raw[i] = (raw_t){
            .time_ms = BASE + span_ms * i / count + rand () % jitter_ms,
            .action = (uint32_t)rand () % ACTIONS,
            .item = (uint32_t)rand () % ITEMS,
            .category = rand () % 5 ? rand () % LABELS : -1,
            .tags = (uint32_t)(rand () & rand () & rand () & rand ()) & ((1u << LABELS) - 1),
        };
}

static void shuffle (raw_t *raw, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int j = rand () % (i + 1);
        raw_t kept = raw[i];
        raw[i] = raw[j];
        raw[j] = kept;
    }
}

/*  ---- the naive profile ---- */

typedef struct {
    double score[2][LABELS], bound[2][LABELS];
    uint64_t counts[ACTIONS], hours[24];
    int64_t first_ms, newest_ms, item_ms[ITEMS];
} naive_t;

static void count_naive (naive_t *n, const raw_t *raw, int count, const config_weights_t *weights,
                         double period_ms)
{
    memset (n, 0, sizeof *n);
    n->first_ms = INT64_MAX;
    for (int i = 0; i < count; i++) {
        n->newest_ms = raw[i].time_ms > n->newest_ms ? raw[i].time_ms : n->newest_ms;
        n->first_ms = raw[i].time_ms < n->first_ms ? raw[i].time_ms : n->first_ms;
    }
    for (int i = 0; i < count; i++) {
        n->counts[raw[i].action]++;
        n->hours[raw[i].time_ms / 3600000 % 24]++;
        if (strcmp (names[raw[i].action], "impression") && raw[i].time_ms > n->item_ms[raw[i].item])
            n->item_ms[raw[i].item] = raw[i].time_ms;
        double part = exp (-(double)(n->newest_ms - raw[i].time_ms) / period_ms);
        double weight = config_weights_get (weights, span_of (names[raw[i].action]));
        for (int label = 0; label < LABELS; label++) {
            if (raw[i].category == label) {
                n->score[0][label] += weight * part;
                n->bound[0][label] += fabs (weight) * part;
            }
            if (raw[i].tags >> label & 1) {
                n->score[1][label] += weight * part;
                n->bound[1][label] += fabs (weight) * part;
            }
        }
    }
}

static int label_of (span_t name)
{
    for (int i = 0; i < LABELS; i++)
        if (span_equal (name, span_of (label_names[i])))
            return i;
    fail_msg ("not a label");
    return -1;
}

static void check_interests (fixture_t *f, const naive_t *n)
{
    for (int kind = 0; kind < 2; kind++) {
        profile_score_t top[PROFILE_TAGS_MAX];
        bool shown[LABELS] = {false};
        uint32_t count =
            profile_top (seen (f), &f->shared, &f->weights, (profile_kind_t)kind, LABELS, top);
        for (uint32_t i = 0; i < count; i++) {
            int label = label_of (top[i].name);
            shown[label] = true;
            assert_true (top[i].score > 0);
            assert_true (fabs (top[i].score - n->score[kind][label]) <=
                         1e-6 * n->bound[kind][label]);
            assert_true (!i || top[i].score <= top[i - 1].score);
        }
        for (int label = 0; label < LABELS; label++)
            assert_true (shown[label] || n->score[kind][label] <= 1e-6 * n->bound[kind][label]);
    }
}

static void check_recent (fixture_t *f, const naive_t *n, uint32_t keep)
{
    bool taken[ITEMS] = {false};
    uint32_t at = seen (f)->recent_count;
    for (uint32_t rank = 0; rank < keep; rank++) { /* from the newest back */
        int best = -1;
        for (int i = 0; i < ITEMS; i++) {
            if (taken[i] || !n->item_ms[i])
                continue;
            if (best < 0 || n->item_ms[i] > n->item_ms[best] ||
                (n->item_ms[i] == n->item_ms[best] && strcmp (item_names[i], item_names[best]) > 0))
                best = i;
        }
        if (best < 0)
            break;
        taken[best] = true;
        assert_true (at > 0);
        const profile_recent_t *recent = &profile_recent (seen (f))[--at];
        assert_true (span_equal (profile_strings_get (f->shared.strings, recent->item),
                                 span_of (item_names[best])));
        assert_int_equal (recent->time_ms, n->item_ms[best]);
    }
    assert_int_equal (at, 0);
}

static void check (fixture_t *f, const naive_t *n)
{
    assert_int_equal (f->profile.first_ms, n->first_ms);
    assert_int_equal (f->profile.newest_ms, n->newest_ms);
    for (int i = 0; i < ACTIONS; i++)
        assert_int_equal (profile_count (seen (f), f->numbers[i]), n->counts[i]);
    for (uint32_t i = 0; i < 24; i++)
        assert_int_equal (profile_count (seen (f), PROFILE_HOUR_CODE + i), n->hours[i]);
    check_interests (f, n);
    check_recent (f, n, RECENT);
}

/*  ---- tests ---- */

static void test_agrees_with_naive (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int count;
        int64_t span_ms, jitter_ms;
        bool shuffled;
    } cases[] = {
        {"one event", 1, 1, 1, false},
        {"in order", 2000, 7200000, 1, false},
        {"any order within 3 periods", 2000, 10000000, 1, true},
        {"equal times", 500, 1, 2, true},
        {"few distinct times", 2000, 1, 40, true},
        {"200 periods with jitter", EVENTS_MAX, 720000000, 2000000, false},
        {"20000 periods", EVENTS_MAX, 72000000000, 3000000, false},
    };
    static raw_t raw[EVENTS_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned seed = 1; seed <= 5; seed++) {
            srand (seed);
            fixture_t f;
            begin (&f);
            make (raw, cases[i].count, cases[i].span_ms, cases[i].jitter_ms);
            if (cases[i].shuffled)
                shuffle (raw, cases[i].count);
            for (int j = 0; j < cases[i].count; j++)
                assert_true (apply (&f, &raw[j]));
            naive_t n;
            count_naive (&n, raw, cases[i].count, &f.config, PERIOD);
            check (&f, &n);
            end (&f);
        }
    }
}

static void test_new_weights_hold_for_all (void **state)
{
    (void)state;
    static raw_t raw[1000];
    fixture_t f;
    begin (&f);
    make (raw, 1000, 7200000, 1000);
    for (int i = 0; i < 1000; i++)
        apply (&f, &raw[i]);
    config_weight_t other_list[] = {{"impression", 7}, {"view", -1}};
    f.config = (config_weights_t){other_list, 2, 0};
    profile_weights_set (&f.weights, f.names, &f.config);
    naive_t n;
    count_naive (&n, raw, 1000, &f.config, PERIOD);
    check (&f, &n);
    end (&f);
}

/*  A new period holds from its arrival: what was summed until then keeps the old one's value. */
static void test_new_period_from_its_arrival (void **state)
{
    (void)state;
    fixture_t f;
    begin (&f);
    profile_score_t top[PROFILE_TAGS_MAX];
    apply_simple (&f, BASE, 0, 1, 3);
    apply_simple (&f, BASE + 1800000, 0, 1, 3);
    f.rules.period_ms = 2 * PERIOD;
    assert_int_equal (profile_top (seen (&f), &f.shared, &f.weights, PROFILE_CATEGORY, 5, top), 1);
    double before = exp (-0.5) + 1;
    assert_true (fabs (top[0].score - before) < 1e-12); /* no event came yet: nothing changed */
    apply_simple (&f, BASE + 1800000 + 3600000, 0, 1, 3);
    profile_top (seen (&f), &f.shared, &f.weights, PROFILE_CATEGORY, 5, top);
    assert_true (fabs (top[0].score - (before * exp (-0.5) + 1)) < 1e-12);
    apply_simple (&f, BASE + 1800000, 0, 1, 3); /* an old one, by the new period */
    profile_top (seen (&f), &f.shared, &f.weights, PROFILE_CATEGORY, 5, top);
    assert_true (fabs (top[0].score - (before * exp (-0.5) + 1 + exp (-0.5))) < 1e-12);
    end (&f);
}

static void test_three_periods (void **state)
{
    (void)state;
    const int64_t apart = 3 * (int64_t)PERIOD;
    const struct {
        const char *name;
        int64_t second_ms, complete_ms;
        bool counted;
        uint64_t events;
        int64_t first_ms, newest_ms;
    } cases[] = {
        {"just under: the same", BASE + apart - 1, EVENT_TIME_NONE, true, 2, BASE,
         BASE + apart - 1},
        {"3 periods after: a new one", BASE + apart, EVENT_TIME_NONE, true, 1, BASE + apart,
         BASE + apart},
        {"just under before: counted", BASE - apart + 1, EVENT_TIME_NONE, true, 2, BASE - apart + 1,
         BASE},
        {"3 periods before: ignored", BASE - apart, EVENT_TIME_NONE, false, 1, BASE, BASE},
        {"late, still held", BASE + 5, BASE + apart + PROFILE_LATE_KEPT_MS - 1, true, 2, BASE,
         BASE + 5},
        {"late, no longer held", BASE + 5, BASE + apart + PROFILE_LATE_KEPT_MS, true, 1, BASE + 5,
         BASE + 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_t f;
        begin (&f);
        print_message ("  %s\n", cases[i].name);
        raw_t raw = {.time_ms = BASE, .action = 0, .item = 7, .category = 2, .tags = 5};
        apply (&f, &raw);
        raw = (raw_t){.time_ms = cases[i].second_ms, .action = 0, .item = 8, .category = 4};
        assert_int_equal (apply_at (&f, &raw, cases[i].complete_ms), cases[i].counted);
        assert_int_equal (profile_count (seen (&f), ACTION_VIEW), cases[i].events);
        assert_int_equal (f.profile.first_ms, cases[i].first_ms);
        assert_int_equal (f.profile.newest_ms, cases[i].newest_ms);
        bool fresh = cases[i].events == 1 && cases[i].counted;
        assert_int_equal (seen (&f)->label_counts[PROFILE_TAG], fresh ? 0 : 2);
        assert_int_equal (seen (&f)->recent_count, cases[i].events);
        end (&f);
    }
}

static void test_caps_keep_the_best (void **state)
{
    (void)state;
    enum { MANY = 400 };
    fixture_t f;
    begin (&f);
    char many[MANY][24];
    for (int i = 0; i < MANY; i++) {
        snprintf (many[i], sizeof many[i], "%03d", i);
        span_t tags[1] = {span_of (many[i])};
        stage_event_t event = {.time_ms = BASE,
                               .complete_ms = EVENT_TIME_NONE,
                               .action = ACTION_VIEW,
                               .item = span_of ("x"),
                               .category = tags[0],
                               .tags = tags,
                               .tag_count = 1};
        /* even ones twice */
        for (int times = 0; times < 2 - i % 2; times++)
            assert_true (profile_apply (&f.profile, &f.shared, &f.rules, &event));
    }
    assert_int_equal (seen (&f)->label_counts[PROFILE_CATEGORY], 64);
    assert_int_equal (seen (&f)->label_counts[PROFILE_TAG], 256);
    profile_score_t top[PROFILE_TAGS_MAX];
    uint32_t count = profile_top (seen (&f), &f.shared, &f.weights, PROFILE_CATEGORY, 64, top);
    assert_int_equal (count, 64);
    for (uint32_t i = 0; i < count; i++) { /* a newcomer at 1 is the last by name, and goes again */
        assert_true (span_equal (top[i].name, span_of (many[i < 32 ? 2 * i : 2 * (i - 32) + 1])));
        assert_true (top[i].score == (i < 32 ? 2 : 1));
    }
    count = profile_top (seen (&f), &f.shared, &f.weights, PROFILE_TAG, 256, top);
    assert_int_equal (count, 256);
    assert_true (top[127].score == 2 && top[128].score == 1);
    /* one that comes in better than the weakest takes its place */
    span_t late = span_of ("late");
    stage_event_t event = {.time_ms = BASE + 1,
                           .complete_ms = EVENT_TIME_NONE,
                           .action = ACTION_PURCHASE,
                           .item = span_of ("x"),
                           .category = late};
    uint64_t evicted = f.shared.evicted;
    profile_apply (&f.profile, &f.shared, &f.rules, &event);
    profile_top (seen (&f), &f.shared, &f.weights, PROFILE_CATEGORY, 64, top);
    assert_true (span_equal (top[0].name, late));
    assert_true (span_equal (top[63].name, span_of ("061")));
    assert_int_equal (f.shared.evicted, evicted + 1);
    assert_true (f.shared.evicted > 0);
    end (&f);
}

static void test_recent_items (void **state)
{
    (void)state;
    fixture_t f;
    begin (&f);
    f.rules.recent_items = 3;
    static const struct {
        uint32_t item, action;
        int64_t at;
        const char *expected; /* items as digits, newest last */
    } steps[] = {
        {1, 0, 10, "1"},   {2, 0, 30, "12"},  {3, 0, 20, "132"},
        {3, 0, 15, "132"}, {4, 2, 90, "132"},                    /* an impression */
        {5, 1, 5, "132"},                                        /* older than all that are kept */
        {1, 1, 40, "321"}, {6, 0, 40, "216"}, {5, 0, 40, "156"}, /* equal times: by id */
        {4, 0, 40, "456"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (i == 8) /* item 1 at 40 sorts before 5 and 6 */
            assert_int_equal (seen (&f)->recent_count, 3);
        apply_simple (&f, BASE + steps[i].at, steps[i].action, steps[i].item, -1);
        char items[8] = {0};
        for (uint32_t j = 0; j < seen (&f)->recent_count; j++)
            items[j] = profile_strings_get (f.shared.strings, profile_recent (seen (&f))[j].item).bytes[5];
        assert_string_equal (items, steps[i].expected);
    }
    f.rules.recent_items = 1;
    apply_simple (&f, BASE + 41, 0, 2, -1);
    assert_int_equal (seen (&f)->recent_count, 1);
    f.rules.recent_items = 0;
    apply_simple (&f, BASE + 42, 0, 2, -1);
    assert_int_equal (seen (&f)->recent_count, 0);
    end (&f);
}

/*  Numbers of strings are used again; a find never gives a freed one. */
static void test_strings (void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    profile_strings_t *strings = profile_strings_new ();
    uint32_t numbers[COUNT], refs[COUNT] = {0};
    char text[64];
    srand (3);
    for (int i = 0; i < 200000; i++) {
        int at = rand () % COUNT;
        /* 11 to 30 bytes: within their entries, and beside them */
        snprintf (text, sizeof text, "string %*d", 4 + at % 20, at);
        uint32_t found = profile_strings_find (strings, span_of (text));
        if (refs[at])
            assert_int_equal (found, numbers[at]);
        else
            assert_int_equal (found, PROFILE_STRING_NONE);
        if (rand () % 2 || !refs[at]) {
            numbers[at] = profile_strings_take (strings, span_of (text));
            refs[at]++;
            assert_true (span_equal (profile_strings_get (strings, numbers[at]), span_of (text)));
        } else {
            profile_strings_release (strings, numbers[at]);
            refs[at]--;
        }
    }
    uint32_t held = 0;
    for (int i = 0; i < COUNT; i++)
        held += refs[i] > 0;
    assert_int_equal (profile_strings_count (strings), held);
    profile_strings_destroy (&strings);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_agrees_with_naive),
        cmocka_unit_test (test_new_weights_hold_for_all),
        cmocka_unit_test (test_new_period_from_its_arrival),
        cmocka_unit_test (test_three_periods),
        cmocka_unit_test (test_caps_keep_the_best),
        cmocka_unit_test (test_recent_items),
        cmocka_unit_test (test_strings),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
