#include "ctl/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"
#include "ctl/children.h"
#include "ctl/run_folder.h"
#include "ctl/run_plan.h"
#include "ctl/run_settings.h"
#include "ctl/signals.h"
#include "ctl/sums.h"

typedef enum { PHASE_START, PHASE_RUN, PHASE_STOP, PHASE_END } phase_t;

enum { LOOK_MS = 1000 };

typedef struct {
    const run_settings_t *settings;
    const run_plan_t *plan;
    run_folder_t *folder;
    children_t *children;
    signals_t *signals;
    sums_t *sums;
    bool *finished; /* by child: an ingestor that read all of its input */
    phase_t phase;
    uint32_t stage;   /* of the phase */
    bool killed;      /* the stage was given up: SIGKILL */
    int64_t since_ms; /* start of the stage */
    int reloads;      /* SIGHUPs passed on */
    int64_t looked_ms;
    int64_t *told;    /* by child: the process that was told to end, to bind its socket anew */
    bool again;       /* everything is to be started anew */
    bool complete;    /* --once has read all */
    int code;
} run_t;

/*  ---- the end ---- */

static void begin_stage (run_t *self, uint32_t stage)
{
    self->stage = stage;
    self->since_ms = clock_ms ();
    self->killed = false;
    for (uint32_t i = 0; i < self->plan->count; i++) {
        if (run_plan_stop_stage (self->plan->children[i].part) == stage)
            children_signal (self->children, i, SIGTERM);
    }
}

static void begin_stop (run_t *self)
{
    self->phase = PHASE_STOP;
    children_wind_down (self->children);
    begin_stage (self, 0);
}

/*  The run cannot go on. While the start is held back, one line says why and nothing else is shown:
 * the child's own, which knows best. */
static void fail (run_t *self, int code, uint32_t child, const child_end_t *end, const char *why)
{
    const char *name = self->plan->children[child].name;
    bool own_words = end->code >= EX__BASE && end->code <= EX__MAX && *end->last_words;
    self->code = code;
    if (children_held (self->children) && !end->was_ready && own_words) {
        fprintf (stderr, "%s\n", end->last_words);
        children_mute (self->children);
    } else {
        children_release (self->children);
        log_error (why, F_STR ("process", name), F_INT ("exit", end->code),
                   F_INT ("signal", end->signal));
    }
    begin_stop (self);
}

static bool is_final (int code)
{
    return code == EX_USAGE || code == EX_DATAERR || code == EX_NOINPUT || code == EX_CONFIG;
}

static void judge_end (run_t *self, uint32_t index, const child_end_t *end)
{
    const run_child_t *child = &self->plan->children[index];
    bool cannot_start = end->code >= EX__BASE && end->code <= EX__MAX && !end->was_ready;
    if (cannot_start || is_final (end->code)) {
        fail (self, end->code, index, end,
              cannot_start ? "a process cannot start: all are stopped"
                           : "a process cannot go on: all are stopped");
    } else if (child->reads_input) {
        fail (self, EX_TEMPFAIL, index, end,
              "an ingestor died, and standard input cannot be read again: all are stopped; run it "
              "again "
              "with the same input");
    } else {
        bool ended_well = end->code == EX_OK;
        if (!ended_well)
            log_warning ("a process ended", F_STR ("process", child->name),
                         F_INT ("exit", end->code), F_INT ("signal", end->signal));
        if (children_restart (self->children, index, ended_well) != 0)
            fail (self, end->code == EX_UNAVAILABLE ? EX_UNAVAILABLE : EX_SOFTWARE, index, end,
                  "a process died again and again: all are stopped");
        else if (child->part == PART_INGESTOR)
            sums_note_restart (self->sums);
    }
}

static void on_ended (void *arg, uint32_t index, const child_end_t *end)
{
    run_t *self = arg;
    const run_child_t *child = &self->plan->children[index];
    bool ended_well = end->code == EX_OK;
    if (child->part == PART_INGESTOR && self->settings->once && end->done) {
        if (!ended_well)
            log_warning ("an ingestor had read everything, and then died",
                         F_STR ("process", child->name), F_INT ("exit", end->code),
                         F_INT ("signal", end->signal));
        self->finished[index] = true;
    } else if (self->phase != PHASE_STOP) {
        judge_end (self, index, end);
    } else if (!ended_well && end->signal != SIGTERM && !self->killed && !self->code) {
        log_warning ("a process did not end well", F_STR ("process", child->name),
                     F_INT ("exit", end->code), F_INT ("signal", end->signal));
        /* Nothing is lost: the last events are read again. One that was started again, and told to stop
         * before it was ready, has left nothing undone. */
        bool left_undone = end->code == EX_TEMPFAIL && (end->ready || !end->was_ready);
        if (self->complete || left_undone)
            self->code = EX_TEMPFAIL;
    }
}

