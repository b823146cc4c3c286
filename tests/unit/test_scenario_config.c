/*  scenario_config: ranges, paths of errors, defaults, and that writing and parsing agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "common/scenario_config.h"

#define P "config.realtime_compute"

typedef struct {
    const char *name;
    const char *json;   /* with ' for " */
    const char *path;   /* below the prefix, of the first error; NULL: valid */
    const char *reason; /* a part of it; NULL: any */
} case_t;

#define HOT(body)     "{'hot_score':{" body "}}"
#define PROFILE(body) "{'user_profile':{" body "}}"
#define METRICS(body) "{'metrics':{" body "}}"

/* clang-format off: a table */
static const case_t cases[] = {
    {"null is all defaults", "null", NULL, NULL},
    {"empty object", "{}", NULL, NULL},
    {"null block", "{'hot_score':null}", NULL, NULL},
    {"null parameter", HOT ("'top_k':null"), NULL, NULL},
    {"not JSON", "{", "", "is not JSON"},
    {"nothing", "", "", "is not JSON"},
    {"NaN", HOT ("'top_k':NaN"), "", "is not JSON"},
    {"a number beyond a double", HOT ("'default_weight':1e999"), "", "is not JSON"},
    {"a list", "[]", "", "must be an object, not a list"},
    {"block of a wrong type", "{'metrics':5}", ".metrics", "must be an object, not a number"},
    {"unknown block", "{'hotscore':{}}", ".hotscore", "unknown key; known: hot_score"},
    {"block twice", "{'metrics':{},'metrics':{}}", ".metrics", "given twice"},
    {"unknown key", HOT ("'topk':5"), ".hot_score.topk", "unknown key; known: enabled, action_w"},
    {"unknown key that is null", HOT ("'topk':null"), ".hot_score.topk", "unknown key"},
    {"stem of a period alone", HOT ("'window_size':60"), ".hot_score.window_size", "unknown key"},
    {"key twice", HOT ("'top_k':5,'top_k':6"), ".hot_score.top_k", "given already"},
    {"enabled", HOT ("'enabled':false"), NULL, NULL},
    {"enabled as a number", HOT ("'enabled':1"), ".hot_score.enabled", "true or false"},

    {"top_k 1", HOT ("'top_k':1"), NULL, NULL},
    {"top_k 0", HOT ("'top_k':0"), ".hot_score.top_k", "from 1 to 100000, not 0"},
    {"top_k 100000", HOT ("'top_k':100000"), NULL, NULL},
    {"top_k 100001", HOT ("'top_k':100001"), ".hot_score.top_k", NULL},
    {"top_k a whole double", HOT ("'top_k':50.0"), NULL, NULL},
    {"top_k a fraction", HOT ("'top_k':50.5"), ".hot_score.top_k", "whole number"},
    {"top_k a string", HOT ("'top_k':'5'"), ".hot_score.top_k", "not a string"},
    {"lambda 0", HOT ("'decay_lambda':0"), NULL, NULL},
    {"lambda below 0", HOT ("'decay_lambda':-0.001"), ".hot_score.decay_lambda", NULL},
    {"lambda 100 a day", HOT ("'decay_lambda':100,'decay_unit':'day'"), NULL, NULL},
    {"lambda above 100", HOT ("'decay_lambda':100.1,'decay_unit':'day'"), ".hot_score.decay_lambda",
     "from 0 to 100"},
    {"lambda too fast for the window", HOT ("'decay_lambda':10,'decay_unit':'second'"),
     ".hot_score.decay_lambda", "decays too fast"},
    {"lambda too fast for 1 ms",
     HOT ("'decay_lambda':100,'decay_unit':'second','window_size_seconds':1,"
          "'window_slide_seconds':1"),
     ".hot_score.decay_lambda", "decays too fast"},
    {"unknown unit", HOT ("'decay_unit':'week'"), ".hot_score.decay_unit", "\"second\""},
    {"unit of a wrong type", HOT ("'decay_unit':3600"), ".hot_score.decay_unit", NULL},
    {"ttl 60", HOT ("'ttl_seconds':60"), NULL, NULL},
    {"ttl 59", HOT ("'ttl_seconds':59"), ".hot_score.ttl_seconds", "from 60 to 2592000"},
    {"ttl 2592000", HOT ("'ttl_seconds':2592000"), NULL, NULL},
    {"ttl 2592001", HOT ("'ttl_seconds':2592001"), ".hot_score.ttl_seconds", NULL},

    {"window of 1 s", HOT ("'window_size_seconds':1,'window_slide_seconds':1"), NULL, NULL},
    {"window below 1 s", HOT ("'window_size_seconds':0.9"), ".hot_score.window_size_seconds",
     "from 1 to 604800, not 0.9"},
    {"window of 7 days", HOT ("'window_size_minutes':10080,'decay_lambda':0.001"), NULL, NULL},
    {"window above 7 days", HOT ("'window_size_minutes':10081"), ".hot_score.window_size_minutes",
     "from 0.01666666667 to 10080, not 10081"},
    {"window of no whole second", HOT ("'window_size_seconds':90.5"),
     ".hot_score.window_size_seconds", "whole number of seconds"},
    {"window of a fraction of a minute",
     HOT ("'window_size_minutes':0.1,"
          "'window_slide_minutes':0.05"),
     NULL, NULL},
    {"minutes and seconds", HOT ("'window_size_minutes':60,'window_size_seconds':3600"),
     ".hot_score.window_size_seconds", "window_size_minutes was given already"},
    {"minutes and null seconds", HOT ("'window_size_minutes':60,'window_size_seconds':null"), NULL,
     NULL},
    {"slide longer than the default size", HOT ("'window_slide_minutes':61"),
     ".hot_score.window_slide_minutes", "longer than the window"},
    {"size shorter than the default slide", HOT ("'window_size_minutes':5"),
     ".hot_score.window_slide_minutes", "longer than the window"},
    {"size no multiple of slide", HOT ("'window_slide_seconds':700"),
     ".hot_score.window_slide_seconds", "a multiple of the slide"},
    {"1440 slides", HOT ("'window_size_seconds':1440,'window_slide_seconds':1"), NULL, NULL},
    {"1441 slides", HOT ("'window_size_seconds':1441,'window_slide_seconds':1"),
     ".hot_score.window_slide_seconds", "has 1441 slides; at most 1440"},

    {"weights empty", HOT ("'action_weights':{}"), NULL, NULL},
    {"weight 1e6", HOT ("'action_weights':{'view':1e6}"), NULL, NULL},
    {"weight above", HOT ("'action_weights':{'view':1000001}"), ".hot_score.action_weights.view",
     "from -1e+06 to 1e+06"},
    {"weight -1e6", HOT ("'action_weights':{'view':-1e6}"), NULL, NULL},
    {"weight below", HOT ("'action_weights':{'view':-1000001}"), ".hot_score.action_weights.view",
     NULL},
    {"weight null", HOT ("'action_weights':{'view':null}"), ".hot_score.action_weights.view",
     "not null"},
    {"weight a string", HOT ("'action_weights':{'view':'1'}"), ".hot_score.action_weights.view",
     "not a string"},
    {"weights a list", HOT ("'action_weights':[1]"), ".hot_score.action_weights", "not a list"},
    {"two names that fold to one", HOT ("'action_weights':{'Like':1,' like ':2}"),
     ".hot_score.action_weights. like ", "a second time"},
    {"empty name", HOT ("'action_weights':{' ':1}"), ".hot_score.action_weights. ",
     "1 to 64 bytes"},
    {"name with a NUL", HOT ("'action_weights':{'a\\u0000b':1}"), ".hot_score.action_weights.a",
     "no NUL"},
    {"weight of other", HOT ("'action_weights':{'Other':1}"), ".hot_score.action_weights.Other",
     "default_weight"},
    {"default weight above", HOT ("'default_weight':1000001"), ".hot_score.default_weight", NULL},

    {"update 1 s", PROFILE ("'update_frequency_seconds':1"), NULL, NULL},
    {"update below 1 s", PROFILE ("'update_frequency_seconds':0.999"),
     ".user_profile.update_frequency_seconds", "from 1 to 86400"},
    {"update of whole ms", PROFILE ("'update_frequency_seconds':1.001"), NULL, NULL},
    {"update of no whole ms", PROFILE ("'update_frequency_seconds':1.0005"),
     ".user_profile.update_frequency_seconds", "whole number of milliseconds"},
    {"update 1 day", PROFILE ("'update_frequency_minutes':1440"), NULL, NULL},
    {"update above 1 day", PROFILE ("'update_frequency_minutes':1440.1"),
     ".user_profile.update_frequency_minutes", NULL},
    {"decay 0.01 days", PROFILE ("'interest_decay_days':0.01"), NULL, NULL},
    {"decay below", PROFILE ("'interest_decay_days':0.0099"), ".user_profile.interest_decay_days",
     "from 0.01 to 3650"},
    {"decay 3650 days", PROFILE ("'interest_decay_days':3650"), NULL, NULL},
    {"decay above", PROFILE ("'interest_decay_days':3650.1"), ".user_profile.interest_decay_days",
     NULL},
    {"no categories, tags, items", PROFILE ("'top_categories':0,'top_tags':0,'recent_items':0"),
     NULL, NULL},
    {"most categories, tags, items",
     PROFILE ("'top_categories':64,'top_tags':256,'recent_items':1000"), NULL, NULL},
    {"categories above", PROFILE ("'top_categories':65"), ".user_profile.top_categories", NULL},
    {"tags above", PROFILE ("'top_tags':257"), ".user_profile.top_tags", NULL},
    {"recent items above", PROFILE ("'recent_items':1001"), ".user_profile.recent_items", NULL},
    {"items below", PROFILE ("'recent_items':-1"), ".user_profile.recent_items", NULL},
    {"action_weights of a profile", PROFILE ("'action_weights':{}"), ".user_profile.action_weights",
     "behavior_weights"},
    {"weight of behavior_weights", PROFILE ("'behavior_weights':{'x':true}"),
     ".user_profile.behavior_weights.x", NULL},

    {"history 1", METRICS ("'history_windows':1"), NULL, NULL},
    {"history 0", METRICS ("'history_windows':0"), ".metrics.history_windows", NULL},
    {"history 10000", METRICS ("'history_windows':10000"), NULL, NULL},
    {"history 10001", METRICS ("'history_windows':10001"), ".metrics.history_windows", NULL},
    {"slide of metrics", METRICS ("'window_slide_minutes':7"), ".metrics.window_slide_minutes",
     "a multiple"},
    {"all metrics",
     METRICS ("'metrics_to_calculate':['ctr','cvr','watch_time','completion_rate',"
              "'engagement_rate','active_users','exposed_items','action_counts']"),
     NULL, NULL},
    {"no metric", METRICS ("'metrics_to_calculate':[]"), NULL, NULL},
    {"unknown metric", METRICS ("'metrics_to_calculate':['ctr','crt']"),
     ".metrics.metrics_to_calculate[1]", "unknown metric; known: ctr"},
    {"metric of a wrong type", METRICS ("'metrics_to_calculate':[1]"),
     ".metrics.metrics_to_calculate[0]", "not a number"},
    {"metrics a string", METRICS ("'metrics_to_calculate':'ctr'"), ".metrics.metrics_to_calculate",
     "a list"},
    {"ctr_denominator of a wrong type", METRICS ("'ctr_denominator':1"), ".metrics.ctr_denominator",
     NULL},
    {"ctr_denominator empty", METRICS ("'ctr_denominator':''"), ".metrics.ctr_denominator", NULL},
    {"definition",
     METRICS ("'metrics_to_calculate':['x'],'definitions':{'x':{'numerator':['a'],"
              "'denominator':['b','c']}}"),
     NULL, NULL},
    {"definition that nothing names, wrong", METRICS ("'definitions':{'x':{'numerator':['a']}}"),
     ".metrics.definitions.x.denominator", "must be a list"},
    {"definition of no action",
     METRICS ("'definitions':{'x':{'numerator':[],'denominator':['b']}}"),
     ".metrics.definitions.x.numerator", "1 to 256"},
    {"definition with an unknown key",
     METRICS ("'definitions':{'x':{'numerator':['a'],'denominator':['b'],'of':1}}"),
     ".metrics.definitions.x.of", "unknown key"},
    {"definition with an action twice",
     METRICS ("'definitions':{'x':{'numerator':['a','A'],'denominator':['b']}}"),
     ".metrics.definitions.x.numerator[1]", "a second time"},
    {"definition named as a field",
     METRICS ("'definitions':{'era':{'numerator':['a'],'denominator':['b']}}"),
     ".metrics.definitions.era", "built-in"},
    {"definition named as a count",
     METRICS ("'definitions':{'x_count':{'numerator':['a'],'denominator':['b']}}"),
     ".metrics.definitions.x_count", "built-in"},
    {"definition with a space",
     METRICS ("'definitions':{'x y':{'numerator':['a'],'denominator':['b']}}"),
     ".metrics.definitions.x y", "no space"},
    {"definitions a list", METRICS ("'definitions':[]"), ".metrics.definitions", "an object"},
};
/* clang-format on */

