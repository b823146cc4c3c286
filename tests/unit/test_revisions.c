/*  source_table, registry, revision_store: which document counts, and revisions that never go back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/buffer.h"
#include "configd/registry.h"
#include "configd/revision_store.h"
#include "configd/source_table.h"
#include "tests/unit/temp_folder.h"

/*  What was told, as text: "+t/a" wanted active, "-t/a" wanted inactive, "*t/a" begun by default,
 *  "!name" a problem. */
static buffer_t told;

static void say (char sign, const char *text, size_t size)
{
    buffer_append (&told, told.size ? " " : "", told.size ? 1 : 0);
    buffer_append (&told, &sign, 1);
    buffer_append (&told, text, size);
}

static void on_want (void *arg, const source_want_t *want)
{
    (void)arg;
    assert_true (want->json.size || !want->active);
    assert_true (want->active || !want->by_default);
    char text[64];
    int size = snprintf (text, sizeof text, "%.*s/%.*s", (int)want->tenant.size,
                         want->tenant.bytes, (int)want->scenario.size, want->scenario.bytes);
    say (want->by_default ? '*' : want->active ? '+' : '-', text, (size_t)size);
}

static void on_problem (void *arg, const char *source, const char *tenant, const char *scenario,
                        const char *path, const char *reason)
{
    (void)arg;
    (void)tenant;
    (void)scenario;
    (void)path;
    (void)reason;
    say ('!', source, strlen (source));
}

static const source_listener_t listener = {.want = on_want, .problem = on_problem};

/*  text: "t/a" active, "t/a paused", "t/a bad", or anything else as it is. */
static void put (source_table_t *table, const char *name, const char *text)
{
    char json[256], what[16] = "";
    char tenant, scenario;
    if (sscanf (text, "%c/%c %15s", &tenant, &scenario, what) < 2)
        snprintf (json, sizeof json, "%s", text);
    else
        snprintf (json, sizeof json,
                  "{\"tenant_id\":\"%c\",\"scenario_id\":\"%c\",\"status\":\"%s\","
                  "\"config\":{\"realtime_compute\":{%s}}}",
                  tenant, scenario, *what ? what : "active",
                  strcmp (what, "bad") == 0 ? "\"x\":1" : "");
    source_table_put (table, name, span_of (json));
}

static void expect (const char *text)
{
    buffer_append (&told, "", 1);
    assert_string_equal ((const char *)told.bytes, text);
    buffer_clear (&told);
}

static void test_documents (void **state)
{
    (void)state;
    source_table_t *table = source_table_new (&listener, NULL);
    put (table, "1", "t/a");
    expect ("+t/a");
    put (table, "1", "t/a"); /* the same text: nothing new */
    expect ("");
    put (table, "1", "t/a paused");
    expect ("-t/a");
    put (table, "1", "t/a bad");
    expect ("!1");
    put (table, "1", "{broken");
    expect ("!1");
    assert_true (source_table_names (table, span_of ("t"), span_of ("a")));
    put (table, "1", "t/b"); /* it was a's only document */
    expect ("+t/b -t/a");
    source_table_remove (table, "1");
    expect ("-t/b");
    assert_false (source_table_names (table, span_of ("t"), span_of ("b")));
    source_table_remove (table, "1");
    expect ("");
    source_table_fail (table, "2", "permission denied");
    expect ("!2");
    source_table_destroy (&table);
}

static void test_conflicts (void **state)
{
    (void)state;
    source_table_t *table = source_table_new (&listener, NULL);
    put (table, "1", "t/a");
    expect ("+t/a");
    put (table, "2", "t/a paused");
    expect ("!1");
    put (table, "3", "t/a bad");
    expect ("!3");
    put (table, "2", "t/b");
    expect ("+t/b");
    source_table_remove (table, "3");
    expect ("+t/a");
    uint32_t all, invalid;
    source_table_count (table, &all, &invalid);
    assert_int_equal (all, 2);
    assert_int_equal (invalid, 0);
    source_table_destroy (&table);
}

