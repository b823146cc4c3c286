/*  profile_json: the document to the letter, strings, times and numbers; always JSON that a strict
 * reader takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <yyjson.h>
#include "common/memory.h"
#include "profiler/profile_json.h"

static void test_strings (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        span_t text;
        const char *expected;
    } cases[] = {
        {"empty", {"", 0}, "\"\""},
        {"plain", {"a b/c", 5}, "\"a b/c\""},
        {"quote and backslash", {"a\"b\\", 4}, "\"a\\\"b\\\\\""},
        {"control and DEL", {"\x01\n\x7f", 3}, "\"\\u0001\\u000a\x7f\""},
        {"NUL", {"a\0b", 3}, "\"a\\u0000b\""},
        {"two, three, four bytes",
         {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"not UTF-8",
         {"a\xff"
          "b\xc3",
          4},
         "\"a\xef\xbf\xbd"
         "b\xef\xbf\xbd\""},
        {"a surrogate", {"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t json = {0};
        profile_json_write_string (&json, cases[i].text);
        buffer_append (&json, "", 1);
        assert_string_equal ((const char *)json.bytes, cases[i].expected);
        yyjson_doc *document = yyjson_read ((const char *)json.bytes, json.size - 1, 0);
        assert_non_null (document);
        yyjson_doc_free (document);
        buffer_free (&json);
    }
}

static void test_times (void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms;
        const char *expected;
    } cases[] = {
        {0, "\"1970-01-01T00:00:00.000Z\""},
        {INT64_C (951782399999), "\"2000-02-28T23:59:59.999Z\""},
        {INT64_C (951782400000), "\"2000-02-29T00:00:00.000Z\""},
        {INT64_C (951868800001), "\"2000-03-01T00:00:00.001Z\""},
        {INT64_C (1700000123456), "\"2023-11-14T22:15:23.456Z\""},
        {INT64_C (4107542400000), "\"2100-03-01T00:00:00.000Z\""},
        {INT64_C (253402300799999), "\"9999-12-31T23:59:59.999Z\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t json = {0};
        profile_json_write_time (&json, cases[i].time_ms);
        buffer_append (&json, "", 1);
        assert_string_equal ((const char *)json.bytes, cases[i].expected);
        buffer_free (&json);
    }
    for (int64_t day = 0; day < 200000; day++) { /* each date follows the one before */
        static char last[32];
        buffer_t json = {0};
        profile_json_write_time (&json, day * 86400000);
        buffer_append (&json, "", 1);
        assert_true (strcmp (last, (const char *)json.bytes) < 0);
        memcpy (last, json.bytes, json.size);
        buffer_free (&json);
    }
}

static config_weight_t weight_list[] = {{"click", 0.1}, {"view", 1}};

typedef struct {
    action_names_t *names;
    config_weights_t config;
    profile_weights_t weights;
    profile_shared_t shared;
    profile_rules_t rules;
    profile_t profile, scratch;
} fixture_t;

static void begin (fixture_t *f)
{
    *f = (fixture_t){.names = action_names_new (), .config = {weight_list, 2, 0}};
    profile_weights_set (&f->weights, f->names, &f->config);
    f->shared.strings = profile_strings_new ();
    f->rules = (profile_rules_t){86400000, 20, &f->weights};
    profile_init (&f->profile);
    profile_init (&f->scratch);
}

static void end (fixture_t *f)
{
    profile_free (&f->profile, &f->shared);
    profile_free (&f->scratch, &f->shared);
    profile_strings_destroy (&f->shared.strings);
    profile_slab_free (&f->shared.slab);
    profile_weights_free (&f->weights);
    action_names_destroy (&f->names);
}

static void apply (fixture_t *f, int64_t time_ms, uint16_t action, const char *item,
                   const char *category, const char *tag)
{
    span_t tags[1] = {span_of (tag)};
    stage_event_t event = {.time_ms = time_ms,
                           .complete_ms = EVENT_TIME_NONE,
                           .action = action,
                           .item = span_of (item),
                           .category = span_of (category),
                           .tags = tags,
                           .tag_count = tag ? 1 : 0};
    assert_true (profile_apply (&f->profile, &f->shared, &f->rules, &event));
}

static void check (fixture_t *f, uint32_t limit, const char *expected)
{
    buffer_t json = {0};
    profile_json_write (&json, &(profile_json_t){.tenant = span_of ("t:1"),
                                                 .scenario = span_of ("s\""),
                                                 .user = span_of ("u"),
                                                 .profile = profile_read (&f->profile, &f->shared, &f->rules, &f->scratch),
                                                 .shared = &f->shared,
                                                 .weights = &f->weights,
                                                 .top_categories = limit,
                                                 .top_tags = limit,
                                                 .recent_items = limit});
    yyjson_doc *document = yyjson_read ((const char *)json.bytes, json.size, 0);
    assert_non_null (document);
    yyjson_doc_free (document);
    buffer_append (&json, "", 1);
    assert_string_equal ((const char *)json.bytes, expected);
    buffer_free (&json);
}

