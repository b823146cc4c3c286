/*  Unit tests of sink/gather.c: when a window's parts are written, and which of two results stays.
 *
 *  Each case is a script: parts that arrive (P shard revision window total…), time, and what is
 * published.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "sink/gather.h"

enum { SHARDS = 3, TIMEOUT_MS = 30000, MINUTE = 60000, HISTORY_BYTES_MAX = 1 << 20 };

typedef struct {
    gather_t *gather;
    result_kind_t kind;
    uint64_t sequence, lineage;
    int64_t now_ms;
    const char *metrics; /* their block of config */
    bool answer; /* lookups are answered: with `order`, and `windows` */
    result_order_t order;
    result_order_t windows[8];
    uint32_t window_count;
    uint64_t epoch; /* of the parts */
    int64_t empty_until; /* what they say of it, in minutes */
    gather_key_t *key;
    uint64_t done; /* tokens that are done */
} bench_t;

static void begin (bench_t *bench, result_kind_t kind)
{
    *bench =
        (bench_t){.gather = gather_new (TIMEOUT_MS, HISTORY_BYTES_MAX),
                  .kind = kind,
                  .metrics = "{\"metrics\":{\"window_size_seconds\":60,\"history_windows\":4}}",
                  .lineage = 1,
                  .answer = true,
                  .epoch = 1};
}

static void end (bench_t *bench)
{
    gather_destroy (&bench->gather);
}

static void write_content (buffer_t *body, const bench_t *bench, uint32_t shard, uint64_t total)
{
    if (bench->kind == RESULT_RANKING) {
        char name[16];
        snprintf (name, sizeof name, "item-%u", shard);
        result_ranking_t head = {.top_k = 2, .item_count = total > 0};
        result_item_t item = {.item = span_of (name), .score = (double)total};
        results_write_ranking (body, &head);
        if (total)
            results_write_item (body, &item, false);
        return;
    }
    result_metrics_t metrics = {
        .metrics_json = span_of (bench->metrics),
        .total_actions = total,
        .empty_until_ms = bench->empty_until * MINUTE};
    results_write_metrics (body, &metrics);
}

/*  A part of `window` (in minutes) arrives; its items or actions are `total`. */
static int put (bench_t *bench, uint32_t shard, uint64_t revision, int64_t window, uint64_t total)
{
    buffer_t content = {0};
    wire_results_t frame = {.lineage = bench->lineage, .shards_total = SHARDS};
    chain_token_t token = {.lineage = bench->lineage,
                           .shard = shard,
                           .epoch = bench->epoch,
                           .first = ++bench->sequence,
                           .last = bench->sequence};
    result_header_t header = {.kind = bench->kind,
                              .tenant = span_of ("t"),
                              .scenario = span_of ("s"),
                              .revision = {1, revision},
                              .window_start_ms = (window - 1) * MINUTE,
                              .window_end_ms = window * MINUTE,
                              .exact = true,
                              .ttl_ms = 3600000};
    write_content (&content, bench, shard, total);
    span_t span = {(const char *)content.bytes, content.size};
    int status = gather_put (bench->gather, &frame, &token, &header, span, bench->now_ms);
    buffer_free (&content);
    return status;
}

static void put_all (bench_t *bench, uint64_t revision, int64_t window, uint64_t total)
{
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        assert_int_equal (put (bench, shard, revision, window, total), 0);
}

static void answer_lookups (bench_t *bench)
{
    for (gather_key_t *key; bench->answer && (key = gather_next_lookup (bench->gather));) {
        gather_learn_order (key, key->lookup_serial, &bench->order);
        for (uint32_t i = 0; i < bench->window_count; i++)
            gather_learn_window (key, key->lookup_serial, &bench->windows[i], false,
                                 span_of ("there"));
        gather_learned (bench->gather, key, key->lookup_serial);
    }
}

