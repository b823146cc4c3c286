/*  test_frame_line: what the fault tests' proxy does to frames; a proxy that does nothing proves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/proxy/frame_line.h"
#include "tests/proxy/frame_rewrite.h"

enum { FRAMES = 2000, STEP_MS = 5 };

/*  Sends FRAMES numbered frames through a line, one each STEP_MS; what came out, in order, ends with -1. */
static frame_counts_t pass (const frame_faults_t *faults, uint64_t seed, int *out, int out_max)
{
    frame_line_t *line = frame_line_new (seed);
    int64_t now_ms = 1000;
    int in = 0, count = 0;
    frame_line_set (line, faults);
    while (in < FRAMES || frame_line_wait_ms (line, now_ms) >= 0) {
        if (in < FRAMES && frame_line_has_room (line)) {
            int32_t number = in++;
            frame_line_put (line, (span_t){(const char *)&number, sizeof number}, now_ms);
        }
        for (span_t frame; (frame = frame_line_next (line, now_ms)).bytes; frame_line_sent (line)) {
            int32_t number;
            assert_int_equal (frame.size, sizeof number);
            memcpy (&number, frame.bytes, sizeof number);
            assert_true (count < out_max);
            out[count++] = number;
        }
        now_ms += STEP_MS;
    }
    out[count] = -1;
    frame_counts_t counts = *frame_line_counts (line);
    frame_line_destroy (&line);
    return counts;
}

static void fates (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        frame_faults_t faults;
        uint64_t dropped[2], repeated[2], delayed[2], reordered[2]; /* from, to */
        bool in_order;
    } cases[] = {
        {"no faults", {.hold_ms = 50}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, true},
        {"all lost", {.drop = 1, .hold_ms = 50}, {2000, 2000}, {0, 0}, {0, 0}, {0, 0}, true},
        {"some lost", {.drop = .1, .hold_ms = 50}, {150, 250}, {0, 0}, {0, 0}, {0, 0}, true},
        {"all twice", {.repeat = 1, .hold_ms = 50}, {0, 0}, {2000, 2000}, {0, 0}, {0, 0}, false},
        {"some late", {.delay = .1, .hold_ms = 50}, {0, 0}, {0, 0}, {150, 250}, {0, 0}, true},
        {"some overtaken", {.reorder = .1, .hold_ms = 50}, {0, 0}, {0, 0}, {0, 0}, {100, 250}, false},
        {"some of all",
         {.drop = .1, .repeat = .1, .delay = .1, .reorder = .1, .hold_ms = 50},
         {150, 250},
         {150, 250},
         {150, 250},
         {50, 250},
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static int out[2 * FRAMES + 1];
        static int seen[FRAMES];
        frame_counts_t counts = pass (&cases[i].faults, i, out, 2 * FRAMES);
        bool in_order = true;
        uint64_t sent = 0;
        memset (seen, 0, sizeof seen);
        for (; out[sent] >= 0; sent++) {
            seen[out[sent]]++;
            in_order &= !sent || out[sent] > out[sent - 1];
        }
        if (in_order != cases[i].in_order)
            fail_msg ("%s: in order is %d", cases[i].name, in_order);
        assert_int_equal (counts.came, FRAMES);
        assert_int_equal (counts.sent, sent);
        assert_int_equal (sent, FRAMES - counts.dropped + counts.repeated);
        assert_in_range (counts.dropped, cases[i].dropped[0], cases[i].dropped[1]);
        assert_in_range (counts.repeated, cases[i].repeated[0], cases[i].repeated[1]);
        assert_in_range (counts.delayed, cases[i].delayed[0], cases[i].delayed[1]);
        assert_in_range (counts.reordered, cases[i].reordered[0], cases[i].reordered[1]);
        uint64_t missing = 0, twice = 0;
        for (int at = 0; at < FRAMES; at++) {
            missing += seen[at] == 0;
            twice += seen[at] == 2;
        }
        assert_int_equal (missing, counts.dropped);
        assert_int_equal (twice, counts.repeated);
    }
}

