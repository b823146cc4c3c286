/*  ranking: agrees with the formula over raw events, in any order of them with the same bits; the
 * best top_k by score, then id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/event.h"
#include "common/key_hash.h"
#include "common/memory.h"
#include "common/windows.h"
#include "scorer/ranking.h"

enum { ITEMS = 40, EVENTS = 20000, SLIDE = 900000, SIZE = 3600000, SLICE = 450000 };
#define BASE   INT64_C (1700000100000) /* not a multiple of the slide */
#define LAMBDA (0.1 / 3600000)

typedef struct {
    int64_t time_ms, mark_ms;
    uint32_t item;
    uint16_t action;
} raw_t;

static char names[ITEMS][16];

static span_t id_of (uint32_t item)
{
    snprintf (names[item], sizeof names[item], "item %u", item);
    return span_of (names[item]);
}

static void add (score_cells_t *cells, const raw_t *raw, int64_t slice_ms, bool counts_only)
{
    span_t id = id_of (raw->item);
    score_event_t event = {.item = id,
                           .item_hash = key_hash (span_of ("t"), span_of ("s"), id),
                           .time_ms = raw->time_ms,
                           .slice_ms = slice_ms,
                           .mark_ms = raw->mark_ms,
                           .watched_ms = EVENT_MS_NONE,
                           .action = raw->action,
                           .counts_only = counts_only};
    score_cells_add (cells, &event);
}

/*  Events over three window sizes, some late; their watermark lags by up to an hour. */
static raw_t *make_events (unsigned seed, const uint16_t *actions, int action_count)
{
    raw_t *raw = memory_new_array (EVENTS, sizeof *raw);
    srand (seed);
    for (int i = 0; i < EVENTS; i++) {
        raw[i].time_ms = BASE + rand () % (3 * SIZE);
        int64_t complete = raw[i].time_ms - 5000 + (rand () % 20 ? 0 : rand () % (2 * SIZE));
        raw[i].mark_ms = windows_mark (raw[i].time_ms, complete, SIZE, SLIDE);
        raw[i].item = (uint32_t)(rand () % ITEMS) * (uint32_t)(rand () % ITEMS) / ITEMS;
        raw[i].action = actions[rand () % action_count];
    }
    return raw;
}

static void shuffle (raw_t *raw)
{
    for (int i = EVENTS - 1; i > 0; i--) {
        int j = rand () % (i + 1);
        raw_t kept = raw[i];
        raw[i] = raw[j];
        raw[j] = kept;
    }
}

static void naive (const raw_t *raw, const ranking_query_t *query, double *score, double *bound)
{
    memset (score, 0, ITEMS * sizeof *score);
    memset (bound, 0, ITEMS * sizeof *bound);
    for (int i = 0; i < EVENTS; i++) {
        if (raw[i].mark_ms == WINDOWS_LATE || raw[i].mark_ms > query->end_ms ||
            raw[i].time_ms < query->start_ms || raw[i].time_ms >= query->end_ms)
            continue;
        double decayed = exp (-query->lambda_per_ms * (double)(query->end_ms - raw[i].time_ms));
        score[raw[i].item] += query->weights[raw[i].action] * decayed;
        bound[raw[i].item] += fabs (query->weights[raw[i].action]) * decayed;
    }
}

static uint32_t number_in (const ranked_t *ranked)
{
    return (uint32_t)atoi (ranked->id.bytes + 5);
}

static void assert_agrees (const raw_t *raw, const ranking_query_t *query, ranking_t *ranking)
{
    double score[ITEMS], bound[ITEMS];
    naive (raw, query, score, bound);
    uint32_t count, positive = 0;
    const ranked_t *list = ranking_list (ranking, &count);
    for (uint32_t i = 0; i < ITEMS; i++)
        positive += score[i] > 1e-6 * bound[i];
    assert_true (count >= (positive < query->top_k ? positive : query->top_k));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t item = number_in (&list[i]);
        assert_true (list[i].score > 0);
        assert_true (fabs (list[i].score - score[item]) <= 1e-6 * bound[item]);
        if (i)
            assert_true (list[i - 1].score > list[i].score ||
                         (!(list[i - 1].score < list[i].score) &&
                          span_compare (list[i - 1].id, list[i].id) < 0));
    }
}

