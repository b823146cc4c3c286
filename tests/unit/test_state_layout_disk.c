/*  state_layout, on disk: made once, the same for all who come later; others are refused by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/memory.h"
#include "common/state_layout.h"
#include "tests/unit/temp_folder.h"

static void made_once (void **state)
{
    char folder[256], error[512] = "";
    state_layout_t first = {0}, again = {0};
    snprintf (folder, sizeof folder, "%s/a/b//c/", (char *)*state);
    assert_int_equal (state_layout_open (folder, 16, &first, error, sizeof error), 0);
    assert_true (first.lineage != 0 && first.shard_count == 16);
    assert_int_equal (state_layout_open (folder, 16, &again, error, sizeof error), 0);
    assert_true (again.lineage == first.lineage && again.shard_count == 16);
    snprintf (folder, sizeof folder, "%s/other", (char *)*state);
    assert_int_equal (state_layout_open (folder, 16, &again, error, sizeof error), 0);
    assert_true (again.lineage != first.lineage);
}

static void write_layout (const char *folder, const char *text)
{
    char path[256];
    snprintf (path, sizeof path, "%s/layout", folder);
    FILE *file = fopen (path, "w");
    fputs (text, file);
    fclose (file);
}

static void refused (void **state)
{
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        {"another number of shards", "format=2\nshards=8\nlineage=00000000000000ff\n",
         "has 8 shards, --shards is 16: run with --shards 8"},
        {"a newer format", "format=3\nshards=16\nlineage=00000000000000ff\n",
         "is of format 3, this program knows 2: run the newer version"},
        {"an older format", "format=1\nshards=16\nlineage=00000000000000ff\n",
         "is of format 1, this program knows 2: run the older version"},
        {"empty", "", "cannot read"},
        {"cut", "format=2\nshards=16\n", "cannot read"},
        {"no lineage", "format=2\nshards=16\nlineage=0\n", "cannot read"},
        {"something else", "hello\n", "cannot read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[512] = "";
        state_layout_t layout;
        write_layout (*state, cases[i].text);
        if (state_layout_open (*state, 16, &layout, error, sizeof error) != EX_CONFIG ||
            !strstr (error, cases[i].says) || !strstr (error, *state))
            fail_msg ("%s: %s", cases[i].name, error);
    }
    char error[512] = "";
    state_layout_t layout;
    write_layout (*state, "format=2\nshards=16\nlineage=00000000000000ff\n");
    assert_int_equal (state_layout_open (*state, 16, &layout, error, sizeof error), 0);
    assert_true (layout.lineage == 0xff);
}

static void watched (void **state)
{
    char error[512] = "", path[256];
    state_layout_t layout;
    snprintf (path, sizeof path, "%s/layout", (char *)*state);
    assert_int_equal (state_layout_open (*state, 16, &layout, error, sizeof error), 0);
    assert_int_equal (state_layout_check (*state, &layout, error, sizeof error), 0);
    unlink (path);
    assert_int_equal (state_layout_check (*state, &layout, error, sizeof error), -1);
    assert_non_null (strstr (error, "was removed while this ran"));
    write_layout (*state, "half of somet"); /* says nothing: it is linked whole, or not of ours */
    assert_int_equal (state_layout_check (*state, &layout, error, sizeof error), 0);
    write_layout (*state, "format=2\nshards=16\nlineage=00000000000000ff\n");
    assert_int_equal (state_layout_check (*state, &layout, error, sizeof error), -1);
    assert_non_null (strstr (error, "was replaced by another while this ran: its lineage is 00000000000000ff"));
    layout.lineage = 0xff;
    assert_int_equal (state_layout_check (*state, &layout, error, sizeof error), 0);
    assert_int_equal (state_layout_check ("/nowhere/at/all", &layout, error, sizeof error), -1);
}

static void no_folder (void **state)
{
    char path[256], error[512] = "";
    state_layout_t layout;
    snprintf (path, sizeof path, "%s/file", (char *)*state);
    fclose (fopen (path, "w"));
    assert_int_equal (state_layout_open (path, 16, &layout, error, sizeof error), EX_CANTCREAT);
    assert_non_null (strstr (error, path));
    snprintf (path, sizeof path, "%s/file/below", (char *)*state);
    assert_int_equal (state_layout_open (path, 16, &layout, error, sizeof error), EX_CANTCREAT);
    assert_int_equal (state_layout_make_folder (""), -1);
    assert_int_equal (state_layout_make_folder ("/"), 0);
    char *longest = memory_new (10000);
    memset (longest, 'x', 9999);
    assert_int_equal (state_layout_make_folder (longest), -1);
    assert_int_equal (state_layout_open (longest, 16, &layout, error, sizeof error), EX_CONFIG);
    free (longest);
}

/*  ---- all at once: one makes it, all read the same ---- */

enum { THREADS = 8, ROUNDS = 20 };

typedef struct {
    const char *folder;
    pthread_barrier_t *barrier;
    state_layout_t layout;
    int result;
} opener_t;

static void *open_layout (void *arg)
{
    opener_t *opener = arg;
    char error[512];
    pthread_barrier_wait (opener->barrier);
    opener->result = state_layout_open (opener->folder, 4, &opener->layout, error, sizeof error);
    return NULL;
}

static void at_once (void **state)
{
    for (int round = 0; round < ROUNDS; round++) {
        char folder[256];
        opener_t openers[THREADS];
        pthread_t threads[THREADS];
        pthread_barrier_t barrier;
        snprintf (folder, sizeof folder, "%s/%d", (char *)*state, round);
        pthread_barrier_init (&barrier, NULL, THREADS);
        for (int i = 0; i < THREADS; i++) {
            openers[i] = (opener_t){.folder = folder, .barrier = &barrier};
            pthread_create (&threads[i], NULL, open_layout, &openers[i]);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join (threads[i], NULL);
        pthread_barrier_destroy (&barrier);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal (openers[i].result, 0);
            assert_true (openers[i].layout.lineage == openers[0].layout.lineage);
        }
        int files = 0;
        DIR *entries = opendir (folder);
        for (struct dirent *file; (file = readdir (entries)) != NULL;)
            files += file->d_name[0] != '.';
        closedir (entries);
        assert_int_equal (files, 1); /* nothing is left aside */
    }
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown (test, temp_folder_make, temp_folder_remove)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK (made_once),
        ON_DISK (refused), ON_DISK (watched),
        ON_DISK (no_folder),
        ON_DISK (at_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
