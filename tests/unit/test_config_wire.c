/*  config_wire, config_sequence, live_scenarios: frames, where a subscriber stands, what changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/config_sequence.h"
#include "common/config_wire.h"
#include "common/live_scenarios.h"

static span_t frame_of (const buffer_t *buffer)
{
    return (span_t){(const char *)buffer->bytes, buffer->size};
}

static const config_entry_t entry_a = {.tenant = {"t", 1},
                                       .scenario = {"a", 1},
                                       .active = true,
                                       .era = 7,
                                       .number = 3,
                                       .json = {"{}", 2}};

static void test_message (void **state)
{
    (void)state;
    char topic[CONFIG_TOPIC_BYTES + 1];
    config_wire_topic (span_of ("scorer-0"), 5, topic);
    assert_int_equal (strlen (topic), CONFIG_TOPIC_BYTES);
    const char *topics[] = {CONFIG_TOPIC_ALL, topic};
    for (int i = 0; i < 2; i++) {
        buffer_t frame = {0};
        config_message_t message = {.kind = CONFIG_WIRE_SNAPSHOT,
                                    .incarnation = 11,
                                    .sequence = 12,
                                    .wall_ms = 13,
                                    .chunk = 1,
                                    .chunk_count = 3,
                                    .entry_count = 1};
        config_wire_write_message (&frame, span_of (topics[i]), &message);
        config_wire_write_entry (&frame, &entry_a);
        config_message_t read;
        cursor_t entries;
        config_entry_t entry;
        assert_true (config_wire_read_message (frame_of (&frame), &read, &entries));
        assert_int_equal (read.kind, message.kind);
        assert_int_equal (read.incarnation, 11);
        assert_int_equal (read.sequence, 12);
        assert_int_equal (read.wall_ms, 13);
        assert_int_equal (read.chunk, 1);
        assert_int_equal (read.chunk_count, 3);
        assert_int_equal (read.entry_count, 1);
        config_wire_read_entry (&entries, &entry);
        assert_true (cursor_finished (&entries));
        assert_true (span_equal (entry.tenant, entry_a.tenant));
        assert_true (span_equal (entry.json, entry_a.json));
        assert_int_equal (entry.number, 3);
        for (size_t size = 0; size < frame.size; size++) { /* every truncation is noticed */
            bool good =
                config_wire_read_message ((span_t){frame_of (&frame).bytes, size}, &read, &entries);
            if (good)
                config_wire_read_entry (&entries, &entry);
            assert_false (good && !entries.failed);
        }
        buffer_free (&frame);
    }
}

