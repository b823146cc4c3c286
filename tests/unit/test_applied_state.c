/*  applied_state: when is a revision applied? preview_merge: many shards' answers, one ranking.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "configd/applied_state.h"
#include "configd/preview_merge.h"

enum { LIFE = 100, HASH = 7, ERA = 1 };

/*  A report as it comes over the wire. `number`: of the revision that Redis has; 0: none is told.
 */
static void report (applied_state_t *state, const char *process, config_role_t role,
                    uint64_t sequence, uint32_t owned, uint32_t shards, uint64_t number,
                    int64_t now_ms)
{
    const config_written_t written = {HASH, ERA, number};
    const config_request_t told = {.kind = CONFIG_WIRE_APPLIED,
                                   .process = span_of (process),
                                   .process_incarnation = 1,
                                   .incarnation = LIFE,
                                   .sequence = sequence,
                                   .role = role,
                                   .shards_owned = owned,
                                   .shard_count = shards,
                                   .written = &written,
                                   .written_count = number ? 1 : 0};
    buffer_t frame = {0};
    config_request_t read;
    config_wire_write_request (&frame, &told);
    assert_true (config_wire_read_request (
        (span_t){(const char *)frame.bytes, frame.size}, &read));
    applied_state_report (state, &read, now_ms);
    buffer_free (&frame);
}

static applied_verdict_t judge (const applied_state_t *state, uint64_t number, uint64_t sequence,
                                int64_t now_ms)
{
    return applied_state_judge (state, HASH, ERA, number, sequence, now_ms);
}

static void test_verdicts (void **arg)
{
    (void)arg;
    applied_state_t *state = applied_state_new ();
    applied_state_publish (state, LIFE, 5, 1000);
    assert_false (judge (state, 3, 5, 1000).applied); /* nobody is there */
    report (state, "ingestor-0", CONFIG_ROLE_OTHER, 5, 0, 0, 0, 1010);
    assert_true (judge (state, 3, 5, 1010).applied); /* nothing to compute */
    report (state, "scorer-0", CONFIG_ROLE_SCORER, 4, 16, 16, 0, 1010);
    applied_verdict_t verdict = judge (state, 3, 5, 1020);
    assert_false (verdict.applied);
    assert_int_equal (verdict.processes, 2);
    assert_int_equal (verdict.behind, 1);
    report (state, "scorer-0", CONFIG_ROLE_SCORER, 5, 16, 16, 0, 1020);
    assert_int_equal (judge (state, 3, 5, 1020).unwritten, 1);
    report (state, "scorer-0", CONFIG_ROLE_SCORER, 5, 16, 16, 2, 1030); /* an older one */
    assert_false (judge (state, 3, 5, 1030).applied);
    report (state, "scorer-0", CONFIG_ROLE_SCORER, 5, 16, 16, 3, 1040);
    assert_true (judge (state, 3, 5, 1040).applied);
    assert_true (judge (state, 2, 5, 1040).applied); /* what came before as well */
    assert_false (judge (state, 4, 5, 1040).applied);
    report (state, "scorer-0", CONFIG_ROLE_SCORER, 5, 10, 16, 0, 1050); /* six are not owned */
    verdict = judge (state, 3, 5, 1050);
    assert_int_equal (verdict.unowned, 6);
    assert_false (verdict.applied);
    report (state, "scorer-1", CONFIG_ROLE_SCORER, 5, 6, 16, 3, 1060);
    assert_true (judge (state, 3, 5, 1060).applied);
    report (state, "profiler-0", CONFIG_ROLE_PROFILER, 5, 16, 16, 0, 1060); /* follows later */
    assert_true (judge (state, 3, 5, 1060).applied);
    report (state, "metrics-0", CONFIG_ROLE_METRICS, 5, 0, 16, 0, 1060); /* took none yet */
    assert_int_equal (judge (state, 3, 5, 1060).unowned, 16);
    applied_state_destroy (&state);
}

static void test_silence_and_lives (void **arg)
{
    (void)arg;
    int64_t took_ms = 0;
    config_applied_t count;
    applied_state_t *state = applied_state_new ();
    applied_state_publish (state, LIFE, 1, 1000);
    assert_false (applied_state_step (state, 1000, &took_ms));
    report (state, "a", CONFIG_ROLE_SCORER, 1, 8, 8, 1, 1100);
    report (state, "b", CONFIG_ROLE_OTHER, 0, 0, 0, 0, 1100);
    assert_false (applied_state_step (state, 1150, &took_ms));
    applied_state_count (state, 1150, &count);
    assert_int_equal (count.processes, 2);
    assert_int_equal (count.behind, 1);
    assert_int_equal (count.behind_ms, 150);
    report (state, "a", CONFIG_ROLE_SCORER, 1, 8, 8, 0, 11200); /* b is silent: it lives no more */
    assert_true (applied_state_step (state, 11200, &took_ms));
    assert_int_equal (took_ms, 10200);
    assert_false (applied_state_step (state, 11300, &took_ms)); /* told once */
    assert_true (judge (state, 1, 1, 11300).applied);
    /* Only frozen: what it had said holds. */
    report (state, "b", CONFIG_ROLE_OTHER, 1, 0, 0, 0, 40000);
    report (state, "a", CONFIG_ROLE_SCORER, 1, 8, 8, 0, 40000);
    assert_true (judge (state, 1, 1, 40000).applied);
    /* Another life of configd: nobody has applied anything of it. */
    applied_state_publish (state, LIFE + 1, 1, 40000);
    assert_int_equal (judge (state, 1, 1, 40001).behind, 2);
    applied_state_destroy (&state);
}

