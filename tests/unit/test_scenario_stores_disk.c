/*  scenario_file, dir_store, local_history, audit_log: documents that are files, changed and
 *  nothing else of them; the history beside them; the audit log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "configd/audit_log.h"
#include "configd/dir_store.h"
#include "configd/local_history.h"
#include "configd/scenario_file.h"
#include "tests/unit/temp_folder.h"

#define ACME span_of ("acme")
#define SHOP span_of ("shop")

static const revision_note_t note = {.number = 2, .author = "ci", .at_ms = 0};
static const char document[] =
    "{\"tenant_id\": \"acme\", \"scenario_id\": \"shop\", \"status\": \"active\",\n"
    " \"big\": 123456789012345678901234567890.50, \"config\": {\"x\": 1.0}}";

static void write_file (const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
}

static void read_file (const char *folder, const char *name, char *text, size_t size)
{
    char path[512];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    text[fread (text, 1, size - 1, file)] = '\0';
    fclose (file);
}

static scenario_store_t *open_store (const char *folder)
{
    char history[512], error[256];
    snprintf (history, sizeof history, "%s/history", folder);
    scenario_store_t *store = dir_store_new (folder, history, error, sizeof error);
    assert_non_null (store);
    return store;
}

static void test_files (void **state)
{
    const char *folder = *state;
    char text[4096], error[STORE_ERROR_BYTES];
    scenario_store_t *store = open_store (folder);
    stored_scenario_t found, late;
    assert_int_equal (store->read (store, ACME, SHOP, NULL, &found, error), STORE_ABSENT);
    write_file (folder, "any.json", document);
    write_file (folder, "other.json", "{\"tenant_id\": \"acme\", \"scenario_id\": \"o\"}");
    write_file (folder, "broken.json", "{");
    write_file (folder, ".hidden.json", document);
    assert_int_equal (store->read (store, ACME, SHOP, NULL, &found, error), STORE_OK);
    assert_string_equal (found.source, "any.json");
    assert_string_equal (found.status, "active");
    assert_null (found.stored);
    assert_false (found.noted);
    assert_int_equal (store->read (store, ACME, SHOP, "other.json", &late, error), STORE_OK);
    const store_change_t change = {
        .sets_config = true, .stored = "{\"hot_score\":{\"top_k\":5}}", .note = &note};
    assert_int_equal (store->replace (store, ACME, SHOP, &found, &change, error), STORE_OK);
    read_file (folder, "any.json", text, sizeof text);
    assert_non_null (strstr (text, "123456789012345678901234567890.50"));
    assert_non_null (strstr (text, "\"x\": 1.0"));
    assert_non_null (strstr (text, "\"top_k\": 5"));
    /* What was read before that is another document by now. */
    assert_int_equal (store->replace (store, ACME, SHOP, &late, &change, error), STORE_LOST);
    stored_scenario_free (&late);
    stored_scenario_free (&found);
    assert_int_equal (store->read (store, ACME, SHOP, "any.json", &found, error), STORE_OK);
    assert_true (found.noted && found.note.number == 2);
    const store_change_t reset = {.sets_config = true, .status = "paused"};
    assert_int_equal (store->replace (store, ACME, SHOP, &found, &reset, error), STORE_OK);
    stored_scenario_free (&found);
    assert_int_equal (store->read (store, ACME, SHOP, "any.json", &found, error), STORE_OK);
    assert_null (found.stored);
    assert_string_equal (found.status, "paused");
    stored_scenario_free (&found);
    write_file (folder, "twin.json", document);
    assert_int_equal (store->read (store, ACME, SHOP, NULL, &found, error), STORE_CONFLICT);
    scenario_store_destroy (&store);
}