/*  What is published next, as "window:revision shards/complete[ history only]"; "-": nothing. */
static const char *next (bench_t *bench)
{
    static char text[256];
    gather_result_t result;
    answer_lookups (bench);
    if (!gather_next (bench->gather, bench->now_ms, &result))
        return "-";
    bench->key = result.key;
    if (result.member_count > 0) {
        size_t at = (size_t)snprintf (text, sizeof text, "again");
        for (uint32_t i = 0; i < result.member_count; i++)
            at += (size_t)snprintf (text + at, sizeof text - at, " %d:%.*s",
                                    (int)(result.members[i].window_end_ms / MINUTE),
                                    (int)result.members[i].json.size, result.members[i].json.bytes);
        snprintf (text + at, sizeof text - at, "%s", result.newest ? " newest" : "");
        return text;
    }
    if (bench->kind == RESULT_METRICS) {
        char member[16];
        snprintf (member, sizeof member, "m%d", (int)(result.window_end_ms / MINUTE));
        gather_keep_member (bench->gather, result.key, result.window_end_ms, span_of (member));
    }
    snprintf (text, sizeof text, "%d:%d %u/%d%s", (int)(result.window_end_ms / MINUTE),
              (int)result.revision.number, result.shards, result.complete,
              result.newest ? "" : " history");
    return text;
}

static void done (bench_t *bench, outcome_t outcome)
{
    gather_done (bench->gather, bench->key, outcome, bench->now_ms);
}

static void expect_published (bench_t *bench, const char *expected)
{
    assert_string_equal (next (bench), expected);
    if (strcmp (expected, "-") != 0)
        done (bench, OUTCOME_OK);
}

static uint64_t count_done (bench_t *bench)
{
    chain_token_t token;
    while (gather_take_done (bench->gather, &token))
        bench->done++;
    return bench->done;
}

static void publishes_when_all_shards_have_reported (void **state)
{
    (void)state;
    const result_kind_t kinds[] = {RESULT_RANKING, RESULT_METRICS};
    for (size_t i = 0; i < 2; i++) {
        bench_t bench;
        begin (&bench, kinds[i]);
        put (&bench, 0, 1, 10, 5);
        put (&bench, 1, 1, 10, 5);
        expect_published (&bench, "-");
        put (&bench, 2, 1, 10, 5);
        assert_string_equal (next (&bench), "10:1 3/1");
        assert_int_equal (count_done (&bench), 0); /* not before Redis has it */
        done (&bench, OUTCOME_OK);
        assert_int_equal (count_done (&bench), 3);
        expect_published (&bench, "-");
        end (&bench);
    }
}

static void publishes_what_is_there_after_the_timeout_and_the_rest_again (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_RANKING);
    put (&bench, 0, 1, 10, 5);
    bench.now_ms = 10000;
    put (&bench, 1, 1, 10, 5);
    bench.now_ms = TIMEOUT_MS - 1;
    expect_published (&bench, "-");
    bench.now_ms = TIMEOUT_MS + GATHER_TICK_MS;
    expect_published (&bench, "10:1 2/0");
    assert_int_equal (count_done (&bench), 2);
    put (&bench, 2, 1, 10, 5);
    expect_published (&bench, "10:1 3/1");
    assert_int_equal (count_done (&bench), 3);
    end (&bench);
}

static void a_ranking_is_of_one_revision (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_RANKING);
    put (&bench, 0, 1, 10, 5);
    put (&bench, 1, 2, 10, 5);
    assert_int_equal (count_done (&bench), 1); /* superseded */
    put (&bench, 2, 1, 10, 5);
    assert_int_equal (count_done (&bench), 2); /* lesser */
    expect_published (&bench, "-");
    put (&bench, 0, 2, 10, 5);
    put (&bench, 2, 2, 10, 5);
    expect_published (&bench, "10:2 3/1");
    end (&bench);
}

static void metrics_of_two_revisions_are_summed (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put (&bench, 0, 1, 10, 5);
    put (&bench, 1, 2, 10, 5);
    put (&bench, 2, 1, 10, 5);
    expect_published (&bench, "10:2 3/1");
    end (&bench);
}