static void same_seed (void **state)
{
    (void)state;
    static int one[2 * FRAMES + 1], other[2 * FRAMES + 1], third[2 * FRAMES + 1];
    const frame_faults_t faults = {.drop = .1, .repeat = .1, .delay = .1, .reorder = .1, .hold_ms = 50};
    pass (&faults, 5, one, 2 * FRAMES);
    pass (&faults, 5, other, 2 * FRAMES);
    pass (&faults, 6, third, 2 * FRAMES);
    assert_memory_equal (one, other, sizeof one);
    assert_memory_not_equal (one, third, sizeof one);
}

/*  A target that takes nothing fills the line, and no more is taken from the sender. */
static void bounded (void **state)
{
    (void)state;
    frame_line_t *line = frame_line_new (1);
    const frame_faults_t faults = {.repeat = 1, .hold_ms = 10};
    int count = 0;
    frame_line_set (line, &faults);
    assert_int_equal (frame_line_wait_ms (line, 0), -1);
    for (; frame_line_has_room (line); count++)
        frame_line_put (line, span_of ("x"), count);
    assert_int_equal (count, FRAME_LINE_ROOM / 2);
    assert_int_equal (frame_line_wait_ms (line, 1000), 0);
    for (int i = 0; i < 3; i++)
        assert_non_null (frame_line_next (line, 1000).bytes);
    frame_line_sent (line);
    assert_true (frame_line_has_room (line));
    frame_line_destroy (&line);
}

/*  ---- endpoints ---- */

static span_t instead (void *arg, span_t endpoint)
{
    const char *const *pair = arg;
    return span_equal (endpoint, span_of (pair[0])) ? span_of (pair[1]) : (span_t){0};
}

static void make_announce (buffer_t *frame, const char *endpoint)
{
    const wire_announce_t head = {.stage = 1, .endpoint = span_of (endpoint), .shards_total = 16,
                                  .shard_count = 1, .leaving = true};
    const wire_shard_t shard = {.shard = 3, .epoch = 77};
    buffer_clear (frame);
    wire_write_header (frame, WIRE_ANNOUNCE, span_of ("profiler-1"), 5);
    wire_write_announce (frame, &head);
    wire_write_shard (frame, &shard);
}

static void make_results (buffer_t *frame, const char *endpoint)
{
    const wire_results_t head = {.answers = span_of (endpoint), .lineage = 9, .stage = 2,
                                 .sink_index = 1, .shards_total = 16, .sink_incarnation = 4,
                                 .result_count = 1};
    const wire_result_t result = {.shard = 1, .epoch = 2, .sequence = 3, .chunk_count = 1,
                                  .body = span_of ("body")};
    buffer_clear (frame);
    wire_write_header (frame, WIRE_RESULTS, span_of ("metrics-0"), 6);
    wire_write_results (frame, &head);
    wire_write_result (frame, &result);
}

static void endpoints (void **state)
{
    (void)state;
    const char *pair[] = {"ipc:///worker", "ipc:///a/longer/way"};
    buffer_t frame = {0}, wanted = {0}, copy = {0};
    static const struct {
        wire_kind_t kind;
        void (*make) (buffer_t *frame, const char *endpoint);
    } cases[] = {{WIRE_ANNOUNCE, make_announce}, {WIRE_RESULTS, make_results}};
    for (size_t i = 0; i < 2; i++) {
        cases[i].make (&wanted, pair[1]);
        cases[i].make (&frame, pair[0]);
        span_t bytes = {(const char *)frame.bytes, frame.size};
        assert_int_equal (frame_rewrite (bytes, cases[i].kind, instead, pair, &copy), 0);
        assert_int_equal (copy.size, wanted.size);
        assert_memory_equal (copy.bytes, wanted.bytes, wanted.size);
        /* of the other kind, of an endpoint that is left alone, not whole */
        assert_int_equal (frame_rewrite (bytes, cases[!i].kind, instead, pair, &copy), -1);
        cases[i].make (&frame, "ipc:///other");
        bytes = (span_t){(const char *)frame.bytes, frame.size};
        assert_int_equal (frame_rewrite (bytes, cases[i].kind, instead, pair, &copy), -1);
        assert_int_equal (frame_rewrite ((span_t){bytes.bytes, 12}, cases[i].kind, instead, pair, &copy), -1);
        assert_int_equal (copy.size, 0);
    }
    buffer_free (&frame);
    buffer_free (&wanted);
    buffer_free (&copy);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (fates),
        cmocka_unit_test (same_seed),
        cmocka_unit_test (bounded),
        cmocka_unit_test (endpoints),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
