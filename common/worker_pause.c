#include "common/worker_pause.h"

#include <stdbool.h>

static void note (worker_longest_t *self, int64_t took_ms, int64_t now_ms)
{
    if (now_ms - self->began_ms > WORKER_PAUSE_MS) {
        bool old = now_ms - self->began_ms > 2 * WORKER_PAUSE_MS;
        self->longest_before_ms = old ? 0 : self->longest_ms;
        self->longest_ms = 0;
        self->began_ms = now_ms;
    }
    if (took_ms > self->longest_ms)
        self->longest_ms = took_ms;
}

void worker_pause_none_waits (worker_pause_t *self, int64_t now_ms)
{
    self->free_ms = now_ms;
}

void worker_pause_applied (worker_pause_t *self, int64_t now_ms)
{
    if (self->applied_ms) {
        int64_t since_ms = self->free_ms > self->applied_ms ? self->free_ms : self->applied_ms;
        note (&self->gap, now_ms - self->applied_ms, now_ms);
        note (&self->stall, now_ms - since_ms, now_ms);
    }
    self->applied_ms = now_ms;
}

int64_t worker_pause_longest_ms (const worker_longest_t *self)
{
    return self->longest_ms > self->longest_before_ms ? self->longest_ms : self->longest_before_ms;
}
