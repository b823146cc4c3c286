/*  sim_process: the processes of sim.h as coroutines, each with a stack of its own. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARD_BYTES = 4096 };

static ucontext_t world_context;

/*  Address sanitizer has to know on which stack it is. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
static const void *world_stack;
static size_t world_stack_bytes;

static void before_switch (void **fake, const void *stack, size_t bytes)
{
    __sanitizer_start_switch_fiber (fake, stack, bytes);
}
static void after_switch (void *fake, const void **from, size_t *from_bytes)
{
    __sanitizer_finish_switch_fiber (fake, from, from_bytes);
}
#else
static const void *world_stack;
static size_t world_stack_bytes;
static void before_switch (void **fake, const void *stack, size_t bytes)
{
    (void) fake, (void) stack, (void) bytes;
}
static void after_switch (void *fake, const void **from, size_t *from_bytes)
{
    (void) fake, (void) from, (void) from_bytes;
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
    return (char *) stack + GUARD_BYTES;
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
    after_switch (NULL, &world_stack, &world_stack_bytes);
    process_t *process = sim.current;
    process->life (process);
    process->up = false;
    process->object = NULL;
    before_switch (NULL, world_stack, world_stack_bytes);
    setcontext (&world_context);
}

void sim_start (process_t *process)
{
    process->up = true;
    process->lives++;
    process->dead = process->stopping = process->frozen = false;
    process->kill_in = process->freeze_in = 0;
    process->leap_ms = 0;
    process->wake_ms = sim.now_ms;
    getcontext (&process->context);
    process->context.uc_stack.ss_sp = process->stack;
    process->context.uc_stack.ss_size = SIM_STACK_BYTES;
    process->context.uc_link = NULL;
    makecontext (&process->context, enter, 0);
    sim_trace ("%s starts, life %u", process->name, process->lives);
}

void sim_run (process_t *process)
{
    void *fake = NULL;
    sim.current = process;
    process->attention = false;
    before_switch (&fake, process->stack, SIM_STACK_BYTES);
    swapcontext (&world_context, &process->context);
    after_switch (fake, NULL, NULL);
    sim.current = NULL;
}

void sim_wait (int64_t timeout_ms)
{
    process_t *process = sim.current;
    if (!process || process->dead || sim.in_thread)
        return;
    process->wake_ms = sim.now_ms + timeout_ms;
    do {
        void *fake = NULL;
        before_switch (&fake, world_stack, world_stack_bytes);
        swapcontext (&process->context, &world_context);
        after_switch (fake, &world_stack, &world_stack_bytes);
    } while (process->frozen && !process->dead);
}
