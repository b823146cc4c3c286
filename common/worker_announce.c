/*  worker_announce: what this worker tells every ingestor: where it is, what it owns, how far that is. */
#include "common/worker_parts.h"

#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"

static uint32_t count_entries (const vector_t *vector)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < vector->count; i++)
        count += vector->entries[i].next != VECTOR_ABSENT;
    return count;
}

static void write_shard (const worker_t *self, buffer_t *frame, const shard_t *shard)
{
    wire_shard_t head = {.shard = shard->number,
                         .epoch = shard->epoch,
                         .watermark_ms = shard->watermark_ms,
                         .settled = shard_settled (shard, self->watermark) &&
                                    worker_follows_redis (self, shard),
                         .exact = shard->exact_from_ms == EVENT_TIME_NONE,
                         .counted = shard->counts.counted,
                         .late = shard->counts.late,
                         .skipped = shard->counts.skipped,
                         .entry_count = count_entries (&shard->applied)};
    wire_write_shard (frame, &head);
    for (uint32_t i = 0; i < shard->applied.count; i++) {
        vector_entry_t entry = shard->applied.entries[i];
        if (entry.next == VECTOR_ABSENT)
            continue;
        wire_entry_t wire = {.partition = self->announced[i] - 1,
                             .next = entry.next,
                             .greatest_ms = entry.greatest_ms,
                             .durable = vector_get (&shard->durable, i).next};
        wire_write_entry (frame, &wire);
    }
}

static void write_rewinds (const worker_t *self, buffer_t *frame)
{
    for (uint32_t i = 0; i < self->rewind_count; i++) {
        const worker_rewind_t *rewind = &self->rewinds[i];
        vector_entry_t entry = {VECTOR_ABSENT, EVENT_TIME_NONE};
        if (self->shards[rewind->shard])
            entry = vector_get (&self->shards[rewind->shard]->applied, rewind->partition);
        wire_rewind_t wire = {.shard = rewind->shard,
                              .partition = self->announced[rewind->partition] - 1,
                              .next = entry.next,
                              .greatest_ms = entry.greatest_ms,
                              .ingestor = span_of (rewind->ingestor),
                              .incarnation = rewind->incarnation,
                              .rewinds = rewind->rewinds};
        wire_write_rewind (frame, &wire);
    }
}

static void mark (worker_t *self, uint32_t partition)
{
    if (!self->announced[partition])
        self->announced[partition] = ++self->announced_count;
}

/*  Which partitions the announce is about: those that are listed, and those that some shard has an entry of. */
static void choose_partitions (worker_t *self)
{
    uint32_t count = partition_names_count (self->partitions);
    self->announced = memory_resize (self->announced, (count + 1) * sizeof *self->announced);
    memset (self->announced, 0, (count + 1) * sizeof *self->announced);
    self->announced_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool wanted = watermark_is_listed (self->watermark, i);
        for (uint32_t at = 0; at < self->layout.shard_count && !wanted; at++)
            wanted = self->shards[at] && vector_get (&self->shards[at]->applied, i).next != VECTOR_ABSENT;
        if (wanted)
            mark (self, i);
    }
    for (uint32_t i = 0; i < self->rewind_count; i++)
        mark (self, self->rewinds[i].partition);
}

static void write_partitions (const worker_t *self, buffer_t *frame)
{
    uint32_t count = partition_names_count (self->partitions), *in_order;
    in_order = memory_new_array (self->announced_count + 1, sizeof *in_order);
    for (uint32_t i = 0; i < count; i++) {
        if (self->announced[i])
            in_order[self->announced[i] - 1] = i;
    }
    for (uint32_t i = 0; i < self->announced_count; i++) {
        wire_known_partition_t known = {.name = partition_names_get (self->partitions, in_order[i]),
                                        .idle = watermark_is_idle (self->watermark, in_order[i]),
                                        .ended = watermark_is_ended (self->watermark, in_order[i])};
        wire_write_known_partition (frame, &known);
    }
    free (in_order);
}

