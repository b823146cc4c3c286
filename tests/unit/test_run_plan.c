/*  test_run_plan: what `hotpath run` starts its children with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctl/run_plan.h"

enum { WORDS_MAX = 20 };

#define PROGRAMS "/usr/bin"
#define SOCKETS  "/s"

typedef struct {
    const char *name;
    const char *line[WORDS_MAX]; /* of `run` */
    const char *child;
    const char *has[WORDS_MAX]; /* whole arguments that the child gets */
    const char *hasnt[4];       /* texts that are in none of its arguments */
    const char *secret, *again;
    bool reads_input;
} case_t;

static const case_t cases[] = {
    {"configd",
     {"--file=a", "--scenarios-dir=/c", "--redis=redis://h", "--state=/st"},
     "configd",
     {PROGRAMS "/hotpath-configd", "--publish=ipc:///s/configd", "--scenarios-dir=/c",
      "--state=/st", "--poll-interval=500ms", "--database=hotpath", "--log-level=info",
      "--unknown-scenarios=drop", "--beat-fd=3"},
     {"redis", "--name", "mongodb", "--file"},
     NULL,
     NULL,
     false},
    {"configd with MongoDB: the URL is in its environment alone",
     {"--file=a", "--mongodb-url=mongodb://u:pw@h", "--database=d", "--collection=c",
      "--redis=redis://h", "--state=s", "--tenant-id=t", "--scenario-id=x"},
     "configd",
     {"--database=d", "--collection=c", "--tenant-id=t", "--scenario-id=x"},
     {"pw", "mongodb", "scenarios-dir"},
     "HOTPATH_MONGODB_URL=mongodb://u:pw@h",
     NULL,
     false},
    {"a sink: the URL is in its environment alone; later lives wait for Redis",
     {"--brokers=b", "--scenarios-dir=/c", "--redis=redis://:pw@h", "--state=s", "--sinks=2",
      "--key-prefix=p:", "--key-style=cluster", "--gather-timeout=7s"},
     "sink-1",
     {PROGRAMS "/hotpath-sink", "--listen=ipc:///s/sink-1", "--name=sink-1",
      "--key-prefix=p:", "--key-style=cluster", "--gather-timeout=7000ms", "--redis-timeout=5000ms",
      "--redis-wait=0ms"},
     {"pw", "--state", "--configd", "--shards"},
     "HOTPATH_REDIS=redis://:pw@h",
     "--redis-wait=50000ms",
     false},
    {"a sink with the URL in a file, told to wait long",
     {"--brokers=b", "--scenarios-dir=/c", "--redis-file=/f", "--state=s", "--redis-wait=10m"},
     "sink-0",
     {"--redis-file=/f", "--redis-wait=600000ms"},
     {"--redis="},
     NULL,
     "--redis-wait=600000ms",
     false},
    {"a worker: every ingestor and every sink",
     {"--brokers=b", "--scenarios-dir=/c", "--redis=r", "--state=/st", "--profilers=2", "--sinks=2",
      "--ingestors=3", "--shards=5", "--commit-interval=250ms", "--max-out-of-orderness=30s"},
     "profiler-1",
     {PROGRAMS "/hotpath-profiler", "--listen=ipc:///s/profiler-1", "--name=profiler-1",
      "--configd=ipc:///s/configd", "--sinks=ipc:///s/sink-0,ipc:///s/sink-1",
      "--ingestors=ipc:///s/ingestor-0,ipc:///s/ingestor-1,ipc:///s/ingestor-2", "--state=/st",
      "--shards=5", "--commit-interval=250ms", "--max-out-of-orderness=30000ms", "--beat-fd=3"},
     {"redis", "--once", "--idle"},
     NULL,
     NULL,
     false},
    {"an ingestor of files: names are not split, standard input is its own",
     {"--file=a,b", "--file=-", "--once", "--scenarios-dir=/c", "--redis=r", "--state=/st",
      "--ingestors=2", "--idle-advance=off", "--dead-letters=/d", "--lead-max=1m"},
     "ingestor-1",
     {PROGRAMS "/hotpath-ingestor", "--file=a,b", "--file=-", "--once=true", "--follow=false",
      "--listen=ipc:///s/ingestor-1", "--reader-index=1", "--reader-count=2",
      "--idle-advance=false", "--dead-letters=/d", "--lead-max=60000ms", "--shards=16",
      "--on-lost-offsets=stop", "--max-future=300000ms", "--state=/st", "--name=ingestor-1"},
     {"redis", "--sinks", "--brokers"},
     NULL,
     NULL,
     true},
    {"an ingestor of Kafka, in dedicated mode",
     {"--brokers=h:1,h:2", "-Xa=1", "-X", "b=2,3", "--scenarios-dir=/c", "--redis=r", "--state=/st",
      "--tenant-id=t", "--scenario-id=s", "--from=latest"},
     "ingestor-0",
     {"--brokers=h:1,h:2", "--kafka=a=1", "--kafka=b=2,3", "--group=hotpath-t-s", "--tenant-id=t",
      "--scenario-id=s", "--topics=^user-behaviors(-.*)?$", "--from=latest"},
     {"--file"},
     NULL,
     NULL,
     false},
    {"unknown scenarios by default: configd is told",
     {"--file=a", "--scenarios-dir=/c", "--redis=r", "--state=s", "--unknown-scenarios=defaults"},
     "configd",
     {"--unknown-scenarios=defaults"},
     {NULL},
     NULL,
     NULL,
     false},
    {"unknown scenarios by default: ingestors are told",
     {"--file=a", "--scenarios-dir=/c", "--redis=r", "--state=s", "--unknown-scenarios=defaults"},
     "ingestor-0",
     {"--unknown-scenarios=defaults"},
     {NULL},
     NULL,
     NULL,
     false},
    {"ports of status: by the place in the plan",
     {"--brokers=h", "--scenarios-dir=/c", "--redis=r", "--state=/st", "--sinks=2", "--scorers=2",
      "--status-port=9000"},
     "scorer-1",
     {"--status-listen=127.0.0.1:9004", "--status-notes=/st/status"},
     {"status-port"},
     NULL,
     NULL,
     false},
    {"no port: each on a free one, and noted",
     {"--brokers=h", "--scenarios-dir=/c", "--redis=r", "--state=/st"},
     "metrics-0",
     {"--status-listen=127.0.0.1:0", "--status-notes=/st/status"},
     {"status-port"},
     NULL,
     NULL,
     false},
    {"no status",
     {"--brokers=h", "--scenarios-dir=/c", "--redis=r", "--state=/st", "--no-status"},
     "ingestor-0",
     {"--name=ingestor-0"},
     {"status"},
     NULL,
     NULL,
     false},
    {"a group of one's own, of one tenant",
     {"--brokers=h", "--group=g", "--scenarios-dir=/c", "--redis=r", "--state=/st",
      "--tenant-id=t"},
     "ingestor-0",
     {"--group=g-t"},
     {"--scenario-id"},
     NULL,
     NULL,
     false},
};

