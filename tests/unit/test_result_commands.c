/*  Unit tests of sink/result_commands.c, result_keys.c, result_lookup.c: the commands of each
 * result, as redis-cli would show them, and what is read back of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/event.h"
#include "sink/result_commands.h"
#include "sink/result_lookup.h"

enum { NOW_MS = 1700000123 };

/*  RESP arrays as text: a command a line, arguments separated by one space. */
static char *render (const commands_t *commands)
{
    char *text = calloc (1, commands->bytes.size + 1), *to = text;
    const char *at = (const char *)commands->bytes.bytes;
    const char *end = at + commands->bytes.size;
    uint32_t count = 0;
    while (at && at < end) {
        char *rest;
        assert_int_equal (*at, '*');
        long arguments = strtol (at + 1, &rest, 10);
        at = rest + 2;
        for (long i = 0; i < arguments; i++) {
            assert_int_equal (*at, '$');
            long size = strtol (at + 1, &rest, 10);
            memcpy (to, rest + 2, (size_t)size);
            to += size;
            *to++ = i + 1 < arguments ? ' ' : '\n';
            at = rest + 2 + size + 2;
        }
        count++;
    }
    assert_int_equal (count, commands->count);
    return text;
}

static void expect_commands (commands_t *commands, const char *expected)
{
    char *text = render (commands);
    assert_string_equal (text, expected);
    free (text);
    commands_free (commands);
}

static gather_result_t result_of (result_kind_t kind, span_t *contents, uint32_t count)
{
    return (gather_result_t){.kind = kind,
                             .tenant = span_of ("te:nant"),
                             .scenario = span_of ("s{1} %"),
                             .lineage = 0xabc,
                             .revision = {1700, 3},
                             .window_start_ms = 60000,
                             .window_end_ms = 120000,
                             .ttl_ms = 7200000,
                             .since_ms = EVENT_TIME_NONE,
                             .shards = count,
                             .complete = true,
                             .exact = true,
                             .newest = true,
                             .history_windows = 48,
                             .contents = contents,
                             .content_count = count};
}

static span_t span_of_buffer (const buffer_t *buffer)
{
    return (span_t){(const char *)buffer->bytes, buffer->size};
}

static void write_items (buffer_t *body, uint32_t top_k, uint32_t first, uint32_t step,
                         uint32_t count)
{
    char name[32];
    result_ranking_t head = {.top_k = top_k, .item_count = count};
    results_write_ranking (body, &head);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t rank = first + i * step;
        snprintf (name, sizeof name, "i%05u", rank);
        result_item_t item = {.item = span_of (name), .score = (double)(100000 - rank / 2)};
        results_write_item (body, &item, false);
    }
}

/*  Two shards of four items each, of equal scores in pairs; the best three in order. */
static void a_ranking_is_merged_and_replaced (void **state)
{
    (void)state;
    buffer_t even = {0}, odd = {0};
    commands_t prepare = {0}, commands = {0};
    result_commands_t *maker = result_commands_new ("p-", false);
    write_items (&even, 3, 0, 2, 3);
    write_items (&odd, 3, 1, 2, 3);
    span_t contents[] = {span_of_buffer (&odd), span_of_buffer (&even)};
    gather_result_t result = result_of (RESULT_RANKING, contents, 2);
    assert_int_equal (result_commands_window (maker, &result, NOW_MS, &prepare, &commands), 0);
    assert_int_equal (prepare.count, 0);
    char expected[1024];
    snprintf (
        expected, sizeof expected,
        "DEL p-hot:items:te%%3Anant:s%%7B1%%7D%%20%%25\n"
        "ZADD p-hot:items:te%%3Anant:s%%7B1%%7D%%20%%25 100000 i00000 100000 i00001 99999 i00002\n"
        "PEXPIRE p-hot:items:te%%3Anant:s%%7B1%%7D%%20%%25 7200000\n"
        "DEL p-hot:items:te%%3Anant:s%%7B1%%7D%%20%%25:meta\n"
        "HSET p-hot:items:te%%3Anant:s%%7B1%%7D%%20%%25:meta lineage 0000000000000abc "
        "window_start 60000 window_end 120000 era 1700 revision 3 shards 2 complete 1 exact 1 "
        "changed 0 "
        "items 3 computed_at %d\n"
        "PEXPIRE p-hot:items:te%%3Anant:s%%7B1%%7D%%20%%25:meta 7200000\n",
        (int)NOW_MS);
    expect_commands (&commands, expected);
    buffer_free (&even);
    buffer_free (&odd);
    result_commands_destroy (&maker);
}

