/*  Unit tests of sink/result_chain.c: what is taken, refused, asked for again and acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/result_chain.h"

enum { US = 77, LINEAGE = 5, PEER = 3 };

typedef struct {
    const char *name;
    uint64_t incarnation, epoch, sequence;
    uint32_t chunk, chunk_count;
    const char *body; /* as sent */
    int64_t now_ms;
    chain_verdict_t verdict;
    const char *whole; /* of ACCEPT */
    uint64_t first;    /* of ACCEPT: the token's */
    bool gap;          /* an ack with gap is due behind it */
    uint64_t expected; /* in that ack */
} step_t;

static chain_verdict_t take (result_chain_t *chain, const step_t *step, chain_token_t *token,
                             span_t *body)
{
    wire_results_t frame = {.lineage = LINEAGE, .sink_incarnation = step->incarnation};
    wire_result_t result = {.shard = 2,
                            .epoch = step->epoch,
                            .sequence = step->sequence,
                            .chunk = step->chunk,
                            .chunk_count = step->chunk_count,
                            .body = span_of (step->body)};
    return result_chain_take (chain, PEER, &frame, &result, true, step->now_ms, token, body);
}

/*  One life of a shard's chain, in order. */
static void judges_each_result (void **state)
{
    (void)state;
    static const step_t steps[] = {
        {"numbered for another sink", 76, 10, 9, 0, 1, "x", 0, CHAIN_OTHER_SINK, NULL, 0, true, 1},
        {"begins behind a gap", US, 10, 2, 0, 1, "x", 100, CHAIN_GAP, NULL, 0, false, 0},
        {"the gap is said again after a while", US, 10, 2, 0, 1, "x", 1100, CHAIN_GAP, NULL, 0,
         true, 1},
        {"the first", US, 10, 1, 0, 1, "one", 1200, CHAIN_ACCEPT, "one", 1, false, 0},
        {"repeated", US, 10, 1, 0, 1, "one", 1200, CHAIN_REPEAT, NULL, 0, false, 0},
        {"another gap is said at once", US, 10, 3, 0, 1, "x", 1201, CHAIN_GAP, NULL, 0, true, 2},
        {"chunk 0", US, 10, 2, 0, 3, "ab", 1300, CHAIN_PART, NULL, 0, false, 0},
        {"chunk 1", US, 10, 3, 1, 3, "cd", 1300, CHAIN_PART, NULL, 0, false, 0},
        {"chunk 2", US, 10, 4, 2, 3, "e", 1300, CHAIN_ACCEPT, "abcde", 2, false, 0},
        {"a chunk from nowhere", US, 10, 5, 1, 3, "x", 1300, CHAIN_BAD, NULL, 0, false, 0},
        {"goes on behind it", US, 10, 6, 0, 1, "f", 1300, CHAIN_ACCEPT, "f", 6, false, 0},
        {"chunk 0 before an epoch ends", US, 10, 7, 0, 2, "x", 1300, CHAIN_PART, NULL, 0, false, 0},
        {"a higher epoch begins at 1", US, 11, 1, 0, 1, "new", 1400, CHAIN_ACCEPT, "new", 1, false,
         0},
        {"a lower epoch", US, 10, 8, 1, 2, "x", 1400, CHAIN_OLD_EPOCH, NULL, 0, false, 0},
        {"a stray of another sink's time", 76, 11, 5, 0, 1, "x", 9000, CHAIN_OTHER_SINK, NULL, 0,
         false, 0},
        {"a higher epoch not from 1", US, 12, 4, 0, 1, "x", 9100, CHAIN_GAP, NULL, 0, true, 1},
        {"a mark behind a lost tail", US, 12, 4, 0, 0, "", 10200, CHAIN_GAP, NULL, 0, true, 1},
        {"a mark while that is on its way", US, 12, 4, 0, 0, "", 10300, CHAIN_GAP, NULL, 0, false, 0},
        {"a mark after a while", US, 12, 4, 0, 0, "", 11200, CHAIN_GAP, NULL, 0, true, 1},
        {"a mark of where it stands", US, 12, 1, 0, 0, "", 12200, CHAIN_MARK, NULL, 0, false, 0},
        {"a mark changes nothing", US, 12, 1, 0, 1, "x", 12200, CHAIN_ACCEPT, "x", 1, false, 0},
        {"an old mark", US, 12, 1, 0, 0, "", 12200, CHAIN_MARK, NULL, 0, false, 0},
        {"chunk 0 before a new numbering", US, 12, 2, 0, 2, "x", 12200, CHAIN_PART, NULL, 0, false, 0},
        {"a new numbering from 7", US, 12, 7, 1, 0, "", 12200, CHAIN_MARK, NULL, 0, false, 0},
        {"what was under way of the old one", US, 12, 3, 1, 2, "x", 12200, CHAIN_REPEAT, NULL, 0, false, 0},
        {"behind a gap of the new one", US, 12, 8, 0, 1, "x", 12200, CHAIN_GAP, NULL, 0, true, 7},
        {"the first of the new one", US, 12, 7, 0, 1, "x", 12200, CHAIN_ACCEPT, "x", 7, false, 0},
        {"the new numbering said again", US, 12, 7, 1, 0, "", 12200, CHAIN_MARK, NULL, 0, false, 0},
        {"the next", US, 12, 8, 0, 1, "y", 12200, CHAIN_ACCEPT, "y", 8, false, 0},
    };
    result_chain_t *chain = result_chain_new (US);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const step_t *step = &steps[i];
        chain_token_t token;
        span_t body;
        wire_ack_t ack = {0};
        print_message ("  %s\n", step->name);
        assert_int_equal (take (chain, step, &token, &body), step->verdict);
        if (step->verdict == CHAIN_ACCEPT) {
            assert_true (span_equal (body, span_of (step->whole)));
            assert_int_equal (token.first, step->first);
            assert_int_equal (token.last, step->sequence);
        }
        bool due = result_chain_has_ack (chain, PEER);
        assert_int_equal (result_chain_next_ack (chain, PEER, &ack), due);
        assert_int_equal (due && ack.gap, step->gap);
        if (step->gap)
            assert_int_equal (ack.expected, step->expected);
    }
    result_chain_destroy (&chain);
}