static void test_another_life_of_a_process (void **arg)
{
    (void)arg;
    applied_state_t *state = applied_state_new ();
    applied_state_publish (state, LIFE, 1, 1000);
    report (state, "a", CONFIG_ROLE_SCORER, 1, 8, 8, 3, 1000);
    assert_true (judge (state, 3, 1, 1000).applied);
    const config_request_t fresh = {.kind = CONFIG_WIRE_APPLIED,
                                    .process = span_of ("a"),
                                    .process_incarnation = 2,
                                    .incarnation = LIFE,
                                    .sequence = 1,
                                    .role = CONFIG_ROLE_SCORER,
                                    .shards_owned = 8,
                                    .shard_count = 8};
    config_request_t copy = fresh;
    applied_state_report (state, &copy, 1100);
    assert_int_equal (judge (state, 3, 1, 1100).unwritten, 1);
    applied_state_destroy (&state);
}

/*  ---- previews ---- */

typedef struct {
    const char *item;
    double score;
} scored_t;

static void put_answer (buffer_t *answers, uint32_t shard, uint64_t number, int64_t end_ms,
                        const scored_t *items, uint32_t count)
{
    const config_request_t told = {.kind = CONFIG_WIRE_ANSWER,
                                   .process = {"s", 1},
                                   .answer = {1, shard, 3, ERA, number}};
    buffer_t frame = {0};
    config_wire_write_request (&frame, &told);
    for (int i = 0; i < 2; i++) { /* the second ranking: scores doubled */
        const config_ranking_t head = {count > 0, end_ms - 10, end_ms, count};
        config_wire_write_ranking (&frame, &head);
        for (uint32_t at = 0; at < count; at++) {
            const config_ranked_t ranked = {span_of (items[at].item), items[at].score * (i + 1)};
            config_wire_write_ranked (&frame, &ranked);
        }
    }
    uint32_t size = (uint32_t)frame.size;
    buffer_append (answers, &size, sizeof size);
    buffer_append (answers, frame.bytes, frame.size);
    buffer_free (&frame);
}

static void test_previews_are_merged (void **arg)
{
    (void)arg;
    static const scored_t one[] = {{"a", 9}, {"d", 2}}, other[] = {{"c", 5}, {"b", 5}, {"e", 1}};
    buffer_t answers = {0};
    preview_t preview;
    put_answer (&answers, 0, 4, 100, one, 2);
    put_answer (&answers, 1, 4, 100, other, 3);
    put_answer (&answers, 2, 4, 0, NULL, 0); /* a shard without items */
    preview_merge (&answers, 3, 100, &preview);
    assert_false (preview.mixed);
    assert_int_equal (preview.shards, 3);
    assert_int_equal (preview.number, 4);
    assert_int_equal (preview.before.count, 3);
    assert_int_equal (preview.after.count, 5);
    const char *const order[] = {"a", "b", "c", "d", "e"};
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal (preview_rank (&preview.after, span_of (order[i])), i + 1);
    assert_int_equal (preview_rank (&preview.before, span_of ("e")), 0);
    assert_true (preview.after.list[0].score > 17);
    preview_free (&preview);
    put_answer (&answers, 2, 4, 110, one, 1); /* one that is a window ahead */
    preview_merge (&answers, 3, 3, &preview);
    assert_true (preview.mixed);
    preview_free (&preview);
    buffer_clear (&answers);
    put_answer (&answers, 0, 4, 100, one, 2);
    put_answer (&answers, 1, 5, 100, other, 2); /* one that has a newer revision */
    preview_merge (&answers, 3, 3, &preview);
    assert_true (preview.mixed);
    assert_int_equal (preview.number, 4);
    preview_free (&preview);
    buffer_append (&answers, "\xff\xff\xff\x7f", 4); /* cut off */
    preview_merge (&answers, 3, 3, &preview);
    assert_int_equal (preview.shards, 2);
    preview_free (&preview);
    buffer_free (&answers);
    preview_merge (&answers, 3, 3, &preview);
    assert_int_equal (preview.shards, 0);
    preview_free (&preview);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_verdicts),
        cmocka_unit_test (test_silence_and_lives),
        cmocka_unit_test (test_another_life_of_a_process),
        cmocka_unit_test (test_previews_are_merged),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