static void an_empty_ranking_deletes_the_key (void **state)
{
    (void)state;
    buffer_t body = {0};
    commands_t prepare = {0}, commands = {0};
    result_commands_t *maker = result_commands_new (NULL, true);
    write_items (&body, 3, 0, 1, 0);
    span_t contents[] = {span_of_buffer (&body)};
    gather_result_t result = result_of (RESULT_RANKING, contents, 1);
    result.complete = result.exact = false;
    result.since_ms = 59999; /* it came before the window */
    assert_int_equal (result_commands_window (maker, &result, 5, &prepare, &commands), 0);
    expect_commands (&commands,
                     "DEL hot:items:{te%3Anant:s%7B1%7D%20%25}\n"
                     "DEL hot:items:{te%3Anant:s%7B1%7D%20%25}:meta\n"
                     "HSET hot:items:{te%3Anant:s%7B1%7D%20%25}:meta lineage 0000000000000abc "
                     "window_start 60000 window_end 120000 era 1700 revision 3 shards 1 complete 0 "
                     "exact 0 changed 0 revision_since 59999 items 0 computed_at 5\n"
                     "PEXPIRE hot:items:{te%3Anant:s%7B1%7D%20%25}:meta 7200000\n");
    buffer_free (&body);
    result_commands_destroy (&maker);
}

static void a_large_ranking_is_built_aside_and_renamed (void **state)
{
    (void)state;
    buffer_t body = {0};
    commands_t prepare = {0}, commands = {0};
    result_commands_t *maker = result_commands_new ("", true);
    write_items (&body, 5000, 0, 1, 2500);
    span_t contents[] = {span_of_buffer (&body)};
    gather_result_t result = result_of (RESULT_RANKING, contents, 1);
    result.tenant = span_of ("t");
    result.scenario = span_of ("s");
    assert_int_equal (result_commands_window (maker, &result, 5, &prepare, &commands), 0);
    assert_int_equal (prepare.count, 9); /* MULTI DEL ZADD PEXPIRE EXEC, and two ZADD PEXPIRE */
    char *text = render (&prepare);
    assert_ptr_equal (
        strstr (text, "MULTI\nDEL hot:items:{t:s}:tmp\nZADD hot:items:{t:s}:tmp 100000 i00000 "),
        text);
    assert_non_null (strstr (text, " i00999\nPEXPIRE hot:items:{t:s}:tmp 3600000\nEXEC\n"
                                   "ZADD hot:items:{t:s}:tmp 99500 i01000 "));
    assert_non_null (strstr (text, " i02499\nPEXPIRE hot:items:{t:s}:tmp 3600000\n"));
    free (text);
    text = render (&commands);
    assert_ptr_equal (strstr (text, "RENAME hot:items:{t:s}:tmp hot:items:{t:s}\n"
                                    "PEXPIRE hot:items:{t:s} 7200000\n"
                                    "DEL hot:items:{t:s}:meta\n"),
                      text);
    assert_non_null (strstr (text, " items 2500 "));
    free (text);
    commands_free (&prepare);
    commands_free (&commands);
    buffer_free (&body);
    result_commands_destroy (&maker);
}

static void item_stats_follow_the_ranking (void **state)
{
    (void)state;
    buffer_t body = {0};
    commands_t prepare = {0}, commands = {0};
    result_commands_t *maker = result_commands_new ("", false);
    result_action_t actions[] = {{span_of ("click"), 2}, {span_of ("view"), 5}};
    result_ranking_t head = {.top_k = 10, .item_stats = true, .item_count = 2};
    result_item_t watched = {span_of ("a b"), 0.1, actions, 2, 3, 4500, 2};
    result_item_t plain = {span_of ("c"), 0.05, actions, 1, 1, 0, 0};
    results_write_ranking (&body, &head);
    results_write_item (&body, &watched, true);
    results_write_item (&body, &plain, true);
    span_t contents[] = {span_of_buffer (&body)};
    gather_result_t result = result_of (RESULT_RANKING, contents, 1);
    result.tenant = span_of ("t");
    result.scenario = span_of ("s");
    assert_int_equal (result_commands_window (maker, &result, 5, &prepare, &commands), 0);
    char *text = render (&commands);
    assert_non_null (
        strstr (text, "ZADD hot:items:t:s 0.10000000000000001 a b 0.050000000000000003 c\n"));
    assert_non_null (strstr (text, "DEL item:stats:t:s:a%20b\n"
                                   "HSET item:stats:t:s:a%20b click_count 2 view_count 5 "
                                   "unique_users 3 avg_duration 2.25\n"
                                   "PEXPIRE item:stats:t:s:a%20b 7200000\n"
                                   "DEL item:stats:t:s:c\n"
                                   "HSET item:stats:t:s:c click_count 2 unique_users 1\n"
                                   "PEXPIRE item:stats:t:s:c 7200000\n"));
    free (text);
    commands_free (&commands);
    buffer_free (&body);
    result_commands_destroy (&maker);
}