static char *quoted (const char *json)
{
    char *text = strdup (json);
    assert_non_null (text);
    for (char *byte = text; *byte; byte++)
        if (*byte == '\'')
            *byte = '"';
    return text;
}

static scenario_config_t *parse (const char *json, config_errors_t *errors)
{
    char *text = quoted (json);
    scenario_config_t *config = scenario_config_parse (span_of (text), P, errors);
    free (text);
    return config;
}

static bool same_bytes (const buffer_t *a, const buffer_t *b)
{
    return a->size == b->size && memcmp (a->bytes, b->bytes, a->size) == 0;
}

static bool writes_what_it_reads (const scenario_config_t *config)
{
    buffer_t first = {0}, second = {0};
    config_errors_t errors;
    scenario_config_write (config, &first);
    span_t text = {(const char *)first.bytes, first.size};
    scenario_config_t *again = scenario_config_parse (text, P, &errors);
    bool same = again != NULL;
    if (again) {
        scenario_config_write (again, &second);
        same = same_bytes (&first, &second);
    }
    scenario_config_destroy (&again);
    buffer_free (&first);
    buffer_free (&second);
    return same;
}

static void test_cases (void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const case_t *c = &cases[i];
        config_errors_t errors;
        scenario_config_t *config = parse (c->json, &errors);
        char path[512];
        snprintf (path, sizeof path, "%s%s", P, c->path ? c->path : "");
        bool good = c->path ? !config && errors.count && strcmp (errors.list[0].path, path) == 0 &&
                                  (!c->reason || strstr (errors.list[0].reason, c->reason))
                            : config && !errors.count && writes_what_it_reads (config);
        if (!good) {
            failed++;
            print_error ("%s: %u errors; first %s: %s\n", c->name, errors.count,
                         errors.count ? errors.list[0].path : "",
                         errors.count ? errors.list[0].reason : "");
        }
        scenario_config_destroy (&config);
    }
    assert_int_equal (failed, 0);
}

