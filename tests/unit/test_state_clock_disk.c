/*  state_clock, on disk: it never goes back, whatever the wall clock or the file says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/state_clock.h"
#include "tests/unit/temp_folder.h"

static void goes_on (void **state)
{
    static const struct {
        const char *name;
        uint64_t least;
        int64_t wall_ms;
        uint64_t next;
    } steps[] = {
        {"the wall clock", 0, 5000, 5000},
        {"within one ms", 0, 5000, 5001},
        {"set back", 0, 100, 5002},
        {"at least what is asked for", 9000, 100, 9000},
        {"a clock before 1970", 0, -1, 9001},
        {"forward", 0, 20000, 20000},
        {"least below all", 7, 20000, 20001},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (state_clock_next (*state, steps[i].least, steps[i].wall_ms) != steps[i].next)
            fail_msg ("%s", steps[i].name);
    }
}

static void write_file (const char *folder, const char *text)
{
    char path[256];
    snprintf (path, sizeof path, "%s/clock", folder);
    FILE *file = fopen (path, "w");
    fputs (text, file);
    fclose (file);
}

static void a_broken_file (void **state)
{
    static const char *const texts[] = {"", "hello", "123", "99999999999999999999\n",
                                        "0000000000000000000x", "18446744073709551615"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file (*state, texts[i]);
        assert_int_equal (state_clock_next (*state, 0, 700), 700);
        assert_int_equal (state_clock_next (*state, 0, 600), 701);
    }
}

static void no_file (void **state)
{
    char path[256];
    assert_int_equal (state_clock_next ("/nowhere/at/all", 3, 700), 700);
    assert_int_equal (state_clock_next ("/nowhere/at/all", 800, 700), 800);
    snprintf (path, sizeof path, "%s/clock", (char *)*state);
    assert_int_equal (mkdir (path, 0755), 0);
    assert_int_equal (state_clock_next (*state, 0, 700), 700);
}

/*  Whoever holds the file and is frozen stops nobody for long. */
static void a_frozen_holder (void **state)
{
    char path[256];
    assert_int_equal (state_clock_next (*state, 0, 700), 700);
    snprintf (path, sizeof path, "%s/clock", (char *)*state);
    int fd = open (path, O_RDONLY);
    assert_int_equal (flock (fd, LOCK_EX), 0);
    int64_t began_ms = clock_ms ();
    assert_int_equal (state_clock_next (*state, 0, 700), 701);
    assert_true (clock_ms () - began_ms < 5000);
    close (fd);
}

enum { THREADS = 4, NUMBERS = 200 };

typedef struct {
    const char *folder;
    uint64_t numbers[NUMBERS];
} taker_t;

static void *take (void *arg)
{
    taker_t *taker = arg;
    for (int i = 0; i < NUMBERS; i++)
        taker->numbers[i] = state_clock_next (taker->folder, 0, 1);
    return NULL;
}

/*  All at once: no number is given twice. */
static void at_once (void **state)
{
    static taker_t takers[THREADS];
    pthread_t threads[THREADS];
    bool seen[THREADS * NUMBERS + 1] = {false};
    for (int i = 0; i < THREADS; i++) {
        takers[i].folder = *state;
        pthread_create (&threads[i], NULL, take, &takers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        for (int at = 0; at < NUMBERS; at++) {
            uint64_t number = takers[i].numbers[at];
            assert_in_range (number, 1, THREADS * NUMBERS);
            assert_false (seen[number]);
            seen[number] = true;
        }
    }
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown (test, temp_folder_make, temp_folder_remove)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK (goes_on),         ON_DISK (a_broken_file), ON_DISK (no_file),
        ON_DISK (a_frozen_holder), ON_DISK (at_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
