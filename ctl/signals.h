/*  signals: SIGTERM, SIGINT, SIGHUP and SIGCHLD as something to poll for, so that the supervisor is
 * never interrupted, and counts a second SIGTERM.
 */
#ifndef HOTPATH_CTL_SIGNALS_H
#define HOTPATH_CTL_SIGNALS_H

#include <signal.h>

typedef struct {
    int stops;   /* SIGTERM or SIGINT, so many times since signals_open */
    int reloads; /* SIGHUP */
    sigset_t before;
} signals_t;

/*  Blocks them (what is started later must unblock: signals_restore); SIGPIPE is ignored. A
 * descriptor that is readable when one came; aborts without one. */
int signals_open (signals_t *self);
/*  Counts those that came. */
void signals_take (signals_t *self, int fd);
/*  In a child between fork and exec: as before signals_open. */
void signals_restore (const signals_t *self);

#endif
