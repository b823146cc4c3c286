/*  status_note: a note stands as long as its process lives; what dead ones left is told or swept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/status_note.h"
#include "temp_folder.h"

static status_note_t note_of (const char *name, const char *kind, bool given)
{
    status_note_t note = {.pid = (long)getpid (), .given = given};
    snprintf (note.name, sizeof note.name, "%s", name);
    snprintf (note.kind, sizeof note.kind, "%s", kind);
    snprintf (note.address, sizeof note.address, "127.0.0.1:1");
    return note;
}

static status_noted_t *put (const char *folder, const char *name, const char *kind, bool given)
{
    char error[512];
    status_note_t note = note_of (name, kind, given);
    status_noted_t *noted = status_note_put (folder, &note, error, sizeof error);
    if (!noted)
        fail_msg ("%s", error);
    return noted;
}

static void in_order_and_gone (void **state)
{
    static const char *const names[] = {"configd", "ingestor-0", "scorer-0", "scorer-1", "sink-0"};
    status_noted_t *noted[] = {put (*state, "sink-0", "sink", true),
                               put (*state, "scorer-1", "scorer", true),
                               put (*state, "scorer-0", "scorer", true),
                               put (*state, "configd", "configd", true),
                               put (*state, "ingestor-0", "ingestor", true)};
    size_t count;
    status_note_t *notes = status_notes_read (*state, &count);
    assert_int_equal (count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal (notes[i].name, names[i]);
        assert_true (notes[i].alive && notes[i].given);
        assert_int_equal (notes[i].pid, getpid ());
        assert_string_equal (notes[i].address, "127.0.0.1:1");
    }
    free (notes);
    for (size_t i = 0; i < 5; i++)
        status_note_remove (&noted[i]);
    free (status_notes_read (*state, &count));
    assert_int_equal (count, 0);
}

/*  A child notes itself, and is killed. */
static void leave_dead (const char *folder, const char *name, bool given)
{
    int ready[2];
    char byte;
    assert_int_equal (pipe (ready), 0);
    pid_t pid = fork ();
    if (pid == 0) {
        status_noted_t *noted = put (folder, name, "scorer", given);
        if (write (ready[1], "", 1) == 1)
            pause ();
        status_note_remove (&noted);
        _exit (0);
    }
    assert_int_equal (read (ready[0], &byte, 1), 1);
    kill (pid, SIGKILL);
    waitpid (pid, NULL, 0);
    close (ready[0]);
    close (ready[1]);
}

static void dead (void **state)
{
    char path[4096];
    size_t count;
    leave_dead (*state, "scorer-0", true);
    leave_dead (*state, "scorer-host-77", false);
    status_note_t *notes = status_notes_read (*state, &count);
    assert_int_equal (count, 1);
    assert_string_equal (notes[0].name, "scorer-0");
    assert_false (notes[0].alive);
    free (notes);
    snprintf (path, sizeof path, "%s/scorer-host-77", (const char *)*state);
    assert_int_equal (access (path, F_OK), -1);

    status_noted_t *again = put (*state, "scorer-0", "scorer", true);
    notes = status_notes_read (*state, &count);
    assert_int_equal (count, 1);
    assert_true (notes[0].alive);
    free (notes);
    status_note_remove (&again);
}

/*  A file of that name and age, such as a note is before it gets its own; its path. */
static char *aside (const char *folder, const char *name, int64_t age_s)
{
    static char path[4096];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    int fd = open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    struct timespec times[2] = {{.tv_sec = time (NULL) - age_s}, {.tv_sec = time (NULL) - age_s}};
    assert_true (fd >= 0);
    assert_int_equal (futimens (fd, times), 0);
    close (fd);
    return path;
}

static void unfinished (void **state)
{
    size_t count;
    char *path = aside (*state, ".scorer-0.Ab1xyz", 3600);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    assert_int_equal (flock (fd, LOCK_EX | LOCK_NB), 0);
    free (status_notes_read (*state, &count));
    assert_int_equal (access (path, F_OK), 0);
    close (fd);
    free (status_notes_read (*state, &count));
    assert_int_equal (access (path, F_OK), -1);

    static const struct {
        const char *name;
        int64_t age_s;
    } kept[] = {{".scorer-0.Ab1xyz", 0}, {".keep", 3600}, {".scorer-0.swp", 3600}, {".scorer-0.Ab-xyz", 3600}};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        path = aside (*state, kept[i].name, kept[i].age_s);
        free (status_notes_read (*state, &count));
        assert_int_equal (access (path, F_OK), 0);
        unlink (path);
    }
}

static void no_notes (void **state)
{
    static const char *const texts[] = {"", "kind", "kind scorer\npid x\naddress a\ngiven 1\n",
                                        "something else altogether"};
    char path[4096];
    size_t count;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf (path, sizeof path, "%s/note-%zu", (const char *)*state, i);
        FILE *file = fopen (path, "w");
        assert_non_null (file);
        fputs (texts[i], file);
        fclose (file);
    }
    free (status_notes_read (*state, &count));
    assert_int_equal (count, 0);
    snprintf (path, sizeof path, "%s/absent", (const char *)*state);
    free (status_notes_read (path, &count));
    assert_int_equal (count, 0);
}

static void cannot_be_put (void **state)
{
    char folder[4096], error[512];
    status_note_t note = note_of ("a", "scorer", true);
    snprintf (folder, sizeof folder, "%s/file", (const char *)*state);
    FILE *file = fopen (folder, "w");
    assert_non_null (file);
    fclose (file);
    assert_null (status_note_put (folder, &note, error, sizeof error));
    assert_non_null (strstr (error, "cannot note the address in"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (in_order_and_gone, temp_folder_make, temp_folder_remove),
        cmocka_unit_test_setup_teardown (dead, temp_folder_make, temp_folder_remove),
        cmocka_unit_test_setup_teardown (unfinished, temp_folder_make, temp_folder_remove),
        cmocka_unit_test_setup_teardown (no_notes, temp_folder_make, temp_folder_remove),
        cmocka_unit_test_setup_teardown (cannot_be_put, temp_folder_make, temp_folder_remove),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
