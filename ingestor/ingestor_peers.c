/*  ingestor_peers: workers that own shards and do not announce themselves: frozen, cut off or gone. Said once in the
 * log, and in readiness as long as it lasts; nothing else follows from it: a frozen owner keeps its shards. */
#include "ingestor/ingestor_parts.h"

#include "common/log.h"

static void count_owned (ingestor_t *self)
{
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++)
        self->workers[i].owned = 0;
    for (uint32_t slot = 0; slot < owners_slot_count (self->owners); slot++) {
        int32_t owner = owners_slot (self->owners, slot)->worker;
        if (owner != OWNERS_NOBODY)
            self->workers[owner].owned++;
    }
}

static void watch (ingestor_t *self, const owners_worker_t *known, ingestor_worker_t *worker)
{
    if (known->heard_ms != worker->heard_ms || !worker->owned)
        silence_heard (&worker->silence);
    worker->heard_ms = known->heard_ms;
    if (!silence_look (&worker->silence, known->live, self->now_ms))
        return;
    if (worker->silence.silent)
        log_warning ("a worker is silent: its shards stand still", F_STR ("worker", known->name),
                     F_INT ("shards", worker->owned), F_INT ("silent_ms", worker->silence.quiet_ms));
    else
        log_info (worker->owned ? "a worker is heard again" : "a silent worker's shards have new owners",
                  F_STR ("worker", known->name));
}

void ingestor_watch_workers (ingestor_t *self)
{
    if (self->now_ms - self->watched_ms < SILENCE_LOOK_MS)
        return;
    self->watched_ms = self->now_ms;
    count_owned (self);
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++)
        watch (self, owners_worker (self->owners, i), &self->workers[i]);
}

void ingestor_tell_workers (ingestor_t *self, readiness_t *readiness)
{
    for (uint32_t i = 0; i < owners_worker_count (self->owners); i++) {
        const owners_worker_t *known = owners_worker (self->owners, i);
        const ingestor_worker_t *worker = &self->workers[i];
        if (known->live && worker->silence.silent)
            readiness_say (readiness, false, "worker",
                           "%s has sent nothing for %lld s: it is frozen, cut off or gone, and its %u "
                           "shards stand still",
                           known->name, (long long)(worker->silence.quiet_ms / 1000), worker->owned);
    }
}
