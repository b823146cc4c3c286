/*  metric_cells: what counts in which window, what is forgotten, and that stored cells come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/event.h"
#include "metrics/metric_cells.h"

static void count (metric_cells_t *cells, int64_t slice_ms, int64_t mark_ms, uint16_t action,
                   uint64_t user)
{
    stage_event_t event = {.action = action,
                           .key_hash = user,
                           .item_hash = user + 1,
                           .watched_ms = user % 2 ? EVENT_MS_NONE : 1500,
                           .rate = user % 3 == 0   ? EVENT_RATE_UNKNOWN
                                   : user % 3 == 1 ? EVENT_RATE_LOW
                                                   : EVENT_RATE_DONE};
    metric_cell_count (metric_cells_change (cells, slice_ms, 10, mark_ms), &event, true, true);
}

static void marks_decide_the_windows (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t start_ms, end_ms;
        uint64_t total;
    } cases[] = {
        {"before all", 80, 100, 0},
        {"the first alone", 90, 110, 1},
        {"all but the marked", 100, 120, 3},
        {"a mark that is reached", 100, 130, 7},
        {"the marked slice alone", 110, 130, 6},
        {"every mark", 100, 140, 15},
        {"behind all", 120, 150, 0},
    };
    metric_cells_t *cells = metric_cells_new ();
    uint64_t user = 0;
    static const struct {
        int64_t slice_ms, mark_ms;
        int events;
    } fill[] = {{110, 140, 8}, {100, 0, 1}, {110, 0, 2}, {110, 130, 4}};
    for (size_t f = 0; f < 4; f++)
        for (int i = 0; i < fill[f].events; i++)
            count (cells, fill[f].slice_ms, fill[f].mark_ms, ACTION_VIEW, user++);
    assert_int_equal (metric_cells_count (cells), 4);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        metric_cell_t sum = {0};
        metric_cells_sum (cells, cases[c].start_ms, cases[c].end_ms, &sum);
        if (sum.total != cases[c].total)
            fail_msg ("%s: %lu", cases[c].name, (unsigned long)sum.total);
        assert_int_equal (sum.known[ACTION_VIEW], sum.total);
        metric_cell_free (&sum);
    }
    metric_cells_destroy (&cells);
    assert_null (cells);
}

static void old_cells_expire (void **state)
{
    (void)state;
    metric_cells_t *cells = metric_cells_new ();
    for (int64_t slice_ms = 0; slice_ms < 100; slice_ms += 10) {
        count (cells, slice_ms, 0, ACTION_VIEW, 1);
        count (cells, slice_ms, 200, ACTION_VIEW, 1);
    }
    size_t before = metric_cells_memory_bytes (cells);
    assert_int_equal (metric_cells_expire (cells, 0), 0);
    assert_int_equal (metric_cells_expire (cells, 50), 10);
    assert_int_equal (metric_cells_expire (cells, 50), 0);
    assert_int_equal (metric_cells_count (cells), 10);
    assert_true (metric_cells_memory_bytes (cells) < before);
    size_t changed = 0;
    const metric_cell_t *cell;
    while ((cell = metric_cells_take_changed (cells))) {
        assert_true (cell->slice_ms >= 50); /* what is gone is not stored */
        changed++;
    }
    assert_int_equal (changed, 10);
    count (cells, 70, 0, ACTION_VIEW, 2);
    count (cells, 70, 0, ACTION_VIEW, 3);
    cell = metric_cells_take_changed (cells); /* once, however often it changed */
    assert_int_equal (cell->total, 3);
    assert_null (metric_cells_take_changed (cells));
    metric_cells_destroy (&cells);
}

static void stored_cells_come_back (void **state)
{
    (void)state;
    action_names_t *names = action_names_new (), *others = action_names_new ();
    metric_cells_t *cells = metric_cells_new ();
    action_names_intern (others, span_of ("zap")); /* numbers differ from process to process */
    uint16_t wave = action_names_intern (names, span_of ("wave"));
    uint16_t zap = action_names_intern (names, span_of ("zap"));
    uint16_t actions[] = {ACTION_VIEW, ACTION_OTHER, wave, zap, 63};
    for (uint64_t user = 0; user < 1000; user++)
        count (cells, 100, 0, actions[user % 5], user * 0x9e3779b97f4a7c15);
    const metric_cell_t *cell = metric_cells_take_changed (cells);
    buffer_t value = {0}, again = {0};
    metric_cell_write (cell, names, &value);

    metric_cell_t copy = {0};
    cursor_t cursor = cursor_of (value.bytes, value.size);
    metric_cell_read (&copy, others, &cursor);
    assert_true (cursor_finished (&cursor));
    result_action_t list[ACTION_KNOWN_COUNT + 2];
    assert_int_equal (metric_cell_actions_max (&copy), ACTION_KNOWN_COUNT + 2);
    assert_int_equal (metric_cell_actions (&copy, others, list), 4);
    static const char *const sorted[] = {"other", "view", "wave", "zap"};
    for (size_t i = 0; i < 4; i++) {
        assert_true (span_equal (list[i].name, span_of (sorted[i])));
        assert_int_equal (list[i].count, i == 0 ? 400 : 200); /* 63 is nobody's number: other */
    }
    metric_cell_write (&copy, others, &again);
    assert_int_equal (again.size, value.size);
    assert_int_equal (copy.rate_known, cell->rate_known);
    assert_int_equal (copy.watched_ms, cell->watched_ms);
    assert_int_equal (distinct_count (copy.users), distinct_count (cell->users));
    metric_cell_free (&copy);

    for (size_t size = 0; size < value.size; size += 1 + size / 64) {
        cursor = cursor_of (value.bytes, size);
        metric_cell_read (&copy, others, &cursor);
        assert_true (cursor.failed);
        metric_cell_free (&copy);
        copy = (metric_cell_t){0};
    }
    buffer_free (&value);
    buffer_free (&again);
    metric_cells_destroy (&cells);
    action_names_destroy (&names);
    action_names_destroy (&others);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (marks_decide_the_windows),
        cmocka_unit_test (old_cells_expire),
        cmocka_unit_test (stored_cells_come_back),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
