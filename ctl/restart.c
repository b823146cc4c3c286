#include "ctl/restart.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/settings.h"
#include "ctl/status_find.h"

enum { LOOK_AGAIN_US = 100000, TIMEOUT_MS = 3000 };

typedef struct {
    char *state;
    int64_t wait_ms;
} restart_command_t;

#define AT(field) .offset = offsetof (restart_command_t, field)

static const setting_t table[] = {
    {.name = "state", .type = SETTING_TEXT, AT (state), .value = "DIR",
     .help = "state folder of the processes"},
    {.name = "wait", .type = SETTING_DURATION, AT (wait_ms), .otherwise = "60s", .value = "TIME",
     .help = "how long each may take until all are ready again", .least = 1000, .most = 3600000},
    {.name = NULL},
};

static const settings_program_t program = {
    "hotpath restart",
    "Restarts the named processes (all, without names) one after the other, each once all are ready.",
    table, "[NAME...]"};

/*  ---- who ---- */

static bool is_named (const char *name, int argc, char **argv, int first)
{
    for (int i = first; i < argc; i++) {
        if (strcmp (argv[i], name) == 0)
            return true;
    }
    return first >= argc;
}

static const status_found_t *find_name (const status_found_t *found, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp (found[i].note.name, name) == 0)
            return &found[i];
    }
    return NULL;
}

/*  Names that are not there are told at once, before anything is restarted. */
static int check_names (const status_found_t *found, size_t count, int argc, char **argv, int first)
{
    for (int i = first; i < argc; i++) {
        if (!find_name (found, count, argv[i])) {
            fprintf (stderr, "hotpath restart: no process %s is known (see hotpath status)\n",
                     argv[i]);
            return -1;
        }
    }
    return 0;
}

/*  ---- one after the other ---- */

static bool all_ready (const status_found_t *found, size_t count, char *problem, size_t size)
{
    status_view_t *view = memory_new (sizeof *view);
    bool ready = true;
    for (size_t i = 0; i < count && ready; i++) {
        status_view_process (&found[i], 0, view);
        ready = view->state == STATUS_READY;
        if (!ready)
            snprintf (problem, size, "%s: %s", found[i].note.name, view->problems[0]);
    }
    if (ready) {
        status_view_whole (found, count, view);
        ready = view->state == STATUS_READY;
        if (!ready)
            snprintf (problem, size, "%s", view->problems[0]);
    }
    free (view);
    return ready;
}

/*  Until another process of this name, and all others, are ready. `former` 0: only that all are. */
static int wait_ready (status_finder_t *finder, const char *name, long former, int64_t wait_ms)
{
    char problem[STATUS_NOTE_TEXT_MAX + sizeof ": " + STATUS_PROBLEM_BYTES] = "";
    int64_t until_ms = clock_ms () + wait_ms;
    for (;;) {
        const status_found_t *found;
        size_t count = status_finder_ask (finder, &found);
        const status_found_t *one = find_name (found, count, name);
        bool started = !former || (one && one->note.alive && one->note.pid != former);
        if (!started)
            snprintf (problem, sizeof problem,
                      "nothing has started %s again: is it under hotpath run or a service manager?",
                      name);
        else if (all_ready (found, count, problem, sizeof problem))
            return 0;
        if (clock_ms () >= until_ms)
            break;
        usleep (LOOK_AGAIN_US);
    }
    fprintf (stderr, "hotpath restart: not all are ready after %lld s: %s\n",
             (long long)(wait_ms / 1000), problem);
    return -1;
}

static int restart_one (status_finder_t *finder, const status_note_t *note, int64_t wait_ms)
{
    int64_t began_ms = clock_ms ();
    if (kill ((pid_t)note->pid, SIGTERM) != 0) {
        fprintf (stderr,
                 "hotpath restart: %s (pid %ld) cannot be told to end: %s (a process of a container "
                 "is restarted by its engine)\n",
                 note->name, note->pid, strerror (errno));
        return -1;
    }
    if (wait_ready (finder, note->name, note->pid, wait_ms) != 0)
        return -1;
    printf ("%s: ended and started again, all are ready after %.1f s\n", note->name,
            (double)(clock_ms () - began_ms) / 1000);
    fflush (stdout);
    return 0;
}

static int restart_all (status_finder_t *finder, const status_note_t *notes, size_t count,
                        int64_t wait_ms)
{
    if (wait_ready (finder, "", 0, wait_ms) != 0)
        return EX_TEMPFAIL;
    for (size_t i = 0; i < count; i++) {
        if (restart_one (finder, &notes[i], wait_ms) != 0)
            return EX_TEMPFAIL;
    }
    return EX_OK;
}

int restart_main (int argc, char **argv)
{
    restart_command_t command = {0};
    int first = settings_load (&program, argc, argv, &command);
    if (!command.state)
        settings_fail (EX_USAGE, "--state is needed (see --help)");
    status_finder_t *finder = status_finder_new (command.state, NULL, 0, TIMEOUT_MS);
    const status_found_t *found;
    size_t count = status_finder_ask (finder, &found), chosen = 0;
    int code = EX_UNAVAILABLE;
    status_note_t *notes = memory_new_array (count + 1, sizeof *notes);
    if (!count)
        fprintf (stderr, "hotpath restart: no process is noted in %s/status\n", command.state);
    else if (check_names (found, count, argc, argv, first) == 0) {
        for (size_t i = 0; i < count; i++) {
            if (is_named (found[i].note.name, argc, argv, first))
                notes[chosen++] = found[i].note;
        }
        code = restart_all (finder, notes, chosen, command.wait_ms);
    }
    free (notes);
    status_finder_destroy (&finder);
    settings_free (&program, &command);
    return code;
}