static void test_messages_refused (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        config_message_t message;
    } cases[] = {
        {"no kind", {.kind = 0, .chunk_count = 1}},
        {"unknown kind", {.kind = 4, .chunk_count = 1}},
        {"no chunk", {.kind = CONFIG_WIRE_SNAPSHOT}},
        {"chunk beyond the last", {.kind = CONFIG_WIRE_SNAPSHOT, .chunk = 2, .chunk_count = 2}},
        {"update without an entry", {.kind = CONFIG_WIRE_UPDATE, .chunk_count = 1}},
        {"update in chunks", {.kind = CONFIG_WIRE_UPDATE, .chunk_count = 2, .entry_count = 1}},
        {"beacon with an entry", {.kind = CONFIG_WIRE_BEACON, .chunk_count = 1, .entry_count = 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t frame = {0};
        config_message_t message;
        cursor_t entries;
        config_wire_write_message (&frame, span_of ("U"), &cases[i].message);
        if (config_wire_read_message (frame_of (&frame), &message, &entries))
            fail_msg ("%s", cases[i].name);
        buffer_free (&frame);
    }
}

static void test_requests (void **state)
{
    (void)state;
    static char long_id[CONFIG_ID_BYTES_MAX + 1];
    memset (long_id, 'x', sizeof long_id);
    static const config_written_t written[] = {{1, 2, 3}, {UINT64_MAX, 5, 6}};
#define REQUEST(k, ...)                                                                            \
    {                                                                                              \
        .kind = (k), .process = {"w", 1}, .process_incarnation = 1, __VA_ARGS__                    \
    }
#define SCENARIO(t, s) REQUEST (CONFIG_WIRE_SCENARIO, .tenant = t, .scenario = s)
    const struct {
        const char *name;
        config_request_t request;
        bool valid;
    } cases[] = {
        {"wanted", REQUEST (CONFIG_WIRE_WANTED, .topic = {"S0123456789abcdef", 17}), true},
        {"applied", REQUEST (CONFIG_WIRE_APPLIED, .incarnation = 5, .sequence = 6), true},
        {"applied, with what was written",
         REQUEST (CONFIG_WIRE_APPLIED, .role = CONFIG_ROLE_METRICS, .shards_owned = 3,
                  .shard_count = 16, .written = written, .written_count = 2),
         true},
        {"wanted on everybody's topic", REQUEST (CONFIG_WIRE_WANTED, .topic = {"U", 1}), false},
        {"wanted on no topic", REQUEST (CONFIG_WIRE_WANTED, .topic = {"", 0}), false},
        {"no kind", REQUEST (0, .sequence = 0), false},
        {"unknown kind", REQUEST (5, .sequence = 0), false},
        {"scenario", SCENARIO (span_of ("acme"), span_of ("shop")), true},
        {"scenario, ids as long as can be",
         SCENARIO (((span_t){long_id, CONFIG_ID_BYTES_MAX}),
                   ((span_t){long_id, CONFIG_ID_BYTES_MAX})),
         true},
        {"scenario, tenant too long",
         SCENARIO (((span_t){long_id, CONFIG_ID_BYTES_MAX + 1}), span_of ("s")), false},
        {"scenario, its id too long",
         SCENARIO (span_of ("t"), ((span_t){long_id, CONFIG_ID_BYTES_MAX + 1})), false},
        {"scenario without a tenant", SCENARIO (span_of (""), span_of ("s")), false},
        {"scenario without an id", SCENARIO (span_of ("t"), span_of ("")), false},
        {"scenario with a NUL", SCENARIO (span_of ("t"), ((span_t){"a\0b", 3})), false},
    };
#undef SCENARIO
#undef REQUEST
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t frame = {0};
        config_request_t request;
        config_wire_write_request (&frame, &cases[i].request);
        if (config_wire_read_request (frame_of (&frame), &request) != cases[i].valid)
            fail_msg ("%s", cases[i].name);
        if (cases[i].valid)
            assert_int_equal (request.sequence, cases[i].request.sequence);
        if (cases[i].valid) {
            assert_true (span_equal (request.tenant, cases[i].request.tenant));
            assert_true (span_equal (request.scenario, cases[i].request.scenario));
            assert_int_equal (request.shards_owned, cases[i].request.shards_owned);
            assert_int_equal (request.role, cases[i].request.role);
            assert_int_equal (request.written_count, cases[i].request.written_count);
            for (uint32_t at = 0; at < request.written_count; at++) {
                config_written_t told = config_wire_written (&request);
                assert_memory_equal (&told, &written[at], sizeof told);
            }
        }
        for (size_t size = 0; size < frame.size; size++) /* every truncation is noticed */
            assert_false (
                config_wire_read_request ((span_t){frame_of (&frame).bytes, size}, &request));
        buffer_append (&frame, "x", 1);
        assert_false (config_wire_read_request (frame_of (&frame), &request));
        buffer_free (&frame);
    }
}

/*  An answer with `items` in both of its rankings. */
static void write_answer (buffer_t *frame, uint32_t shard, uint32_t shard_count, uint32_t items)
{
    const config_request_t answer = {.kind = CONFIG_WIRE_ANSWER,
                                     .process = {"w", 1},
                                     .answer = {9, shard, shard_count, 5, 6}};
    config_wire_write_request (frame, &answer);
    for (int i = 0; i < 2; i++) {
        const config_ranking_t ranking = {true, -10, 20 + i, items};
        config_wire_write_ranking (frame, &ranking);
        for (uint32_t item = 0; item < items; item++) {
            const config_ranked_t ranked = {{"item", 4}, 1.5};
            config_wire_write_ranked (frame, &ranked);
        }
    }
}

