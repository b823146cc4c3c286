#include "ctl/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/settings.h"
#include "ctl/status_find.h"

enum { ASK_AGAIN_US = 250000, NAME_WIDTH_MAX = 40 };

typedef struct {
    char *state;
    settings_list_t at, only;
    int64_t timeout_ms, wait_ms;
    bool json;
} status_command_t;

#define AT(field) .offset = offsetof (status_command_t, field)

static const setting_t table[] = {
    {.name = "state", .type = SETTING_TEXT, AT (state), .value = "DIR",
     .help = "state folder: the processes that are noted there"},
    {.name = "at", .type = SETTING_LIST, AT (at), .value = "HOST:PORT,...",
     .help = "where more processes serve their status; a name stands for all its addresses"},
    {.name = "wait", .type = SETTING_DURATION, AT (wait_ms), .otherwise = "0s", .value = "TIME",
     .help = "ask again until all are ready, for so long at most", .most = 3600000},
    {.name = "timeout", .type = SETTING_DURATION, AT (timeout_ms), .otherwise = "3s",
     .value = "TIME", .help = "how long to wait for one answer", .least = 10, .most = 60000},
    {.name = "only", .type = SETTING_LIST, AT (only), .value = "HOST:PORT,...",
     .help = "look at these and nothing else, and miss nothing beside them: a health check"},
    {.name = "json", .type = SETTING_FLAG, AT (json), .help = "one JSON object a line"},
    {.name = NULL},
};

static const settings_program_t program = {
    "hotpath status", "Says of every process what it does and what is wrong; exits 0 if all are ready.",
    table, NULL};

typedef struct {
    size_t ready;
    bool all_ready;
} verdict_t;

/*  ---- for people ---- */

static void print_process (const status_found_t *found, const status_view_t *view, int width)
{
    printf ("%-*s  %-9s  %s\n", width, found->note.name, status_state_name (view->state),
            view->what);
    for (size_t i = 0; i < view->problem_count; i++)
        printf ("%-*s    ! %s\n", width, "", view->problems[i]);
}

static void print_sum (size_t count, const verdict_t *verdict, const status_view_t *whole)
{
    for (size_t i = 0; i < whole->problem_count; i++)
        printf ("! %s\n", whole->problems[i]);
    if (verdict->all_ready)
        printf ("all %zu processes are ready\n", count);
    else
        printf ("%zu of %zu processes are ready\n", verdict->ready, count);
}

/*  ---- for programs ---- */

static void print_string (const char *text)
{
    putchar ('"');
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            printf ("\\%c", *at);
        else if (*at < ' ')
            printf ("\\u%04x", *at);
        else
            putchar (*at);
    }
    putchar ('"');
}

static void print_member (const char *name, const char *text)
{
    printf ("\"%s\":", name);
    print_string (text);
}

static void print_problems (const status_view_t *view)
{
    printf (",\"problems\":[");
    for (size_t i = 0; i < view->problem_count; i++) {
        if (i)
            putchar (',');
        print_string (view->problems[i]);
    }
    printf ("]}\n");
}

static void print_process_json (const status_found_t *found, const status_view_t *view)
{
    putchar ('{');
    print_member ("name", found->note.name);
    putchar (',');
    print_member ("kind", found->note.kind);
    putchar (',');
    print_member ("address", found->note.address);
    printf (",\"pid\":%ld,", found->note.pid);
    print_member ("state", status_state_name (view->state));
    putchar (',');
    print_member ("what", view->what);
    print_problems (view);
}

static void print_sum_json (size_t count, const verdict_t *verdict, const status_view_t *whole)
{
    printf ("{\"processes\":%zu,\"ready\":%zu,\"all_ready\":%s", count, verdict->ready,
            verdict->all_ready ? "true" : "false");
    print_problems (whole);
}

/*  ---- the call ---- */

static int width_of (const status_found_t *found, size_t count)
{
    int width = 0;
    for (size_t i = 0; i < count; i++) {
        int size = (int)strlen (found[i].note.name);
        width = size > width ? size : width;
    }
    return width < NAME_WIDTH_MAX ? width : NAME_WIDTH_MAX;
}

static verdict_t judge (const status_command_t *command, const status_found_t *found, size_t count,
                        status_view_t *views, status_view_t *whole)
{
    verdict_t verdict = {0};
    int64_t now_ms = clock_wall_ms ();
    for (size_t i = 0; i < count; i++) {
        status_view_process (&found[i], now_ms, &views[i]);
        verdict.ready += views[i].state == STATUS_READY;
    }
    if (!command->only.count)
        status_view_whole (found, count, whole);
    verdict.all_ready = count && verdict.ready == count && whole->state == STATUS_READY;
    return verdict;
}

static int print_all (const status_command_t *command, const status_found_t *found, size_t count,
                      const status_view_t *views, const verdict_t *verdict,
                      const status_view_t *whole)
{
    int width = width_of (found, count);
    for (size_t i = 0; i < count; i++) {
        if (command->json)
            print_process_json (&found[i], &views[i]);
        else
            print_process (&found[i], &views[i], width);
    }
    if (command->json)
        print_sum_json (count, verdict, whole);
    else if (count)
        print_sum (count, verdict, whole);
    if (!count)
        fprintf (stderr,
                 "hotpath status: no process is noted in %s%s: does `hotpath run` run on this state "
                 "folder? (others need --status-listen)\n",
                 command->state ? command->state : "the state folder",
                 command->state ? "/status" : "");
    bool some = false;
    for (size_t i = 0; i < count; i++)
        some |= found[i].ready_code != 0;
    return verdict->all_ready ? EX_OK : some ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

int status_main (int argc, char **argv)
{
    status_command_t command = {0};
    settings_load (&program, argc, argv, &command);
    if (!command.state && !command.at.count && !command.only.count)
        settings_fail (EX_USAGE, "--state or --at is needed (see --help)");
    const settings_list_t *at = command.only.count ? &command.only : &command.at;
    status_finder_t *finder = status_finder_new (command.only.count ? NULL : command.state, at->list,
                                                 at->count, (long)command.timeout_ms);
    int64_t until_ms = clock_ms () + command.wait_ms;
    const status_found_t *found;
    status_view_t *views = NULL, *whole = memory_new (sizeof *whole);
    verdict_t verdict;
    size_t count;
    for (;;) {
        count = status_finder_ask (finder, &found);
        free (views);
        views = memory_new_array (count + 1, sizeof *views);
        verdict = judge (&command, found, count, views, whole);
        if (verdict.all_ready || clock_ms () >= until_ms)
            break;
        usleep (ASK_AGAIN_US);
    }
    int code = print_all (&command, found, count, views, &verdict, whole);
    free (whole);
    free (views);
    status_finder_destroy (&finder);
    settings_free (&program, &command);
    return code;
}
