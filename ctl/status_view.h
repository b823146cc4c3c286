/*  status_view: what `hotpath status` says of a process and of the whole, in words, from what the
 *  processes serve. Pure: no socket, no clock.
 */
#ifndef HOTPATH_CTL_STATUS_VIEW_H
#define HOTPATH_CTL_STATUS_VIEW_H

#include <stddef.h>
#include <stdint.h>
#include "common/status_note.h"

enum { STATUS_WHAT_BYTES = 256, STATUS_PROBLEM_BYTES = 512, STATUS_PROBLEMS_MAX = 64 };

typedef enum {
    STATUS_READY,
    STATUS_NOT_READY, /* it lives, and some part holds it back */
    STATUS_SILENT,    /* its note says that it lives, and it does not answer: frozen, or hanging */
    STATUS_GONE,      /* it has died, and somebody counts on its name */
} status_state_t;

/*  What is known of one process. */
typedef struct {
    status_note_t note;
    long ready_code;         /* of /readyz?verbose; 0: no answer */
    const char *ready_text;  /* its body, or NULL */
    const char *metrics;     /* body of /metrics, or NULL */
    const char *error;       /* why there was no answer */
} status_found_t;

typedef struct {
    status_state_t state;
    char what[STATUS_WHAT_BYTES]; /* one line: what it does, in numbers */
    char problems[STATUS_PROBLEMS_MAX][STATUS_PROBLEM_BYTES];
    size_t problem_count;
} status_view_t;

const char *status_state_name (status_state_t state);

/*  now_ms: wall clock. */
void status_view_process (const status_found_t *found, int64_t now_ms, status_view_t *view);
/*  What no single process can say: kinds that are not there at all, shards without an owner.
 *  state: STATUS_READY, or STATUS_NOT_READY where there is such a problem. */
void status_view_whole (const status_found_t *found, size_t count, status_view_t *view);

#endif