static void on_said (void *arg, uint32_t index, const char *line)
{
    run_t *self = arg;
    if (!sums_take (self->sums, self->plan->children[index].index, line))
        log_warning ("a process says what is not understood",
                     F_STR ("process", self->plan->children[index].name), F_STR ("line", line));
}

/*  ---- phases ---- */

static void start_stage (run_t *self, uint32_t stage)
{
    self->stage = stage;
    for (uint32_t i = 0; i < self->plan->count; i++) {
        if (run_plan_start_stage (self->plan->children[i].part) == stage)
            children_start (self->children, i);
    }
}

static void step_start (run_t *self)
{
    for (uint32_t i = 0; i < self->plan->count; i++) {
        if (run_plan_start_stage (self->plan->children[i].part) <= self->stage &&
            !self->finished[i] && !children_ready (self->children, i)) {
            if (clock_ms () - self->since_ms > RUN_HOLD_MS)
                children_release (self->children);
            return;
        }
    }
    if (self->stage + 1 < RUN_START_STAGES) {
        start_stage (self, self->stage + 1);
        return;
    }
    self->phase = PHASE_RUN;
    children_release (self->children);
    log_info ("all processes run", F_INT ("processes", self->plan->count));
}

static void step_once (run_t *self)
{
    for (uint32_t i = 0; i < self->plan->count; i++) {
        if (self->plan->children[i].part == PART_INGESTOR && !self->finished[i])
            return;
    }
    self->complete = true;
    begin_stop (self);
}

static void step_stop (run_t *self)
{
    bool running = false;
    for (uint32_t i = 0; i < self->plan->count; i++) {
        bool ours = run_plan_stop_stage (self->plan->children[i].part) == self->stage;
        if (!ours || !children_running (self->children, i))
            continue;
        running = true;
        if (self->killed || clock_ms () - self->since_ms < RUN_STOP_MS)
            continue;
        log_warning ("a process does not end and is killed",
                     F_STR ("process", self->plan->children[i].name),
                     F_INT ("pid", children_pid (self->children, i)));
        children_signal (self->children, i, SIGKILL);
    }
    if (running) {
        self->killed |= clock_ms () - self->since_ms >= RUN_STOP_MS;
    } else if (self->stage + 1 < RUN_STOP_STAGES) {
        CRASH_POINT (STOP_BETWEEN);
        begin_stage (self, self->stage + 1);
    } else {
        self->phase = PHASE_END;
    }
}

/*  True where the second one came: everything is killed now. */
static bool step_signals (run_t *self)
{
    if (self->signals->stops >= 2) {
        log_warning ("told twice to stop: all are killed");
        self->code = EX_TEMPFAIL;
        return true;
    }
    if (self->signals->stops && self->phase < PHASE_STOP) {
        log_info ("stopping");
        if (self->settings->once)
            self->code = EX_TEMPFAIL;
        children_release (self->children);
        begin_stop (self);
    }
    for (; self->reloads < self->signals->reloads; self->reloads++) {
        for (uint32_t i = 0; i < self->plan->count; i++) {
            if (children_ready (self->children, i))
                children_signal (self->children, i, SIGHUP);
        }
    }
    return false;
}

/*  ---- the state folder and the sockets in it ---- */

/*  Its process ends in order and is started again, by which its socket comes back. */
static void bind_anew (run_t *self, uint32_t index)
{
    const run_child_t *child = &self->plan->children[index];
    int64_t pid = children_pid (self->children, index);
    if (!children_ready (self->children, index) || self->told[index] == pid)
        return;
    self->told[index] = pid;
    if (child->reads_input) {
        log_error ("the socket of the process that reads standard input is gone, and it cannot be "
                   "started again: workers that start from now on get nothing",
                   F_STR ("process", child->name));
        return;
    }
    log_warning ("the socket of a process is gone: it is started again",
                 F_STR ("process", child->name));
    children_signal (self->children, index, SIGTERM);
}

static void look_at_sockets (run_t *self)
{
    char path[PATH_MAX + RUN_SOCKET_NAME_BYTES];
    for (uint32_t i = 0; i < self->plan->count; i++) {
        snprintf (path, sizeof path, "%s/%s", self->folder->sockets, self->plan->children[i].name);
        if (access (path, F_OK) != 0 && errno == ENOENT)
            bind_anew (self, i);
    }
}

static bool reads_input (const run_t *self)
{
    bool reads = false;
    for (uint32_t i = 0; i < self->plan->count; i++)
        reads |= self->plan->children[i].reads_input;
    return reads;
}