static score_cells_t *count_all (const raw_t *raw, const action_names_t *actions, int64_t slice_ms,
                                 bool counts_only)
{
    score_cells_t *cells = score_cells_new (1, actions);
    for (int i = 0; i < EVENTS; i++)
        if (raw[i].mark_ms != WINDOWS_LATE)
            add (cells, &raw[i], slice_ms, counts_only);
    return cells;
}

static void agrees_with_the_formula (void **state)
{
    (void)state;
    action_names_t *actions = action_names_new ();
    uint16_t used[6] = {ACTION_VIEW, ACTION_CLICK, ACTION_DISLIKE, ACTION_PURCHASE};
    used[4] = action_names_intern (actions, span_of ("zoom"));
    used[5] = action_names_intern (actions, span_of ("aaa"));
    double weights[ACTION_CUSTOM + 2] = {0};
    weights[ACTION_VIEW] = 1;
    weights[ACTION_CLICK] = 2.5;
    weights[ACTION_DISLIKE] = -3; /* some items get below 0 */
    weights[ACTION_PURCHASE] = 0.1;
    weights[used[4]] = 1e-3;
    weights[used[5]] = -1e-3;
    ranking_t *ranking = ranking_new ();
    for (unsigned seed = 1; seed <= 4; seed++) {
        bool no_decay = seed == 4;
        raw_t *raw = make_events (seed, used, 6);
        score_cells_t *cells = count_all (raw, actions, no_decay ? SLIDE : SLICE, no_decay);
        int windows = 0;
        for (int64_t end = windows_floor (BASE, SLIDE); end < BASE + 5 * SIZE; end += SLIDE) {
            ranking_query_t query = {end - SIZE, end, no_decay ? 0 : LAMBDA, weights,
                                     end / SLIDE % 2 ? 5 : 1000,
                                     {0}};
            ranking_compute (ranking, cells, &query, NULL);
            assert_agrees (raw, &query, ranking);
            uint32_t count;
            ranking_list (ranking, &count);
            windows += count > 0;
        }
        assert_true (windows >= 14);
        score_cells_destroy (&cells);
        free (raw);
    }
    ranking_destroy (&ranking);
    action_names_destroy (&actions);
}

/*  Also where custom actions have other numbers, as in another process. */
static void same_bits_in_any_order (void **state)
{
    (void)state;
    action_names_t *actions[2] = {action_names_new (), action_names_new ()};
    uint16_t zoom = action_names_intern (actions[0], span_of ("zoom"));
    uint16_t late = action_names_intern (actions[0], span_of ("late"));
    assert_int_equal (action_names_intern (actions[1], span_of ("late")), zoom);
    assert_int_equal (action_names_intern (actions[1], span_of ("zoom")), late);
    uint16_t used[5] = {ACTION_VIEW, ACTION_CLICK, ACTION_SHARE, zoom, late};
    double weights[2][ACTION_CUSTOM + 2] = {{0}};
    for (int i = 0; i < 2; i++) {
        weights[i][ACTION_VIEW] = 0.1;
        weights[i][ACTION_CLICK] = 1 / 3.0;
        weights[i][ACTION_SHARE] = 7e5;
        weights[i][i ? late : zoom] = 1e-5;
        weights[i][i ? zoom : late] = -0.7;
    }
    raw_t *raw = make_events (9, used, 5);
    score_cells_t *cells[2];
    cells[0] = count_all (raw, actions[0], SLICE, false);
    shuffle (raw);
    for (int i = 0; i < EVENTS; i++)
        if (raw[i].action >= ACTION_CUSTOM)
            raw[i].action = raw[i].action == zoom ? late : zoom;
    cells[1] = count_all (raw, actions[1], SLICE, false);
    ranking_t *rankings[2] = {ranking_new (), ranking_new ()};
    for (int64_t end = windows_floor (BASE, SLIDE) + SLIDE; end < BASE + 3 * SIZE; end += SLIDE) {
        uint32_t count[2];
        const ranked_t *list[2];
        for (int i = 0; i < 2; i++) {
            ranking_query_t query = {end - SIZE, end, LAMBDA, weights[i], 1000, {0}};
            ranking_compute (rankings[i], cells[i], &query, NULL);
            list[i] = ranking_list (rankings[i], &count[i]);
        }
        assert_int_equal (count[0], count[1]);
        assert_true (count[0] > 10);
        for (uint32_t i = 0; i < count[0]; i++) {
            assert_true (span_equal (list[0][i].id, list[1][i].id));
            assert_memory_equal (&list[0][i].score, &list[1][i].score, sizeof (double));
        }
    }
    for (int i = 0; i < 2; i++) {
        ranking_destroy (&rankings[i]);
        score_cells_destroy (&cells[i]);
        action_names_destroy (&actions[i]);
    }
    free (raw);
}