static void write_metrics (buffer_t *body, const char *json, uint64_t views, uint64_t clicks)
{
    result_action_t actions[] = {{span_of ("click"), clicks}, {span_of ("impression"), views}};
    result_metrics_t metrics = {.metrics_json = span_of (json),
                                .total_actions = views + clicks,
                                .actions = actions,
                                .action_count = 2};
    results_write_metrics (body, &metrics);
}

static void metrics_are_summed_and_kept_in_the_history (void **state)
{
    (void)state;
    static const char json[] = "{\"metrics\":{\"metrics_to_calculate\":[\"ctr\"]}}";
    buffer_t first = {0}, second = {0};
    commands_t prepare = {0}, commands = {0};
    result_commands_t *maker = result_commands_new ("", false);
    write_metrics (&first, json, 5, 1);
    write_metrics (&second, json, 3, 1);
    span_t contents[] = {span_of_buffer (&first), span_of_buffer (&second)};
    gather_result_t result = result_of (RESULT_METRICS, contents, 2);
    result.tenant = span_of ("t");
    result.scenario = span_of ("s");
    result.metrics_json = span_of (json);
    result.since_ms = 60000; /* the revision came within the window */
    assert_int_equal (result_commands_window (maker, &result, 5, &prepare, &commands), 0);
    static const char history[] =
        "ZREMRANGEBYSCORE rec:metrics:t:s:history 120000 120000\n"
        "ZADD rec:metrics:t:s:history 120000 {\"total_actions\":10,\"ctr\":0.25,"
        "\"lineage\":\"0000000000000abc\",\"window_start\":60000,\"window_end\":120000,"
        "\"era\":1700,\"revision\":3,\"shards\":2,\"complete\":1,\"changed\":1,"
        "\"revision_since\":60000}\n"
        "ZREMRANGEBYRANK rec:metrics:t:s:history 0 -49\n"
        "PEXPIRE rec:metrics:t:s:history 7200000\n";
    char expected[2048];
    snprintf (
        expected, sizeof expected, "%s%s",
        "DEL rec:metrics:t:s\n"
        "HSET rec:metrics:t:s total_actions 10 ctr 0.25 lineage 0000000000000abc window_start "
        "60000 window_end 120000 era 1700 revision 3 shards 2 complete 1 changed 1 "
        "revision_since 60000\n"
        "PEXPIRE rec:metrics:t:s 7200000\n",
        history);
    expect_commands (&commands, expected);

    /* Redis lost it: written again from the member alone. */
    const history_member_t members[] = {{60000, span_of ("{\"window_end\":60000}")},
                                        {120000, result_commands_member (maker)}};
    char *kept = memory_copy_string (members[1].json.bytes, members[1].json.size);
    gather_result_t again = {.kind = RESULT_METRICS,
                             .tenant = result.tenant,
                             .scenario = result.scenario,
                             .ttl_ms = 7200000,
                             .newest = true,
                             .history_windows = 48,
                             .member_count = 1,
                             .members = (const history_member_t[]){{120000, span_of (kept)}}};
    assert_int_equal (result_commands_window (maker, &again, 5, &prepare, &commands), 0);
    expect_commands (&commands, expected);
    again.newest = false;
    again.member_count = 2;
    again.members = (const history_member_t[]){members[0], {120000, span_of (kept)}};
    assert_int_equal (result_commands_window (maker, &again, 5, &prepare, &commands), 0);
    snprintf (expected, sizeof expected,
              "ZREMRANGEBYSCORE rec:metrics:t:s:history 60000 60000\n"
              "ZADD rec:metrics:t:s:history 60000 {\"window_end\":60000}\n%s",
              history);
    expect_commands (&commands, expected);
    free (kept);

    result.newest = false;
    assert_int_equal (result_commands_window (maker, &result, 5, &prepare, &commands), 0);
    expect_commands (&commands, history);

    result.metrics_json = span_of ("{");
    assert_int_equal (result_commands_window (maker, &result, 5, &prepare, &commands), -1);
    assert_int_equal (commands.count, 0);
    buffer_free (&first);
    buffer_free (&second);
    result_commands_destroy (&maker);
}

