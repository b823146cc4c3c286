#include "ctl/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "ctl/lines.h"
#include "ctl/restart_policy.h"

enum { LAST_WORDS_BYTES_MAX = 4096, READS_AT_END_MAX = 4096 };

typedef enum { WORDS_HOLD, WORDS_PASS, WORDS_DROP } words_mode_t;

typedef struct {
    children_t *children; /* to which it belongs */
    const run_child_t *plan;
    pid_t pid;             /* 0: it does not run */
    int beat_fd, words_fd; /* our ends, or -1 */
    lines_t beats, words;
    int64_t heard_ms; /* last time that anything came, or its start */
    int64_t again_ms; /* when to start it again, or 0 */
    bool heard, ready, was_ready, done, silent;
    bool ended_ready; /* it was ready when it ended last */
    uint32_t lives;
    restart_policy_t policy;
    char last_words[LAST_WORDS_BYTES_MAX];
} child_t;

struct children {
    child_t *list;
    uint32_t count;
    signals_t *signals;
    int signal_fd;
    children_events_t events;
    char **environment; /* without HOTPATH_*; room for a secret and the NULL behind the last */
    size_t environment_count;
    words_mode_t mode;
    buffer_t held;
    bool winding_down;
    struct pollfd *polled;
};

extern char **environ;

/*  ---- what they say ---- */