static void test_answers (void **state)
{
    (void)state;
    static const struct {
        uint32_t shard, shard_count, items;
        bool valid;
    } cases[] = {{0, 1, 0, true},
                 {15, 16, 2, true},
                 {15, 16, CONFIG_ANSWER_ITEMS_MAX, true},
                 {15, 16, CONFIG_ANSWER_ITEMS_MAX + 1, false},
                 {16, 16, 1, false},
                 {0, CONFIG_SHARDS_MAX + 1, 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t frame = {0};
        config_request_t read;
        write_answer (&frame, cases[i].shard, cases[i].shard_count, cases[i].items);
        assert_int_equal (config_wire_read_request (frame_of (&frame), &read), cases[i].valid);
        for (int list = 0; cases[i].valid && list < 2; list++) {
            config_ranking_t ranking;
            config_wire_read_ranking (&read.rest, &ranking);
            assert_true (ranking.has);
            assert_int_equal (ranking.end_ms, 20 + list);
            assert_int_equal (ranking.item_count, cases[i].items);
            for (uint32_t item = 0; item < ranking.item_count; item++)
                assert_true (config_wire_ranked (&read.rest).score > 1);
        }
        for (size_t size = 0; size < frame.size; size++) /* every truncation is noticed */
            assert_false (
                config_wire_read_request ((span_t){frame_of (&frame).bytes, size}, &read));
        buffer_free (&frame);
    }
}

static void test_questions (void **state)
{
    (void)state;
    static const struct {
        const char *scenario;
        uint32_t limit;
        bool valid;
    } cases[] = {{"a", 20, true},
                 {"a", 0, false},
                 {"a", CONFIG_ANSWER_ITEMS_MAX + 1, false},
                 {"", 20, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t frame = {0};
        const config_question_t question = {7, {"t", 1}, span_of (cases[i].scenario), {"{}", 2},
                                            cases[i].limit};
        config_question_t read;
        config_message_t message;
        cursor_t entries;
        config_wire_write_question (&frame, &question);
        assert_int_equal (config_wire_read_question (frame_of (&frame), &read), cases[i].valid);
        assert_false (config_wire_read_message (frame_of (&frame), &message, &entries));
        for (size_t size = 0; size < frame.size; size++)
            assert_false (
                config_wire_read_question ((span_t){frame_of (&frame).bytes, size}, &read));
        buffer_free (&frame);
    }
}

static void test_endpoints (void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"tcp://127.0.0.1:5000", "tcp://127.0.0.1:5001"},
        {"tcp://[::1]:65534", "tcp://[::1]:65535"},
        {"tcp://*:65535", NULL},
        {"tcp://127.0.0.1:*", NULL},
        {"tcp://host", NULL},
        {"tcp://host:1x", NULL},
        {"ipc:///run/x/config", "ipc:///run/x/config.requests"},
        {"inproc://c", "inproc://c.requests"},
        {"udp://h:1", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char requests[64];
        int result = config_wire_requests_endpoint (cases[i][0], requests, sizeof requests);
        assert_int_equal (result, cases[i][1] ? 0 : -1);
        if (cases[i][1])
            assert_string_equal (requests, cases[i][1]);
    }
    char small[10];
    assert_int_equal (config_wire_requests_endpoint ("ipc:///run/x", small, sizeof small), -1);
}

/*  One message (kind, incarnation, sequence, chunk i of n) and what must come of it: e empty, s
 *  stage, w swap, a apply; then whether a snapshot is wanted and which sequence is applied. */
typedef struct {
    const char *name;
    config_message_t message;
    const char *verdict;
    bool wanting;
    uint64_t sequence;
} step_t;

#define SNAPSHOT(i, s, c, n)                                                                       \
    {                                                                                              \
        .kind = CONFIG_WIRE_SNAPSHOT, .incarnation = (i), .sequence = (s), .chunk = (c),           \
        .chunk_count = (n)                                                                         \
    }
#define UPDATE(i, s)                                                                               \
    {                                                                                              \
        .kind = CONFIG_WIRE_UPDATE, .incarnation = (i), .sequence = (s), .chunk_count = 1          \
    }
#define BEACON(i, s)                                                                               \
    {                                                                                              \
        .kind = CONFIG_WIRE_BEACON, .incarnation = (i), .sequence = (s), .chunk_count = 1          \
    }

static void test_sequence (void **state)
{
    (void)state;
    static const step_t steps[] = {
        {"update before any snapshot", UPDATE (1, 5), "", true, 0},
        {"second chunk without the first", SNAPSHOT (1, 5, 1, 2), "e", true, 0},
        {"first chunk", SNAPSHOT (1, 5, 0, 2), "es", true, 0},
        {"another snapshot's second", SNAPSHOT (1, 6, 1, 2), "e", true, 0},
        {"first chunk again", SNAPSHOT (1, 6, 0, 2), "es", true, 0},
        {"second chunk", SNAPSHOT (1, 6, 1, 2), "sw", false, 6},
        {"the same snapshot again", SNAPSHOT (1, 6, 0, 1), "", false, 6},
        {"beacon in step", BEACON (1, 6), "", false, 6},
        {"next update", UPDATE (1, 7), "a", false, 7},
        {"the same update again", UPDATE (1, 7), "", false, 7},
        {"a gap", UPDATE (1, 9), "", true, 7},
        {"update while one is wanted", UPDATE (1, 8), "", true, 7},
        {"snapshot closes the gap", SNAPSHOT (1, 9, 0, 1), "esw", false, 9},
        {"beacon ahead: the last update was lost", BEACON (1, 10), "", true, 9},
        {"snapshot", SNAPSHOT (1, 10, 0, 1), "esw", false, 10},
        {"beacon of a new publisher", BEACON (2, 0), "", true, 10},
        {"its snapshot, of a lower sequence", SNAPSHOT (2, 0, 0, 1), "esw", false, 0},
        {"its update", UPDATE (2, 1), "a", false, 1},
        {"update of yet another", UPDATE (3, 2), "", true, 1},
    };
    config_sequence_t sequence = config_sequence_start ();
    assert_false (sequence.ready);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        config_verdict_t verdict = config_sequence_take (&sequence, &steps[i].message, 0);
        char text[5] = "", *end = text;
        if (verdict.empty)
            *end++ = 'e';
        if (verdict.stage)
            *end++ = 's';
        if (verdict.swap)
            *end++ = 'w';
        if (verdict.apply)
            *end++ = 'a';
        *end = '\0';
        if (strcmp (text, steps[i].verdict) != 0 || sequence.wanting != steps[i].wanting ||
            sequence.sequence != steps[i].sequence)
            fail_msg ("%s: %s, wanting %d, sequence %llu", steps[i].name, text, sequence.wanting,
                      (unsigned long long)sequence.sequence);
    }
    assert_true (sequence.ready);
}

