/*  readiness: what a process says of its progress, part by part: one line each, and whether any of
 * them holds it back. Pure; bounded: lines beyond READINESS_BYTES_MAX are left out, never the
 * verdict.
 *
 *      [+] config: sequence 4, 12 scenarios
 *      [-] sink-0: has acknowledged nothing for 31 s, 48 results are owed
 */
#ifndef HOTPATH_READINESS_H
#define HOTPATH_READINESS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"

enum { READINESS_BYTES_MAX = 32 << 10, READINESS_STALL_MS = 30000 };

/*  Zeroed memory is a new one. */
typedef struct {
    buffer_t good, bad; /* lines */
    uint32_t bad_count;
} readiness_t;

void readiness_clear (readiness_t *self);
void readiness_free (readiness_t *self);
/*  Says one line of a part; `ok` false: this part holds the process back. */
void readiness_say (readiness_t *self, bool ok, const char *part, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));
bool readiness_is_ready (const readiness_t *self);

/*  Since when something that should move has not: a clock that is set anew by each move, and while
 * there is nothing to move. Zeroed memory is a new one. */
typedef struct {
    int64_t moved_ms; /* 0: not asked yet */
} stall_t;

/*  `waits`: there is something to be done; `moved`: some of it was since the last call. Returns for
 * how long (ms) nothing has moved. */
int64_t stall_ms (stall_t *self, bool waits, bool moved, int64_t now_ms);

#endif
