/*  revision_keep, revision_note: the history is brought up to the documents, from wherever a crash
 *  left the two, and whoever else writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/memory.h"
#include "configd/revision_keep.h"

/*  ---- a store that is a list ---- */

enum { REVISIONS_MAX = 32 };

typedef struct {
    scenario_store_t store; /* first */
    revision_record_t list[REVISIONS_MAX];
    int count;
    store_outcome_t fails;     /* what the next add returns, or OK */
    const char *comes_between; /* stored text that another adds before the next add; or NULL */
    stored_scenario_t document; /* as it is now */
} memory_store_t;

static char *copy (const char *text)
{
    return text ? memory_copy_string (text, strlen (text)) : NULL;
}

static void copy_record (revision_record_t *to, const revision_record_t *from)
{
    *to = *from;
    revision_note_copy (&to->note, &from->note);
    to->stored = copy (from->stored);
    to->effective = copy (from->effective);
}

static store_outcome_t find (memory_store_t *self, uint64_t number, revision_record_t *record)
{
    const revision_record_t *found = NULL;
    for (int i = 0; i < self->count; i++)
        if (number ? self->list[i].note.number == number
                   : !found || self->list[i].note.number > found->note.number)
            found = &self->list[i];
    if (found)
        copy_record (record, found);
    return found ? STORE_OK : STORE_ABSENT;
}

static store_outcome_t newest (scenario_store_t *store, span_t tenant, span_t scenario,
                               revision_record_t *record, char *error)
{
    (void)tenant, (void)scenario, (void)error;
    return find ((memory_store_t *)(void *)store, 0, record);
}

static store_outcome_t revision (scenario_store_t *store, span_t tenant, span_t scenario,
                                 uint64_t number, revision_record_t *record, char *error)
{
    (void)tenant, (void)scenario, (void)error;
    return find ((memory_store_t *)(void *)store, number, record);
}

static void add_text (memory_store_t *self, uint64_t number, const char *author, const char *text);

static store_outcome_t add (scenario_store_t *store, span_t tenant, span_t scenario,
                            const revision_record_t *record, char *error)
{
    memory_store_t *self = (memory_store_t *)(void *)store;
    (void)tenant, (void)scenario, (void)error;
    if (self->fails != STORE_OK)
        return self->fails;
    if (self->comes_between) {
        const char *text = self->comes_between;
        self->comes_between = NULL;
        add_text (self, record->note.number, "another", text);
    }
    for (int i = 0; i < self->count; i++)
        if (self->list[i].note.number == record->note.number)
            return strcmp (self->list[i].effective_hash, record->effective_hash) == 0
                       ? STORE_OK
                       : STORE_EXISTS;
    assert_true (self->count < REVISIONS_MAX);
    copy_record (&self->list[self->count++], record);
    return STORE_OK;
}

static store_outcome_t read_document (scenario_store_t *store, span_t tenant, span_t scenario,
                                      const char *source, stored_scenario_t *found, char *error)
{
    const memory_store_t *self = (memory_store_t *)(void *)store;
    (void)tenant, (void)scenario, (void)source, (void)error;
    *found = (stored_scenario_t){.stored = copy (self->document.stored),
                                 .noted = self->document.noted,
                                 .note = {.number = self->document.note.number}};
    return STORE_OK;
}

static memory_store_t new_store (void)
{
    return (memory_store_t){.store = {.read = read_document,
                                      .newest = newest,
                                      .revision = revision,
                                      .add = add}};
}

static void free_store (memory_store_t *self)
{
    for (int i = 0; i < self->count; i++)
        revision_record_free (&self->list[i]);
}

/*  "5": a config whose top_k is 5; its stored text. */
static void text_of (const char *top_k, char text[64])
{
    snprintf (text, 64, "{\"hot_score\":{\"top_k\":%s}}", top_k);
}

static void add_text (memory_store_t *self, uint64_t number, const char *author, const char *top_k)
{
    char text[64], error[STORE_ERROR_BYTES];
    scenario_version_t version;
    config_errors_t errors;
    text_of (top_k, text);
    assert_true (scenario_version_of (text, &version, &errors));
    revision_record_t record = {.note = {.number = number, .author = copy (author)},
                                .stored = version.stored,
                                .effective = version.effective};
    strcpy (record.note.hash, version.stored_hash);
    strcpy (record.effective_hash, version.effective_hash);
    assert_int_equal (add (&self->store, (span_t){0}, (span_t){0}, &record, error), STORE_OK);
    revision_note_free (&record.note);
    scenario_version_free (&version);
}