typedef struct {
    const char *name;
    uint64_t lineage; /* of what Redis has; the parts' is 1 */
    uint64_t revision;
    int64_t window;
    uint32_t shards;
    bool incomplete; /* one shard is missing */
    const char *published;
} order_case_t;

/*  The parts are of window 10, revision 5. */
static void a_lesser_result_never_replaces_a_greater (void **state)
{
    (void)state;
    static const order_case_t cases[] = {
        {"an older window stays", 1, 5, 9, 3, false, "10:5 3/1"},
        {"a newer window", 1, 5, 11, 1, false, "-"},
        {"an equal one is replaced", 1, 5, 10, 3, false, "10:5 3/1"},
        {"more shards had reported", 1, 5, 10, 3, true, "-"},
        {"as many had", 1, 5, 10, 2, true, "10:5 2/0"},
        {"a greater revision of an older window", 1, 6, 9, 1, false, "-"},
        {"a lesser revision of a newer window", 1, 4, 11, 3, false, "10:5 3/1"},
        {"another lineage is replaced", 2, 9, 99, 3, false, "10:5 3/1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_t bench;
        print_message ("  %s\n", cases[i].name);
        begin (&bench, RESULT_RANKING);
        bench.order = (result_order_t){true,
                                       cases[i].lineage,
                                       {1, cases[i].revision},
                                       cases[i].window * MINUTE,
                                       cases[i].shards};
        for (uint32_t shard = 0; shard < (cases[i].incomplete ? 2u : 3u); shard++)
            put (&bench, shard, 5, 10, 1);
        expect_published (&bench, "-"[0] == cases[i].published[0] || cases[i].incomplete
                                      ? "-"
                                      : cases[i].published);
        if (cases[i].incomplete) {
            bench.now_ms = TIMEOUT_MS + GATHER_TICK_MS;
            expect_published (&bench, cases[i].published);
        }
        assert_int_equal (count_done (&bench), cases[i].incomplete ? 2 : 3);
        end (&bench);
    }
}

static void nothing_is_written_before_the_order_is_known (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_RANKING);
    bench.answer = false;
    put_all (&bench, 1, 10, 1);
    expect_published (&bench, "-");
    bench.answer = true;
    expect_published (&bench, "10:1 3/1");
    end (&bench);
}

static void a_part_sent_again_takes_the_place_of_the_first (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_RANKING);
    put_all (&bench, 1, 10, 1);
    expect_published (&bench, "10:1 3/1");
    put (&bench, 1, 1, 10, 1); /* the same: it is there already */
    assert_int_equal (count_done (&bench), 4);
    expect_published (&bench, "-");
    put (&bench, 1, 1, 10, 2);
    expect_published (&bench, "-");
    bench.now_ms += 2 * GATHER_AGAIN_MS;
    expect_published (&bench, "10:1 3/1");
    assert_int_equal (count_done (&bench), 5);
    end (&bench);
}

static void metrics_history_is_ordered_per_window (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    bench.order = (result_order_t){true, 1, {1, 5}, 11 * MINUTE, 3};
    bench.windows[0] = (result_order_t){true, 1, {1, 6}, 9 * MINUTE, 3};
    bench.windows[1] = bench.order;
    bench.window_count = 2;
    put_all (&bench, 5, 9, 1);
    expect_published (&bench, "-"); /* its member has revision 6 */
    put_all (&bench, 5, 10, 1);
    expect_published (&bench, "10:5 3/1 history");
    put_all (&bench, 5, 12, 1);
    expect_published (&bench, "12:5 3/1");
    assert_int_equal (count_done (&bench), 9);
    end (&bench);
}

