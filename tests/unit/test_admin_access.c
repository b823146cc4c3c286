/*  admin_tokens, admin_route, admin_query, percent, scenario_scope: who asks for what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "common/percent.h"
#include "common/scenario_scope.h"
#include "configd/admin_query.h"
#include "configd/admin_route.h"
#include "configd/admin_tokens.h"

#define SECRET "plain:a-token-of-twenty-bytes"
#define HASHED                                                                                     \
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" /* of "test" */

static void test_token_files (void **state)
{
    (void)state;
    static const struct {
        const char *text, *wrong; /* wrong NULL: good */
    } cases[] = {
        {"", NULL},
        {"# a comment\n\n  \t\r\n", NULL},
        {"a read * " SECRET "\n", NULL},
        {"a\tadmin\tacme,b%2Cc\t" HASHED, NULL},
        {"a read *", "line 1: a line has four fields: NAME ROLE TENANTS TOKEN"},
        {"a read * " SECRET " more", "line 1: a line has four fields: NAME ROLE TENANTS TOKEN"},
        {"#\na/b read * " SECRET,
         "line 2: a name has 1 to 64 letters, digits, dots, dashes, underscores or @"},
        {"a owner * " SECRET, "line 1: the role is read, write or admin"},
        {"a none * " SECRET, "line 1: the role is read, write or admin"},
        {"a read a,,b " SECRET,
         "line 1: a tenant has 1 to 256 bytes (other than letters perhaps as %XX)"},
        {"a read a%4 " SECRET,
         "line 1: a tenant has 1 to 256 bytes (other than letters perhaps as %XX)"},
        {"a read * secret", "line 1: the token is sha256:HASH or plain:TOKEN"},
        {"a read * plain:nineteen-bytes-long", "line 1: a plain token has 20 to 512 bytes"},
        {"a read * sha256:9f86", "line 1: after sha256: come 64 hexadecimal digits"},
        {"a read * " SECRET "\nb read * " SECRET,
         "line 2: the same token was given on another line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        admin_tokens_t *tokens =
            admin_tokens_parse (span_of (cases[i].text), error, sizeof error);
        assert_int_equal (tokens != NULL, cases[i].wrong == NULL);
        if (cases[i].wrong)
            assert_string_equal (error, cases[i].wrong);
        admin_tokens_destroy (&tokens);
    }
}

static void test_tokens_are_found (void **state)
{
    (void)state;
    static const char text[] = "first read * " SECRET "\n"
                               "second write acme,b%2Cc " HASHED "\n"
                               "third admin acme plain:a-token-of-twenty-byteS\n";
    static const struct {
        const char *token, *name; /* NULL: nobody's */
        admin_role_t role;
    } cases[] = {
        {"a-token-of-twenty-bytes", "first", ADMIN_ROLE_READ},
        {"test", "second", ADMIN_ROLE_WRITE},
        {"a-token-of-twenty-byteS", "third", ADMIN_ROLE_ADMIN},
        {"a-token-of-twenty-byte", NULL, 0}, /* a prefix */
        {"a-token-of-twenty-bytes ", NULL, 0},
        {"A-token-of-twenty-bytes", NULL, 0},
        {"", NULL, 0},
        {"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", NULL, 0},
    };
    char error[256];
    admin_tokens_t *tokens = admin_tokens_parse (span_of (text), error, sizeof error);
    assert_int_equal (admin_tokens_count (tokens), 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const admin_caller_t *caller = admin_tokens_find (tokens, span_of (cases[i].token));
        assert_int_equal (caller != NULL, cases[i].name != NULL);
        if (caller) {
            assert_string_equal (caller->name, cases[i].name);
            assert_int_equal (caller->role, cases[i].role);
        }
    }
    const admin_caller_t *second = admin_tokens_find (tokens, span_of ("test"));
    assert_true (admin_caller_sees (second, span_of ("b,c")));
    assert_false (admin_caller_sees (second, span_of ("b")));
    assert_true (admin_caller_sees (
        admin_tokens_find (tokens, span_of ("a-token-of-twenty-bytes")), span_of ("any")));
    admin_tokens_destroy (&tokens);
}

static void test_bearer (void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"Bearer abc", "abc"}, {"bearer   abc", "abc"}, {"BEARER a b", "a b"}, {"Bearer ", NULL},
        {"Bearer", NULL},      {"Basic abc", NULL},     {"", NULL},            {"Bearerabc", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        span_t token = admin_bearer (span_of (cases[i][0]));
        assert_int_equal (token.bytes != NULL, cases[i][1] != NULL);
        assert_true (!cases[i][1] || span_equal (token, span_of (cases[i][1])));
    }
}

