/*  scenario_change, scenario_diff, json_text, and what they take for granted of yyjson: patches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/json_text.h"
#include "configd/scenario_change.h"
#include "configd/scenario_diff.h"

/*  A JSON text, freed by the caller, of `text` in which quotes are written as '. */
static char *json_of (const char *text)
{
    char *json = text ? strdup (text) : NULL;
    for (char *at = json; at && *at; at++)
        *at = *at == '\'' ? '"' : *at;
    return json;
}

/*  The examples of RFC 7396, appendix A, with its own example of section 3 in between. */
static void test_merge_patch_of_the_rfc (void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"{'a':'b'}", "{'a':'c'}", "{'a':'c'}"},
        {"{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"},
        {"{'a':'b'}", "{'a':null}", "{}"},
        {"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"},
        {"{'a':['b']}", "{'a':'c'}", "{'a':'c'}"},
        {"{'a':'c'}", "{'a':['b']}", "{'a':['b']}"},
        {"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"},
        {"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"},
        {"['a','b']", "['c','d']", "['c','d']"},
        {"{'a':'b'}", "['c']", "['c']"},
        {"{'a':'foo'}", "null", "null"},
        {"{'a':'foo'}", "'bar'", "'bar'"},
        {"{'e':null}", "{'a':1}", "{'e':null,'a':1}"},
        {"[1,2]", "{'a':'b','c':null}", "{'a':'b'}"},
        {"{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"},
        {"{'title':'Goodbye!','author':{'givenName':'John','familyName':'Doe'},"
         "'tags':['example','sample'],'content':'This will be unchanged'}",
         "{'title':'Hello!','phoneNumber':'+01-123-456-7890','author':{'familyName':null},"
         "'tags':['example']}",
         "{'title':'Hello!','author':{'givenName':'John'},'tags':['example'],"
         "'content':'This will be unchanged','phoneNumber':'+01-123-456-7890'}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *texts[3];
        yyjson_doc *read[3];
        for (int at = 0; at < 3; at++) {
            texts[at] = json_of (cases[i][at]);
            read[at] = yyjson_read (texts[at], strlen (texts[at]), 0);
            assert_non_null (read[at]);
        }
        yyjson_mut_doc *made = yyjson_mut_doc_new (NULL);
        yyjson_mut_val *wanted = yyjson_val_mut_copy (made, yyjson_doc_get_root (read[2]));
        yyjson_mut_val *merged = yyjson_mut_merge_patch (
            made, yyjson_val_mut_copy (made, yyjson_doc_get_root (read[0])),
            yyjson_val_mut_copy (made, yyjson_doc_get_root (read[1])));
        if (!yyjson_mut_equals (merged, wanted))
            fail_msg ("%s with %s", cases[i][0], cases[i][1]);
        yyjson_mut_doc_free (made);
        for (int at = 0; at < 3; at++) {
            yyjson_doc_free (read[at]);
            free (texts[at]);
        }
    }
}

#define WEIGHTS(purchase)                                                                          \
    "{'click':2,'comment':5,'favorite':4,'impression':0.5,'like':3,'share':6,'view':1,"            \
    "'purchase':" purchase "}"

