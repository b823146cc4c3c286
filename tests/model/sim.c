/*  sim: see sim.h: chance, time, calls, failures and the trace; the coroutines are in
 *  sim_process.c. */
#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stop.h"

enum {
    PREEMPT_IN_THOUSAND = 3,
    PREEMPT_MS_MAX = 200,
    DEAD_LEAP_MS = 100000,
    TRACE_LINES_MAX = 4096,
    TRACE_CALM_STEPS = 400, /* of what never comes to an end, only the beginning is told */
    TRACE_LINE_BYTES = 256,
};
#define START_WALL_MS INT64_C (1700000000000)

sim_t sim;

/*  ---- chance: splitmix64 ---- */

uint64_t chance_next (chance_t *self)
{
    uint64_t z = self->state += UINT64_C (0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C (0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t chance_below (chance_t *self, uint32_t below)
{
    return (uint32_t)((chance_next (self) >> 32) * below >> 32);
}

uint32_t chance_least (chance_t *self, uint32_t below)
{
    uint32_t a = chance_below (self, below), b = chance_below (self, below);
    return a < b ? a : b;
}

bool chance_is (chance_t *self, uint32_t in_thousand)
{
    return chance_below (self, 1000) < in_thousand;
}

int64_t chance_between (chance_t *self, int64_t least, int64_t most)
{
    return least + (int64_t)chance_below (self, (uint32_t)(most - least + 1));
}

/*  ---- events, failures, the trace ---- */

static const char *const event_texts[] = {
#define EVENTS_TEXT(symbol, text) text,
    EVENTS_LIST (EVENTS_TEXT)
#undef EVENTS_TEXT
};

static struct {
    char lines[TRACE_LINES_MAX][TRACE_LINE_BYTES];
    uint32_t kept; /* 0: printed at once */
    uint64_t count;
} trace;

const char *sim_event_text (event_kind_t kind)
{
    return event_texts[kind];
}

void sim_event (event_kind_t kind)
{
    sim.events[kind]++;
    if (kind != EVENT_FRAMES)
        sim_trace ("* %s", event_texts[kind]);
}

void sim_keep_trace (uint32_t lines)
{
    trace.kept = lines < TRACE_LINES_MAX ? lines : TRACE_LINES_MAX;
    trace.count = 0;
}

void sim_say (const char *format, ...)
{
    bool long_calm = sim.calm_step && sim.steps > sim.calm_step + TRACE_CALM_STEPS;
    if (trace.kept && long_calm && !sim_failed ())
        return;
    char line[TRACE_LINE_BYTES];
    int size = snprintf (line, sizeof line, "%6" PRIu64 " %8.3f %-11s ", sim.steps,
                         (double)(sim.now_ms - SIM_START_MS) / 1000,
                         sim.current ? sim.current->name : "");
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (line + size, sizeof line - (size_t)size, format, arguments);
    va_end (arguments);
    if (trace.kept)
        memcpy (trace.lines[trace.count++ % trace.kept], line, sizeof line);
    else
        printf ("# %s\n", line);
}

void sim_print_trace (void)
{
    uint64_t first = trace.count > trace.kept ? trace.count - trace.kept : 0;
    for (uint64_t i = first; i < trace.count; i++)
        printf ("#   %s\n", trace.lines[i % trace.kept]);
}

void sim_fail (const char *format, ...)
{
    if (sim.failure[0])
        return;
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (sim.failure, sizeof sim.failure, format, arguments);
    va_end (arguments);
    sim_trace ("BROKEN: %s", sim.failure);
}

bool sim_failed (void)
{
    return sim.failure[0] != '\0';
}

/*  ---- calls ---- */

static void die (process_t *process)
{
    static const event_kind_t kinds[] = {EVENT_KILLS_INGESTOR, EVENT_KILLS_WORKER,
                                         EVENT_KILLS_SINK};
    process->dead = true;
    sim_event (kinds[process->kind]);
}

static void freeze (process_t *process)
{
    process->frozen = true;
    process->frozen_ms = sim.now_ms;
    sim_event (EVENT_FREEZES);
}

bool sim_is_dead (void)
{
    return sim.current && sim.current->dead;
}

bool sim_call (const char *what)
{
    process_t *process = sim.current;
    if (!process)
        return true;
    if (process->dead)
        return false;
    sim.calls++;
    if (process->kill_in && --process->kill_in == 0) {
        sim_trace ("killed at %s", what);
        die (process);
        return false;
    }
    if (process->writing)
        return true;
    if (process->freeze_in && --process->freeze_in == 0) {
        sim_trace ("frozen at %s", what);
        freeze (process);
    }
    if (!sim.in_thread && (process->frozen || chance_is (&sim.chance, PREEMPT_IN_THOUSAND)))
        sim_wait (chance_between (&sim.chance, 0, PREEMPT_MS_MAX));
    return !process->dead;
}

void sim_kill (process_t *process)
{
    if (!process->up)
        return;
    if (!process->dead)
        die (process);
    process->frozen = false;
    sim_run (process);
    if (process->up)
        sim_fail ("the model cannot end %s after its death", process->name);
}

/*  ---- what the processes ask of clocks, signals and logs: instead of clock.c, stop.c, log.c
 *  ---- */

int64_t clock_ms (void)
{
    process_t *process = sim.current;
    if (!process)
        return sim.now_ms;
    if (process->dead)
        process->leap_ms += DEAD_LEAP_MS;
    return sim.now_ms + process->offset_ms + process->leap_ms;
}

int64_t clock_us (void)
{
    return clock_ms () * 1000;
}

int64_t clock_wall_ms (void)
{
    return START_WALL_MS + sim.now_ms + (sim.current ? sim.current->skew_ms : 0);
}

void stop_install (void)
{
}

bool stop_requested (void)
{
    return sim.current && (sim.current->stopping || sim.current->dead);
}

bool stop_take_reload (void)
{
    return false;
}

void log_start (const char *process, log_level_t least, bool json)
{
    (void)process, (void)least, (void)json;
}

int log_level_parse (const char *name, log_level_t *level)
{
    (void)name;
    *level = LOG_LEVEL_INFO;
    return 0;
}

void log_write (log_level_t level, const char *message, const log_field_t *fields)
{
    if (!sim.tracing || sim_is_dead ())
        return;
    char text[TRACE_LINE_BYTES] = "";
    size_t size = 0;
    for (const log_field_t *field = fields; field->key && size < sizeof text; field++) {
        size_t room = sizeof text - size;
        int written =
            field->type == LOG_FIELD_SPAN
                ? snprintf (text + size, room, " %s=%.*s", field->key, (int)field->span.size,
                            field->span.bytes ? field->span.bytes : "")
                : snprintf (text + size, room, " %s=%" PRId64, field->key, field->integer);
        size += (size_t)written;
    }
    static const char *const levels[] = {"log:", "LOG:", "LOG!", "LOG!"};
    sim_say ("%s %s%s", levels[level], message, text);
}

/*  ---- libc's, for the objects of hotpath (the linker's --wrap) ---- */

int __wrap_usleep (useconds_t us);

int __wrap_usleep (useconds_t us)
{
    sim_wait (us / 1000);
    return 0;
}