/*  A window that some shards had not had acknowledged when a new revision came is computed anew by these alone. */
static void metrics_of_some_shards_never_replace_those_of_all (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t lineage, revision; /* of what Redis has; the parts' are 1 and 5 */
        uint32_t shards, parts;
        const char *published;
    } cases[] = {
        {"all, of a lesser revision, stay", 1, 4, 3, 2, "-"},
        {"all replace all", 1, 4, 3, 3, "10:5 3/1"},
        {"all of a greater revision stay", 1, 6, 3, 3, "-"},
        {"more replace some, whatever the revision", 1, 6, 1, 2, "10:5 2/0"},
        {"as many of a greater revision replace some", 1, 4, 2, 2, "10:5 2/0"},
        {"as many of a lesser revision do not", 1, 6, 2, 2, "-"},
        {"of another lineage", 2, 9, 3, 2, "10:5 2/0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_t bench;
        begin (&bench, RESULT_METRICS);
        bench.windows[0] = (result_order_t){
            true, cases[i].lineage, {1, cases[i].revision}, 10 * MINUTE, cases[i].shards};
        bench.window_count = 1;
        for (uint32_t shard = 0; shard < cases[i].parts; shard++)
            put (&bench, shard, 5, 10, 1);
        if (cases[i].parts < SHARDS) {
            expect_published (&bench, "-");
            bench.now_ms = TIMEOUT_MS + GATHER_TICK_MS;
        }
        const char *published = next (&bench);
        if (strcmp (published, cases[i].published) != 0)
            fail_msg ("%s: %s", cases[i].name, published);
        if (strcmp (published, "-") != 0)
            done (&bench, OUTCOME_OK);
        bool whole = cases[i].shards == SHARDS && cases[i].lineage == 1;
        assert_int_equal (count_done (&bench),
                          whole || cases[i].parts == SHARDS ? cases[i].parts : 0);
        end (&bench);
    }
}

/*  A sink that starts while some shards are missing needs the parts that came before, too. */
static void parts_of_metrics_that_are_not_whole_stay_owed_for_a_while (void **state)
{
    (void)state;
    for (int rest_comes = 0; rest_comes < 2; rest_comes++) {
        bench_t bench;
        begin (&bench, RESULT_METRICS);
        put (&bench, 0, 1, 10, 5);
        put (&bench, 1, 1, 10, 5);
        expect_published (&bench, "-");
        bench.now_ms = TIMEOUT_MS + GATHER_TICK_MS;
        expect_published (&bench, "10:1 2/0");
        assert_int_equal (count_done (&bench), 0);
        put_all (&bench, 1, 11, 5); /* others do not wait for it */
        expect_published (&bench, "11:1 3/1");
        assert_int_equal (count_done (&bench), 3);
        if (rest_comes) {
            put (&bench, 2, 1, 10, 5);
            expect_published (&bench, "10:1 3/1 history");
            assert_int_equal (count_done (&bench), 6);
        }
        bench.now_ms += GATHER_HOLD_MS - 1;
        expect_published (&bench, "-");
        assert_int_equal (count_done (&bench), rest_comes ? 6 : 3);
        bench.now_ms += 1 + GATHER_TICK_MS;
        expect_published (&bench, "-");
        assert_int_equal (count_done (&bench), rest_comes ? 6 : 5);
        if (!rest_comes) {
            put (&bench, 2, 1, 10, 5);
            expect_published (&bench, "10:1 3/1 history");
            assert_int_equal (count_done (&bench), 6);
        }
        end (&bench);
    }
}

/*  A new owner of a shard sends a part of no revision, while that of its dead owner is not in Redis yet. */
static void a_part_that_stays_is_owed_by_who_sent_last (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put (&bench, 0, 2, 10, 1);
    bench.epoch = 2;
    put (&bench, 0, 1, 10, 1);
    assert_int_equal (count_done (&bench), 1); /* the dead one's */
    put (&bench, 1, 2, 10, 1);
    put (&bench, 2, 2, 10, 1);
    assert_string_equal (next (&bench), "10:2 3/1");
    assert_int_equal (count_done (&bench), 1);
    done (&bench, OUTCOME_OK);
    assert_int_equal (count_done (&bench), 4);
    end (&bench);
}