static void test_leaving (void **state)
{
    (void)state;
    source_table_t *table = source_table_new (&listener, NULL);
    put (table, "1", "t/a");
    expect ("+t/a");
    source_table_leave (table, "1", 5000);
    source_table_step (table, 5999);
    expect ("");
    put (table, "1", "t/a"); /* an editor: deleted and made again */
    expect ("+t/a");
    source_table_step (table, 9000);
    expect ("");
    source_table_leave (table, "1", 10000); /* renamed: the new name does not conflict */
    put (table, "2", "t/a");
    expect ("+t/a");
    source_table_step (table, 11000);
    expect ("+t/a");
    source_table_leave (table, "2", 12000);
    source_table_step (table, 13000);
    expect ("-t/a");
    source_table_destroy (&table);
}

static void test_full_read (void **state)
{
    (void)state;
    source_table_t *table = source_table_new (&listener, NULL);
    source_table_begin (table);
    put (table, "1", "t/a");
    put (table, "2", "t/b");
    source_table_end (table);
    expect ("+t/a +t/b");
    source_table_begin (table);
    put (table, "2", "t/b");
    source_table_end (table);
    expect ("-t/a");
    source_table_destroy (&table);
}

static void test_dedicated (void **state)
{
    (void)state;
    char error[128];
    scenario_scope_t *scope = scenario_scope_new ("t", "a", NULL, 0, error, sizeof error);
    source_table_t *table = source_table_new (&listener, scope);
    put (table, "1", "t/a");
    put (table, "2", "t/b bad");
    put (table, "3", "u/a");
    expect ("+t/a");
    put (table, "1", "t/b");
    expect ("-t/a");
    source_table_destroy (&table);
    scenario_scope_destroy (&scope);
}

/*  What stands where, as text: the state's letter, the scenario, status and errors. */
static void on_standing (void *arg, const source_standing_t *standing)
{
    (void)arg;
    char text[64];
    int size = snprintf (text, sizeof text, "%.*s:%s:%u", (int)standing->scenario.size,
                         standing->scenario.bytes, standing->status ? standing->status : "",
                         standing->errors);
    say ("0vic"[standing->state], text, (size_t)size);
}

static void ignore_want (void *arg, const source_want_t *want)
{
    (void)arg;
    (void)want;
}

static void ignore_problem (void *arg, const char *source, const char *tenant,
                            const char *scenario, const char *path, const char *reason)
{
    (void)arg, (void)source, (void)tenant, (void)scenario, (void)path, (void)reason;
}

static void test_standing (void **state)
{
    (void)state;
    const source_listener_t standing = {
        .want = ignore_want, .problem = ignore_problem, .standing = on_standing};
    source_table_t *table = source_table_new (&standing, NULL);
    put (table, "1", "t/a");
    expect ("va:active:0");
    put (table, "1", "t/a bad");
    expect ("ia:bad:1");
    put (table, "2", "t/a paused");
    expect ("ca:paused:1");
    source_table_remove (table, "1");
    expect ("va:paused:0");
    source_table_fail (table, "2", "permission denied");
    expect ("ia::1");
    source_table_leave (table, "2", 1000); /* it may be back soon: as it was */
    expect ("");
    source_table_step (table, 2000);
    expect ("0a::0");
    source_table_destroy (&table);
}

static bool begin (source_table_t *table, const char *tenant, const char *scenario)
{
    return source_table_begin_default (table, span_of (tenant), span_of (scenario));
}

static void test_begun_by_default (void **state)
{
    (void)state;
    source_table_t *table = source_table_new (&listener, NULL);
    assert_true (begin (table, "t", "a"));
    assert_true (begin (table, "t", "a")); /* asked for by another */
    expect ("*t/a *t/a");
    source_table_begin (table); /* a full read does not name it */
    source_table_end (table);
    expect ("");
    assert_false (source_table_names (table, span_of ("t"), span_of ("a")));
    put (table, "1", "t/a bad"); /* the last good one is the default */
    expect ("!1");
    source_table_remove (table, "1");
    expect ("*t/a");
    put (table, "1", "t/a");
    expect ("+t/a");
    assert_true (begin (table, "t", "a")); /* asked for before they knew of the document */
    expect ("");
    put (table, "2", "t/a"); /* a conflict changes nothing */
    expect ("!1");
    source_table_remove (table, "2");
    expect ("+t/a");
    source_table_remove (table, "1"); /* as any scenario that was removed */
    expect ("-t/a");
    put (table, "1", "t/b bad");
    assert_true (begin (table, "t", "b")); /* a document that never was valid says nothing */
    expect ("!1 *t/b");
    put (table, "1", "t/b paused");
    expect ("-t/b");
    source_table_leave (table, "1", 1000);
    source_table_step (table, 2000);
    expect ("-t/b");
    source_table_destroy (&table);
    char error[128];
    scenario_scope_t *scope = scenario_scope_new ("t", "a", NULL, 0, error, sizeof error);
    table = source_table_new (&listener, scope);
    assert_false (begin (table, "t", "b"));
    assert_false (begin (table, "u", "a"));
    assert_true (begin (table, "t", "a"));
    expect ("*t/a");
    source_table_destroy (&table);
    scenario_scope_destroy (&scope);
}