/*  Executed in any order: acknowledged is what has nothing unexecuted before it. */
static void acknowledges_what_is_contiguous (void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    result_chain_t *chain = result_chain_new (US);
    chain_token_t tokens[COUNT + 1];
    wire_ack_t ack;
    span_t body;
    for (uint64_t i = 1; i <= COUNT; i++) {
        step_t step = {"", US, 1, i, 0, 1, "b", 0, CHAIN_ACCEPT, NULL, 0, false, 0};
        assert_int_equal (take (chain, &step, &tokens[i], &body), CHAIN_ACCEPT);
    }
    for (uint64_t i = COUNT; i > 1; i--)
        result_chain_executed (chain, &tokens[i]);
    assert_false (result_chain_has_ack (chain, PEER));
    result_chain_greet (chain, PEER);
    assert_true (result_chain_next_ack (chain, PEER, &ack));
    assert_int_equal (ack.executed, 0);
    assert_int_equal (ack.expected, COUNT + 1);
    result_chain_executed (chain, &tokens[1]);
    assert_true (result_chain_next_ack (chain, PEER, &ack));
    assert_int_equal (ack.executed, COUNT);
    assert_int_equal (ack.shard, 2);
    assert_false (result_chain_has_ack (chain, PEER));
    assert_false (result_chain_has_ack (chain, PEER + 1));
    result_chain_destroy (&chain);
}

