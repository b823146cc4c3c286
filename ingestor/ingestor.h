/*  ingestor: from a source's records to the workers' sections: parses each event once, routes it by key to
 *  a shard of each stage, and hands out chained ranges; starts and rewinds where the workers' vectors say.
 *
 *  In: records (source) · announce (PULL, from workers) · config (SUB, from configd).
 *  Out: sections, partitions (PUSH, one socket a worker) · scenario (PUSH, to configd) · dead letters.
 *  It does not: keep any state of its own; what it needs to go on is in the workers' vectors.
 *
 *  The loop's phases, in order: config, awaited scenarios, announcements, starts, records, pace, sections, commits, beat.
 */
#ifndef HOTPATH_INGESTOR_H
#define HOTPATH_INGESTOR_H

#include <stdbool.h>
#include <stdint.h>
#include "common/scenario_scope.h"
#include "common/status.h"
#include "ingestor/dead_letters.h"
#include "ingestor/source.h"

typedef struct {
    const char *name, *listen, *configd; /* borrowed for life */
    uint64_t incarnation;                /* of this life, greater than every earlier one's */
    uint32_t stages;                     /* bit i: stage i takes part */
    uint32_t shard_count;
    const scenario_scope_t *scope;       /* which scenarios it is for (borrowed); NULL: all */
    int64_t out_of_orderness_ms, idle_timeout_ms, max_hold_ms, max_skew_ms, max_future_ms, lead_max_ms;
    bool idle_advance, once, skip_lost_offsets, allow_plain_tcp;
    bool begin_unknown; /* events of unknown scenarios wait until configd begins them; else they are skipped */
    int64_t beat_fd;
    const status_settings_t *status;
    bool name_given; /* by a setting */
    const char *state;
} ingestor_settings_t;

typedef struct ingestor ingestor_t;

/*  Makes it: sockets and config subscription. NULL with a sentence in error and a sysexits code in *code. */
ingestor_t *ingestor_new (const ingestor_settings_t *settings, char *error, size_t error_size,
                          int *code);
void ingestor_destroy (ingestor_t **self_p);

/*  What the source must call back; hold it until source and dead letters are given by ingestor_use. */
source_events_t ingestor_source_events (ingestor_t *self);
/*  Borrows both until ingestor_run has returned. */
void ingestor_use (ingestor_t *self, source_t *source, dead_letters_t *dead_letters);

/*  Works until SIGTERM (0), or with --once until all is settled (0); a sysexits code where it cannot go on
 *  (65: lost offsets with --once). */
int ingestor_run (ingestor_t *self);

#endif