static void write_all (const void *bytes, size_t size)
{
    for (const char *at = bytes; size;) {
        ssize_t written = write (STDERR_FILENO, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return; /* a log that nobody takes stops nothing */
        at += written;
        size -= (size_t)written;
    }
}

static bool is_own (const char *line)
{
    return strncmp (line, "hotpath", 7) == 0;
}

static void on_words (void *arg, char *line, size_t size)
{
    child_t *child = arg;
    children_t *self = child->children;
    /* What a program says of itself ("hotpath-sink: …") before it exits counts more than what a
     * library says behind that. */
    if (size && (is_own (line) || !is_own (child->last_words)))
        snprintf (child->last_words, sizeof child->last_words, "%s", line);
    line[size] = '\n'; /* where its NUL was: lines.h leaves room */
    if (self->mode == WORDS_PASS)
        write_all (line, size + 1);
    else if (self->mode == WORDS_HOLD)
        buffer_append (&self->held, line, size + 1);
    if (self->held.size > CHILDREN_HELD_BYTES_MAX)
        children_release (self);
}

static void on_beat (void *arg, char *line, size_t size)
{
    child_t *child = arg;
    children_t *self = child->children;
    if (strcmp (line, "ready") == 0) {
        child->ready = true;
        child->was_ready = true;
    } else if (size) {
        child->done |= strncmp (line, "done", 4) == 0;
        self->events.said (self->events.arg, (uint32_t)(child - self->list), line);
    }
}

static void close_end (int *fd)
{
    if (*fd >= 0)
        close (*fd);
    *fd = -1;
}

/*  0 at the end of the pipe. */
static int hear_beat (child_t *child)
{
    int got = lines_read (&child->beats, child->beat_fd, on_beat, child);
    if (got > 0) {
        child->heard = true;
        child->heard_ms = clock_ms ();
    }
    return got;
}

static void hear_all (child_t *child)
{
    for (int i = 0; i < READS_AT_END_MAX && child->beat_fd >= 0 && hear_beat (child) > 0; i++)
        ;
    for (int i = 0; i < READS_AT_END_MAX && child->words_fd >= 0 &&
                    lines_read (&child->words, child->words_fd, on_words, child) > 0;
         i++)
        ;
    lines_end (&child->words, on_words, child);
    child->beats.size = 0; /* half a line of a dead child says nothing */
    close_end (&child->beat_fd);
    close_end (&child->words_fd);
}

void children_release (children_t *self)
{
    if (self->mode != WORDS_HOLD)
        return;
    self->mode = WORDS_PASS;
    write_all (self->held.bytes, self->held.size);
    buffer_free (&self->held);
}

void children_mute (children_t *self)
{
    self->mode = WORDS_DROP;
    buffer_free (&self->held);
}

bool children_held (const children_t *self)
{
    return self->mode == WORDS_HOLD;
}

/*  ---- life ---- */

/*  configd's MongoDB driver would leave a file in /dev/shm with each kill (configd/mongo_link.h). */
static char no_driver_counters[] = "MONGOC_DISABLE_SHM=1";

/*  Settings reach the children by their command line alone: a HOTPATH_NAME meant for `run` would
 * name them all. */
static void make_environment (children_t *self)
{
    size_t count = 0;
    while (environ[count])
        count++;
    self->environment = memory_new_array (count + 3, sizeof *self->environment);
    for (size_t i = 0; i < count; i++) {
        if (strncmp (environ[i], "HOTPATH_", 8) != 0 || crash_point_is_variable (environ[i]))
            self->environment[self->environment_count++] = environ[i];
    }
    self->environment[self->environment_count++] = no_driver_counters;
}

children_t *children_new (const run_plan_t *plan, signals_t *signals, int signal_fd, bool hold,
                          const children_events_t *events)
{
    children_t *self = memory_new (sizeof *self);
    self->signals = signals;
    self->signal_fd = signal_fd;
    self->events = *events;
    self->mode = hold ? WORDS_HOLD : WORDS_PASS;
    self->count = plan->count;
    self->list = memory_new_array (plan->count, sizeof *self->list);
    self->polled = memory_new_array (1 + 2 * plan->count, sizeof *self->polled);
    for (uint32_t i = 0; i < plan->count; i++) {
        child_t *child = &self->list[i];
        child->children = self;
        child->plan = &plan->children[i];
        child->beat_fd = child->words_fd = -1;
    }
    make_environment (self);
    return self;
}

void children_destroy (children_t **self_p)
{
    children_t *self = *self_p;
    if (!self)
        return;
    children_signal_all (self, SIGKILL);
    for (uint32_t i = 0; i < self->count; i++) {
        child_t *child = &self->list[i];
        if (child->pid)
            waitpid (child->pid, NULL, 0);
        close_end (&child->beat_fd);
        close_end (&child->words_fd);
    }
    buffer_free (&self->held);
    free (self->environment);
    free (self->polled);
    free (self->list);
    free (self);
    *self_p = NULL;
}

/*  The child's side of the fork. */
static _Noreturn void become (const children_t *self, const run_child_t *plan, char **arguments,
                              int beat, int words, pid_t parent)
{
    if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid () != parent)
        _exit (EX_OSERR);
    signals_restore (self->signals);
    bool wired = dup2 (words, STDOUT_FILENO) >= 0 && dup2 (words, STDERR_FILENO) >= 0;
    wired =
        wired && (beat == RUN_BEAT_FD ? fcntl (beat, F_SETFD, 0) : dup2 (beat, RUN_BEAT_FD)) >= 0;
    if (!plan->reads_input) {
        /* Ctrl-C of a terminal is for the supervisor, which stops in order. Who reads the terminal
         * must stay in its foreground group. */
        int nothing = open ("/dev/null", O_RDONLY);
        wired = wired && setpgid (0, 0) == 0 && dup2 (nothing, STDIN_FILENO) >= 0;
    }
    if (!wired || close_range (RUN_BEAT_FD + 1, ~0U, 0) != 0)
        _exit (EX_OSERR);
    CRASH_POINT (FORK_CHILD);
    execve (arguments[0], arguments, self->environment);
    dprintf (STDERR_FILENO, "hotpath: cannot start %s: %s\n", arguments[0], strerror (errno));
    _exit (EX_UNAVAILABLE);
}

/*  The plan's arguments, and one more from the second life on; texts stay the plan's. */
static char **life_arguments (const child_t *child)
{
    size_t count = child->plan->argument_count;
    char **arguments = memory_new_array (count + 2, sizeof *arguments);
    memcpy (arguments, child->plan->arguments, count * sizeof *arguments);
    if (child->was_ready)
        arguments[count] = child->plan->again;
    return arguments;
}

void children_start (children_t *self, uint32_t index)
{
    child_t *child = &self->list[index];
    int beat[2], words[2];
    int failed = pipe2 (beat, O_CLOEXEC) != 0 || pipe2 (words, O_CLOEXEC) != 0;
    CHECK (!failed);
    fcntl (beat[0], F_SETFL, O_NONBLOCK);
    fcntl (words[0], F_SETFL, O_NONBLOCK);
    char **arguments = life_arguments (child);
    self->environment[self->environment_count] = child->plan->secret;
    pid_t parent = getpid ();
    CRASH_POINT (FORK_BEFORE);
    child->pid = fork ();
    CHECK (child->pid >= 0);
    if (child->pid == 0)
        become (self, child->plan, arguments, beat[1], words[1], parent);
    CRASH_POINT (FORK_AFTER);
    free (arguments);
    close (beat[1]);
    close (words[1]);
    child->beat_fd = beat[0];
    child->words_fd = words[0];
    child->heard_ms = clock_ms ();
    child->again_ms = 0;
    child->lives++;
    child->heard = child->ready = child->done = child->silent = false;
    child->last_words[0] = '\0';
}