static void test_defaults (void **state)
{
    (void)state;
    config_errors_t errors;
    scenario_config_t *config = parse ("{}", &errors);
    assert_non_null (config);
    buffer_t json = {0};
    scenario_config_write (config, &json);
    buffer_append (&json, "", 1);
    char *expected = quoted (
        "{'hot_score':{'enabled':true,'action_weights':{'click':2,'comment':5,'favorite':4,"
        "'impression':0.5,'like':3,'purchase':10,'share':6,'view':1},'default_weight':0,"
        "'decay_lambda':0.1,'decay_unit':'hour','window_size_minutes':60,"
        "'window_slide_minutes':15,'top_k':1000,'ttl_seconds':7200,'item_stats':false},"
        "'user_profile':{'enabled':true,'update_frequency_minutes':5,'interest_decay_days':30,"
        "'behavior_weights':{'favorite':5,'like':3,'purchase':10,'view':1},'default_weight':0,"
        "'top_categories':5,'top_tags':10,'recent_items':20,'ttl_seconds':3600},"
        "'metrics':{'enabled':true,'window_size_minutes':30,'window_slide_minutes':30,"
        "'metrics_to_calculate':['ctr','cvr','watch_time'],'ctr_denominator':'impression',"
        "'definitions':{},'history_windows':48,'ttl_seconds':86400}}");
    assert_string_equal ((const char *)json.bytes, expected);
    assert_int_equal (config->hot_score.slice_ms, 450000);
    assert_true (config->hot_score.lambda_per_ms == 0.1 / 3600000.0);
    assert_true (config->profile.decay_period_ms == 30 * 86400000.0);
    assert_int_equal (config->action_count, 8);
    free (expected);
    buffer_free (&json);
    scenario_config_destroy (&config);
}