#define S "/api/v1/scenarios"

static void test_routes (void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        route_outcome_t outcome;
        admin_operation_t operation;
        const char *scenario;
        uint64_t number;
    } cases[] = {
        {"GET", S, ROUTE_FOUND, ADMIN_LIST, "", 0},
        {"HEAD", S, ROUTE_FOUND, ADMIN_LIST, "", 0},
        {"POST", S, ROUTE_FOUND, ADMIN_CREATE, "", 0},
        {"GET", S "/shop", ROUTE_FOUND, ADMIN_READ, "shop", 0},
        {"PUT", S "/a%2Fb%20c", ROUTE_FOUND, ADMIN_REPLACE, "a/b c", 0},
        {"POST", S "/validate", ROUTE_FOUND, ADMIN_PATCH, "validate", 0},
        {"POST", S "/x/validate", ROUTE_FOUND, ADMIN_VALIDATE, "x", 0},
        {"GET", S "/x/revisions/12", ROUTE_FOUND, ADMIN_REVISION, "x", 12},
        {"GET", S "/x/revisions", ROUTE_FOUND, ADMIN_REVISIONS, "x", 0},
        {"GET", S "/x/applied", ROUTE_FOUND, ADMIN_APPLIED, "x", 0},
        {"GET", "/openapi.json", ROUTE_FOUND, ADMIN_OPENAPI, "", 0},
        {"GET", S "/", ROUTE_MALFORMED, ADMIN_READ, "", 0},
        {"GET", S "/%00", ROUTE_MALFORMED, ADMIN_READ, "", 0},
        {"GET", S "/%zz", ROUTE_MALFORMED, ADMIN_READ, "", 0},
        {"GET", S "/x/revisions/-1", ROUTE_MALFORMED, ADMIN_REVISION, "x", 0},
        {"GET", S "/x/revisions/9999999999999999", ROUTE_MALFORMED, ADMIN_REVISION, "x", 0},
        {"PATCH", S "/x", ROUTE_METHOD, ADMIN_OPERATIONS, "", 0},
        {"DELETE", S, ROUTE_METHOD, ADMIN_OPERATIONS, "", 0},
        {"GET", S "/x/validate", ROUTE_METHOD, ADMIN_OPERATIONS, "", 0},
        {"GET", S "/x/nothing", ROUTE_UNKNOWN, ADMIN_OPERATIONS, "", 0},
        {"GET", S "x", ROUTE_UNKNOWN, ADMIN_OPERATIONS, "", 0},
        {"GET", "/", ROUTE_UNKNOWN, ADMIN_OPERATIONS, "", 0},
        {"GET", "", ROUTE_UNKNOWN, ADMIN_OPERATIONS, "", 0},
        {"GET", "*", ROUTE_UNKNOWN, ADMIN_OPERATIONS, "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        admin_match_t match;
        if (admin_route_find (cases[i].method, cases[i].path, &match) != cases[i].outcome)
            fail_msg ("%s %s", cases[i].method, cases[i].path);
        assert_int_equal (match.operation, cases[i].operation);
        if (cases[i].outcome != ROUTE_FOUND)
            continue;
        assert_string_equal (match.scenario, cases[i].scenario);
        assert_int_equal (match.number, cases[i].number);
    }
    admin_match_t match;
    admin_route_find ("OPTIONS", S "/x", &match);
    assert_string_equal (match.allow, "GET, HEAD, POST, PUT, DELETE");
}

