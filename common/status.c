#include "common/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_status.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/stop.h"

struct status {
    http_status_t *http;
    status_source_t source;
    readiness_t readiness;
    counters_t *counters;
    buffer_t text;
    int64_t started_wall_ms, readiness_ms, metrics_ms;
    bool ready;
};

int status_open (const char *listen, const status_source_t *source, status_t **made, char *error,
                 size_t error_size)
{
    *made = NULL;
    if (!listen || !*listen)
        return 0;
    http_status_t *http = http_status_new (listen, error, error_size);
    if (!http)
        return -1;
    status_t *self = memory_new (sizeof *self);
    self->http = http;
    self->source = *source;
    self->counters = counters_new ();
    self->started_wall_ms = clock_wall_ms ();
    self->readiness_ms = self->metrics_ms = INT64_MIN / 2;
    log_info ("status is served", F_STR ("listen", listen),
              F_INT ("port", http_status_port (http)));
    *made = self;
    return 0;
}

void status_close (status_t **self_p)
{
    status_t *self = *self_p;
    if (!self)
        return;
    http_status_destroy (&self->http);
    counters_destroy (&self->counters);
    readiness_free (&self->readiness);
    buffer_free (&self->text);
    free (self);
    *self_p = NULL;
}

static double seconds_of (struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double resident_bytes (void)
{
    unsigned long long all = 0, resident = 0;
    FILE *file = fopen ("/proc/self/statm", "re");
    if (!file)
        return 0;
    int read = fscanf (file, "%llu %llu", &all, &resident);
    fclose (file);
    return read == 2 ? (double)resident * (double)sysconf (_SC_PAGESIZE) : 0;
}

static void put_process (const status_t *self, counters_t *counters)
{
    struct rusage usage = {0};
    getrusage (RUSAGE_SELF, &usage);
    counters_family (counters, COUNTERS_GAUGE, "hotpath_build_info", "Always 1; the version.");
    counters_put (counters, "hotpath_build_info", 1, L_STR ("version", HOTPATH_VERSION));
    counters_single (counters, COUNTERS_GAUGE, "hotpath_ready",
                     "Whether /readyz says that this process makes progress.", self->ready);
    counters_single (counters, COUNTERS_COUNTER, "process_cpu_seconds_total",
                     "User and system CPU time.",
                     seconds_of (usage.ru_utime) + seconds_of (usage.ru_stime));
    counters_single (counters, COUNTERS_GAUGE, "process_resident_memory_bytes", "Resident memory.",
                     resident_bytes ());
    counters_single (counters, COUNTERS_GAUGE, "process_start_time_seconds",
                     "Start of this process, since the epoch.",
                     (double)self->started_wall_ms / 1000);
}

static void tell_metrics (status_t *self, int64_t now_ms)
{
    self->metrics_ms = now_ms;
    counters_clear (self->counters);
    self->source.metrics (self->source.arg, self->counters, now_ms);
    put_process (self, self->counters);
    buffer_clear (&self->text);
    counters_write (self->counters, &self->text);
    http_status_set_metrics (self->http, &self->text);
}

/*  A change shows in both at once. */
static void tell_readiness (status_t *self, int64_t now_ms)
{
    bool was_ready = self->ready;
    self->readiness_ms = now_ms;
    readiness_clear (&self->readiness);
    if (stop_requested ())
        readiness_say (&self->readiness, false, "drain", "stopping");
    self->source.readiness (self->source.arg, &self->readiness, now_ms);
    self->ready = readiness_is_ready (&self->readiness);
    if (self->ready != was_ready)
        tell_metrics (self, now_ms);
    http_status_set_readiness (self->http, &self->readiness);
}

void status_turn (status_t *self, int64_t now_ms)
{
    if (!self)
        return;
    http_status_turned (self->http, now_ms);
    if (now_ms - self->readiness_ms >= STATUS_READINESS_MS)
        tell_readiness (self, now_ms);
    if (now_ms - self->metrics_ms >= STATUS_METRICS_MS)
        tell_metrics (self, now_ms);
}

/*  ---- the live config ---- */

void status_config_readiness (const live_config_t *config, const char *endpoint,
                              readiness_t *readiness)
{
    uint64_t incarnation, sequence;
    live_config_position (config, &incarnation, &sequence);
    if (live_config_ready (config))
        readiness_say (readiness, true, "config", "sequence %" PRIu64 ", %u scenarios", sequence,
                       live_config_count (config));
    else
        readiness_say (readiness, false, "config", "none has come yet from configd at %s",
                       endpoint);
}

void status_config_metrics (const live_config_t *config, counters_t *counters)
{
    uint64_t incarnation, sequence;
    live_config_position (config, &incarnation, &sequence);
    counters_single (counters, COUNTERS_GAUGE, "hotpath_config_sequence",
                     "Config changes of configd's present life that are applied here.",
                     (double)sequence);
    counters_single (counters, COUNTERS_GAUGE, "hotpath_config_scenarios",
                     "Scenarios known, active or not.", live_config_count (config));
}
