/*  status: what the working loop of a process tells the world: once a second its metrics, four
 * times a second how ready it is, each turn that it lives. It gathers from the process's two
 * callbacks, adds what all processes have in common, and hands over to http_status. All of it in
 * the loop's thread.
 */
#ifndef HOTPATH_STATUS_H
#define HOTPATH_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/counters.h"
#include "common/live_config.h"
#include "common/readiness.h"

enum { STATUS_READINESS_MS = 250, STATUS_METRICS_MS = 1000 };

/*  Called within status_turn. */
typedef struct {
    void *arg;
    void (*readiness) (void *arg, readiness_t *readiness, int64_t now_ms);
    void (*metrics) (void *arg, counters_t *counters, int64_t now_ms);
} status_source_t;

typedef struct status status_t;

/*  Where it is served, and where that is noted (status_note.h). */
typedef struct {
    char *listen; /* HOST:PORT, port 0: any; NULL or empty: not at all */
    char *notes;  /* folder; NULL: it is not noted */
} status_settings_t;

/*  The settings that every executable has: `field` is a status_settings_t. */
#define STATUS_SETTINGS(struct_type, field)                                                        \
    {.name = "status-listen",                                                                      \
     .type = SETTING_TEXT,                                                                         \
     .offset = offsetof (struct_type, field.listen),                                               \
     .value = "HOST:PORT",                                                                         \
     .help = "serve /livez, /readyz and /metrics there, to everybody; port 0: a free one; by "     \
             "default nowhere"},                                                                   \
    {                                                                                              \
        .name = "status-notes", .type = SETTING_TEXT,                                              \
        .offset = offsetof (struct_type, field.notes), .value = "DIR",                             \
        .help = "folder where that address is noted, for `hotpath status`; by default "            \
                "STATE/status"                                                                     \
    }

/*  Who serves it. */
typedef struct {
    const char *kind, *name; /* "scorer", "scorer-0" */
    bool given;              /* the name was a setting: other processes expect one of it */
    const char *state;       /* where notes go by default, or NULL */
} status_process_t;

/*  Listens as `settings` say; where they do not, *made is NULL, which the others take. -1 with a
 * sentence in error. Before the first turn the process is alive and not ready. */
int status_open (const status_settings_t *settings, const status_process_t *process,
                 const status_source_t *source, status_t **made, char *error, size_t error_size);
void status_close (status_t **self_p);
/*  The loop turned (monotonic clock); tells what is due. */
void status_turn (status_t *self, int64_t now_ms);

/*  What all who run by a live config say of it. */
void status_config_readiness (const live_config_t *config, const char *endpoint,
                              readiness_t *readiness);
void status_config_metrics (const live_config_t *config, counters_t *counters);

#endif