/*  True: nothing that runs may go on. What belonged to the old folder is killed, not asked to commit. */
static bool look_after_folder (run_t *self)
{
    char error[PATH_MAX + 512];
    int64_t now_ms = clock_ms ();
    if (self->phase == PHASE_STOP || now_ms - self->looked_ms < LOOK_MS)
        return false;
    self->looked_ms = now_ms;
    switch (run_folder_look (self->folder, self->settings->state, error, sizeof error)) {
    case RUN_FOLDER_WELL:
        look_at_sockets (self);
        return false;
    case RUN_FOLDER_LOCKED_ANEW:
    case RUN_FOLDER_NO_SOCKETS:
        log_warning ("somebody removes files of a state folder that is in use",
                     F_STR ("reason", error));
        return false;
    case RUN_FOLDER_TAKEN:
        self->code = EX_TEMPFAIL;
        break;
    case RUN_FOLDER_LOST:
        self->again = !self->settings->once && !reads_input (self);
        self->code = EX_TEMPFAIL;
    }
    children_release (self->children);
    log_error (self->again ? "all processes are ended and started anew" : "all processes are ended",
               F_STR ("reason", error));
    return true;
}

static void supervise (run_t *self)
{
    self->since_ms = clock_ms ();
    start_stage (self, 0);
    while (self->phase != PHASE_END) {
        children_poll (self->children, RUN_TURN_MS);
        if (step_signals (self) || look_after_folder (self))
            return;
        if (self->phase == PHASE_START)
            step_start (self);
        if (self->settings->once && self->phase < PHASE_STOP)
            step_once (self);
        if (self->phase == PHASE_STOP)
            step_stop (self);
    }
}

/*  ---- from argv to exit code ---- */

static int print_sum (const sums_t *sums)
{
    char *text = sums_text (sums);
    int failed = fputs (text, stdout) < 0 || fflush (stdout) != 0;
    free (text);
    return failed ? EX_IOERR : EX_OK;
}

/*  The folder of the executables: beside this one. */
static void find_programs (char folder[PATH_MAX])
{
    ssize_t size = readlink ("/proc/self/exe", folder, PATH_MAX - 1);
    folder[size > 0 ? size : 0] = '\0';
    char *slash = strrchr (folder, '/');
    if (!slash)
        settings_fail (EX_OSERR, "cannot find where this program is: is /proc mounted?");
    *slash = '\0';
    for (int part = 0; part < PART_COUNT; part++) {
        char path[PATH_MAX + 64];
        snprintf (path, sizeof path, "%s/%s", folder, run_plan_program ((part_t)part));
        if (access (path, X_OK) != 0)
            settings_fail (EX_UNAVAILABLE, "%s is not there: the parts belong beside hotpath",
                           path);
    }
}

static int run_in (const run_settings_t *settings, const char *programs, run_folder_t *folder,
                   signals_t *signals, int signal_fd, bool hold, bool *again)
{
    run_t self = {
        .settings = settings, .folder = folder, .signals = signals, .sums = sums_new ()};
    run_plan_t *plan = run_plan_new (settings, programs, folder->sockets);
    self.plan = plan;
    self.finished = memory_new_array (plan->count, sizeof *self.finished);
    self.told = memory_new_array (plan->count, sizeof *self.told);
    const children_events_t events = {&self, on_said, on_ended};
    self.children = children_new (plan, signals, signal_fd, hold, &events);

    supervise (&self);

    children_destroy (&self.children);
    if (self.complete) {
        int printed = print_sum (self.sums);
        self.code = self.code ? self.code : printed;
    }
    *again = self.again && !signals->stops;
    free (self.finished);
    free (self.told);
    run_plan_destroy (&plan);
    sums_destroy (&self.sums);
    return self.code;
}

int run_main (int argc, char **argv)
{
    run_settings_t settings = {0};
    run_folder_t folder;
    char programs[PATH_MAX], error[PATH_MAX + 512];
    int code = EX_OK;
    run_settings_load (argc, argv, &settings);
    log_level_t level = LOG_LEVEL_INFO;
    log_level_parse (settings.log_level, &level);
    log_start ("run", level, strcmp (settings.log_format, "json") == 0);
    find_programs (programs);
    bool again = false;
    signals_t signals;
    int signal_fd = signals_open (&signals);
    do {
        if (run_folder_open (&folder, settings.state, (uint32_t)settings.shards, error,
                             sizeof error, &code) != 0)
            settings_fail (code, "%s", error);
        CRASH_POINT (RUN_LOCKED);
        code = run_in (&settings, programs, &folder, &signals, signal_fd, level != LOG_LEVEL_DEBUG,
                       &again);
        run_folder_close (&folder);
    } while (again);
    close (signal_fd);
    settings_free (&run_settings_program, &settings);
    return code;
}