/*  ---- registry and store ---- */

static char folder[] = "/tmp/hotpath-test-XXXXXX";
static char record[64];

static void on_revision (void *arg, const registry_change_t *change)
{
    const config_entry_t *entry = &change->entry;
    (void)arg;
    char text[64];
    int size = snprintf (text, sizeof text, "%.*s=%llu", (int)entry->scenario.size,
                         entry->scenario.bytes, (unsigned long long)entry->number);
    say (entry->active ? '+' : '-', text, (size_t)size);
}

static void want (registry_t *registry, const char *scenario, bool active, const char *json)
{
    const registry_want_t wanted = {.tenant = span_of ("t"),
                                    .scenario = span_of (scenario),
                                    .active = active,
                                    .json = span_of (json)};
    registry_want (registry, &wanted);
}

static void test_revisions (void **state)
{
    (void)state;
    char error[256];
    int code;
    revision_store_t *store = revision_store_open (record, 1000, &code, error, sizeof error);
    assert_non_null (store);
    assert_null (revision_store_open (record, 1000, &code, error, sizeof error));
    assert_non_null (strstr (error, "another hotpath-configd has it"));
    registry_t *registry = registry_new (store);
    want (registry, "a", true, "{1}");
    want (registry, "b", false, "{1}");
    want (registry, "never", false, NULL);
    config_entry_t entry;
    assert_true (registry_at (registry, 0, &entry));
    assert_int_equal (entry.tenant.size, 0); /* not durable yet */
    assert_int_equal (registry_flush (registry, on_revision, NULL), 2);
    expect ("+a=1 -b=1");
    assert_int_equal (registry_flush (registry, on_revision, NULL), 0);
    want (registry, "a", true, "{2}");
    want (registry, "a", true, "{1}"); /* and back, before it was told */
    assert_int_equal (registry_flush (registry, on_revision, NULL), 0);
    want (registry, "a", true, "{2}");
    registry_flush (registry, on_revision, NULL);
    want (registry, "a", false, NULL);
    registry_flush (registry, on_revision, NULL);
    want (registry, "a", true, "{2}");
    registry_flush (registry, on_revision, NULL);
    want (registry, "b", true, "{3}");
    registry_flush (registry, on_revision, NULL);
    expect ("+a=2 -a=2 +a=2 +b=2");
    uint64_t era = revision_store_era (store), incarnation = revision_store_incarnation (store);
    registry_destroy (&registry);
    revision_store_close (&store);

    store = revision_store_open (record, 500, &code, error, sizeof error); /* the clock went back */
    assert_non_null (store);
    assert_int_equal (revision_store_era (store), era);
    assert_true (revision_store_incarnation (store) > incarnation);
    registry = registry_new (store);
    want (registry, "a", true, "{2}");
    assert_int_equal (registry_flush (registry, on_revision, NULL), 0);
    want (registry, "a", true, "{1}");
    registry_flush (registry, on_revision, NULL);
    expect ("+a=3");
    registry_destroy (&registry);
    revision_store_close (&store);
}

static void want_default (registry_t *registry, const char *scenario)
{
    const registry_want_t wanted = {.tenant = span_of ("t"),
                                    .scenario = span_of (scenario),
                                    .active = true,
                                    .json = span_of ("{d}"),
                                    .by_default = true};
    registry_want (registry, &wanted);
}