static int compare_by_rule (const void *a_p, const void *b_p)
{
    const ranked_t *a = a_p, *b = b_p;
    if (a->score > b->score)
        return -1;
    if (a->score < b->score)
        return 1;
    return span_compare (a->id, b->id);
}

static void heap_keeps_the_best (void **state)
{
    (void)state;
    enum { OFFERED = 500 };
    static char ids[OFFERED][8];
    static ranked_t offered[OFFERED];
    ranking_t *ranking = ranking_new ();
    static const uint32_t tops[] = {1, 2, 3, 10, 64, 499, 500, 501, 100000};
    for (size_t t = 0; t < sizeof tops / sizeof *tops; t++)
        for (int kinds = 1; kinds <= 1000; kinds *= 10) { /* 1: all tie */
            srand ((unsigned)(t * 7 + (size_t)kinds));
            ranking_start (ranking, tops[t]);
            for (uint32_t i = 0; i < OFFERED; i++) {
                snprintf (ids[i], sizeof ids[i], "%x", i * 2654435761u >> 12);
                offered[i] = (ranked_t){1 + rand () % kinds, span_of (ids[i]), i};
                ranking_offer (ranking, &offered[i]);
            }
            ranking_sort (ranking);
            qsort (offered, OFFERED, sizeof *offered, compare_by_rule);
            uint32_t count;
            const ranked_t *list = ranking_list (ranking, &count);
            assert_int_equal (count, tops[t] < OFFERED ? tops[t] : OFFERED);
            for (uint32_t i = 0; i < count; i++)
                assert_int_equal (list[i].item, offered[i].item);
        }
    ranking_destroy (&ranking);
}

static void ties_zero_and_negative (void **state)
{
    (void)state;
    /* item: views, dislikes; scores 3, 3, 3, 0, -1, 1 */
    static const int counts[6][2] = {{3, 0}, {4, 1}, {3, 0}, {2, 2}, {0, 1}, {1, 0}};
    static const char *expected[] = {"item 0", "item 1", "item 2", "item 5"};
    action_names_t *actions = action_names_new ();
    double weights[ACTION_CUSTOM] = {0};
    weights[ACTION_VIEW] = 1;
    weights[ACTION_DISLIKE] = -1;
    score_cells_t *cells = score_cells_new (1, actions);
    for (uint32_t item = 6; item-- > 0;)
        for (int side = 0; side < 2; side++)
            for (int i = 0; i < counts[item][side]; i++)
                add (cells, &(raw_t){1000 + i, 0, item, side ? ACTION_DISLIKE : ACTION_VIEW}, 60000,
                     true);
    ranking_t *ranking = ranking_new ();
    for (uint32_t top_k = 1; top_k <= 6; top_k++) {
        ranking_query_t query = {0, 60000, 0, weights, top_k, {0}};
        ranking_compute (ranking, cells, &query, NULL);
        uint32_t count;
        const ranked_t *list = ranking_list (ranking, &count);
        assert_int_equal (count, top_k < 4 ? top_k : 4);
        for (uint32_t i = 0; i < count; i++)
            assert_true (span_equal (list[i].id, span_of (expected[i])));
        assert_true (list[0].score == 3.0);
    }
    ranking_destroy (&ranking);
    score_cells_destroy (&cells);
    action_names_destroy (&actions);
}