static run_plan_t *make_plan (const case_t *one, run_settings_t *settings)
{
    char *line[WORDS_MAX + 2] = {(char *)"run"};
    int count = 1;
    while (count <= WORDS_MAX && one->line[count - 1]) {
        line[count] = (char *)one->line[count - 1];
        count++;
    }
    settings_load (&run_settings_program, count, line, settings);
    return run_plan_new (settings, PROGRAMS, SOCKETS);
}

static const run_child_t *find_child (const run_plan_t *plan, const char *name)
{
    const run_child_t *found = NULL;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (strcmp (plan->children[i].name, name) == 0)
            found = &plan->children[i];
    }
    assert_non_null (found);
    return found;
}

static void check_same (const char *text, const char *expected)
{
    if (expected)
        assert_string_equal (text, expected);
    else
        assert_null (text);
}

static void check_child (const case_t *one, const run_child_t *child)
{
    for (int i = 0; i < WORDS_MAX && one->has[i]; i++) {
        int times = 0;
        for (size_t at = 0; at < child->argument_count; at++)
            times += strcmp (child->arguments[at], one->has[i]) == 0;
        if (times != 1)
            fail_msg ("%s: %d times", one->has[i], times);
    }
    for (int i = 0; i < 4 && one->hasnt[i]; i++) {
        for (size_t at = 1; at < child->argument_count; at++) {
            if (strstr (child->arguments[at], one->hasnt[i]))
                fail_msg ("%s is in %s", one->hasnt[i], child->arguments[at]);
        }
    }
    assert_null (child->arguments[child->argument_count]);
    check_same (child->secret, one->secret);
    check_same (child->again, one->again);
    assert_int_equal (child->reads_input, one->reads_input);
}

