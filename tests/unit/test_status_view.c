/*  status_view: a process's answers in words, and what only all of them together show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/status_view.h"

enum { NOW_S = 1772366500 };

#define NOTE(n, k) .note = {.name = n, .kind = k, .address = "h:1", .pid = 5, .given = true, .alive = true}

static void processes (void **state)
{
    static const struct {
        const char *what_case;
        status_found_t found;
        status_state_t state;
        const char *what, *problem; /* parts of them; NULL: none */
    } cases[] = {
        {"a configd with nothing wrong",
         {NOTE ("configd", "configd"), .ready_code = 200, .ready_text = "[+] config: x\nready\n",
          .metrics = "hotpath_config_scenarios 3\nhotpath_config_processes 5\n"},
         STATUS_READY, "3 scenarios, 5 processes follow, 0 behind", NULL},
        {"an invalid document is told, and it is ready nevertheless",
         {NOTE ("configd", "configd"), .ready_code = 200, .ready_text = "ready\n",
          .metrics = "hotpath_config_invalid_documents 2\n"},
         STATUS_READY, "0 scenarios", "2 documents are not valid"},
        {"MongoDB away",
         {NOTE ("configd", "configd"), .ready_code = 200, .ready_text = "ready\n",
          .metrics = "hotpath_mongodb_reachable 0\n"},
         STATUS_READY, NULL, "MongoDB cannot be reached"},
        {"lag over all partitions",
         {NOTE ("ingestor-0", "ingestor"), .ready_code = 200, .ready_text = "ready\n",
          .metrics = "hotpath_partitions 2\nhotpath_lag_messages{partition=\"a/0\"} 3\n"
                     "hotpath_lag_messages{partition=\"a/1\"} 4\n"
                     "hotpath_event_time_lag_seconds{partition=\"a/0\"} 1.25\n"
                     "hotpath_event_time_lag_seconds{partition=\"a/1\"} 7230\n"},
         STATUS_READY, "2 partitions, lag 7 messages and 2 h of event time", NULL},
        {"files",
         {NOTE ("ingestor-0", "ingestor"), .ready_code = 200, .ready_text = "ready\n",
          .metrics = "hotpath_partitions 1\nhotpath_lag_bytes{partition=\"f\"} 0\n"},
         STATUS_READY, "1 partitions, lag 0 bytes", NULL},
        {"a worker",
         {NOTE ("scorer-0", "scorer"), .ready_code = 200, .ready_text = "ready\n",
          .metrics = "hotpath_shards_owned{stage=\"scorer\"} 8\nhotpath_shards{stage=\"scorer\"} 16\n"
                     "hotpath_owed_results{stage=\"scorer\"} 2\n"
                     "hotpath_watermark_timestamp_seconds{stage=\"scorer\"} 1772366495\n"},
         STATUS_READY, "8 of 16 shards, complete to 12:01:35 UTC (5.0 s ago), 2 results owed", NULL},
        {"a worker that has nothing yet",
         {NOTE ("metrics-0", "metrics"), .ready_code = 200, .ready_text = "ready\n",
          .metrics = "hotpath_shards{stage=\"metrics\"} 16\n"},
         STATUS_READY, "0 of 16 shards, nothing complete yet, 0 results owed", NULL},
        {"what holds it back is told, what does not is not",
         {NOTE ("sink-0", "sink"), .ready_code = 503,
          .ready_text = "[+] a: good\n[-] redis: h:1 cannot be written: OOM\nnot ready\n",
          .metrics = "hotpath_redis_connected 0\nhotpath_redis_writes_waiting 4\n"},
         STATUS_NOT_READY, "Redis does not take commands, 0 results written, 4 writes wait",
         "redis: h:1 cannot be written: OOM"},
        {"not ready without a reason",
         {NOTE ("sink-0", "sink"), .ready_code = 500, .ready_text = "oops"},
         STATUS_NOT_READY, NULL, "/readyz answers 500"},
        {"no answer",
         {NOTE ("scorer-0", "scorer"), .error = "timed out"},
         STATUS_SILENT, NULL, "it lives (pid 5) and does not answer at h:1: timed out"},
        {"an address without a note, no answer",
         {.note = {.name = "h:1", .address = "h:1", .alive = true}, .error = "refused"},
         STATUS_SILENT, NULL, "no answer at h:1: refused"},
        {"dead",
         {.note = {.name = "scorer-0", .kind = "scorer", .address = "h:1", .pid = 5, .given = true}},
         STATUS_GONE, NULL, "it has died"},
    };
    static status_view_t view;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        status_view_process (&cases[i].found, NOW_S * INT64_C (1000), &view);
        if (view.state != cases[i].state)
            fail_msg ("%s: %s", cases[i].what_case, status_state_name (view.state));
        if (cases[i].what && !strstr (view.what, cases[i].what))
            fail_msg ("%s: '%s'", cases[i].what_case, view.what);
        if (view.problem_count != (cases[i].problem != NULL) ||
            (cases[i].problem && !strstr (view.problems[0], cases[i].problem)))
            fail_msg ("%s: %zu problems, '%s'", cases[i].what_case, view.problem_count,
                      view.problems[0]);
    }
}

#define SHARDS(owned, of)                                                                          \
    .ready_code = 200, .metrics = "hotpath_shards_owned " #owned "\nhotpath_shards " #of "\n"

static void whole (void **state)
{
    const status_found_t good[] = {
        {NOTE ("configd", "configd"), .ready_code = 200}, {NOTE ("i", "ingestor"), .ready_code = 200},
        {NOTE ("s0", "scorer"), SHARDS (3, 8)},           {NOTE ("s1", "scorer"), SHARDS (5, 8)},
        {NOTE ("p", "profiler"), SHARDS (8, 8)},          {NOTE ("m", "metrics"), SHARDS (8, 8)},
        {NOTE ("k", "sink"), .ready_code = 200},
    };
    enum { COUNT = sizeof good / sizeof *good };
    status_found_t found[COUNT];
    static status_view_t view;
    (void)state;
    status_view_whole (good, COUNT, &view);
    assert_int_equal (view.state, STATUS_READY);
    assert_int_equal (view.problem_count, 0);

    status_view_whole (good, COUNT - 1, &view);
    assert_int_equal (view.problem_count, 1);
    assert_non_null (strstr (view.problems[0], "no sink is known"));

    memcpy (found, good, sizeof good);
    found[3].metrics = NULL; /* it does not answer */
    status_view_whole (found, COUNT, &view);
    assert_int_equal (view.state, STATUS_NOT_READY);
    assert_string_equal (view.problems[0],
                         "scorer: 5 of 8 shards are with no process that answers");

    status_view_whole (NULL, 0, &view);
    assert_int_equal (view.problem_count, 6);
}

/*  More problems than there is room for: the first stay. */
static void bounded (void **state)
{
    static char lines[8192];
    status_found_t found = {NOTE ("i", "ingestor"), .ready_code = 503, .ready_text = lines};
    static status_view_t view;
    (void)state;
    for (int i = 0; i < STATUS_PROBLEMS_MAX + 10; i++)
        strcat (lines, "[-] input: a\n");
    status_view_process (&found, 0, &view);
    assert_int_equal (view.problem_count, STATUS_PROBLEMS_MAX);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (processes),
        cmocka_unit_test (whole),
        cmocka_unit_test (bounded),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