static void test_files_that_cannot_be_changed (void **state)
{
    const char *folder = *state;
    char error[STORE_ERROR_BYTES], path[512], link[512];
    scenario_store_t *store = open_store (folder);
    stored_scenario_t found;
    const store_change_t change = {.sets_config = true, .stored = "{}"};
    write_file (folder, "target", document);
    snprintf (path, sizeof path, "%s/target", folder);
    snprintf (link, sizeof link, "%s/link.json", folder);
    assert_int_equal (symlink (path, link), 0);
    assert_int_equal (store->read (store, ACME, SHOP, NULL, &found, error), STORE_OK);
    assert_int_equal (store->replace (store, ACME, SHOP, &found, &change, error), STORE_REFUSED);
    assert_non_null (strstr (error, "symbolic link"));
    stored_scenario_free (&found);
    unlink (link);
    write_file (folder, "odd.json",
                "{\"tenant_id\": \"acme\", \"scenario_id\": \"shop\", \"config\": [1]}");
    assert_int_equal (store->read (store, ACME, SHOP, NULL, &found, error), STORE_OK);
    assert_int_equal (store->replace (store, ACME, SHOP, &found, &change, error), STORE_CONFLICT);
    unlink (link);
    snprintf (path, sizeof path, "%s/odd.json", folder);
    unlink (path);
    assert_int_equal (store->replace (store, ACME, SHOP, &found, &change, error), STORE_LOST);
    stored_scenario_free (&found);
    scenario_store_destroy (&store);
}

static void test_creation (void **state)
{
    const char *folder = *state;
    char error[STORE_ERROR_BYTES], text[4096];
    scenario_store_t *store = open_store (folder);
    store_new_t made = {.tenant = ACME, .scenario = span_of ("a/b"), .status = "active",
                        .stored = "{}", .note = &note};
    assert_int_equal (store->create (store, &made, error), STORE_OK);
    read_file (folder, "acme.a%2Fb.json", text, sizeof text);
    assert_non_null (strstr (text, "\"scenario_id\": \"a/b\""));
    assert_int_equal (store->create (store, &made, error), STORE_EXISTS);
    write_file (folder, "acme.c.json", "{}"); /* somebody's: it is left alone */
    made.scenario = span_of ("c");
    assert_int_equal (store->create (store, &made, error), STORE_OK);
    read_file (folder, "acme.c.json", text, sizeof text);
    assert_string_equal (text, "{}");
    read_file (folder, "acme.c-2.json", text, sizeof text);
    char name[256], long_id[257];
    memset (long_id, 'x', 256);
    long_id[256] = '\0';
    scenario_file_name (ACME, span_of (long_id), 0, name, sizeof name);
    assert_true (strlen (name) < 100);
    scenario_file_name (span_of (".a"), span_of ("b"), 0, name, sizeof name);
    assert_true (name[0] != '.');
    scenario_store_destroy (&store);
}

/*  ---- history ---- */

static store_outcome_t put (local_history_t *history, const char *scenario, uint64_t number,
                            const char *key, const char *hash)
{
    char error[STORE_ERROR_BYTES];
    revision_record_t record = {
        .note = {.number = number, .author = "ci", .key = (char *)(uintptr_t)key},
        .effective = "{}"};
    snprintf (record.effective_hash, sizeof record.effective_hash, "%s", hash);
    return local_history_add (history, ACME, span_of (scenario), &record, error);
}

static void test_history (void **state)
{
    char folder[512], error[STORE_ERROR_BYTES];
    revision_record_t records[10];
    uint32_t count = 10;
    snprintf (folder, sizeof folder, "%s/history", (const char *)*state);
    local_history_t *history = local_history_open (folder, error, sizeof error);
    assert_int_equal (local_history_newest (history, ACME, SHOP, records, error), STORE_ABSENT);
    for (uint64_t number = 1; number <= 5; number++)
        assert_int_equal (put (history, "shop", number, number == 2 ? "k" : NULL, "h"), STORE_OK);
    assert_int_equal (put (history, "other", 9, "k2", "h"), STORE_OK);
    assert_int_equal (put (history, "shop", 3, NULL, "h"), STORE_OK); /* the same again */
    assert_int_equal (put (history, "shop", 3, NULL, "other"), STORE_EXISTS);
    local_history_close (&history);
    history = local_history_open (folder, error, sizeof error);
    assert_int_equal (local_history_newest (history, ACME, SHOP, records, error), STORE_OK);
    assert_int_equal (records[0].note.number, 5);
    assert_string_equal (records[0].note.author, "ci");
    assert_null (records[0].stored);
    revision_record_free (records);
    assert_int_equal (local_history_revision (history, ACME, SHOP, 4, records, error), STORE_OK);
    assert_int_equal (records[0].note.number, 4);
    revision_record_free (records);
    assert_int_equal (local_history_revision (history, ACME, SHOP, 6, records, error),
                      STORE_ABSENT);
    assert_int_equal (local_history_revisions (history, ACME, SHOP, 5, records, &count, error),
                      STORE_OK);
    assert_int_equal (count, 4);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal (records[i].note.number, 4 - i);
        revision_record_free (&records[i]);
    }
    count = 2;
    local_history_revisions (history, ACME, SHOP, UINT64_MAX, records, &count, error);
    assert_int_equal (count, 2);
    assert_int_equal (records[1].note.number, 4);
    for (uint32_t i = 0; i < count; i++)
        revision_record_free (&records[i]);
    assert_int_equal (local_history_by_key (history, ACME, SHOP, "k", records, error), STORE_OK);
    assert_int_equal (records[0].note.number, 2);
    revision_record_free (records);
    assert_int_equal (local_history_by_key (history, ACME, SHOP, "k2", records, error),
                      STORE_ABSENT);
    local_history_close (&history);
}