static void an_old_metrics_part_alone_is_done_or_begins_anew (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put_all (&bench, 1, 10, 1);
    expect_published (&bench, "10:1 3/1");
    put_all (&bench, 1, 11, 1);
    expect_published (&bench, "11:1 3/1");
    expect_published (&bench, "-"); /* the parts of 10 are gone now */
    assert_int_equal (count_done (&bench), 6);
    put (&bench, 0, 1, 10, 1);
    assert_int_equal (count_done (&bench), 7);
    put (&bench, 0, 1, 10, 2); /* another content */
    assert_int_equal (count_done (&bench), 7);
    bench.now_ms += TIMEOUT_MS + GATHER_TICK_MS;
    expect_published (&bench, "-"); /* one shard is lesser than three */
    assert_int_equal (count_done (&bench), 8);
    put (&bench, 1, 1, 10, 2);
    put (&bench, 2, 1, 10, 2);
    expect_published (&bench, "10:1 3/1 history");
    end (&bench);
}

static void empty_windows_are_written_behind_one_that_is_not (void **state)
{
    (void)state;
    bench_t bench; /* history_windows 4: one with events within (T - 4, T) */
    begin (&bench, RESULT_METRICS);
    put_all (&bench, 1, 9, 0);
    expect_published (&bench, "-");
    put_all (&bench, 1, 10, 7);
    expect_published (&bench, "10:1 3/1");
    for (int64_t window = 11; window <= 13; window++) {
        char expected[32];
        put_all (&bench, 1, window, 0);
        snprintf (expected, sizeof expected, "%d:1 3/1", (int)window);
        expect_published (&bench, expected);
    }
    put_all (&bench, 1, 14, 0);
    expect_published (&bench, "-");
    assert_int_equal (count_done (&bench), 18);
    end (&bench);
}

/*  A shard without events until then sends no parts of those windows: one later says so for all. */
static void what_a_shard_says_was_empty_is_not_waited_for (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    assert_int_equal (put (&bench, 0, 1, 3, 5), 0);
    assert_int_equal (put (&bench, 0, 1, 4, 6), 0);
    bench.empty_until = 4;
    assert_int_equal (put (&bench, 1, 1, 5, 0), 0);
    expect_published (&bench, "-"); /* the third may have events */
    bench.empty_until = 3;
    assert_int_equal (put (&bench, 2, 1, 5, 2), 0);
    expect_published (&bench, "3:1 3/1");
    expect_published (&bench, "-");
    assert_int_equal (put (&bench, 2, 1, 4, 1), 0);
    expect_published (&bench, "4:1 3/1");
    /*  Also of a window that begins after it was said, and in place of a part that had not come in time. */
    bench.empty_until = 0;
    assert_int_equal (put (&bench, 0, 1, 2, 7), 0);
    expect_published (&bench, "2:1 3/1 history");
    bench.lineage = 2;
    assert_int_equal (put (&bench, 0, 1, 2, 7), 0);
    assert_int_equal (put (&bench, 1, 1, 2, 7), 0);
    bench.now_ms += TIMEOUT_MS;
    expect_published (&bench, "2:1 2/0");
    bench.empty_until = 2;
    assert_int_equal (put (&bench, 2, 1, 3, 0), 0);
    expect_published (&bench, "2:1 3/1");
    end (&bench);
}

static void an_empty_window_waits_for_those_before_it (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put (&bench, 0, 1, 10, 7);
    put_all (&bench, 1, 11, 0);
    expect_published (&bench, "-");
    assert_int_equal (count_done (&bench), 0); /* not passed over either */
    put (&bench, 1, 1, 10, 0);
    put (&bench, 2, 1, 10, 0);
    expect_published (&bench, "10:1 3/1");
    expect_published (&bench, "11:1 3/1");
    end (&bench);
}