/*  "1external:5 2ci:6": number, author and top_k of each, oldest first. */
static void read_history (const memory_store_t *self, char *text, size_t size)
{
    size_t at = 0;
    *text = '\0';
    for (uint64_t number = 1; number < 64; number++)
        for (int i = 0; i < self->count; i++)
            if (self->list[i].note.number == number)
                at += (size_t)snprintf (text + at, size - at, "%s%d%s:%d", at ? " " : "",
                                        (int)number, self->list[i].note.author,
                                        atoi (strrchr (self->list[i].stored, ':') + 1));
}

static void put_history (memory_store_t *self, const char *text)
{
    char author[16], top_k[16];
    int number, used;
    while (sscanf (text, " %d%15[a-z]:%15[0-9]%n", &number, author, top_k, &used) == 3) {
        add_text (self, (uint64_t)number, author, top_k);
        text += used;
    }
}

/*  ---- what is kept ---- */

typedef struct {
    const char *name;
    const char *before;   /* history */
    const char *top_k;    /* of the document */
    int noted;            /* number in its note by "ci"; 0: none; below 0: of another config */
    int least;
    bool published, stale, by_default;
    const char *comes_between;
    const char *after;
    int kept;             /* number that is returned */
} keep_case_t;

static void check (const keep_case_t *one)
{
    memory_store_t store = new_store ();
    char text[64], after[256], error[STORE_ERROR_BYTES];
    scenario_version_t version;
    config_errors_t errors;
    put_history (&store, one->before);
    text_of (one->top_k, text);
    assert_true (scenario_version_of (text, &version, &errors));
    revision_note_t note = {.number = (uint64_t)abs (one->noted), .author = "ci", .reason = "r"};
    strcpy (note.hash, version.stored_hash);
    if (one->noted < 0)
        note.hash[0] = note.hash[0] == 'a' ? 'b' : 'a';
    store.comes_between = one->comes_between;
    const revision_keep_t config = {.version = &version,
                                    .note = one->noted ? &note : NULL,
                                    .least = (uint64_t)one->least,
                                    .published = one->published,
                                    .stale = one->stale,
                                    .by_default = one->by_default,
                                    .wall_ms = 1000};
    revision_record_t kept;
    assert_int_equal (revision_keep (&store.store, &config, &kept, error), STORE_OK);
    read_history (&store, after, sizeof after);
    if (strcmp (after, one->after) != 0 || (int)kept.note.number != one->kept)
        fail_msg ("%s: %s, kept %d", one->name, after, (int)kept.note.number);
    revision_record_free (&kept);
    /* Once more changes nothing. */
    assert_int_equal (revision_keep (&store.store, &config, &kept, error), STORE_OK);
    read_history (&store, after, sizeof after);
    if (strcmp (after, one->after) != 0)
        fail_msg ("%s, again: %s", one->name, after);
    revision_record_free (&kept);
    scenario_version_free (&version);
    free_store (&store);
}