/*  Which scenarios of the record are as they began by default. */
static void expect_defaults (const registry_t *registry, const char *text)
{
    config_entry_t entry;
    for (uint32_t i = 0; registry_at (registry, i, &entry); i++)
        if (registry_is_default (registry, i))
            say (entry.active ? '+' : '-', entry.scenario.bytes, entry.scenario.size);
    expect (text);
}

static void test_default_is_remembered (void **state)
{
    (void)state;
    char error[256];
    int code;
    revision_store_t *store = revision_store_open (record, 1000, &code, error, sizeof error);
    assert_non_null (store);
    registry_t *registry = registry_new (store);
    expect_defaults (registry, "");
    assert_false (registry_publishes (registry, span_of ("t"), span_of ("d")));
    want_default (registry, "d");
    assert_false (registry_publishes (registry, span_of ("t"), span_of ("d")));
    want_default (registry, "e");
    want_default (registry, "f");
    registry_flush (registry, on_revision, NULL);
    expect ("+d=1 +e=1 +f=1");
    assert_true (registry_publishes (registry, span_of ("t"), span_of ("d")));
    assert_false (registry_publishes (registry, span_of ("u"), span_of ("d")));
    want (registry, "e", true, "{d}"); /* a document that says the same: nothing to tell */
    want (registry, "f", false, NULL); /* of another mode: it may begin again later */
    assert_int_equal (registry_flush (registry, on_revision, NULL), 1);
    expect ("-f=1");
    registry_destroy (&registry);
    revision_store_close (&store);

    store = revision_store_open (record, 1000, &code, error, sizeof error);
    assert_non_null (store);
    registry = registry_new (store);
    expect_defaults (registry, "+d -f");
    want (registry, "d", true, "{1}");
    registry_flush (registry, on_revision, NULL);
    expect ("+d=2");
    expect_defaults (registry, "-f");
    registry_destroy (&registry);
    revision_store_close (&store);
}

/*  ---- what may become of the record ---- */

static const char *path_in (const char *name)
{
    static char path[128];
    snprintf (path, sizeof path, "%s/configd/%s", record, name);
    return path;
}

static uint32_t count_revisions (revision_store_t *store)
{
    registry_t *registry = registry_new (store);
    uint32_t count = registry_count (registry);
    registry_destroy (&registry);
    return count;
}

static void overwrite (size_t from, size_t count)
{
    FILE *file = fopen (path_in ("data.mdb"), "r+");
    fseek (file, (long)from, SEEK_SET);
    for (size_t i = 0; i < count; i++)
        fputc (0x5a, file);
    fclose (file);
}

/*  Set aside, named, and another begun, whose era is greater even if the clock is not. */
static void test_broken_record (void **state)
{
    (void)state;
    static const struct {
        size_t from, count;
    } damages[] = {{0, 3 * 4096}, {2 * 4096, 20 * 4096}, {0, 100}};
    char error[512];
    int code;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        revision_store_t *store = revision_store_open (record, 1000, &code, error, sizeof error);
        assert_non_null (store);
        registry_t *registry = registry_new (store);
        want (registry, "broken", true, i % 2 ? "{1}" : "{2}");
        registry_flush (registry, on_revision, NULL);
        uint64_t era = revision_store_era (store), incarnation = revision_store_incarnation (store);
        registry_destroy (&registry);
        revision_store_close (&store);
        overwrite (damages[i].from, damages[i].count);
        store = revision_store_open (record, 10, &code, error, sizeof error);
        assert_non_null (store);
        assert_true (revision_store_era (store) > era);
        assert_true (revision_store_incarnation (store) > incarnation);
        assert_int_equal (count_revisions (store), 0);
        revision_store_close (&store);
    }
    buffer_clear (&told);
}