static void windows_that_come_fast_do_not_starve_a_ranking (void **state)
{
    (void)state;
    bench_t bench;
    uint32_t published = 0;
    begin (&bench, RESULT_RANKING);
    for (int64_t window = 1; window <= 120; window++) { /* shard 2 is missing, a window a second */
        bench.now_ms += 1000;
        put (&bench, 0, 1, window, 1);
        put (&bench, 1, 1, window, 1);
        if (strcmp (next (&bench), "-") != 0) {
            published++;
            done (&bench, OUTCOME_OK);
        }
    }
    assert_in_range (published, 3, 5);
    end (&bench);
}

static void a_key_that_cannot_be_written_is_tried_again (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put_all (&bench, 1, 10, 1);
    assert_string_equal (next (&bench), "10:1 3/1");
    done (&bench, OUTCOME_ERROR);
    expect_published (&bench, "-");
    assert_int_equal (count_done (&bench), 0);
    bench.now_ms += GATHER_RETRY_MS + GATHER_TICK_MS;
    expect_published (&bench, "10:1 3/1");
    assert_int_equal (count_done (&bench), 3);
    end (&bench);
}

static void publishes_again_when_redis_lost_it (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_RANKING);
    put_all (&bench, 1, 10, 1);
    expect_published (&bench, "10:1 3/1");
    gather_lost (bench.gather, bench.now_ms);
    expect_published (&bench, "-"); /* of a scenario that ended nobody sends anything */
    put (&bench, 1, 1, 10, 1);
    expect_published (&bench, "10:1 3/1");
    put (&bench, 0, 1, 11, 1); /* one shard's is there already when it is lost */
    expect_published (&bench, "-");
    gather_lost (bench.gather, bench.now_ms);
    expect_published (&bench, "10:1 3/1");
    put (&bench, 1, 1, 11, 1);
    put (&bench, 2, 1, 11, 1);
    expect_published (&bench, "11:1 3/1");
    end (&bench);
}

static void put_windows (bench_t *bench, int64_t from, int64_t to)
{
    char expected[32];
    for (int64_t window = from; window <= to; window++) {
        put_all (bench, 1, window, 1);
        snprintf (expected, sizeof expected, "%d:1 3/1", (int)window);
        expect_published (bench, expected);
    }
    expect_published (bench, "-");
}

/*  Shards that count old windows once more after a change send them by the greater revision. */
static void an_old_window_counted_again_is_not_the_newest (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put_windows (&bench, 10, 12);
    put_all (&bench, 2, 11, 2);
    expect_published (&bench, "11:2 3/1 history");
    put_all (&bench, 2, 12, 2);
    expect_published (&bench, "12:2 3/1");
    put_all (&bench, 2, 13, 2);
    expect_published (&bench, "13:2 3/1");
    put_all (&bench, 1, 14, 2); /* owed since before the change */
    expect_published (&bench, "14:1 3/1");
    end (&bench);
}

/*  A slide of three minutes has no window that ends at minute 11: what it has is older, and shown at once. */
static void an_older_window_of_another_slide_is_the_newest (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put_windows (&bench, 10, 11);
    bench.metrics = "{\"metrics\":{\"window_size_seconds\":180,\"history_windows\":4}}";
    put_all (&bench, 2, 9, 2);
    expect_published (&bench, "9:2 3/1");
    end (&bench);
}

/*  history_windows is 4. */
static void a_history_that_redis_lost_is_written_again (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put_windows (&bench, 10, 15);
    gather_lost (bench.gather, bench.now_ms);
    expect_published (&bench, "-");
    put (&bench, 0, 1, 15, 1); /* the newest once more: it lives */
    expect_published (&bench, "again 12:m12 13:m13 14:m14 15:m15 newest");
    expect_published (&bench, "15:1 3/1");
    expect_published (&bench, "-");
    assert_int_equal (gather_history_count (bench.gather).restored, 4);

    /* An older dump: it has 12 and 13, and what it has of 13 is another's. */
    gather_lost (bench.gather, bench.now_ms);
    bench.windows[0] = (result_order_t){true, 1, {1, 1}, 12 * MINUTE, 3};
    bench.windows[1] = (result_order_t){true, 7, {9, 9}, 13 * MINUTE, 3};
    bench.windows[2] = (result_order_t){true, 1, {1, 2}, 14 * MINUTE, 3};
    bench.order = bench.windows[0];
    bench.window_count = 3;
    put (&bench, 0, 1, 15, 1);
    expect_published (&bench, "again 12:m12 13:m13 15:m15 newest"); /* 14 is greater there */
    expect_published (&bench, "15:1 3/1");
    expect_published (&bench, "-");
    end (&bench);
}