static void test_crash_points (void **state)
{
    (void)state;
    static const keep_case_t cases[] = {
        {.name = "a document that nobody has seen", .before = "", .top_k = "5",
         .after = "1external:5", .kept = 1},
        {.name = "before the first write: nothing has happened", .before = "1external:5",
         .top_k = "5", .after = "1external:5", .kept = 1},
        {.name = "between the two writes", .before = "1external:5", .top_k = "6", .noted = 2,
         .after = "1external:5 2ci:6", .kept = 2},
        {.name = "after both", .before = "1external:5 2ci:6", .top_k = "6", .noted = 2,
         .after = "1external:5 2ci:6", .kept = 2},
        {.name = "between the two, of a new document", .before = "", .top_k = "6", .noted = 1,
         .after = "1ci:6", .kept = 1},
        {.name = "between the two, with the history lost since", .before = "", .top_k = "6",
         .noted = 9, .after = "9ci:6", .kept = 9},
        {.name = "others wrote over it, the note stayed", .before = "1external:5 2ci:6",
         .top_k = "7", .noted = -2, .after = "1external:5 2ci:6 3external:7", .kept = 3},
        {.name = "others wrote over one that was not in the history yet", .before = "1external:5",
         .top_k = "7", .noted = -2, .after = "1external:5 2external:7", .kept = 2},
        {.name = "others put an old document back, with its note", .before = "1ci:5 2ci:6",
         .top_k = "5", .noted = 1, .after = "1ci:5 2ci:6 3external:5", .kept = 3},
        {.name = "another configd took the number meanwhile", .before = "1external:5",
         .top_k = "7", .comes_between = "8", .after = "1external:5 2another:8 3external:7",
         .kept = 3},
        {.name = "another configd recorded the same meanwhile", .before = "1external:5",
         .top_k = "7", .comes_between = "7", .after = "1external:5 2another:7", .kept = 2},
        {.name = "the loop numbers it higher", .before = "1external:5", .top_k = "7", .least = 6,
         .after = "1external:5 6external:7", .kept = 6},
        {.name = "the same by a higher number", .before = "1ci:5", .top_k = "5", .least = 6,
         .after = "1ci:5 6hotpath:5", .kept = 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check (&cases[i]);
}

static void test_published_revisions (void **state)
{
    (void)state;
    static const keep_case_t cases[] = {
        {.name = "the first", .published = true, .least = 1, .before = "", .top_k = "5",
         .after = "1external:5", .kept = 1},
        {.name = "of the API, recorded", .published = true, .least = 2,
         .before = "1external:5 2ci:6", .top_k = "6", .noted = 2, .after = "1external:5 2ci:6",
         .kept = 2},
        {.name = "of the API, not recorded", .published = true, .least = 2, .before = "1external:5",
         .top_k = "6", .noted = 2, .after = "1external:5 2ci:6", .kept = 2},
        {.name = "of the API, recorded long ago", .published = true, .least = 2,
         .before = "1external:5 2ci:6 3ci:7", .top_k = "6", .noted = 2,
         .after = "1external:5 2ci:6 3ci:7", .kept = 2},
        {.name = "of others, seen late: its number is free", .published = true, .least = 2,
         .before = "1external:5 3ci:7", .top_k = "6", .after = "1external:5 2external:6 3ci:7",
         .kept = 2},
        {.name = "of others, its number is taken", .published = true, .least = 2,
         .before = "1external:5 2another:7", .top_k = "6",
         .after = "1external:5 2another:7 3external:6", .kept = 3},
        {.name = "of others, its number is taken, and it is over", .published = true, .stale = true,
         .least = 2, .before = "1external:5 2another:7", .top_k = "6",
         .after = "1external:5 2another:7", .kept = 2},
        {.name = "known by a greater number", .published = true, .least = 2,
         .before = "1ci:5 8ci:6", .top_k = "6", .after = "1ci:5 8ci:6", .kept = 8},
        {.name = "begun without a document", .published = true, .by_default = true, .least = 1,
         .before = "", .top_k = "1000", .after = "1hotpath:1000", .kept = 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check (&cases[i]);
}

/*  A document was read, and somebody else was faster with the next change of it. */
static void test_a_document_that_moved_on (void **state)
{
    (void)state;
    static const struct {
        const char *before, *now; /* history; top_k of the document as it is */
        int noted_now;
        store_outcome_t outcome;
        const char *after;
    } cases[] = {
        /* read: 5 with the note of 1 */
        {"1ci:5", "6", 2, STORE_OK, "1ci:5"}, /* it is there: replace will say LOST */
        {"1ci:5 2ci:6", "6", 2, STORE_LOST, "1ci:5 2ci:6"},
        {"1ci:5 2ci:6 3ci:5", "5", 3, STORE_OK, "1ci:5 2ci:6 3ci:5"},
        {"1ci:5 2ci:6 3ci:7", "5", 1, STORE_OK, "1ci:5 2ci:6 3ci:7 4external:5"}, /* put back */
        {"1ci:5 2ci:6", "5", 3, STORE_LOST, "1ci:5 2ci:6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memory_store_t store = new_store ();
        char text[64], now[64], after[256], error[STORE_ERROR_BYTES];
        scenario_version_t version;
        config_errors_t errors;
        revision_record_t kept;
        put_history (&store, cases[i].before);
        text_of ("5", text);
        text_of (cases[i].now, now);
        assert_true (scenario_version_of (text, &version, &errors));
        stored_scenario_t read = {.stored = text, .noted = true, .note = {.number = 1}};
        strcpy (read.note.hash, version.stored_hash);
        store.document = (stored_scenario_t){
            .stored = now, .noted = true, .note = {.number = (uint64_t)cases[i].noted_now}};
        const revision_keep_t config = {
            .version = &version, .note = &read.note, .least = 1, .read = &read};
        assert_int_equal (revision_keep (&store.store, &config, &kept, error), cases[i].outcome);
        if (cases[i].outcome == STORE_OK)
            revision_record_free (&kept);
        read_history (&store, after, sizeof after);
        assert_string_equal (after, cases[i].after);
        scenario_version_free (&version);
        free_store (&store);
    }
}

static void test_a_store_that_fails (void **state)
{
    (void)state;
    static const store_outcome_t outcomes[] = {STORE_AWAY, STORE_REFUSED, STORE_CONFLICT,
                                               STORE_EXISTS /* each time */};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        memory_store_t store = new_store ();
        char error[STORE_ERROR_BYTES];
        scenario_version_t version;
        config_errors_t errors;
        revision_record_t kept;
        assert_true (scenario_version_of (NULL, &version, &errors));
        const revision_keep_t config = {.version = &version};
        store.fails = outcomes[i];
        assert_int_equal (revision_keep (&store.store, &config, &kept, error),
                          outcomes[i] == STORE_EXISTS ? STORE_AWAY : outcomes[i]);
        assert_int_equal (store.count, 0);
        scenario_version_free (&version);
    }
}

/*  ---- notes ---- */

static void test_notes (void **state)
{
    (void)state;
    revision_note_t note = {.number = 12, .at_ms = 1772366400123, .author = "ci", .from = "::1"};
    revision_note_t read, none;
    memset (note.hash, 'a', DIGEST_HEX_BYTES);
    yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
    yyjson_mut_doc_set_root (document, revision_note_write (&note, document));
    char *text = yyjson_mut_write (document, 0, NULL);
    assert_non_null (strstr (text, "\"at\":\"2026-03-01T12:00:00.123Z\""));
    assert_true (revision_note_parse (span_of (text), &read));
    assert_int_equal (read.number, 12);
    assert_int_equal (read.at_ms, note.at_ms);
    assert_string_equal (read.hash, note.hash);
    assert_string_equal (read.author, "ci");
    assert_null (read.reason);
    revision_note_free (&read);
    free (text);
    yyjson_mut_doc_free (document);
    static const char *const wrong[] = {"{}", "[]", "{\"revision\":0}", "{\"revision\":-1}", "{",
                                        "{\"revision\":1.5}", "{\"revision\":\"1\"}", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false (revision_note_parse (span_of (wrong[i]), &none));
    assert_false (revision_note_parse ((span_t){0}, &none));
    /* Another's idea of our key. */
    assert_true (revision_note_parse (
        span_of ("{\"revision\":1,\"hash\":\"x\",\"author\":7,\"at\":\"now\"}"), &read));
    assert_string_equal (read.hash, "");
    assert_null (read.author);
    assert_int_equal (read.at_ms, 0);
    revision_note_free (&read);
}

static void test_times (void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {1772366400123, "2026-03-01T12:00:00.123Z"},
                 {951782400999, "2000-02-29T00:00:00.999Z"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NOTE_TIME_BYTES];
        note_time_write (cases[i].ms, text);
        assert_string_equal (text, cases[i].text);
        assert_int_equal (note_time_read (text), cases[i].ms);
    }
    static const char *const wrong[] = {"", "2026-03-01", "2026-03-01T12:00:00Z",
                                        "2026-03-01T12:00:00.1Z", "2026-03-01T12:00:00.123",
                                        "2026-03-01T12:00:00.123Zx"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal (note_time_read (wrong[i]), -1);
    assert_int_equal (note_time_read (NULL), -1);
}

static void test_texts_are_cut_whole (void **state)
{
    (void)state;
    char text[NOTE_TEXT_BYTES_MAX + 8];
    memset (text, 'x', sizeof text);
    memcpy (text + NOTE_TEXT_BYTES_MAX - 1, "\xc3\xa9", 2); /* does not fit any more */
    char *cut = revision_note_text ((span_t){text, sizeof text});
    assert_int_equal (strlen (cut), NOTE_TEXT_BYTES_MAX - 1);
    free (cut);
    assert_null (revision_note_text (span_of ("")));
    cut = revision_note_text (span_of ("ab\xff" "cd"));
    assert_string_equal (cut, "ab");
    free (cut);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_crash_points),       cmocka_unit_test (test_published_revisions),
        cmocka_unit_test (test_a_document_that_moved_on),
        cmocka_unit_test (test_a_store_that_fails), cmocka_unit_test (test_notes),
        cmocka_unit_test (test_times),              cmocka_unit_test (test_texts_are_cut_whole),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