static void test_changes (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        change_kind_t kind;
        const char *stored, *given, *made; /* made NULL: none; "!": not valid */
    } cases[] = {
        {"one weight over the defaults", CHANGE_PATCH, "{}",
         "{'hot_score':{'action_weights':{'purchase':15.0}}}",
         "{'hot_score':{'action_weights':" WEIGHTS ("15.0") "}}"},
        {"one weight where nothing is stored", CHANGE_PATCH, NULL,
         "{'hot_score':{'action_weights':{'purchase':15}}}",
         "{'hot_score':{'action_weights':" WEIGHTS ("15") "}}"},
        {"one weight over a stored map", CHANGE_PATCH,
         "{'hot_score':{'top_k':5,'action_weights':{'view':1,'buy':2}}}",
         "{'hot_score':{'action_weights':{'buy':3}}}",
         "{'hot_score':{'top_k':5,'action_weights':{'view':1,'buy':3}}}"},
        {"a weight goes", CHANGE_PATCH, "{'hot_score':{'action_weights':{'view':1,'buy':2}}}",
         "{'hot_score':{'action_weights':{'buy':null}}}",
         "{'hot_score':{'action_weights':{'view':1}}}"},
        {"the map goes back to its default", CHANGE_PATCH,
         "{'hot_score':{'action_weights':{'view':1}}}", "{'hot_score':{'action_weights':null}}",
         "{'hot_score':{}}"},
        {"names fold", CHANGE_PATCH, "{'hot_score':{'action_weights':{'View ':1}}}",
         "{'hot_score':{'action_weights':{' VIEW':2,'x':1}}}",
         "{'hot_score':{'action_weights':{'view':2,'x':1}}}"},
        {"names that fold to one", CHANGE_PATCH, "{}",
         "{'hot_score':{'action_weights':{'a':1,'A':2}}}", "!"},
        {"the other unit replaces", CHANGE_PATCH,
         "{'hot_score':{'window_size_minutes':60,'window_slide_minutes':15}}",
         "{'hot_score':{'window_slide_seconds':90}}",
         "{'hot_score':{'window_size_minutes':60,'window_slide_seconds':90}}"},
        {"the other unit takes away", CHANGE_PATCH, "{'hot_score':{'window_slide_seconds':90}}",
         "{'hot_score':{'window_slide_minutes':null}}", "{'hot_score':{}}"},
        {"both units", CHANGE_PATCH, "{}",
         "{'metrics':{'window_size_minutes':1,'window_size_seconds':60}}", "!"},
        {"a definition more", CHANGE_PATCH,
         "{'metrics':{'definitions':{'a':{'numerator':['x'],'denominator':['y']}}}}",
         "{'metrics':{'definitions':{'b':{'numerator':['x'],'denominator':['z']}}}}",
         "{'metrics':{'definitions':{'a':{'numerator':['x'],'denominator':['y']},"
         "'b':{'numerator':['x'],'denominator':['z']}}}}"},
        {"a list is replaced", CHANGE_PATCH, "{'metrics':{'metrics_to_calculate':['ctr','cvr']}}",
         "{'metrics':{'metrics_to_calculate':['ctr']}}",
         "{'metrics':{'metrics_to_calculate':['ctr']}}"},
        {"a block goes", CHANGE_PATCH, "{'metrics':{'enabled':false},'hot_score':{'top_k':1}}",
         "{'metrics':null}", "{'hot_score':{'top_k':1}}"},
        {"everything goes", CHANGE_PATCH, "{'hot_score':{'top_k':1}}", "null", NULL},
        {"an unknown key", CHANGE_PATCH, "{}", "{'hot_score':{'top_q':1}}", "!"},
        {"a list for a patch", CHANGE_PATCH, "{'hot_score':{'top_k':1}}", "[1]", "!"},
        {"an invalid document is mended", CHANGE_PATCH,
         "{'hot_score':{'top_k':0,'ttl_seconds':60}}",
         "{'hot_score':{'top_k':1}}", "{'hot_score':{'ttl_seconds':60,'top_k':1}}"},
        {"an invalid document stays so", CHANGE_PATCH, "{'hot_score':{'top_k':0}}",
         "{'metrics':{'enabled':false}}", "!"},
        {"a stored text that is no object", CHANGE_PATCH, "[1,2]", "{'hot_score':{'top_k':1}}",
         "{'hot_score':{'top_k':1}}"},
        {"replace", CHANGE_REPLACE, "{'hot_score':{'top_k':1}}", "{'metrics':{'enabled':false}}",
         "{'metrics':{'enabled':false}}"},
        {"replace by none", CHANGE_REPLACE, "{'hot_score':{'top_k':1}}", "null", NULL},
        {"replace by what is not valid", CHANGE_REPLACE, "{}", "{'hot_score':[]}", "!"},
        {"reset", CHANGE_RESET, "{'hot_score':{'top_k':1}}", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *stored = json_of (cases[i].stored), *given = json_of (cases[i].given);
        char *made = json_of (cases[i].made);
        yyjson_doc *change = given ? yyjson_read (given, strlen (given), 0) : NULL;
        scenario_version_t version;
        config_errors_t errors;
        bool good = scenario_change_apply (cases[i].kind, stored, yyjson_doc_get_root (change),
                                           &version, &errors);
        bool wanted = !made || strcmp (made, "!") != 0;
        if (good != wanted || (good && (version.stored == NULL) != (made == NULL)) ||
            (good && made && strcmp (version.stored, made) != 0))
            fail_msg ("%s: %s", cases[i].name, version.stored ? version.stored : "(none)");
        assert_int_equal (good, version.effective != NULL);
        assert_int_equal (strlen (version.stored_hash), DIGEST_HEX_BYTES);
        if (good) { /* what is stored means what was made */
            scenario_version_t again;
            assert_true (scenario_version_of (version.stored, &again, &errors));
            assert_string_equal (again.effective_hash, version.effective_hash);
            scenario_version_free (&again);
        }
        scenario_version_free (&version);
        yyjson_doc_free (change);
        free (stored);
        free (given);
        free (made);
    }
}

