/*  log: see log.h. Here: who speaks, the lock, the write; the text is log_line's, the repeats are
 *  log_limit's. A line that stderr does not take (closed, full and non-blocking) is lost: a log
 *  must never stop the pipeline.
 */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/log_limit.h"
#include "common/log_line.h"

enum { PROCESS_BYTES_MAX = 64 };

static _Atomic int least_level = LOG_LEVEL_INFO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char process[PROCESS_BYTES_MAX];
    bool json;
    log_limit_t limit;
} shared; /* under the lock */

void log_start (const char *process, log_level_t least, bool json)
{
    atomic_store_explicit (&least_level, (int)least, memory_order_relaxed);
    pthread_mutex_lock (&lock);
    snprintf (shared.process, sizeof (shared.process), "%s", process);
    shared.json = json;
    pthread_mutex_unlock (&lock);
}

int log_level_parse (const char *name, log_level_t *level)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
        if (strcmp (name, log_line_level ((log_level_t)i)) == 0) {
            *level = (log_level_t)i;
            return 0;
        }
    }
    return -1;
}

void log_write (log_level_t level, const char *message, const log_field_t *fields)
{
    if ((int)level < atomic_load_explicit (&least_level, memory_order_relaxed))
        return;
    int error_before = errno;
    char process[PROCESS_BYTES_MAX], line[LOG_LINE_BYTES_MAX];
    uint64_t held_back = 0;
    pthread_mutex_lock (&lock);
    bool pass = log_limit_pass (&shared.limit, message, clock_ms (), &held_back);
    memcpy (process, shared.process, sizeof (process));
    bool json = shared.json;
    pthread_mutex_unlock (&lock);
    if (pass) {
        log_record_t record = {clock_wall_ms (), level, process, message, held_back, fields};
        size_t size = log_line_write (&record, json, line);
        while (write (STDERR_FILENO, line, size) < 0 && errno == EINTR)
            ;
    }
    errno = error_before;
}
