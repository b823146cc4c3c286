/*  redis_link: one connection to Redis: bytes out, answers in, nothing that blocks. It does not decide
 *  what is said, or what to do when it breaks (redis_writer). The only file that knows hiredis: its
 *  connecting and its reader of answers.
 *
 *  OFF -> LOOKING UP a name -> CONNECTING -> UP. What breaks stays broken until redis_link_close.
 */
#ifndef HOTPATH_SINK_REDIS_LINK_H
#define HOTPATH_SINK_REDIS_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"
#include "sink/redis_answer.h"
#include "sink/redis_url.h"

enum {
    LINK_READ_BYTES = 64 << 10, /* read at a time … */
    LINK_READS_A_TURN = 16,     /* … and how often in one redis_link_work */
    LINK_WRITE_SPANS = 256,     /* spans written at a time */
};

typedef struct redis_link redis_link_t;

redis_link_t *redis_link_new (void);
void redis_link_destroy (redis_link_t **self_p);

/*  Begins to connect; the link must be OFF. `url` is borrowed until redis_link_close. */
void redis_link_open (redis_link_t *self, const redis_url_t *url, int64_t now_ms);
/*  Ends the connection at once; spans that wait are forgotten. OFF again. */
void redis_link_close (redis_link_t *self);

/*  Goes on with whatever does not block: connects, writes, reads. 0, or -1: it is broken, and
 *  redis_link_error says why. */
int redis_link_work (redis_link_t *self, int64_t now_ms);
const char *redis_link_error (const redis_link_t *self);

bool redis_link_off (const redis_link_t *self);
bool redis_link_up (const redis_link_t *self);

/*  Queues whole commands; `bytes` are borrowed until their answers have come or the link is closed. */
void redis_link_send (redis_link_t *self, span_t bytes, uint32_t commands, int64_t now_ms);
/*  The next answer that has come, borrowed until the next call; NULL: none has, or the link broke
 *  (redis_link_work tells). */
const redis_answer_t *redis_link_take (redis_link_t *self);
/*  Answers that are still to come. */
uint64_t redis_link_awaited (const redis_link_t *self);

/*  For how long it has waited for the other side without a byte going either way; 0 while it waits for
 *  nothing. */
int64_t redis_link_silent_ms (const redis_link_t *self, int64_t now_ms);

/*  What to poll for; -1: nothing (call redis_link_work after a while). */
int redis_link_fd (const redis_link_t *self);
short redis_link_events (const redis_link_t *self);

#endif