/*  ---- audit ---- */

static yyjson_mut_doc *record_of (const char *text)
{
    yyjson_mut_doc *record = yyjson_mut_doc_new (NULL);
    yyjson_mut_doc_set_root (record, yyjson_mut_obj (record));
    yyjson_mut_obj_add_str (record, yyjson_mut_doc_get_root (record), "x", text);
    return record;
}

static void test_audit (void **state)
{
    char path[512], error[256], text[8192];
    struct stat status;
    snprintf (path, sizeof path, "%s/audit.jsonl", (const char *)*state);
    audit_log_t *log = audit_log_open (path, error, sizeof error);
    assert_non_null (log);
    assert_int_equal (stat (path, &status), 0);
    assert_int_equal (status.st_mode & 0777, 0600);
    yyjson_mut_doc *record = record_of ("a\nb");
    assert_true (audit_log_works (log));
    assert_true (audit_log_write (log, record));
    yyjson_mut_doc_free (record);
    for (int i = 0; i < AUDIT_REFUSALS_MAX + 50; i++) {
        record = record_of ("no");
        audit_log_refuse (log, record, 20000);
        yyjson_mut_doc_free (record);
    }
    record = record_of ("later");
    audit_log_refuse (log, record, 20000 + AUDIT_REFUSALS_MS);
    yyjson_mut_doc_free (record);
    audit_log_close (&log);
    read_file (*state, "audit.jsonl", text, sizeof text);
    int lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    assert_int_equal (lines, 1 + AUDIT_REFUSALS_MAX + 1);
    assert_memory_equal (text, "{\"x\":\"a\\nb\"}\n", 13);
    assert_non_null (strstr (text, "{\"x\":\"later\",\"left_out\":50}\n"));
    /* A file that is full is moved away. */
    log = audit_log_open (path, error, sizeof error);
    assert_int_equal (truncate (path, AUDIT_FILE_BYTES_MAX + 1), 0);
    audit_log_close (&log);
    log = audit_log_open (path, error, sizeof error);
    record = record_of ("new");
    assert_true (audit_log_write (log, record));
    yyjson_mut_doc_free (record);
    audit_log_close (&log);
    read_file (*state, "audit.jsonl", text, sizeof text);
    assert_string_equal (text, "{\"x\":\"new\"}\n");
    snprintf (path, sizeof path, "%s/audit.jsonl.1", (const char *)*state);
    assert_int_equal (stat (path, &status), 0);
    assert_int_equal (status.st_size, AUDIT_FILE_BYTES_MAX + 1);
    snprintf (path, sizeof path, "%s/none/audit.jsonl", (const char *)*state);
    assert_null (audit_log_open (path, error, sizeof error));
}

int main (void)
{
#define TEST(test) cmocka_unit_test_setup_teardown (test, temp_folder_make, temp_folder_remove)
    const struct CMUnitTest tests[] = {
        TEST (test_files), TEST (test_files_that_cannot_be_changed), TEST (test_creation),
        TEST (test_history), TEST (test_audit),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