static void test_equal_configs_equal_bytes (void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {HOT ("'window_size_minutes':90"), HOT ("'window_size_seconds':5400.0")},
        {HOT ("'action_weights':{'b':-0.0,'A':1}"), HOT ("'action_weights':{'a':1.0,'b':0}")},
        {METRICS ("'metrics_to_calculate':['cvr','ctr','cvr']"),
         METRICS ("'metrics_to_calculate':['ctr','cvr']")},
        {HOT ("'ttl_seconds':60"), HOT ("'ttl_seconds':2400")},
        {PROFILE ("'ttl_seconds':60,'update_frequency_seconds':1.5"),
         PROFILE ("'ttl_seconds':603,'update_frequency_minutes':0.025")},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        buffer_t bytes[2] = {{0}, {0}};
        for (int j = 0; j < 2; j++) {
            config_errors_t errors;
            scenario_config_t *config = parse (pairs[i][j], &errors);
            assert_non_null (config);
            scenario_config_write (config, &bytes[j]);
            scenario_config_destroy (&config);
        }
        assert_true (same_bytes (&bytes[0], &bytes[1]));
        buffer_free (&bytes[0]);
        buffer_free (&bytes[1]);
    }
}

static void test_values (void **state)
{
    (void)state;
    config_errors_t errors;
    scenario_config_t *config = parse (
        "{'hot_score':{'action_weights':{' Click ':7,'zap':-1},'default_weight':0.25,"
        "'decay_lambda':0},'metrics':{'ctr_denominator':'View','metrics_to_calculate':['m2','m1',"
        "'active_users'],'definitions':{'m1':{'numerator':['Save','ask'],'denominator':['view']},"
        "'m2':{'numerator':['note'],'denominator':['view']},'unused':{'numerator':['gone'],"
        "'denominator':['view']}}}}",
        &errors);
    assert_non_null (config);
    const config_weights_t *weights = &config->hot_score.weights;
    assert_true (config_weights_get (weights, span_of ("click")) == 7.0);
    assert_true (config_weights_get (weights, span_of ("zap")) == -1.0);
    assert_true (config_weights_get (weights, span_of ("view")) == 0.25);
    assert_int_equal (config->hot_score.slice_ms, 900000);
    assert_string_equal (config->metrics.ctr_denominator, "view");
    assert_int_equal (config->metrics.definition_count, 2);
    assert_string_equal (config->metrics.definitions[0].name, "m1");
    assert_string_equal (config->metrics.definitions[0].numerator[1], "save");
    assert_true (config->metrics.active_users && !config->metrics.ctr);
    assert_true (scenario_config_names_action (config, span_of ("save")));
    assert_true (scenario_config_names_action (config, span_of ("zap")));
    assert_int_equal (config->metrics.unused_count, 1);
    assert_true (scenario_config_names_action (config, span_of ("gone")));
    assert_false (scenario_config_names_action (config, span_of ("sav")));

    buffer_t json = {0}, again = {0};
    scenario_config_write_metrics (config, &json);
    scenario_config_t *metrics =
        scenario_config_parse_metrics ((span_t){(const char *)json.bytes, json.size});
    assert_non_null (metrics);
    scenario_config_write_metrics (metrics, &again);
    assert_true (same_bytes (&json, &again));
    assert_null (scenario_config_parse_metrics (span_of ("{")));
    buffer_free (&json);
    buffer_free (&again);
    scenario_config_destroy (&metrics);
    scenario_config_destroy (&config);
}

