/*  sim_process: the processes of sim.h as coroutines, each with a stack of its own. */
#include "sim.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARD_BYTES = 4096 };

/*  ---- switching: to a process and back ---- */

#ifdef __SANITIZE_ADDRESS__
/*  Address sanitizer has to be told on which stack it is. */
#include <sanitizer/common_interface_defs.h>
static ucontext_t world_context;
static const void *world_stack;
static size_t world_stack_bytes;

static void switch_to (process_t *process)
{
    void *fake = NULL;
    __sanitizer_start_switch_fiber (&fake, process->stack, SIM_STACK_BYTES);
    swapcontext (&world_context, &process->context);
    __sanitizer_finish_switch_fiber (fake, NULL, NULL);
}

static void switch_back (process_t *process)
{
    void *fake = NULL;
    __sanitizer_start_switch_fiber (&fake, world_stack, world_stack_bytes);
    swapcontext (&process->context, &world_context);
    __sanitizer_finish_switch_fiber (fake, &world_stack, &world_stack_bytes);
}

static void begin_stack (void)
{
    __sanitizer_finish_switch_fiber (NULL, &world_stack, &world_stack_bytes);
}

static void end_stack (void)
{
    __sanitizer_start_switch_fiber (NULL, world_stack, world_stack_bytes);
    setcontext (&world_context);
}
#else
/*  A context is only needed to begin on a stack: jumps are ten times as fast, as they call no
 *  kernel. */
static jmp_buf world_jump;

static void switch_to (process_t *process)
{
    if (_setjmp (world_jump))
        return;
    if (process->begun)
        _longjmp (process->jump, 1);
    process->begun = true;
    setcontext (&process->context);
}

static void switch_back (process_t *process)
{
    if (!_setjmp (process->jump))
        _longjmp (world_jump, 1);
}

static void begin_stack (void)
{
}

static void end_stack (void)
{
    _longjmp (world_jump, 1);
}
#endif

/*  Stacks outlive schedules: making one costs more than many a schedule. */
static void *stacks[SIM_PROCESSES_MAX];

static void *make_stack (void)
{
    size_t bytes = SIM_STACK_BYTES + GUARD_BYTES;
    void *stack = mmap (NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED || mprotect (stack, GUARD_BYTES, PROT_NONE) != 0) {
        perror ("mmap");
        exit (1);
    }
    return (char *)stack + GUARD_BYTES;
}

void sim_begin (uint64_t seed)
{
    uint64_t events[EVENTS_COUNT];
    uint64_t calls = sim.calls;
    bool tracing = sim.tracing;
    memcpy (events, sim.events, sizeof events);
    sim = (sim_t){.now_ms = SIM_START_MS, .chance = {seed}, .tracing = tracing, .calls = calls};
    memcpy (sim.events, events, sizeof events);
}

process_t *sim_add_process (process_kind_t kind, uint32_t number, void (*life) (process_t *))
{
    static const char *const names[] = {"ingestor", "worker", "sink"};
    uint32_t slot = sim.process_count++;
    process_t *process = &sim.processes[slot];
    if (!stacks[slot])
        stacks[slot] = make_stack ();
    process->kind = kind;
    process->number = number;
    process->life = life;
    process->stack = stacks[slot];
    process->wanted = true;
    snprintf (process->name, sizeof process->name, "%s-%u", names[kind], number);
    return process;
}

static void enter (void)
{
    begin_stack ();
    process_t *process = sim.current;
    process->life (process);
    process->up = false;
    process->object = NULL;
    end_stack ();
}

void sim_start (process_t *process)
{
    process->up = true;
    process->lives++;
    process->dead = process->stopping = process->frozen = false;
    process->kill_in = process->freeze_in = 0;
    process->leap_ms = 0;
    process->wake_ms = sim.now_ms;
    process->begun = process->writing = false;
    getcontext (&process->context);
    process->context.uc_stack.ss_sp = process->stack;
    process->context.uc_stack.ss_size = SIM_STACK_BYTES;
    process->context.uc_link = NULL;
    makecontext (&process->context, enter, 0);
    sim_trace ("%s starts, life %u", process->name, process->lives);
}

void sim_run (process_t *process)
{
    sim.current = process;
    process->attention = false;
    switch_to (process);
    sim.current = NULL;
}

void sim_wait (int64_t timeout_ms)
{
    process_t *process = sim.current;
    if (!process || process->dead || sim.in_thread)
        return;
    process->wake_ms = sim.now_ms + timeout_ms;
    do
        switch_back (process);
    while (process->frozen && !process->dead);
}
