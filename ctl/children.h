/*  children: the processes of one run: started, listened to, killed where they are silent, started
 * again.
 *
 *  From a child: its beat pipe (an empty line a second, "ready", and what else it says;
 * common/beat.h), its stderr (passed on line by line, or held back), its end. To a child: signals.
 *  A child dies with this process, however this one ends (PR_SET_PDEATHSIG).
 *  It does not: decide what an end means, or in which order to start and stop (run).
 */
#ifndef HOTPATH_CTL_CHILDREN_H
#define HOTPATH_CTL_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include "ctl/run_plan.h"
#include "ctl/signals.h"

enum {
    CHILDREN_SILENT_MS = 10000,        /* without a beat for so long a child is killed */
    CHILDREN_LAST_BEAT_MS = 30000,     /* the same for one that said it is done and ends */
    CHILDREN_HELD_BYTES_MAX = 1 << 20, /* of lines held back; then all are passed on */
};

typedef struct {
    int code;               /* exit code, or -1: ended by a signal */
    int signal;             /* that signal, or 0 */
    bool silent;            /* killed by us, since it was silent */
    bool ready;             /* it was, in this life */
    bool was_ready;         /* … or in an earlier one */
    bool done;              /* it had said "done" in this life */
    const char *last_words; /* of its stderr: the last line that begins with "hotpath", else the
                               last; or "" */
} child_end_t;

typedef struct {
    void *arg;
    /*  A line of a beat pipe, other than an empty one and "ready". */
    void (*said) (void *arg, uint32_t child, const char *line);
    void (*ended) (void *arg, uint32_t child, const child_end_t *end);
} children_events_t;

typedef struct children children_t;

/*  The plan and the signals (for their descriptor and the mask to restore) are borrowed for life.
 * stderr of the children is held back until children_release or children_mute, if `hold`. */
children_t *children_new (const run_plan_t *plan, signals_t *signals, int signal_fd, bool hold,
                          const children_events_t *events);
/*  Kills (-9) whatever still runs, and waits for it. */
void children_destroy (children_t **self_p);

void children_start (children_t *self, uint32_t child);
/*  Starts it again after a while. -1: it died too often; nothing is done. `ended_well`: somebody told
 * it to end; that is no death, if it was ready. */
int children_restart (children_t *self, uint32_t child, bool ended_well);
/*  Nothing is started any more, and silence is no reason to kill: they are being stopped. */
void children_wind_down (children_t *self);
void children_signal (children_t *self, uint32_t child, int number);
void children_signal_all (children_t *self, int number);

bool children_running (const children_t *self, uint32_t child);
/*  Has it said so in this life? */
bool children_ready (const children_t *self, uint32_t child);
int64_t children_pid (const children_t *self, uint32_t child);

/*  What was held back goes to stderr, and all that follows. */
void children_release (children_t *self);
/*  What was held back, and all that follows, is dropped. */
void children_mute (children_t *self);
bool children_held (const children_t *self);

/*  Waits, at most timeout_ms, for signals, lines and ends; calls back; starts what is due. */
void children_poll (children_t *self, int timeout_ms);

#endif