/*  The slice is the longest that the bound allows, and 4096 of them are allowed, not more. */
static void test_slice (void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int64_t slice_ms;
    } slices[] = {
        {HOT ("'decay_lambda':0.1,'decay_unit':'minute'"), 10000},
        {HOT ("'decay_lambda':0.01,'decay_unit':'second','window_size_seconds':4096,"
              "'window_slide_seconds':4"),
         1000},
        {HOT ("'decay_lambda':0.016,'decay_unit':'second','window_size_seconds':1024,"
              "'window_slide_seconds':1"),
         1000},
        {HOT ("'decay_lambda':0.017,'decay_unit':'second','window_size_seconds':1024,"
              "'window_slide_seconds':1"),
         500},
    };
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
        config_errors_t errors;
        scenario_config_t *config = parse (slices[i].json, &errors);
        if (!config)
            print_error ("%zu: %s\n", i, errors.list[0].reason);
        assert_non_null (config);
        assert_int_equal (config->hot_score.slice_ms, slices[i].slice_ms);
        scenario_config_destroy (&config);
    }
    static const struct {
        int seconds;
        bool allowed;
    } windows[] = {{1024, true}, {1025, false}};
    for (size_t i = 0; i < 2; i++) {
        char json[256];
        /* slices of 250 ms: 4 to a second */
        snprintf (json, sizeof json,
                  HOT ("'decay_lambda':0.06,'decay_unit':'second','window_size_seconds':%d,"
                       "'window_slide_seconds':1"),
                  windows[i].seconds);
        config_errors_t errors;
        scenario_config_t *config = parse (json, &errors);
        assert_int_equal (config != NULL, windows[i].allowed);
        if (!config)
            assert_string_equal (errors.list[0].path, P ".hot_score.decay_lambda");
        scenario_config_destroy (&config);
    }
}