static void a_former_epochs_token_counts_for_nothing (void **state)
{
    (void)state;
    result_chain_t *chain = result_chain_new (US);
    chain_token_t old, new;
    span_t body;
    wire_ack_t ack;
    step_t step = {"", US, 1, 1, 0, 1, "b", 0, CHAIN_ACCEPT, NULL, 0, false, 0};
    assert_int_equal (take (chain, &step, &old, &body), CHAIN_ACCEPT);
    step.epoch = 2;
    assert_int_equal (take (chain, &step, &new, &body), CHAIN_ACCEPT);
    result_chain_executed (chain, &old);
    assert_false (result_chain_has_ack (chain, PEER));
    result_chain_executed (chain, &new);
    assert_true (result_chain_next_ack (chain, PEER, &ack));
    assert_int_equal (ack.epoch, 2);
    assert_int_equal (ack.executed, 1);
    result_chain_destroy (&chain);
}

static void an_ack_goes_to_whom_the_shard_was_last_heard_from (void **state)
{
    (void)state;
    result_chain_t *chain = result_chain_new (US);
    chain_token_t token;
    span_t body;
    wire_ack_t ack;
    wire_results_t frame = {.lineage = 1, .sink_incarnation = US};
    wire_result_t result = {.epoch = 1, .sequence = 1, .chunk_count = 1, .body = span_of ("b")};
    const uint32_t last = CHAIN_PEERS_MAX - 1;
    result_chain_take (chain, PEER, &frame, &result, true, 1, &token, &body);
    result_chain_executed (chain, &token);
    assert_true (result_chain_has_ack (chain, PEER));
    result.epoch = result.sequence = 2; /* the new owner's, with a gap */
    assert_int_equal (result_chain_take (chain, last, &frame, &result, true, 2, &token, &body),
                      CHAIN_GAP);
    assert_false (result_chain_has_ack (chain, PEER));
    assert_true (result_chain_next_ack (chain, last, &ack));
    assert_true (ack.gap && ack.epoch == 2);
    assert_false (result_chain_has_ack (chain, last));
    result_chain_greet (chain, PEER);
    assert_false (result_chain_has_ack (chain, PEER));
    result_chain_greet (chain, last);
    assert_true (result_chain_has_ack (chain, last));
    result_chain_destroy (&chain);
}

static void forgets_the_lineage_longest_unheard_of (void **state)
{
    (void)state;
    result_chain_t *chain = result_chain_new (US);
    chain_token_t token;
    span_t body;
    for (uint64_t i = 1; i <= CHAIN_LINEAGES_MAX + 1; i++) {
        wire_results_t frame = {.lineage = i, .sink_incarnation = US};
        wire_result_t result = {.epoch = 1, .sequence = 1, .chunk_count = 1, .body = span_of ("b")};
        assert_int_equal (
            result_chain_take (chain, PEER, &frame, &result, true, (int64_t)i, &token, &body),
            CHAIN_ACCEPT);
    }
    wire_results_t frame = {.lineage = 2, .sink_incarnation = US};
    wire_result_t result = {.epoch = 1, .sequence = 1, .chunk_count = 1, .body = span_of ("b")};
    assert_int_equal (result_chain_take (chain, PEER, &frame, &result, true, 100, &token, &body),
                      CHAIN_REPEAT);
    frame.lineage = 1;
    assert_int_equal (result_chain_take (chain, PEER, &frame, &result, true, 100, &token, &body),
                      CHAIN_ACCEPT);
    result_chain_destroy (&chain);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (judges_each_result),
        cmocka_unit_test (acknowledges_what_is_contiguous),
        cmocka_unit_test (a_former_epochs_token_counts_for_nothing),
        cmocka_unit_test (an_ack_goes_to_whom_the_shard_was_last_heard_from),
        cmocka_unit_test (forgets_the_lineage_longest_unheard_of),
    };
    return cmocka_run_group_tests_name ("result_chain", tests, NULL, NULL);
}
