/*  worker_peers: ingestors and sinks that should be heard about once a second, and are not: frozen, cut off or gone.
 * Said once in the log, and in readiness as long as it lasts; nothing else follows from it. */
#include "common/worker_parts.h"

#include "common/log.h"
#include "common/memory.h"

/*  ---- ingestors ---- */

static worker_sender_t *find_sender (worker_t *self, span_t name)
{
    for (uint32_t i = 0; i < self->sender_count; i++) {
        if (span_equal (span_of (self->senders[i].name), name))
            return &self->senders[i];
    }
    return NULL;
}

static void forget_sender (worker_t *self, worker_sender_t *sender)
{
    free (sender->name);
    *sender = self->senders[--self->sender_count];
}

void worker_heard (worker_t *self, const wire_header_t *header)
{
    worker_sender_t *sender = find_sender (self, header->sender);
    if (!sender) {
        if (self->sender_count == WORKER_INGESTORS_MAX)
            return;
        sender = &self->senders[self->sender_count++];
        *sender = (worker_sender_t){
            .name = memory_copy_string (header->sender.bytes, header->sender.size)};
    }
    if (header->incarnation < sender->incarnation)
        return;
    sender->incarnation = header->incarnation;
    silence_heard (&sender->silence);
}

void worker_bid_farewell (worker_t *self, const wire_header_t *header)
{
    worker_sender_t *sender = find_sender (self, header->sender);
    if (sender && sender->incarnation == header->incarnation)
        forget_sender (self, sender);
}

static void watch_senders (worker_t *self, int64_t now_ms)
{
    for (uint32_t i = self->sender_count; i-- > 0;) {
        worker_sender_t *sender = &self->senders[i];
        bool changed = silence_look (&sender->silence, !self->deaf, now_ms);
        if (changed && sender->silence.silent)
            log_warning ("an ingestor is silent: nothing comes of its partitions",
                         F_STR ("ingestor", sender->name),
                         F_INT ("silent_ms", sender->silence.quiet_ms));
        else if (changed)
            log_info ("an ingestor is heard again", F_STR ("ingestor", sender->name));
        /* The watermark does without it from then on, too: another has its partitions, or nobody. */
        if (sender->silence.quiet_ms > WATERMARK_SENDER_TTL_MS) {
            log_warning ("an ingestor was silent for so long that it counts as gone",
                         F_STR ("ingestor", sender->name));
            forget_sender (self, sender);
        }
    }
    self->deaf = false;
}

void worker_tell_senders (worker_t *self, readiness_t *readiness)
{
    for (uint32_t i = 0; i < self->sender_count; i++) {
        const worker_sender_t *sender = &self->senders[i];
        if (sender->silence.silent)
            readiness_say (readiness, false, "ingestor",
                           "%s has sent nothing for %lld s: it is frozen, cut off or gone",
                           sender->name, (long long)(sender->silence.quiet_ms / 1000));
        else
            readiness_say (readiness, true, "ingestor", "%s is heard", sender->name);
    }
}

/*  ---- sinks ---- */

static void watch_sinks (worker_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->sink_count; i++) {
        worker_sink_t *sink = &self->sinks[i];
        if (!silence_look (&sink->silence, true, now_ms))
            continue;
        if (sink->silence.silent)
            log_warning ("a sink is silent: results wait for it", F_INT ("sink", i),
                         F_STR ("endpoint", sink->endpoint),
                         F_INT ("silent_ms", sink->silence.quiet_ms));
        else
            log_info ("a sink is heard again", F_INT ("sink", i), F_STR ("endpoint", sink->endpoint));
    }
}

/*  ---- both ---- */

void worker_watch_peers (worker_t *self, int64_t now_ms)
{
    if (now_ms - self->watched_ms < SILENCE_LOOK_MS)
        return;
    self->watched_ms = now_ms;
    watch_senders (self, now_ms);
    watch_sinks (self, now_ms);
}

void worker_forget_peers (worker_t *self)
{
    while (self->sender_count)
        forget_sender (self, &self->senders[0]);
}
