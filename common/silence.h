/*  silence: one that should be heard about once a second, and whether it is. Pure: time is an argument. Time in
 *  which nobody listened does not count (a process that was stopped itself, or takes nothing from its socket,
 *  hears nobody), so a late look blames no one.
 */
#ifndef HOTPATH_SILENCE_H
#define HOTPATH_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SILENCE_MS = 10000,      /* from then on it is said */
    SILENCE_LOOK_MS = 250,   /* how often one looks … */
    SILENCE_STEP_MS = 1000,  /* … and the most that one look counts */
};

/*  Zeroed memory is one of which nothing is known yet: its silence begins with the first look. */
typedef struct {
    int64_t looked_ms, quiet_ms;
    bool silent;
} silence_t;

void silence_heard (silence_t *self);
/*  True where `silent` has changed with this look: to be logged. `listening`: it would have been heard since the
 *  last look. */
bool silence_look (silence_t *self, bool listening, int64_t now_ms);

#endif