static void test_all_errors_at_once (void **state)
{
    (void)state;
    config_errors_t errors;
    assert_null (parse ("{'hot_score':{'top_k':0,'x':1},'metrics':{'y':2}}", &errors));
    assert_int_equal (errors.count, 3);
    buffer_t json = {0};
    buffer_append (&json, "{\"hot_score\":{\"a0\":1", 20);
    for (int i = 1; i < 100; i++) {
        char more[32];
        buffer_append (&json, more, (size_t)snprintf (more, sizeof more, ",\"a%d\":1", i));
    }
    buffer_append (&json, "}}", 2);
    assert_null (scenario_config_parse ((span_t){(const char *)json.bytes, json.size}, P, &errors));
    assert_int_equal (errors.count, 100);
    assert_string_equal (errors.list[CONFIG_ERRORS_MAX - 1].path, P ".hot_score.a31");
    buffer_free (&json);
}

static void test_documents (void **state)
{
    (void)state;
    static const struct {
        const char *name, *json, *path, *tenant, *scenario;
        bool active;
    } documents[] = {
        {"whole",
         "{'tenant_id':' t ','scenario_id':'s','status':'active','config':"
         "{'realtime_compute':{},'other':1},'more':2}",
         NULL, "t", "s", true},
        {"minimal", "{'tenant_id':'t','scenario_id':'s'}", NULL, "t", "s", false},
        {"paused", "{'tenant_id':1,'scenario_id':-2,'status':'paused','config':null}", NULL, "1",
         "-2", false},
        {"no tenant", "{'scenario_id':'s'}", "tenant_id", NULL, "s", false},
        {"empty scenario", "{'tenant_id':'t','scenario_id':' '}", "scenario_id", "t", NULL, false},
        {"NUL", "{'tenant_id':'t\\u0000','scenario_id':'s'}", "tenant_id", NULL, "s", false},
        {"fraction as an id", "{'tenant_id':1.5,'scenario_id':'s'}", "tenant_id", NULL, "s", false},
        {"status", "{'tenant_id':'t','scenario_id':'s','status':1}", "status", "t", "s", false},
        {"config", "{'tenant_id':'t','scenario_id':'s','config':[]}", "config", "t", "s", false},
        {"deep",
         "{'tenant_id':'t','scenario_id':'s','config':{'realtime_compute':{'hot_score':"
         "{'top_k':-1}}}}",
         P ".hot_score.top_k", "t", "s", false},
        {"not JSON", "x", "document", NULL, NULL, false},
        {"a list", "[]", "document", NULL, NULL, false},
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        config_errors_t errors;
        char *json = quoted (documents[i].json), *tenant, *scenario;
        scenario_document_t *document =
            scenario_document_parse (span_of (json), &errors, &tenant, &scenario);
        print_message ("%s\n", documents[i].name);
        assert_int_equal (document == NULL, documents[i].path != NULL);
        if (documents[i].path)
            assert_string_equal (errors.list[0].path, documents[i].path);
        else
            assert_int_equal (document->active, documents[i].active);
        const char *ids[] = {document ? document->tenant : tenant,
                             document ? document->scenario : scenario};
        const char *expected[] = {documents[i].tenant, documents[i].scenario};
        for (int j = 0; j < 2; j++) {
            assert_int_equal (ids[j] == NULL, expected[j] == NULL);
            if (ids[j])
                assert_string_equal (ids[j], expected[j]);
        }
        scenario_document_destroy (&document);
        free (tenant);
        free (scenario);
        free (json);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_cases),
        cmocka_unit_test (test_defaults),
        cmocka_unit_test (test_equal_configs_equal_bytes),
        cmocka_unit_test (test_values),
        cmocka_unit_test (test_slice),
        cmocka_unit_test (test_all_errors_at_once),
        cmocka_unit_test (test_documents),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