int children_restart (children_t *self, uint32_t index, bool ended_well)
{
    child_t *child = &self->list[index];
    int64_t now_ms = clock_ms ();
    bool is_death = !ended_well || !child->ended_ready;
    int64_t delay_ms = is_death ? restart_policy_next (&child->policy, now_ms) : RESTART_FIRST_MS;
    if (delay_ms < 0)
        return -1;
    child->again_ms = now_ms + delay_ms;
    if (is_death)
        log_warning ("a process died and is started again", F_STR ("process", child->plan->name),
                     F_INT ("in_ms", delay_ms), F_INT ("lives", child->lives));
    else
        log_info ("a process was told to end and is started again",
                  F_STR ("process", child->plan->name), F_INT ("lives", child->lives));
    return 0;
}

void children_wind_down (children_t *self)
{
    self->winding_down = true;
}

void children_signal (children_t *self, uint32_t child, int number)
{
    if (self->list[child].pid)
        kill (self->list[child].pid, number);
}

void children_signal_all (children_t *self, int number)
{
    for (uint32_t i = 0; i < self->count; i++)
        children_signal (self, i, number);
}

bool children_running (const children_t *self, uint32_t child)
{
    return self->list[child].pid != 0;
}

bool children_ready (const children_t *self, uint32_t child)
{
    return self->list[child].pid && self->list[child].ready;
}

int64_t children_pid (const children_t *self, uint32_t child)
{
    return self->list[child].pid;
}

/*  ---- the turn ---- */

static void hear (children_t *self, int timeout_ms)
{
    size_t count = 0;
    self->polled[count++] = (struct pollfd){self->signal_fd, POLLIN, 0};
    for (uint32_t i = 0; i < self->count; i++) {
        self->polled[count++] = (struct pollfd){self->list[i].beat_fd, POLLIN, 0};
        self->polled[count++] = (struct pollfd){self->list[i].words_fd, POLLIN, 0};
    }
    if (poll (self->polled, count, timeout_ms) <= 0)
        return;
    signals_take (self->signals, self->signal_fd);
    for (uint32_t i = 0; i < self->count; i++) {
        child_t *child = &self->list[i];
        if (self->polled[1 + 2 * i].revents && hear_beat (child) == 0)
            close_end (&child->beat_fd);
        if (self->polled[2 + 2 * i].revents &&
            lines_read (&child->words, child->words_fd, on_words, child) == 0)
            close_end (&child->words_fd);
    }
}

static void reap (children_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        child_t *child = &self->list[i];
        int status;
        if (!child->pid || waitpid (child->pid, &status, WNOHANG) != child->pid)
            continue;
        child->pid = 0;
        hear_all (child);
        const child_end_t end = {.code = WIFEXITED (status) ? WEXITSTATUS (status) : -1,
                                 .signal = WIFSIGNALED (status) ? WTERMSIG (status) : 0,
                                 .silent = child->silent,
                                 .ready = child->ready,
                                 .was_ready = child->was_ready,
                                 .done = child->done,
                                 .last_words = child->last_words};
        child->ended_ready = child->ready;
        child->ready = false;
        self->events.ended (self->events.arg, i, &end);
    }
}

static void kill_silent (children_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->count; i++) {
        child_t *child = &self->list[i];
        int64_t most_ms = child->done    ? CHILDREN_LAST_BEAT_MS
                          : child->heard ? CHILDREN_SILENT_MS
                                         : child->plan->first_beat_ms;
        if (!child->pid || child->silent || now_ms - child->heard_ms < most_ms)
            continue;
        child->silent = true;
        log_warning ("a process is silent and is killed", F_STR ("process", child->plan->name),
                     F_INT ("pid", child->pid), F_INT ("silent_ms", now_ms - child->heard_ms));
        children_signal (self, i, SIGKILL);
    }
}

static void start_due (children_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->list[i].again_ms && now_ms >= self->list[i].again_ms)
            children_start (self, i);
    }
}

void children_poll (children_t *self, int timeout_ms)
{
    hear (self, timeout_ms);
    reap (self);
    if (self->winding_down)
        return;
    int64_t now_ms = clock_ms ();
    kill_silent (self, now_ms);
    start_due (self, now_ms);
}