static void test_asking (void **state)
{
    (void)state;
    config_sequence_t sequence = config_sequence_start ();
    int64_t asked_ms[8];
    int count = 0;
    for (int64_t now_ms = 0; now_ms < 10000; now_ms++)
        if (config_sequence_ask (&sequence, now_ms))
            asked_ms[count++] = now_ms;
    assert_int_equal (count, 7);
    assert_int_equal (asked_ms[0], 0);
    assert_int_equal (asked_ms[1], 200);
    assert_int_equal (asked_ms[2], 600);
    assert_int_equal (asked_ms[6], 9400);
    config_message_t beacon = BEACON (4, 1);
    config_sequence_take (&sequence, &beacon, 10000);
    assert_true (config_sequence_ask (&sequence, 10000)); /* somebody is there: at once */
    config_message_t snapshot = SNAPSHOT (4, 1, 0, 1);
    config_sequence_take (&sequence, &snapshot, 10001);
    assert_false (config_sequence_ask (&sequence, 99999));
}

typedef struct {
    uint32_t count;
    const live_scenario_t *last;
} told_t;

static void on_change (void *arg, const live_scenario_t *scenario)
{
    told_t *told = arg;
    told->count++;
    told->last = scenario;
}

static void test_scenarios (void **state)
{
    (void)state;
    told_t told = {0};
    live_scenarios_t *scenarios = live_scenarios_new (on_change, &told);
    config_entry_t entry = entry_a;
    assert_int_equal (live_scenarios_apply (scenarios, &entry), 1);
    const live_scenario_t *a = live_scenarios_find (scenarios, span_of ("t"), span_of ("a"));
    assert_ptr_equal (a, told.last);
    assert_ptr_equal (a, live_scenarios_find_hash (scenarios, a->hash));
    assert_ptr_equal (a, live_scenarios_at (scenarios, 0));
    assert_int_equal (a->config->hot_score.top_k, 1000);
    assert_null (live_scenarios_find (scenarios, span_of ("t"), span_of ("b")));
    assert_int_equal (live_scenarios_apply (scenarios, &entry), 0); /* nothing changed */

    const scenario_config_t *before = a->config;
    entry.number = 4;
    entry.json = span_of ("{\"hot_score\":{\"top_k\":5}}");
    assert_int_equal (live_scenarios_apply (scenarios, &entry), 1);
    assert_int_equal (a->config->hot_score.top_k, 5);
    assert_int_equal (before->hot_score.top_k, 1000); /* kept until the next change */

    entry.number = 5;
    entry.json = span_of ("{\"of_a_later_version\":1}");
    assert_int_equal (live_scenarios_apply (scenarios, &entry), 0);
    assert_int_equal (a->number, 4);

    live_scenarios_begin (scenarios); /* a snapshot without it */
    assert_int_equal (live_scenarios_end (scenarios), 1);
    assert_false (a->active);
    assert_int_equal (a->config->hot_score.top_k, 5);

    for (int i = 0; i < 1000; i++) {
        char name[16];
        int size = snprintf (name, sizeof name, "s%d", i);
        entry = entry_a;
        entry.scenario = (span_t){name, (size_t)size};
        assert_int_equal (live_scenarios_apply (scenarios, &entry), 1);
        assert_int_equal (told.last->index, i + 1);
    }
    assert_int_equal (live_scenarios_count (scenarios), 1001);
    assert_ptr_equal (a, live_scenarios_find (scenarios, span_of ("t"), span_of ("a")));
    assert_non_null (live_scenarios_find (scenarios, span_of ("t"), span_of ("s999")));
    live_scenarios_destroy (&scenarios);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_message),   cmocka_unit_test (test_messages_refused),
        cmocka_unit_test (test_requests),  cmocka_unit_test (test_endpoints),
        cmocka_unit_test (test_answers),   cmocka_unit_test (test_questions),
        cmocka_unit_test (test_sequence),  cmocka_unit_test (test_asking),
        cmocka_unit_test (test_scenarios),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