static void test_parameters (void **state)
{
    (void)state;
    static const struct {
        admin_operation_t operation;
        const char *name, *value;
        bool good;
    } cases[] = {
        {ADMIN_PATCH, "dry_run", "true", true},
        {ADMIN_PATCH, "dry_run", "false", true},
        {ADMIN_PATCH, "dry_run", "yes", false},
        {ADMIN_PATCH, "dryrun", "true", false},
        {ADMIN_READ, "dry_run", "true", false},
        {ADMIN_PATCH, "wait", "applied", true},
        {ADMIN_PATCH, "wait", "", false},
        {ADMIN_PATCH, "wait", NULL, false},
        {ADMIN_PATCH, "timeout", "10s", true},
        {ADMIN_PATCH, "timeout", "500ms", true},
        {ADMIN_PATCH, "timeout", "60", true},
        {ADMIN_PATCH, "timeout", "61s", false},
        {ADMIN_PATCH, "timeout", "60001ms", false},
        {ADMIN_PATCH, "timeout", "1h", false},
        {ADMIN_PATCH, "timeout", "ms", false},
        {ADMIN_PATCH, "timeout", "99999999999999999999999s", false},
        {ADMIN_LIST, "limit", "200", true},
        {ADMIN_LIST, "limit", "201", false},
        {ADMIN_LIST, "limit", "-1", false},
        {ADMIN_LIST, "after", "a/b", true},
        {ADMIN_LIST, "after", "a%2525/b", true},
        {ADMIN_LIST, "after", "ab", false},
        {ADMIN_LIST, "status", "%ff", false},
        {ADMIN_DIFF, "from", "current", true},
        {ADMIN_DIFF, "to", "12", true},
        {ADMIN_DIFF, "to", "newest", false},
        {ADMIN_REVISIONS, "below", "12", true},
        {ADMIN_APPLIED, "revision", "x", false},
        {ADMIN_RESET, "reason", "any+thing%21", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const admin_request_t request = {.queries = {{cases[i].name, cases[i].value}},
                                         .query_count = 1};
        admin_parameters_t parameters;
        admin_errors_t errors = {0};
        admin_query_read (&request, cases[i].operation, &parameters, &errors);
        if ((errors.count == 0) != cases[i].good)
            fail_msg ("%s=%s", cases[i].name, cases[i].value ? cases[i].value : "(none)");
        admin_errors_free (&errors);
    }
    const admin_request_t twice = {.queries = {{"limit", "1"}, {"limit", "2"}}, .query_count = 2};
    admin_parameters_t parameters;
    admin_errors_t errors = {0};
    admin_query_read (&twice, ADMIN_LIST, &parameters, &errors);
    assert_int_equal (errors.count, 1);
    assert_string_equal (errors.list[0].pointer, "?limit");
    admin_errors_free (&errors);
}

static void test_percent (void **state)
{
    (void)state;
    static const struct {
        const char *from, *to; /* to NULL: not valid */
    } cases[] = {
        {"", ""},       {"abc", "abc"}, {"a%20b", "a b"}, {"%C3%A9", "\xc3\xa9"}, {"%2f", "/"},
        {"a%2", NULL},  {"%", NULL},    {"%GG", NULL},    {"%00", NULL},          {"%C3", NULL},
        {"\xff", NULL}, {"12345678901234567", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[17];
        int size = percent_decode (span_of (cases[i].from), text, sizeof text);
        assert_int_equal (size < 0, cases[i].to == NULL);
        if (!cases[i].to)
            continue;
        assert_string_equal (text, cases[i].to);
        buffer_t again = {0};
        percent_encode (span_of (text), &again);
        char back[64];
        assert_int_equal (
            percent_decode ((span_t){(const char *)again.bytes, again.size}, back, sizeof back),
            size);
        buffer_free (&again);
    }
}

static void test_scope (void **state)
{
    (void)state;
    char *const except[] = {"acme/a%2Fb", "beta/*"};
    static const struct {
        const char *tenant, *scenario; /* dedicated to; NULL: not */
        size_t except_count;
        const char *of_tenant, *of_scenario;
        bool has;
    } cases[] = {
        {NULL, NULL, 0, "t", "s", true},      {"t", NULL, 0, "t", "s", true},
        {"t", NULL, 0, "u", "s", false},      {"t", "s", 0, "t", "s", true},
        {"t", "s", 0, "t", "r", false},       {"t", "s", 0, "t", NULL, true},
        {NULL, NULL, 2, "acme", "a/b", false}, {NULL, NULL, 2, "acme", "a", true},
        {NULL, NULL, 2, "beta", "x", false},  {NULL, NULL, 2, "beta", NULL, false},
        {NULL, NULL, 2, "acme", NULL, true},
    };
    char error[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scenario_scope_t *scope = scenario_scope_new (cases[i].tenant, cases[i].scenario, except,
                                                      cases[i].except_count, error, sizeof error);
        assert_int_equal (scenario_scope_has (scope, span_of (cases[i].of_tenant),
                                              span_of (cases[i].of_scenario)),
                          cases[i].has);
        scenario_scope_destroy (&scope);
    }
    assert_true (scenario_scope_has (NULL, span_of ("t"), span_of ("s")));
    static char *const wrong[] = {"acme", "/x", "acme/", "a/b/c", "a%/b", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_null (scenario_scope_new (NULL, NULL, &wrong[i], 1, error, sizeof error));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_token_files), cmocka_unit_test (test_tokens_are_found),
        cmocka_unit_test (test_bearer),      cmocka_unit_test (test_routes),
        cmocka_unit_test (test_parameters),  cmocka_unit_test (test_percent),
        cmocka_unit_test (test_scope),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
