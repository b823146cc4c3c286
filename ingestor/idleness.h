/*  idleness: when a partition counts as idle, and how far event time goes on while all do (design 5,
 *  "Time"). Pure: the own clock (ms, monotonic, above 0) is an argument.
 *
 *  Silence is never idleness: a partition counts as idle only where it is known that there is nothing. The
 *  source says when a partition was last known to be at its end (a confirmation); confirmations without a
 *  gap make a run. While a broker is away there are none, so that nothing is idle; and when it is back its
 *  producers get as long as ever to send what they hold, since the run begins anew.
 */
#ifndef HOTPATH_IDLENESS_H
#define HOTPATH_IDLENESS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    IDLENESS_FRESH_MS = 3000, /* a confirmation holds as long; sources confirm about once a second */
    IDLENESS_RUN_MS = 10000,  /* a partition far behind is idle after such a run, or --idle-timeout if less */
};

typedef struct {
    int64_t idle_timeout_ms, max_hold_ms, max_skew_ms;
    bool once;
} idleness_rules_t;

/*  The present run: its first and its last confirmation (own clock). Zeroed memory: none yet. */
typedef struct {
    int64_t first_ms, last_ms;
} idleness_run_t;

/*  What is known of a partition. */
typedef struct {
    bool at_end;         /* nothing that was given lies behind its position */
    int64_t greatest_ms; /* greatest event time, or EVENT_TIME_NONE */
    int64_t valid_ms;    /* own clock when its last valid event came, or when it was begun */
    idleness_run_t run;
} idleness_partition_t;

/*  The source knows of the end at known_ms (0: it never knew; one that was told before changes nothing). */
void idleness_confirm (idleness_run_t *run, int64_t known_ms);
/*  Is its greatest time more than by_ms behind greatest_ms, that of all? One without events is behind all. */
bool idleness_is_behind (int64_t own_greatest_ms, int64_t greatest_ms, int64_t by_ms);
/*  Does it hold nothing back? greatest_ms: of all partitions. */
bool idleness_is_idle (const idleness_rules_t *rules, const idleness_partition_t *partition,
                       int64_t greatest_ms, int64_t now_ms);
/*  Event time that is reached: base_ms when all became idle (own clock since_ms), and from there as far as the
 *  own partitions are known to be at their ends: confirmed_ms is their least confirmation (INT64_MAX: none is
 *  ours). EVENT_TIME_NONE base: none. */
int64_t idleness_time_ms (int64_t base_ms, int64_t since_ms, int64_t confirmed_ms, int64_t now_ms);

#endif
