/*  file_dead_letters, on disk: every letter is a line of the file that has the name, also when that
 *  was removed, moved away, or ends in half a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "ingestor/file_dead_letters.h"
#include "tests/unit/temp_folder.h"

static char path[256];

static dead_letters_t *open_letters (const char *folder)
{
    char error[256] = "";
    snprintf (path, sizeof path, "%s/letters.jsonl", folder);
    dead_letters_t *letters = file_dead_letters_new (path, error, sizeof error);
    if (!letters)
        fail_msg ("%s", error);
    return letters;
}

static void add (dead_letters_t *letters, int64_t offset)
{
    source_record_t record = {.partition = 0, .offset = offset, .value = {"x", 1}, .value_bytes = 1};
    assert_int_equal (letters->ops->add (letters, &record, "p", EVENT_REASON_SYNTAX, 5), OUTCOME_OK);
}

/*  Until it is written, or for a second. */
static bool flush (dead_letters_t *letters)
{
    for (int i = 0; i < 300 && letters->ops->pending (letters, 0); i++) {
        letters->ops->poll (letters);
        usleep (5000);
    }
    return !letters->ops->pending (letters, 0);
}

/*  Lines of the file, as "offset offset …"; what is no line of ours is "?". */
static void assert_lines (const char *of, const char *expected)
{
    char text[256] = "", line[1024];
    FILE *file = fopen (of, "r");
    assert_non_null (file);
    while (fgets (line, sizeof line, file)) {
        long long offset = -1;
        char *at = strstr (line, "\"offset\":");
        if (at && line[0] == '{' && strstr (line, "}\n"))
            sscanf (at, "\"offset\":%lld", &offset);
        snprintf (text + strlen (text), sizeof text - strlen (text), offset < 0 ? "? " : "%lld ", offset);
    }
    fclose (file);
    assert_string_equal (text, expected);
}

static void removed_and_rotated (void **state)
{
    char aside[300];
    dead_letters_t *letters = open_letters (*state);
    add (letters, 1);
    assert_true (flush (letters));
    assert_lines (path, "1 ");
    unlink (path);
    add (letters, 2);
    assert_true (flush (letters));
    assert_lines (path, "2 ");
    snprintf (aside, sizeof aside, "%s.1", path);
    rename (path, aside);
    add (letters, 3);
    add (letters, 4);
    assert_true (flush (letters));
    assert_lines (path, "3 4 ");
    assert_lines (aside, "2 ");
    letters->ops->destroy (&letters);
}

static void half_a_line (void **state)
{
    dead_letters_t *letters = open_letters (*state);
    add (letters, 1);
    letters->ops->destroy (&letters);
    FILE *file = fopen (path, "a");
    fputs ("{\"partition\":\"p\",\"offset\":7,\"rea", file);
    fclose (file);
    letters = open_letters (*state);
    assert_lines (path, "1 ? "); /* nothing is written before there is something to say */
    add (letters, 2);
    assert_true (flush (letters));
    assert_lines (path, "1 ? 2 ");
    letters->ops->destroy (&letters);
}

/*  The folder is gone: they wait until it is there again. */
static void no_folder (void **state)
{
    char folder[256], aside[300];
    snprintf (folder, sizeof folder, "%s/below", (char *)*state);
    snprintf (aside, sizeof aside, "%s-aside", folder);
    mkdir (folder, 0755);
    dead_letters_t *letters = open_letters (folder);
    add (letters, 1);
    assert_true (flush (letters));
    rename (folder, aside);
    add (letters, 2);
    assert_false (flush (letters));
    mkdir (folder, 0755);
    assert_true (flush (letters));
    assert_lines (path, "2 ");
    letters->ops->destroy (&letters);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown (test, temp_folder_make, temp_folder_remove)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK (removed_and_rotated),
        ON_DISK (half_a_line),
        ON_DISK (no_folder),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