/*  Which slices and marks a window takes. */
static void takes_its_slices (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t time_ms, slice_ms, mark_ms;
        bool taken; /* by [100, 200) */
    } cases[] = {
        {"first slice", 100, 10, 0, true},
        {"before it", 99, 10, 0, false},
        {"last slice", 199, 10, 0, true},
        {"after it", 200, 10, 0, false},
        {"marked for an earlier", 150, 10, 180, true},
        {"marked for it", 150, 10, 200, true},
        {"marked for a later", 150, 10, 220, false},
        {"older, longer slice that starts in it", 199, 50, 0, true},
        {"older, longer slice that reaches beyond", 205, 60, 0, true}, /* starts at 180: coarse */
        {"older, longer slice that starts before", 110, 70, 0, false},
    };
    action_names_t *actions = action_names_new ();
    ranking_t *ranking = ranking_new ();
    double weights[ACTION_CUSTOM] = {[ACTION_VIEW] = 1};
    static const double lambdas[] = {0, 1e-4, 50};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t j = 0; j < 3; j++) {
            score_cells_t *cells = score_cells_new (1, actions);
            add (cells, &(raw_t){cases[i].time_ms, cases[i].mark_ms, 3, ACTION_VIEW},
                 cases[i].slice_ms, false);
            ranking_query_t query = {100, 200, lambdas[j], weights, 10, {0}};
            ranking_compute (ranking, cells, &query, NULL);
            uint32_t count;
            const ranked_t *list = ranking_list (ranking, &count);
            if (count != cases[i].taken && !(lambdas[j] > 1))
                fail_msg ("%s: %u", cases[i].name, count);
            if (count)
                assert_true (list[0].score <= 1);
            score_cells_destroy (&cells);
        }
    ranking_destroy (&ranking);
    action_names_destroy (&actions);
}

/*  ---- ahead ---- */

enum { AHEAD_SIZE = 2 * SIZE, SLIDE_EVENTS = 600 };

/*  One of a slide, or late: of some slide before it that the window still covers. */
static void add_of_slide (score_cells_t *cells, int64_t slide_start_ms, bool late)
{
    static const uint16_t used[3] = {ACTION_VIEW, ACTION_CLICK, ACTION_DISLIKE};
    raw_t raw = {.item = (uint32_t)(rand () % ITEMS), .action = used[rand () % 3]};
    raw.time_ms = late ? slide_start_ms - 1 - rand () % (AHEAD_SIZE - 2 * SLIDE)
                       : slide_start_ms + rand () % SLIDE;
    raw.mark_ms = windows_mark (raw.time_ms, slide_start_ms, AHEAD_SIZE, SLIDE);
    add (cells, &raw, SLICE, false);
}

/*  The scores of the last ranking_compute by item, 0 where it is not ranked. */
static void scores_of (const ranking_t *ranking, double *scores)
{
    uint32_t count;
    const ranked_t *list = ranking_list (ranking, &count);
    memset (scores, 0, ITEMS * sizeof *scores);
    for (uint32_t i = 0; i < count; i++)
        scores[number_in (&list[i])] = list[i].score;
}

/*  Was it used for this window? What it says is made wrong, and shows or does not. */
static bool shows (ranking_ahead_t *ahead, ranking_t *ranking, score_cells_t *cells,
                   const ranking_query_t *query, const double *right)
{
    double scores[ITEMS];
    for (uint32_t i = 0; i < ahead->item_count; i++)
        ahead->scores[i] += 1000;
    ranking_compute (ranking, cells, query, ahead);
    scores_of (ranking, scores);
    return memcmp (scores, right, sizeof scores) != 0;
}

