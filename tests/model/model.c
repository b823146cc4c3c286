/*  model: hotpath's own processes on a simulated machine, thousands of schedules a second.
 *
 *  What runs is the code of worker, ingestor and sink as it is built for the executables, whole
 *  loops and all: common/, ingestor/, sink/ of build/lib. What they call of the outside is
 *  simulated at the library's edge: ZeroMQ (sim_network), LMDB, file locks and the committing
 *  thread (sim_lmdb, sim_files, sim_committer), a connection with a Redis behind it (sim_redis_link,
 *  sim_redis), a Kafka topic and group behind ingestor/source.h (sim_kafka), the config
 *  (sim_config), clocks, signals and the log (sim). The stage is the least that shows what was
 *  counted (model_stage). Each process is a coroutine that a schedule may kill, freeze or hold
 *  up at any call.
 *
 *  A seed decides everything: the world, its events, the faults (faults), every delay. A
 *  schedule has faults for a while, then calm, and must become quiet with all as the oracle
 *  says (oracle); promises are checked at every change (checks, checks_redis).
 *
 *      model [--seed S] [--schedules N | --seconds N] [--jobs N]      many, from S on
 *      model --run SEED [--without BITS] [--all]      one, with (all of) its trace
 *      model --test                                   for make test: kept seeds, then many
 *      --go-on: does not stop at the first that fails, and tells each in a line
 *      --kinds a,b,c: only these kinds of faults (--kinds list names them)
 *
 *  The output is TAP. docs/model.md says what is modelled and what is not.
 */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kept_seeds.h"
#include "schedule.h"
#include "sim.h"

enum {
    JOBS_MAX = 16,
    TRACE_LINES = 120,
    HANGS_SECONDS = 30, /* of a single schedule */
#ifdef __SANITIZE_ADDRESS__
    TEST_SCHEDULES = 600,
#else
    TEST_SCHEDULES = 4000,
#endif
    TEST_SECONDS = 5,
};

/*  What the jobs have done; shared by all of them. */
typedef struct {
    uint64_t schedules, steps, calls;
    uint64_t events[EVENTS_COUNT];
    uint32_t calm_steps_most;
    int64_t calm_ms_most;
    bool failed;
    uint64_t failed_seed;
} job_t;

typedef struct {
    uint64_t seed;
    uint64_t schedules; /* 0: for `seconds` */
    uint32_t seconds, jobs, kinds;
    bool goes_on; /* tells of each seed that fails, and does not stop */
} request_t;

static uint64_t present_seed; /* for the handler of signals */
static uint32_t test_number, test_failed;

