/*  report: the fields of a window from the sums of its parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/report.h"

enum { TEXT_BYTES_MAX = 1024 };

static void show (void *arg, const report_field_t *field)
{
    char *text = arg;
    size_t size = strlen (text);
    if (field->is_integer)
        snprintf (text + size, TEXT_BYTES_MAX - size, "%.*s=%lu ", (int)field->name.size,
                  field->name.bytes, (unsigned long)field->integer);
    else
        snprintf (text + size, TEXT_BYTES_MAX - size, "%.*s=%.17g ", (int)field->name.size,
                  field->name.bytes, field->number);
}

#define ACTION(action, times)                                                                      \
    {                                                                                              \
        {action, sizeof (action) - 1}, times                                                       \
    }

static const result_action_t first_actions[] = {ACTION ("click", 3), ACTION ("comment", 1),
                                                ACTION ("impression", 10), ACTION ("view", 4)};
static const result_action_t second_actions[] = {ACTION ("click", 1),    ACTION ("like", 2),
                                                 ACTION ("purchase", 1), ACTION ("share", 1),
                                                 ACTION ("view", 4),     ACTION ("wave", 5)};
static const result_metrics_t first = {.total_actions = 18,
                                       .actions = first_actions,
                                       .action_count = 4,
                                       .watched_ms = 1500,
                                       .watched_count = 2,
                                       .rate_known = 3,
                                       .rate_done = 1};
static const result_metrics_t second = {.total_actions = 14,
                                        .actions = second_actions,
                                        .action_count = 6,
                                        .watched_ms = 1000,
                                        .watched_count = 2,
                                        .rate_known = 1,
                                        .rate_done = 0};

static char *waves[] = {"wave"}, *engaged[] = {"like", "share"}, *seen[] = {"impression", "view"},
            *never[] = {"trial"};
static config_definition_t definitions[] = {
    {"engaged", engaged, 2, seen, 2},
    {"no_trials", waves, 1, never, 1},
    {"waves", waves, 1, seen, 2},
};

#define IMPRESSIONS .ctr_denominator = "impression"

static const struct {
    const char *name;
    config_metrics_t config;
    bool both;
    const char *wanted;
} cases[] = {
    {"nothing asked for", {IMPRESSIONS}, true, "total_actions=32 "},
    {"ctr", {IMPRESSIONS, .ctr = true}, true, "total_actions=32 ctr=0.40000000000000002 "},
    {"ctr of views", {.ctr_denominator = "view", .ctr = true}, true, "total_actions=32 ctr=0.5 "},
    {"ctr of what never was", {.ctr_denominator = "trial", .ctr = true}, true, "total_actions=32 "},
    {"cvr", {IMPRESSIONS, .cvr = true}, true, "total_actions=32 cvr=0.25 "},
    {"cvr of 0", {IMPRESSIONS, .cvr = true}, false, "total_actions=18 cvr=0 "},
    {"watch time",
     {IMPRESSIONS, .watch_time = true},
     true,
     "total_actions=32 watch_time_seconds=2.5 avg_watch_time_seconds=0.625 "},
    {"rates",
     {IMPRESSIONS, .completion_rate = true, .engagement_rate = true},
     true,
     "total_actions=32 completion_rate=0.25 engagement_rate=0.5 "},
    {"sets",
     {IMPRESSIONS, .active_users = true, .exposed_items = true},
     true,
     "total_actions=32 active_users=4 exposed_items=1 "},
    {"action counts",
     {IMPRESSIONS, .action_counts = true},
     true,
     "total_actions=32 click_count=4 comment_count=1 impression_count=10 like_count=2 "
     "purchase_count=1 share_count=1 view_count=8 wave_count=5 "},
    {"definitions",
     {IMPRESSIONS, .ctr = true, .definitions = definitions, .definition_count = 3},
     false,
     "total_actions=18 ctr=0.29999999999999999 engaged=0 waves=0 "},
    {"definitions of both",
     {IMPRESSIONS, .cvr = true, .definitions = definitions + 2, .definition_count = 1},
     true,
     "total_actions=32 cvr=0.25 waves=0.27777777777777779 "},
};

static void fields_as_asked (void **state)
{
    (void)state;
    distinct_t *users[2] = {distinct_new (DISTINCT_METRICS), distinct_new (DISTINCT_METRICS)};
    for (uint64_t i = 0; i < 3; i++) {
        distinct_add (users[0], 10 + i);
        distinct_add (users[1], 11 + i); /* two of them are the same */
    }
    distinct_t *items = distinct_new (DISTINCT_METRICS);
    distinct_add (items, 7);
    report_t *report = report_new ();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char text[TEXT_BYTES_MAX] = "";
        result_metrics_t parts[2] = {second, first};
        for (size_t p = 0; p < 2; p++) {
            parts[p].users = users[p];
            parts[p].items = items;
        }
        report_clear (report);
        for (size_t p = cases[c].both ? 0 : 1; p < 2; p++)
            report_add (report, &parts[p]);
        report_fields (report, &cases[c].config, show, text);
        if (strcmp (text, cases[c].wanted) != 0)
            fail_msg ("%s: %s", cases[c].name, text);
    }
    report_destroy (&report);
    assert_null (report);
    distinct_destroy (&items);
    distinct_destroy (&users[0]);
    distinct_destroy (&users[1]);
}

static void an_empty_window (void **state)
{
    (void)state;
    static const config_metrics_t config = {IMPRESSIONS,
                                            .ctr = true,
                                            .cvr = true,
                                            .watch_time = true,
                                            .completion_rate = true,
                                            .engagement_rate = true,
                                            .active_users = true,
                                            .exposed_items = true,
                                            .action_counts = true,
                                            .definitions = definitions,
                                            .definition_count = 3};
    report_t *report = report_new ();
    distinct_t *users = distinct_new (DISTINCT_METRICS);
    result_metrics_t part = {.users = users}; /* items: not collected, so not known */
    report_add (report, &part);
    char text[TEXT_BYTES_MAX] = "";
    report_fields (report, &config, show, text);
    assert_string_equal (text, "total_actions=0 watch_time_seconds=0 active_users=0 ");
    assert_int_equal (report_total_actions (report), 0);
    report_add (report, &first);
    assert_int_equal (report_total_actions (report), 18);
    distinct_destroy (&users);
    report_destroy (&report);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (fields_as_asked),
        cmocka_unit_test (an_empty_window),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