static void test_children (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_settings_t settings = {0};
        print_message ("  %s\n", cases[i].name);
        run_plan_t *plan = make_plan (&cases[i], &settings);
        check_child (&cases[i], find_child (plan, cases[i].child));
        run_plan_destroy (&plan);
        settings_free (&run_settings_program, &settings);
    }
}

/*  How many there are, and that all stages of start and stop are filled, configd being first and
 * last. */
static void test_counts_and_order (void **state)
{
    (void)state;
    static const case_t one = {.line = {"--file=a", "--scenarios-dir=/c", "--redis=r", "--state=s",
                                        "--scorers=3", "--profilers=2", "--metrics=4",
                                        "--ingestors=5", "--sinks=6"}};
    run_settings_t settings = {0};
    run_plan_t *plan = make_plan (&one, &settings);
    assert_int_equal (plan->count, 1 + 3 + 2 + 4 + 5 + 6);
    for (uint32_t stage = 0; stage < RUN_START_STAGES; stage++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < plan->count; i++)
            count += run_plan_start_stage (plan->children[i].part) == stage;
        assert_int_equal (count, stage == 0 ? 1 : stage == 1 ? 6 : 14);
    }
    static const uint32_t stops[RUN_STOP_STAGES] = {5, 9, 6, 1};
    for (uint32_t stage = 0; stage < RUN_STOP_STAGES; stage++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < plan->count; i++)
            count += run_plan_stop_stage (plan->children[i].part) == stage;
        assert_int_equal (count, stops[stage]);
    }
    run_plan_destroy (&plan);
    settings_free (&run_settings_program, &settings);
}

/*  A setting that nobody has thought of would be offered and do nothing. */
static void test_every_setting_is_handed_on_or_own (void **state)
{
    (void)state;
    for (const setting_t *setting = run_settings_table; setting->name; setting++) {
        if (run_plan_takers (setting->name) < 0)
            fail_msg ("--%s is handed to nobody", setting->name);
    }
    assert_int_equal (run_plan_takers ("no-such-setting"), -1);
}

static void test_sockets_fit (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t size;
        char filling;
        bool fits;
    } folders[] = {{"short", 10, 'a', true},
                   {"just", 75, 'a', true},
                   {"too long", 76, 'a', false},
                   {"a comma", 10, ',', false}};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char folder[128] = "/";
        memset (folder + 1, folders[i].filling, folders[i].size - 1);
        print_message ("  %s\n", folders[i].name);
        assert_int_equal (run_plan_sockets_fit (folder), folders[i].fits);
    }
    assert_true (strlen ("/configd.requests") < RUN_SOCKET_NAME_BYTES);
    assert_true (strlen ("/profiler-63.acks") < RUN_SOCKET_NAME_BYTES);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_children),
        cmocka_unit_test (test_counts_and_order),
        cmocka_unit_test (test_every_setting_is_handed_on_or_own),
        cmocka_unit_test (test_sockets_fit),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
