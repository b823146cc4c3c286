/*  log_limit: which repeats of a message are let through: at most LOG_LIMIT_TIMES of one message in
 *  any LOG_LIMIT_MS. Pure: the time is an argument; not thread-safe.
 *  It remembers LOG_LIMIT_MESSAGES messages; the one longest unused makes room for another.
 */
#ifndef HOTPATH_LOG_LIMIT_H
#define HOTPATH_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_TIMES = 20, LOG_LIMIT_MS = 10 * 1000, LOG_LIMIT_MESSAGES = 128 };

typedef struct {
    const char *message;               /* static text; NULL: a free place */
    int64_t times_ms[LOG_LIMIT_TIMES]; /* when it was let through: a ring, `next` is the oldest */
    uint32_t next, count;
    int64_t used_ms;
    uint64_t held_back;
} log_limit_entry_t;

/*  Zeroed memory is a new one. */
typedef struct {
    log_limit_entry_t entries[LOG_LIMIT_MESSAGES];
} log_limit_t;

/*  May `message` (which must live as long as *self) be written at now_ms (monotonic)? Then also
 *  sets *held_back: how many were refused since it was last let through.
 */
bool log_limit_pass (log_limit_t *self, const char *message, int64_t now_ms, uint64_t *held_back);

#endif