static void a_history_is_written_again_after_a_failure (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put_windows (&bench, 10, 11);
    gather_lost (bench.gather, bench.now_ms);
    put (&bench, 0, 1, 11, 1);
    assert_string_equal (next (&bench), "again 10:m10 11:m11 newest");
    done (&bench, OUTCOME_ERROR); /* a foreign type */
    expect_published (&bench, "-");
    bench.now_ms += GATHER_RETRY_MS + GATHER_TICK_MS;
    expect_published (&bench, "again 10:m10 11:m11 newest");
    expect_published (&bench, "11:1 3/1");
    /* Lost again while it is written again. */
    gather_lost (bench.gather, bench.now_ms);
    put (&bench, 0, 1, 11, 1);
    assert_string_equal (next (&bench), "again 10:m10 11:m11 newest");
    gather_lost (bench.gather, bench.now_ms);
    done (&bench, OUTCOME_OK);
    put (&bench, 1, 1, 11, 1);
    expect_published (&bench, "again 10:m10 11:m11 newest");
    expect_published (&bench, "11:1 3/1");
    end (&bench);
}

/*  Empty windows of a silence, behind the last that has events: the history shows that one still. */
static void a_silent_history_comes_back_with_its_newest (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    put_windows (&bench, 10, 10);
    for (int64_t window = 11; window <= 20; window++) {
        put_all (&bench, 1, window, 0);
        while (strcmp (next (&bench), "-") != 0)
            done (&bench, OUTCOME_OK);
    }
    gather_lost (bench.gather, bench.now_ms);
    put_all (&bench, 1, 20, 0);
    expect_published (&bench, "again 10:m10 11:m11 12:m12 13:m13 newest");
    expect_published (&bench, "13:1 3/1");
    expect_published (&bench, "-");
    end (&bench);
}

/*  The sink was killed when some shards had been told that Redis has window 10, and shard 0 had not. */
static void a_part_that_redis_has_is_not_waited_for (void **state)
{
    (void)state;
    bench_t bench;
    for (int shards_known = 0; shards_known < 2; shards_known++) {
        begin (&bench, RESULT_METRICS);
        bench.windows[0] = (result_order_t){true, 1, {1, 1}, 10 * MINUTE, shards_known ? 3 : 2};
        bench.windows[1] = (result_order_t){true, 1, {1, 1}, 11 * MINUTE, 3};
        bench.order = bench.windows[1];
        bench.window_count = 2;
        put (&bench, 0, 1, 10, 1);
        expect_published (&bench, "-");
        for (uint32_t shard = 0; shard < SHARDS; shard++) {
            assert_int_equal (count_done (&bench), 0); /* shard 2 may still send it */
            put (&bench, shard, 1, 11, 1);
            bench.now_ms += GATHER_TICK_MS;
            expect_published (&bench, shard < 2 ? "-" : "11:1 3/1");
        }
        bench.now_ms += GATHER_TICK_MS;
        expect_published (&bench, "-");
        assert_int_equal (count_done (&bench), shards_known ? 4 : 3);
        end (&bench);
    }
    /* A shard's new owner may send it again. */
    begin (&bench, RESULT_METRICS);
    bench.windows[0] = (result_order_t){true, 1, {1, 1}, 10 * MINUTE, 3};
    bench.order = bench.windows[0];
    bench.window_count = 1;
    put (&bench, 1, 1, 11, 1);
    put (&bench, 2, 1, 11, 1);
    bench.epoch = 2;
    put (&bench, 2, 1, 9, 1); /* older than what it comes to */
    put (&bench, 0, 1, 10, 1);
    bench.now_ms += GATHER_TICK_MS;
    expect_published (&bench, "-");
    assert_int_equal (count_done (&bench), 0);
    put (&bench, 2, 1, 10, 1);
    bench.now_ms += GATHER_TICK_MS;
    expect_published (&bench, "-");
    assert_int_equal (count_done (&bench), 2);
    end (&bench);
}

