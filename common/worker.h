/*  worker: the process that scorer, profiler and metrics share: one loop that takes sections, applies them
 *  to the shards it owns, computes what is complete, sends results and commits. What differs is the stage.
 *
 *  In: sections, partitions (PULL, from ingestors) · acks (PULL, from sinks) · config (SUB, from configd).
 *  Out: announce (PUSH to each ingestor) · results (PUSH to each sink).
 *  It does not: parse events, know Kafka or Redis, or decide who owns a shard (shard_owner).
 *
 *  The loop's phases, in order: config, acknowledgements, sections, time, results, commits, ownership,
 *  announcements, beat.
 */
#ifndef HOTPATH_WORKER_H
#define HOTPATH_WORKER_H

#include "common/settings.h"
#include "common/stage.h"
#include "common/status.h"

typedef struct {
    char *name, *state, *listen, *configd, *log_level, *log_format;
    status_settings_t status;
    settings_list_t ingestors, sinks;
    int64_t shards, commit_interval_ms, shard_bytes_max, out_of_orderness_ms, retire_ms, beat_fd;
    bool allow_plain_tcp;
} worker_settings_t;

/*  The settings' table that the three executables share. */
extern const setting_t worker_settings_table[];

typedef struct worker worker_t;

/*  Makes the worker: state, sockets, config subscription. NULL with a sentence in error and the sysexits
 *  code in *code. Settings are borrowed for life. */
worker_t *worker_new (const worker_settings_t *settings, const stage_t *stage, char *error,
                      size_t error_size, int *code);
/*  Works until SIGTERM: 0; or until it cannot go on: a sysexits code with a sentence in error (the state folder
 *  is gone or another, or a shard is of another format): then it must not be drained. */
int worker_run (worker_t *self, char *error, size_t error_size);
/*  Applies nothing more, commits every shard, gives them back, says so. 0, or -1 where a commit failed
 *  (nothing is lost: it is in the source). */
int worker_drain (worker_t *self);
void worker_destroy (worker_t **self_p);

/*  main of the three: everything from settings to exit code. */
int worker_main (const stage_t *stage, const char *summary, int argc, char **argv);

#endif