static void ahead_changes_no_bit (void **state)
{
    (void)state;
    action_names_t *actions = action_names_new ();
    ranking_t *ranking = ranking_new ();
    score_cells_t *cells = score_cells_new (1, actions);
    ranking_ahead_t *ahead = NULL;
    double weights[2][ACTION_CUSTOM] = {{[ACTION_VIEW] = 0.1, [ACTION_CLICK] = 1 / 3.0},
                                        {[ACTION_VIEW] = 0.7, [ACTION_DISLIKE] = -0.1}};
    int used = 0;
    srand (21);
    for (int slide = 1; slide < 60; slide++) {
        int64_t end_ms = windows_floor (BASE, SLIDE) + slide * SLIDE;
        bool late = slide % 3 == 0, other_weights = slide % 10 == 5;
        for (int i = 0; i < SLIDE_EVENTS; i++)
            add_of_slide (cells, end_ms - SLIDE, late && slide > 16 && i % 100 == 0);
        uint64_t revision = (uint64_t)slide / 10 + other_weights;
        ranking_query_t query = {end_ms - AHEAD_SIZE, end_ms, LAMBDA, weights[revision % 2], 1000,
                                 {1, revision}};
        double scores[2][ITEMS];
        ranking_compute (ranking, cells, &query, NULL);
        scores_of (ranking, scores[0]);
        ranking_compute (ranking, cells, &query, ahead);
        scores_of (ranking, scores[1]);
        assert_memory_equal (scores[0], scores[1], sizeof scores[0]);
        if (ahead && slide > 17) {
            bool shown = shows (ahead, ranking, cells, &query, scores[0]);
            assert_int_equal (shown, !late && !other_weights && slide % 10);
            used += shown;
        }
        ranking_ahead_destroy (&ahead);
        score_cells_expire (cells, end_ms - AHEAD_SIZE, &(change_set_t){0});
        query.weights_of.number = (uint64_t)slide / 10;
        query.weights = weights[query.weights_of.number % 2];
        query.start_ms += SLIDE;
        query.end_ms += SLIDE;
        ahead = ranking_look_ahead (ranking, cells, &query, end_ms);
        assert_true (slide < 4 || ahead);
    }
    assert_true (used > 15);
    ranking_ahead_destroy (&ahead);
    score_cells_destroy (&cells);
    ranking_destroy (&ranking);
    action_names_destroy (&actions);
}

/*  Too little to be kept, and slices that are not settled, leave no trace. */
static void nothing_ahead (void **state)
{
    (void)state;
    action_names_t *actions = action_names_new ();
    ranking_t *ranking = ranking_new ();
    score_cells_t *cells = score_cells_new (1, actions);
    double weights[ACTION_CUSTOM] = {[ACTION_VIEW] = 1};
    int64_t start_ms = windows_floor (BASE, SLIDE);
    for (int i = 0; i < 3000; i++)
        add_of_slide (cells, start_ms, false);
    ranking_query_t query = {start_ms - SIZE, start_ms + 2 * SLIDE, LAMBDA, weights, 10, {1, 1}};
    assert_null (ranking_look_ahead (ranking, cells, &query, start_ms + SLIDE));
    for (int slide = 1; slide < 8; slide++)
        for (int i = 0; i < 3000; i++)
            add_of_slide (cells, start_ms + slide * SLIDE, false);
    query.end_ms = start_ms + 9 * SLIDE;
    assert_null (ranking_look_ahead (ranking, cells, &query, start_ms + SLIDE));
    ranking_ahead_t *ahead = ranking_look_ahead (ranking, cells, &query, start_ms + 8 * SLIDE);
    assert_non_null (ahead);
    assert_true (ranking_ahead_bytes (ahead) >= ITEMS * 12 && ranking_ahead_bytes (NULL) == 0);
    for (uint32_t i = 0; i < cells->items.count; i++) /* scratch fields are 0 again */
        assert_true (!cells->items.list[i].note && cells->items.list[i].score == 0);
    ranking_ahead_destroy (&ahead);
    score_cells_destroy (&cells);
    ranking_destroy (&ranking);
    action_names_destroy (&actions);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (agrees_with_the_formula), cmocka_unit_test (same_bits_in_any_order),
        cmocka_unit_test (heap_keeps_the_best),     cmocka_unit_test (ties_zero_and_negative),
        cmocka_unit_test (takes_its_slices),        cmocka_unit_test (ahead_changes_no_bit),
        cmocka_unit_test (nothing_ahead),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