static void test_document (void **state)
{
    (void)state;
    fixture_t f;
    begin (&f);
    uint16_t own = action_names_intern (f.names, span_of ("a \"wave\""));
    apply (&f, INT64_C (1700000000000), ACTION_IMPRESSION, "i1", "none", NULL);
    check (&f, 5,
           "{\"tenant_id\":\"t:1\",\"user_id\":\"u\",\"scenario_id\":\"s\\\"\",\"stats\":{"
           "\"impression_count\":1,\"engagement_rate\":0.0},\"preferences\":{\"categories\":[],"
           "\"tags\":[]},\"active_hours\":{\"22\":1},\"recent_items\":[],"
           "\"first_seen\":\"2023-11-14T22:13:20.000Z\","
           "\"updated_at\":\"2023-11-14T22:13:20.000Z\"}");
    apply (&f, INT64_C (1700000000000), ACTION_VIEW, "i2", "b", "x");
    apply (&f, INT64_C (1700000000000), ACTION_VIEW, "i2", "a", NULL);
    apply (&f, INT64_C (1700000000000), ACTION_CLICK, "i1", "c", "x");
    apply (&f, INT64_C (1699975000123), own, "i3", NULL, NULL);
    check (&f, 5,
           "{\"tenant_id\":\"t:1\",\"user_id\":\"u\",\"scenario_id\":\"s\\\"\",\"stats\":{"
           "\"a \\\"wave\\\"_count\":1,\"click_count\":1,\"impression_count\":1,\"view_count\":2,"
           "\"engagement_rate\":0.5},\"preferences\":{\"categories\":[{\"name\":\"a\","
           "\"score\":1.0},{\"name\":\"b\",\"score\":1.0},{\"name\":\"c\",\"score\":0.1}],"
           "\"tags\":[{\"name\":\"x\",\"score\":1.1}]},\"active_hours\":{\"15\":1,\"22\":4},"
           "\"recent_items\":[\"i3\",\"i1\",\"i2\"],\"first_seen\":\"2023-11-14T15:16:40.123Z\","
           "\"updated_at\":\"2023-11-14T22:13:20.000Z\"}");
    check (&f, 1,
           "{\"tenant_id\":\"t:1\",\"user_id\":\"u\",\"scenario_id\":\"s\\\"\",\"stats\":{"
           "\"a \\\"wave\\\"_count\":1,\"click_count\":1,\"impression_count\":1,\"view_count\":2,"
           "\"engagement_rate\":0.5},\"preferences\":{\"categories\":[{\"name\":\"a\","
           "\"score\":1.0}],\"tags\":[{\"name\":\"x\",\"score\":1.1}]},"
           "\"active_hours\":{\"15\":1,\"22\":4},\"recent_items\":[\"i2\"],"
           "\"first_seen\":\"2023-11-14T15:16:40.123Z\","
           "\"updated_at\":\"2023-11-14T22:13:20.000Z\"}");
    end (&f);
}

/*  Scores of any size come out as the double that went in. */
static void test_scores_round_trip (void **state)
{
    (void)state;
    static const double weights[] = {1e6, 1e-300, 0.1, 1.0 / 3, 123456789.123456789, 5e-324};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        fixture_t f;
        begin (&f);
        config_weight_t list[] = {{"view", weights[i]}};
        f.config = (config_weights_t){list, 1, 0};
        profile_weights_set (&f.weights, f.names, &f.config);
        apply (&f, 1000, ACTION_VIEW, "i", "c", NULL);
        buffer_t json = {0};
        profile_json_write (&json, &(profile_json_t){.tenant = span_of ("t"),
                                                     .scenario = span_of ("s"),
                                                     .user = span_of ("u"),
                                                     .profile = profile_read (&f.profile, &f.shared, &f.rules, &f.scratch),
                                                     .shared = &f.shared,
                                                     .weights = &f.weights,
                                                     .top_categories = 1});
        yyjson_doc *document = yyjson_read ((const char *)json.bytes, json.size, 0);
        yyjson_val *score = yyjson_doc_ptr_get (document, "/preferences/categories/0/score");
        assert_true (yyjson_get_real (score) == weights[i]);
        yyjson_doc_free (document);
        buffer_free (&json);
        end (&f);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_strings),
        cmocka_unit_test (test_times),
        cmocka_unit_test (test_document),
        cmocka_unit_test (test_scores_round_trip),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