static void make_announce (worker_t *self)
{
    choose_partitions (self);
    uint32_t owned = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++)
        owned += self->shards[i] && !self->shards[i]->closing;
    wire_announce_t head = {.stage = (uint8_t)self->stage->id,
                            .endpoint = span_of (self->intake_endpoint),
                            .shards_total = self->layout.shard_count,
                            .partition_count = self->announced_count,
                            .shard_count = owned,
                            .rewind_count = self->rewind_count,
                            .leaving = self->draining};
    buffer_t *frame = &self->announce_frame;
    buffer_clear (frame);
    wire_write_header (frame, WIRE_ANNOUNCE, span_of (self->name), self->incarnation);
    wire_write_announce (frame, &head);
    write_partitions (self, frame);
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        if (self->shards[i] && !self->shards[i]->closing)
            write_shard (self, frame, self->shards[i]);
    }
    write_rewinds (self, frame);
}

void worker_announce (worker_t *self, int64_t now_ms)
{
    int64_t since_ms = now_ms - self->announced_ms;
    if (since_ms < WORKER_ANNOUNCE_LEAST_MS ||
        (since_ms < WORKER_ANNOUNCE_MS && !self->announce_now))
        return;
    make_announce (self);
    /* Soft state: one that an ingestor has no room for is followed by the next. */
    for (uint32_t i = 0; i < self->ingestor_count; i++)
        zmq_send (zsock_resolve (self->ingestors[i].socket), self->announce_frame.bytes,
                  self->announce_frame.size, ZMQ_DONTWAIT);
    CRASH_POINT (ANNOUNCE_AFTER);
    self->announced_ms = now_ms;
    self->announce_now = false;
}

static void connect_ingestor (worker_t *self, const char *endpoint)
{
    for (uint32_t i = 0; i < self->ingestor_count; i++) {
        if (strcmp (self->ingestors[i].endpoint, endpoint) == 0)
            return;
    }
    if (self->ingestor_count == WORKER_INGESTORS_MAX)
        return;
    zsock_t *socket = zsock_new (ZMQ_PUSH);
    zsock_set_conflate (socket, 1); /* only the newest matters */
    zsock_set_linger (socket, 0);
    if (zsock_connect (socket, "%s", endpoint) != 0) {
        log_error ("not an endpoint", F_STR ("ingestor", endpoint));
        zsock_destroy (&socket);
        return;
    }
    self->ingestors[self->ingestor_count++] =
        (worker_ingestor_t){memory_copy_string (endpoint, strlen (endpoint)), socket};
    self->announce_now = true;
}

/*  After a failed look-up those that are missing may be there as before. */
static void forget_ingestors (worker_t *self, const settings_list_t *found)
{
    for (uint32_t i = 0; i < self->ingestor_count; i++) {
        bool still = false;
        for (size_t at = 0; at < found->count; at++)
            still |= strcmp (self->ingestors[i].endpoint, found->list[at]) == 0;
        if (still)
            continue;
        zsock_destroy (&self->ingestors[i].socket);
        free (self->ingestors[i].endpoint);
        self->ingestors[i--] = self->ingestors[--self->ingestor_count];
    }
}

void worker_resolve_ingestors (worker_t *self, int64_t now_ms)
{
    settings_list_t found;
    bool failed;
    if (resolver_take (self->resolver, &found, &failed)) {
        if (!failed && found.count)
            forget_ingestors (self, &found);
        for (size_t at = 0; at < found.count; at++)
            connect_ingestor (self, found.list[at]);
        endpoint_list_free (&found);
    }
    if (self->resolved_ms != 0 && now_ms - self->resolved_ms < WORKER_RESOLVE_MS)
        return;
    self->resolved_ms = now_ms;
    resolver_ask (self->resolver, now_ms);
    if (resolver_waits_ms (self->resolver, now_ms) > WORKER_RESOLVE_LONG_MS)
        log_warning ("the names of ingestors are being looked up for long: does DNS answer?",
                     F_INT ("ms", resolver_waits_ms (self->resolver, now_ms)));
}