static void another_lineage_begins_anew (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_RANKING);
    put_all (&bench, 9, 20, 1);
    expect_published (&bench, "20:9 3/1");
    put (&bench, 0, 9, 21, 1);
    bench.lineage = 2;
    put_all (&bench, 1, 10, 1);
    expect_published (&bench, "10:1 3/1");
    assert_int_equal (count_done (&bench), 7);
    end (&bench);
}

static void refuses_what_is_not_valid (void **state)
{
    (void)state;
    bench_t bench;
    begin (&bench, RESULT_METRICS);
    wire_results_t frame = {.lineage = 1, .shards_total = SHARDS};
    result_header_t header = {.kind = RESULT_METRICS,
                              .tenant = span_of ("t"),
                              .scenario = span_of ("s"),
                              .window_end_ms = MINUTE,
                              .ttl_ms = 1};
    chain_token_t token = {.lineage = 1, .first = 1, .last = 1};
    assert_int_equal (gather_put (bench.gather, &frame, &token, &header, span_of ("x"), 0), -1);
    assert_int_equal (gather_put (bench.gather, &frame, &token, &header, span_of (""), 0), -1);
    assert_int_equal (put (&bench, SHARDS, 1, 10, 1), -1); /* no such shard */
    assert_int_equal (count_done (&bench), 3);
    end (&bench);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (publishes_when_all_shards_have_reported),
        cmocka_unit_test (publishes_what_is_there_after_the_timeout_and_the_rest_again),
        cmocka_unit_test (a_ranking_is_of_one_revision),
        cmocka_unit_test (metrics_of_two_revisions_are_summed),
        cmocka_unit_test (metrics_of_some_shards_never_replace_those_of_all),
        cmocka_unit_test (parts_of_metrics_that_are_not_whole_stay_owed_for_a_while),
        cmocka_unit_test (a_lesser_result_never_replaces_a_greater),
        cmocka_unit_test (nothing_is_written_before_the_order_is_known),
        cmocka_unit_test (a_part_sent_again_takes_the_place_of_the_first),
        cmocka_unit_test (metrics_history_is_ordered_per_window),
        cmocka_unit_test (a_part_that_stays_is_owed_by_who_sent_last),
        cmocka_unit_test (an_old_metrics_part_alone_is_done_or_begins_anew),
        cmocka_unit_test (empty_windows_are_written_behind_one_that_is_not),
        cmocka_unit_test (what_a_shard_says_was_empty_is_not_waited_for),
        cmocka_unit_test (an_empty_window_waits_for_those_before_it),
        cmocka_unit_test (windows_that_come_fast_do_not_starve_a_ranking),
        cmocka_unit_test (a_key_that_cannot_be_written_is_tried_again),
        cmocka_unit_test (publishes_again_when_redis_lost_it),
        cmocka_unit_test (an_old_window_counted_again_is_not_the_newest),
        cmocka_unit_test (an_older_window_of_another_slide_is_the_newest),
        cmocka_unit_test (a_history_that_redis_lost_is_written_again),
        cmocka_unit_test (a_history_is_written_again_after_a_failure),
        cmocka_unit_test (a_silent_history_comes_back_with_its_newest),
        cmocka_unit_test (a_part_that_redis_has_is_not_waited_for),
        cmocka_unit_test (another_lineage_begins_anew),
        cmocka_unit_test (refuses_what_is_not_valid),
    };
    return cmocka_run_group_tests_name ("gather", tests, NULL, NULL);
}