static void a_profile_is_one_set (void **state)
{
    (void)state;
    result_header_t header = {
        .tenant = span_of ("t"), .scenario = span_of ("s"), .ttl_ms = 3600000};
    result_profile_t profile = {span_of ("u:1"), span_of ("{\"a\":1}")};
    static const char *const expected[] = {"SET user:profile:t:u%3A1:s {\"a\":1} PX 3600000\n",
                                           "SET user:profile:{t:u%3A1:s} {\"a\":1} PX 3600000\n"};
    for (int cluster = 0; cluster < 2; cluster++) {
        commands_t commands = {0};
        result_commands_t *maker = result_commands_new ("", cluster);
        result_commands_profile (maker, &header, &profile, &commands);
        expect_commands (&commands, expected[cluster]);
        result_commands_destroy (&maker);
    }
}

static void ids_never_share_a_key (void **state)
{
    (void)state;
    static const struct {
        const char *name, *id, *encoded;
    } cases[] = {
        {"plain", "Az09-_.", "Az09-_."},       {"what separates", "a:b", "a%3Ab"},
        {"what encodes", "a%3Ab", "a%253Ab"},  {"braces", "{a}", "%7Ba%7D"},
        {"white space", " \t\n", "%20%09%0A"}, {"control bytes", "\x01\x1f\x7f", "%01%1F%7F"},
        {"beyond ASCII", "é😀", "é😀"},
    };
    const key_style_t style = {.prefix = "", .cluster = false};
    buffer_t key = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[128];
        print_message ("  %s\n", cases[i].name);
        snprintf (expected, sizeof expected, "item:stats:t:s:%s", cases[i].encoded);
        span_t made = result_keys_make (&key, &style, KEY_ITEM_STATS, span_of ("t"), span_of ("s"),
                                        span_of (cases[i].id));
        assert_true (span_equal (made, span_of (expected)));
    }
    buffer_free (&key);
}

typedef struct {
    const char *name;
    const char *values[5];
    size_t count;
    bool known;
} lookup_case_t;

static void the_order_is_read_back (void **state)
{
    (void)state;
    static const lookup_case_t cases[] = {
        {"whole", {"0000000000000abc", "1700", "3", "120000", "16"}, 5, true},
        {"absent", {NULL, NULL, NULL, NULL, NULL}, 5, false},
        {"one field absent", {"0000000000000abc", "1700", NULL, "120000", "16"}, 5, false},
        {"not a number", {"0000000000000abc", "1700", "3x", "120000", "16"}, 5, false},
        {"negative", {"0000000000000abc", "1700", "3", "-1", "16"}, 5, false},
        {"another type answered nothing", {NULL}, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        span_t values[5];
        print_message ("  %s\n", cases[i].name);
        for (size_t j = 0; j < 5; j++)
            values[j] = span_of (cases[i].values[j]);
        result_order_t order = result_lookup_order (values, cases[i].count);
        assert_int_equal (order.known, cases[i].known);
        if (order.known) {
            assert_int_equal (order.lineage, 0xabc);
            assert_int_equal (order.revision.era, 1700);
            assert_int_equal (order.revision.number, 3);
            assert_int_equal (order.window_end_ms, 120000);
            assert_int_equal (order.shards, 16);
        }
    }
    bool empty;
    result_order_t order = result_lookup_member (
        span_of ("{\"total_actions\":0,\"lineage\":\"0000000000000abc\",\"window_end\":120000,"
                 "\"era\":1700,\"revision\":3,\"shards\":2}"),
        &empty);
    assert_true (order.known && empty && order.shards == 2 && order.lineage == 0xabc);
    assert_false (result_lookup_member (span_of ("{\"total_actions\":0}"), &empty).known);
    assert_false (result_lookup_member (span_of ("nonsense"), &empty).known);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_ranking_is_merged_and_replaced),
        cmocka_unit_test (an_empty_ranking_deletes_the_key),
        cmocka_unit_test (a_large_ranking_is_built_aside_and_renamed),
        cmocka_unit_test (item_stats_follow_the_ranking),
        cmocka_unit_test (metrics_are_summed_and_kept_in_the_history),
        cmocka_unit_test (a_profile_is_one_set),
        cmocka_unit_test (ids_never_share_a_key),
        cmocka_unit_test (the_order_is_read_back),
    };
    return cmocka_run_group_tests_name ("result_commands", tests, NULL, NULL);
}