static void test_hashes (void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool same;
    } cases[] = {
        {"{}", "{ }", true},
        {"{'a':1,'b':[1,2]}", "{'b':[1.0,2],'a':1e0}", true},
        {"{'a':1}", "{'a':2}", false},
        {"{'a':1}", "{'a':'1'}", false},
        {"[1,2]", "[2,1]", false},
        {"{'a':0.5}", "{'a':0.50}", true},
        {"{'a':null}", "{}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *one = json_of (cases[i].one), *other = json_of (cases[i].other);
        char hashes[2][DIGEST_HEX_BYTES + 1];
        assert_true (json_text_hash (span_of (one), hashes[0]));
        assert_true (json_text_hash (span_of (other), hashes[1]));
        assert_int_equal (strcmp (hashes[0], hashes[1]) == 0, cases[i].same);
        free (one);
        free (other);
    }
    char hash[DIGEST_HEX_BYTES + 1];
    assert_false (json_text_hash (span_of ("{"), hash));
    char deep[2 * JSON_DEPTH_MAX + 3];
    memset (deep, '[', JSON_DEPTH_MAX + 1);
    memset (deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_false (json_text_hash ((span_t){deep, 2 * JSON_DEPTH_MAX + 2}, hash));
    assert_true (json_text_hash ((span_t){deep + 1, 2 * JSON_DEPTH_MAX}, hash));
}

static void test_pointers (void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"{}", "", ""},
        {"{'a':{'b':1}}", "a.b", "/a/b"},
        {"{'a':{'b.c':{'d':1}}}", "a.b.c.d", "/a/b.c/d"},
        {"{'a.b':1,'a':{'b':{'c':1}}}", "a.b", "/a.b"},
        {"{'a':{'x/y~z':1}}", "a.x/y~z", "/a/x~1y~0z"},
        {"{'a':[1,{'b':2}]}", "a[1].b", "/a/1/b"},
        {"{'a':{'b[0]':1}}", "a.b[0]", "/a/b[0]"},
        {"{}", "not.there[7].x", "/not/there/7/x"},
        {"[]", "..a", "/a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = json_of (cases[i][0]);
        yyjson_doc *document = yyjson_read (text, strlen (text), 0);
        buffer_t pointer = {0};
        json_text_pointer (yyjson_doc_get_root (document), cases[i][1], &pointer);
        buffer_append (&pointer, "", 1);
        if (i + 1 < sizeof cases / sizeof *cases) /* of the last one only that it ends */
            assert_string_equal ((const char *)pointer.bytes, cases[i][2]);
        buffer_free (&pointer);
        yyjson_doc_free (document);
        free (text);
    }
}

static void test_diffs (void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"{'a':1}", "{'a':1}", "[]"},
        {"{'a':1}", "{'a':2}", "[{'pointer':'/a','from':1,'to':2}]"},
        {"{'a':{'b':1,'c':2}}", "{'a':{'b':1,'d':3}}",
         "[{'pointer':'/a/c','from':2},{'pointer':'/a/d','to':3}]"},
        {"{'a':[1,2]}", "{'a':[1,3]}", "[{'pointer':'/a','from':[1,2],'to':[1,3]}]"},
        {"{'x/y':1}", NULL, "[{'pointer':'/x~1y','from':1}]"},
        {NULL, NULL, "[]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *texts[3];
        for (int at = 0; at < 3; at++)
            texts[at] = json_of (cases[i][at]);
        yyjson_mut_doc *made = yyjson_mut_doc_new (NULL);
        yyjson_mut_doc_set_root (made, scenario_diff (made, texts[0], texts[1]));
        char *text = yyjson_mut_write (made, 0, NULL);
        assert_string_equal (text, texts[2]);
        free (text);
        yyjson_mut_doc_free (made);
        for (int at = 0; at < 3; at++)
            free (texts[at]);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_merge_patch_of_the_rfc), cmocka_unit_test (test_changes),
        cmocka_unit_test (test_hashes),                 cmocka_unit_test (test_pointers),
        cmocka_unit_test (test_diffs),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
