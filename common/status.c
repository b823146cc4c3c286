#include "common/status.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_status.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/status_note.h"
#include "common/stop.h"

struct status {
    http_status_t *http;
    status_noted_t *noted;
    status_source_t source;
    readiness_t readiness;
    counters_t *counters;
    buffer_t text;
    int64_t started_wall_ms, readiness_ms, metrics_ms;
    bool ready;
};

/*  The address that others reach it by: HOST is this host's name where it listens on all. */
static void find_address (const char *listen, uint16_t port, char *address, size_t size)
{
    char host[STATUS_NOTE_TEXT_MAX - 8];
    const char *colon = strrchr (listen, ':');
    snprintf (host, sizeof host, "%.*s", (int)(colon - listen), listen);
    if (strcmp (host, "0.0.0.0") == 0 || strcmp (host, "[::]") == 0 || strcmp (host, "*") == 0)
        gethostname (host, sizeof host);
    host[sizeof host - 1] = '\0';
    snprintf (address, size, "%s:%u", host, port);
}

/*  One that cannot be noted is served nevertheless. */
static void put_note (status_t *self, const status_settings_t *settings,
                      const status_process_t *process)
{
    char folder[PATH_MAX], error[PATH_MAX + 256];
    status_note_t note = {.pid = (long)getpid (), .given = process->given};
    if (!settings->notes && !process->state)
        return;
    snprintf (folder, sizeof folder, "%s%s", settings->notes ? settings->notes : process->state,
              settings->notes ? "" : "/status");
    snprintf (note.name, sizeof note.name, "%s", process->name);
    snprintf (note.kind, sizeof note.kind, "%s", process->kind);
    find_address (settings->listen, http_status_port (self->http), note.address,
                  sizeof note.address);
    self->noted = status_note_put (folder, &note, error, sizeof error);
    if (!self->noted)
        log_warning ("`hotpath status` will not find this process", F_STR ("reason", error));
}

int status_open (const status_settings_t *settings, const status_process_t *process,
                 const status_source_t *source, status_t **made, char *error, size_t error_size)
{
    *made = NULL;
    if (!settings->listen || !*settings->listen)
        return 0;
    http_status_t *http = http_status_new (settings->listen, error, error_size);
    if (!http)
        return -1;
    status_t *self = memory_new (sizeof *self);
    self->http = http;
    self->source = *source;
    self->counters = counters_new ();
    self->started_wall_ms = clock_wall_ms ();
    self->readiness_ms = self->metrics_ms = INT64_MIN / 2;
    put_note (self, settings, process);
    log_info ("status is served", F_STR ("listen", settings->listen),
              F_INT ("port", http_status_port (http)));
    *made = self;
    return 0;
}

void status_close (status_t **self_p)
{
    status_t *self = *self_p;
    if (!self)
        return;
    status_note_remove (&self->noted);
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
    int64_t silent_ms = live_config_silent_ms (config);
    if (live_config_ready (config) && silent_ms)
        readiness_say (readiness, false, "config",
                       "configd at %s has sent nothing for %lld s: it is frozen, cut off or gone, and changes "
                       "of scenarios do not come through",
                       endpoint, (long long)(silent_ms / 1000));
    else if (live_config_ready (config))
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