static void test_removed_record (void **state)
{
    (void)state;
    char error[512] = "";
    int code;
    revision_store_t *store = revision_store_open (record, 1000, &code, error, sizeof error);
    assert_non_null (store);
    assert_int_equal (revision_store_check (store, error, sizeof error), 0);
    registry_t *registry = registry_new (store);
    assert_int_equal (unlink (path_in ("data.mdb")), 0);
    assert_int_equal (revision_store_check (store, error, sizeof error), -1);
    assert_non_null (strstr (error, "configd was removed or replaced"));
    want (registry, "lost", true, "{1}");
    assert_int_equal (registry_flush (registry, on_revision, NULL), -1);
    assert_non_null (strstr (revision_store_trouble (store), "removed or replaced"));
    registry_destroy (&registry);
    revision_store_close (&store);
    buffer_clear (&told);

    store = revision_store_open (record, 1000, &code, error, sizeof error);
    assert_non_null (store);
    assert_int_equal (count_revisions (store), 0);
    assert_int_equal (unlink (path_in ("lock")), 0);
    assert_int_equal (revision_store_check (store, error, sizeof error), -1);
    revision_store_close (&store);
}

static void test_no_record (void **state)
{
    (void)state;
    char error[512] = "", path[128];
    int code = 0;
    snprintf (path, sizeof path, "%s/file", folder);
    fclose (fopen (path, "w"));
    assert_null (revision_store_open (path, 1000, &code, error, sizeof error));
    assert_int_equal (code, EX_CANTCREAT);
    assert_non_null (strstr (error, path));
    unlink (path_in ("data.mdb"));
    assert_int_equal (mkdir (path_in ("data.mdb"), 0755), 0);
    assert_null (revision_store_open (record, 1000, &code, error, sizeof error));
    assert_int_equal (code, EX_TEMPFAIL);
    assert_non_null (strstr (error, "is not a file"));
    rmdir (path_in ("data.mdb"));
}

static void want_number (registry_t *registry, const char *json, uint64_t number)
{
    const registry_want_t wanted = {.tenant = span_of ("t"),
                                    .scenario = span_of ("n"),
                                    .active = true,
                                    .json = span_of (json),
                                    .number = number};
    registry_want (registry, &wanted);
}

/*  A number that a config is known by elsewhere is taken over, and none ever goes back. */
static void test_numbers_from_elsewhere (void **state)
{
    (void)state;
    static const struct {
        const char *json;
        uint64_t number;
        const char *told;
    } cases[] = {
        {"{1}", 7, "+n=7"},  /* begun elsewhere */
        {"{1}", 7, ""},      {"{2}", 8, "+n=8"},
        {"{2}", 3, ""},      /* the same, noted with an old number */
        {"{3}", 3, "+n=9"},  /* another, noted with an old number */
        {"{3}", 12, "+n=12"} /* the same by a greater number */,
        {"{4}", 0, "+n=13"},
    };
    char error[256];
    int code;
    revision_store_t *store = revision_store_open (record, 1000, &code, error, sizeof error);
    registry_t *registry = registry_new (store);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        want_number (registry, cases[i].json, cases[i].number);
        registry_flush (registry, on_revision, NULL);
        expect (cases[i].told);
    }
    registry_renumber (registry, span_of ("t"), span_of ("n"), span_of ("{4}"), 20);
    registry_renumber (registry, span_of ("t"), span_of ("n"), span_of ("{3}"), 30);
    registry_renumber (registry, span_of ("t"), span_of ("m"), span_of ("{4}"), 20);
    registry_flush (registry, on_revision, NULL);
    expect ("+n=20");
    registry_destroy (&registry);
    revision_store_close (&store);
}

static int make_folder (void **state)
{
    (void)state;
    if (!mkdtemp (folder))
        return -1;
    snprintf (record, sizeof record, "%s/state", folder);
    return 0;
}

static int remove_folder (void **state)
{
    (void)state;
    buffer_free (&told);
    return nftw (folder, temp_folder_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_documents), cmocka_unit_test (test_conflicts),
        cmocka_unit_test (test_leaving),   cmocka_unit_test (test_full_read),
        cmocka_unit_test (test_dedicated), cmocka_unit_test (test_begun_by_default),
        cmocka_unit_test (test_revisions), cmocka_unit_test (test_default_is_remembered),
        cmocka_unit_test (test_broken_record), cmocka_unit_test (test_removed_record),
        cmocka_unit_test (test_no_record),
        cmocka_unit_test (test_standing),  cmocka_unit_test (test_numbers_from_elsewhere),
    };
    return cmocka_run_group_tests (tests, make_folder, remove_folder);
}