static double now_seconds (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool say (bool good, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
static bool say (bool good, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    printf ("%s %u - ", good ? "ok" : "not ok", ++test_number);
    vprintf (format, arguments);
    printf ("\n");
    fflush (stdout);
    va_end (arguments);
    test_failed += !good;
    return good;
}

/*  ---- one schedule, told ---- */

#ifndef __SANITIZE_ADDRESS__
static void on_crash (int signal)
{
    printf ("# schedule %" PRIu64 " ended by signal %d (%s)\n", present_seed, signal,
            signal == SIGALRM ? "it hangs" : strsignal (signal));
    if (sim.tracing)
        sim_print_trace ();
    fflush (stdout);
    _exit (3);
}

static void handle_crashes (void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
    static char stack[1 << 16];
    sigaltstack (&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction (signals[i],
                   &(struct sigaction){.sa_handler = on_crash, .sa_flags = SA_ONSTACK}, NULL);
}
#else
/*  The sanitizer tells of a crash by itself. */
static void handle_crashes (void)
{
}
#endif

static bool run (const schedule_t *schedule, schedule_result_t *result)
{
    present_seed = schedule->seed;
    alarm (HANGS_SECONDS);
    bool good = schedule_run (schedule, result);
    alarm (0);
    return good;
}

static void tell_faults (const schedule_t *schedule)
{
    faults_t faults;
    schedule_faults (schedule, &faults);
    for (uint32_t i = 0; i < faults.count; i++) {
        char text[128];
        fault_write (&faults.list[i], text, sizeof text);
        if (!(schedule->without >> i & 1))
            printf ("#   fault %u, %s\n", i, text);
    }
    const network_t *network = &faults.network;
    printf ("#   network: pipes of %u frames, delays to %" PRId64 " ms, in thousand: slow %u, "
            "dropped %u, repeated %u, swapped %u\n",
            network->frames_max, network->delay_ms_max, network->slow, network->drop,
            network->repeat, network->swap);
}

/*  Runs it in a process of its own, since it may crash; traced. */
static bool run_apart (const schedule_t *schedule, bool trace, uint32_t lines)
{
    fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        schedule_result_t result;
        handle_crashes ();
        sim.tracing = trace;
        sim_keep_trace (lines);
        bool good = run (schedule, &result);
        if (!good) {
            printf ("# %s\n", sim.failure);
            sim_print_trace ();
        }
        fflush (stdout);
        _exit (good ? 0 : 1);
    }
    int status = 0;
    waitpid (child, &status, 0);
    return WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

/*  Less and less of the faults, as long as it fails. */
static void shrink_apart (schedule_t *schedule)
{
    faults_t faults;
    schedule_faults (schedule, &faults);
    bool smaller = true;
    while (smaller) {
        smaller = false;
        for (uint32_t i = 0; i < faults.count; i++) {
            schedule_t tried = *schedule;
            tried.without |= UINT64_C (1) << i;
            if (tried.without == schedule->without)
                continue;
            int saved = dup (STDOUT_FILENO);
            fflush (stdout);
            if (!freopen ("/dev/null", "w", stdout))
                exit (1);
            bool good = run_apart (&tried, false, 0);
            fflush (stdout);
            dup2 (saved, STDOUT_FILENO);
            close (saved);
            if (!good) {
                *schedule = tried;
                smaller = true;
            }
        }
    }
}

static void explain (schedule_t schedule)
{
    shrink_apart (&schedule);
    printf ("# seed %" PRIu64 " breaks a promise; with the least of its faults:\n", schedule.seed);
    tell_faults (&schedule);
    run_apart (&schedule, true, TRACE_LINES);
    printf ("# again, with its trace: --run %" PRIu64 " --without %#" PRIx64 "\n", schedule.seed,
            schedule.without);
}

/*  ---- many ---- */

static void work (const request_t *request, uint32_t number, job_t *job, volatile bool *stop)
{
    double until = now_seconds () + request->seconds;
    for (uint64_t i = number; !*stop; i += request->jobs) {
        if (request->schedules ? i >= request->schedules : now_seconds () >= until)
            break;
        const schedule_t schedule = {.seed = request->seed + i, .kinds = request->kinds};
        schedule_result_t result;
        job->failed_seed = schedule.seed; /* if it crashes, this one it was */
        bool good = run (&schedule, &result);
        job->schedules++;
        job->steps += result.steps;
        if (result.calm_steps > job->calm_steps_most)
            job->calm_steps_most = result.calm_steps;
        if (result.calm_ms > job->calm_ms_most)
            job->calm_ms_most = result.calm_ms;
        if (!good) {
            job->failed = true;
            *stop = !request->goes_on;
            printf ("# seed %" PRIu64 ": %s\n", schedule.seed, sim.failure);
            fflush (stdout);
        }
    }
    job->calls = sim.calls;
    memcpy (job->events, sim.events, sizeof job->events);
}

typedef struct {
    volatile bool stop;
    job_t jobs[JOBS_MAX];
} board_t;

static job_t run_many (const request_t *request)
{
    board_t *board = mmap (NULL, sizeof *board, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[JOBS_MAX];
    job_t sum = {0};
    fflush (stdout);
    for (uint32_t i = 0; i < request->jobs; i++) {
        children[i] = fork ();
        if (children[i] != 0)
            continue;
        handle_crashes ();
        work (request, i, &board->jobs[i], &board->stop);
        _exit (0);
    }
    for (uint32_t i = 0; i < request->jobs; i++) {
        int status = 0;
        waitpid (children[i], &status, 0);
        job_t *job = &board->jobs[i];
        if (status != 0)
            job->failed = board->stop = true;
        sum.schedules += job->schedules;
        sum.steps += job->steps;
        sum.calls += job->calls;
        for (uint32_t j = 0; j < EVENTS_COUNT; j++)
            sum.events[j] += job->events[j];
        if (job->calm_steps_most > sum.calm_steps_most)
            sum.calm_steps_most = job->calm_steps_most;
        if (job->calm_ms_most > sum.calm_ms_most)
            sum.calm_ms_most = job->calm_ms_most;
        if (job->failed) {
            sum.failed = true;
            sum.failed_seed = job->failed_seed;
        }
    }
    munmap (board, sizeof *board);
    return sum;
}

static bool report (const request_t *request, const char *name, job_t *all)
{
    double began = now_seconds ();
    job_t sum = run_many (request);
    double took = now_seconds () - began;
    say (!sum.failed, "%s: %" PRIu64 " schedules from seed %" PRIu64, name, sum.schedules,
         request->seed);
    printf ("# %.0f schedules/s, %.0f steps each, %.1f us a step; most until all was quiet: "
            "%u steps, %.0f s simulated\n",
            (double)sum.schedules / took, (double)sum.steps / (double)sum.schedules,
            took * 1e6 * request->jobs / (double)sum.steps, sum.calm_steps_most,
            (double)sum.calm_ms_most / 1000);
    if (sum.failed && !request->goes_on)
        explain ((schedule_t){.seed = sum.failed_seed, .kinds = request->kinds});
    all->schedules += sum.schedules;
    for (uint32_t i = 0; i < EVENTS_COUNT; i++)
        all->events[i] += sum.events[i];
    return !sum.failed;
}

static void report_events (const job_t *all, bool each_must)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < EVENTS_COUNT; i++) {
        printf ("# %12" PRIu64 "  %s\n", all->events[i], sim_event_text (i));
        missing += all->events[i] == 0;
    }
    if (each_must)
        say (!missing, "each kind of event happened");
}

static void run_kept (void)
{
    for (uint32_t i = 0; i < sizeof kept_seeds / sizeof *kept_seeds; i++) {
        const kept_seed_t *kept = &kept_seeds[i];
        const schedule_t schedule = {.seed = kept->seed, .kinds = UINT32_MAX};
        bool good = run_apart (&schedule, false, 0);
        if (!say (good, "seed %" PRIu64 ": %s", kept->seed, kept->found))
            explain (schedule);
    }
}

/*  ---- the command line ---- */

static uint32_t read_kinds (const char *text)
{
    uint32_t kinds = 0;
    char *copy = strdup (text), *rest = copy;
    for (char *name; (name = strsep (&rest, ","));) {
        uint32_t i = 0;
        while (i < FAULT_KINDS && strcmp (fault_name (i), name) != 0)
            i++;
        if (i == FAULT_KINDS) {
            fprintf (stderr, "model: %s is no kind of fault; they are:", name);
            for (i = 0; i < FAULT_KINDS; i++)
                fprintf (stderr, " %s", fault_name (i));
            fprintf (stderr, "\n");
            exit (64);
        }
        kinds |= UINT32_C (1) << i;
    }
    free (copy);
    return kinds;
}

static int finish (void)
{
    printf ("1..%u\n", test_number);
    return test_failed != 0;
}

static int run_tests (request_t request)
{
    job_t all = {0};
    run_kept ();
    request.schedules = TEST_SCHEDULES;
    request.seed = 1;
    report (&request, "fixed seeds", &all);
    request.schedules = 0;
    request.seconds = TEST_SECONDS;
    request.seed = (uint64_t)time (NULL) * 1000000;
    report (&request, "fresh seeds", &all);
    report_events (&all, true);
    return finish ();
}

static int run_one (const schedule_t *schedule, bool whole)
{
    tell_faults (schedule);
    bool good = run_apart (schedule, true, whole ? 0 : TRACE_LINES);
    say (good, "seed %" PRIu64, schedule->seed);
    return finish ();
}

/*  An option's number; ends the program where it is none: another seed than was meant would be a lie. */
static uint64_t number_of (const char *text)
{
    char *end;
    uint64_t number = strtoull (text, &end, 0);
    if (end != text && !*end)
        return number;
    fprintf (stderr, "model: '%s' is not a number (see the head of tests/model/model.c)\n", text);
    exit (64);
}

int main (int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},      {"schedules", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 't'},   {"jobs", required_argument, NULL, 'j'},
        {"run", required_argument, NULL, 'r'},       {"without", required_argument, NULL, 'w'},
        {"all", no_argument, NULL, 'a'},             {"test", no_argument, NULL, 'T'},
        {"kinds", required_argument, NULL, 'k'},     {"go-on", no_argument, NULL, 'g'},
        {NULL, 0, NULL, 0}};
    request_t request = {.seed = (uint64_t)time (NULL) * 1000000,
                         .seconds = 10,
                         .jobs = (uint32_t)sysconf (_SC_NPROCESSORS_ONLN),
                         .kinds = UINT32_MAX};
    schedule_t one = {0};
    bool is_one = false, whole = false, test = false;
    for (int option; (option = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        uint64_t number = optarg && option != 'k' ? number_of (optarg) : 0;
        switch (option) {
        case 's': request.seed = number; break;
        case 'n': request.schedules = number; break;
        case 't': request.seconds = (uint32_t)number; break;
        case 'j': request.jobs = (uint32_t)number; break;
        case 'r': one.seed = number; is_one = true; break;
        case 'w': one.without = number; break;
        case 'a': whole = true; break;
        case 'T': test = true; break;
        case 'g': request.goes_on = true; break;
        case 'k': request.kinds = read_kinds (optarg); break;
        default: return 64;
        }
    }
    request.jobs = request.jobs < 1 ? 1 : request.jobs > JOBS_MAX ? JOBS_MAX : request.jobs;
    one.kinds = request.kinds;
    mallopt (M_MMAP_THRESHOLD, 1 << 18);
    mallopt (M_TRIM_THRESHOLD, 1 << 28);
    if (is_one)
        return run_one (&one, whole);
    if (test)
        return run_tests (request);
    job_t all = {0};
    report (&request, "schedules", &all);
    report_events (&all, false);
    return finish ();
}
