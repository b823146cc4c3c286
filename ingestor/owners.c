#include "ingestor/owners.h"

#include <stdlib.h>
#include <string.h>

#include "common/incarnation.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/stage.h"

/*  What the slots that take part have of a partition together. */
typedef struct {
    int64_t applied, durable; /* least, or -1 where one has none */
    int64_t greatest_ms;
} total_t;

struct owners {
    uint32_t stages, shard_count, slot_count;
    partition_names_t *partitions;
    char *self_name;
    uint64_t self_incarnation;
    owners_events_t events;
    owners_worker_t workers[OWNERS_WORKERS_MAX];
    uint32_t worker_count;
    owners_slot_t *slots;
    bool *idle; /* by partition */
    uint32_t idle_count;
    total_t *totals; /* by partition; asked for each turn, and so counted when an announce comes */
    uint32_t total_count;
    uint32_t *numbers; /* of the present frame: its index -> ours */
};

owners_t *owners_new (uint32_t stages, uint32_t shard_count, partition_names_t *partitions,
                      span_t self_name, uint64_t self_incarnation, const owners_events_t *events)
{
    owners_t *self = memory_new (sizeof *self);
    self->stages = stages;
    self->shard_count = shard_count;
    self->slot_count = STAGE_COUNT * shard_count;
    self->partitions = partitions;
    self->self_name = memory_copy_string (self_name.bytes, self_name.size);
    self->self_incarnation = self_incarnation;
    self->events = *events;
    self->slots = memory_new_array (self->slot_count, sizeof *self->slots);
    for (uint32_t i = 0; i < self->slot_count; i++) {
        self->slots[i].worker = OWNERS_NOBODY;
        self->slots[i].watermark_ms = EVENT_TIME_NONE;
    }
    return self;
}

void owners_destroy (owners_t **self_p)
{
    owners_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->worker_count; i++) {
        free (self->workers[i].name);
        free (self->workers[i].endpoint);
        free (self->workers[i].knows);
    }
    for (uint32_t i = 0; i < self->slot_count; i++) {
        vector_free (&self->slots[i].applied);
        free (self->slots[i].durable);
    }
    free (self->slots);
    free (self->idle);
    free (self->totals);
    free (self->numbers);
    free (self->self_name);
    free (self);
    *self_p = NULL;
}

/*  ---- workers ---- */

static owners_worker_t *find_or_add (owners_t *self, span_t name)
{
    owners_worker_t *unused = NULL;
    for (uint32_t i = 0; i < self->worker_count; i++) {
        owners_worker_t *worker = &self->workers[i];
        if (worker->live && span_equal (span_of (worker->name), name))
            return worker;
        if (!worker->live && !unused)
            unused = worker;
    }
    if (!unused && self->worker_count < OWNERS_WORKERS_MAX)
        unused = &self->workers[self->worker_count++];
    if (!unused)
        return NULL;
    free (unused->name);
    free (unused->endpoint);
    free (unused->knows);
    *unused = (owners_worker_t){.name = memory_copy_string (name.bytes, name.size), .live = true};
    return unused;
}

static bool owns_something (const owners_t *self, uint32_t worker)
{
    for (uint32_t i = 0; i < self->slot_count; i++) {
        if (self->slots[i].worker == (int32_t)worker)
            return true;
    }
    return false;
}

void owners_sweep (owners_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->worker_count; i++) {
        owners_worker_t *worker = &self->workers[i];
        if (worker->live && now_ms - worker->heard_ms > OWNERS_WORKER_TTL_MS &&
            !owns_something (self, i)) {
            worker->live = false;
            worker->changed = true;
        }
    }
}

/*  ---- frames ---- */

static bool read_entry (cursor_t *frame, const wire_announce_t *head, wire_entry_t *entry)
{
    wire_read_entry (frame, entry);
    if (entry->partition >= head->partition_count || entry->next < 0)
        frame->failed = true;
    return !frame->failed;
}

/*  Walks the whole frame without changing anything. */
static bool frame_valid (const owners_t *self, cursor_t frame)
{
    wire_announce_t head;
    wire_known_partition_t known;
    wire_shard_t shard;
    wire_entry_t entry;
    wire_rewind_t rewind;
    uint32_t least = 0; /* shards ascend: each is named once, as owners_take has room for */
    wire_read_announce (&frame, &head);
    for (uint32_t i = 0; i < head.partition_count && !frame.failed; i++)
        wire_read_known_partition (&frame, &known);
    for (uint32_t i = 0; i < head.shard_count && !frame.failed; i++) {
        wire_read_shard (&frame, &shard);
        for (uint32_t at = 0; at < shard.entry_count && !frame.failed; at++)
            read_entry (&frame, &head, &entry);
        if (shard.shard < least ||
            (head.shards_total == self->shard_count && shard.shard >= self->shard_count))
            frame.failed = true;
        least = shard.shard + 1;
    }
    for (uint32_t i = 0; i < head.rewind_count && !frame.failed; i++) {
        wire_read_rewind (&frame, &rewind);
        if (rewind.partition >= head.partition_count)
            frame.failed = true;
    }
    return cursor_finished (&frame);
}

static void note_known (owners_worker_t *worker, uint32_t partition)
{
    if (partition >= worker->knows_count) {
        worker->knows = memory_resize (worker->knows, (partition + 1) * sizeof *worker->knows);
        memset (worker->knows + worker->knows_count, 0,
                (partition + 1 - worker->knows_count) * sizeof *worker->knows);
        worker->knows_count = partition + 1;
    }
    worker->knows[partition] = true;
}

static void take_partitions (owners_t *self, cursor_t *frame, const wire_announce_t *head,
                             owners_worker_t *worker)
{
    if (worker->knows)
        memset (worker->knows, 0, worker->knows_count * sizeof *worker->knows);
    self->numbers =
        memory_resize (self->numbers, (head->partition_count + 1) * sizeof *self->numbers);
    for (uint32_t i = 0; i < head->partition_count; i++) {
        wire_known_partition_t known;
        wire_read_known_partition (frame, &known);
        uint32_t number = partition_names_intern (self->partitions, known.name);
        self->numbers[i] = number;
        if (number >= self->idle_count) {
            self->idle = memory_resize (self->idle, (number + 1) * sizeof *self->idle);
            memset (self->idle + self->idle_count, 0,
                    (number + 1 - self->idle_count) * sizeof *self->idle);
            self->idle_count = number + 1;
        }
        self->idle[number] = known.idle || known.ended;
        note_known (worker, number);
    }
}

static void set_durable (owners_slot_t *slot, uint32_t partition, int64_t durable)
{
    if (partition >= slot->durable_count) {
        slot->durable = memory_resize (slot->durable, (partition + 1) * sizeof *slot->durable);
        for (uint32_t i = slot->durable_count; i <= partition; i++)
            slot->durable[i] = -1;
        slot->durable_count = partition + 1;
    }
    slot->durable[partition] = durable;
}

/*  Reads one shard with its entries; true where its owner is another than before. */
static bool take_shard (owners_t *self, cursor_t *frame, const wire_announce_t *head,
                        uint32_t worker, bool anew, int64_t now_ms, uint32_t *slot_number)
{
    wire_shard_t shard;
    wire_entry_t entry;
    wire_read_shard (frame, &shard);
    *slot_number = head->stage * self->shard_count + shard.shard;
    owners_slot_t *slot = &self->slots[*slot_number];
    /* Epochs are judged as lives are: in a state folder made anew they may begin below the former ones. */
    bool older =
        incarnation_judge (slot->epoch, slot->heard_ms, shard.epoch, now_ms) == INCARNATION_STALE;
    bool changed =
        !older && (anew || slot->worker != (int32_t)worker || slot->epoch != shard.epoch);
    if (!older) {
        slot->worker = (int32_t)worker;
        slot->epoch = shard.epoch;
        slot->heard_ms = now_ms;
        slot->settled = shard.settled;
        slot->watermark_ms = shard.watermark_ms;
    }
    if (changed) {
        vector_free (&slot->applied);
        slot->durable_count = 0;
    }
    for (uint32_t i = 0; i < shard.entry_count; i++) {
        read_entry (frame, head, &entry);
        if (older)
            continue;
        uint32_t number = self->numbers[entry.partition];
        vector_set (&slot->applied, number, (vector_entry_t){entry.next, entry.greatest_ms});
        set_durable (slot, number, entry.durable);
    }
    return changed;
}

static void take_rewinds (owners_t *self, cursor_t *frame, const wire_announce_t *head)
{
    for (uint32_t i = 0; i < head->rewind_count; i++) {
        wire_rewind_t rewind;
        wire_read_rewind (frame, &rewind);
        if (rewind.shard >= self->shard_count || rewind.incarnation != self->self_incarnation ||
            !span_equal (rewind.ingestor, span_of (self->self_name)))
            continue;
        vector_entry_t entry = {rewind.next < 0 ? VECTOR_ABSENT : rewind.next, rewind.greatest_ms};
        self->events.rewind (self->events.arg, head->stage * self->shard_count + rewind.shard,
                             self->numbers[rewind.partition], entry, rewind.rewinds);
    }
}

/*  Shards that this worker owned and no longer names have no owner until another says so. */
static void drop_unnamed (owners_t *self, uint32_t worker, const bool *named)
{
    for (uint32_t i = 0; i < self->slot_count; i++) {
        if (self->slots[i].worker == (int32_t)worker && !named[i])
            self->slots[i].worker = OWNERS_NOBODY;
    }
}

static void add_slot (owners_t *self, const owners_slot_t *slot)
{
    for (uint32_t i = 0; i < self->total_count; i++) {
        total_t *total = &self->totals[i];
        vector_entry_t entry = vector_get (&slot->applied, i);
        int64_t durable = i < slot->durable_count ? slot->durable[i] : -1;
        if (entry.next < total->applied)
            total->applied = entry.next;
        if (durable < total->durable)
            total->durable = durable;
        if (entry.greatest_ms > total->greatest_ms)
            total->greatest_ms = entry.greatest_ms;
    }
}

static void count_totals (owners_t *self)
{
    uint32_t count = partition_names_count (self->partitions);
    self->totals = memory_resize (self->totals, (count + 1) * sizeof *self->totals);
    self->total_count = count;
    for (uint32_t i = 0; i < count; i++)
        self->totals[i] = (total_t){INT64_MAX, INT64_MAX, EVENT_TIME_NONE};
    for (uint32_t slot = 0; slot < self->slot_count; slot++) {
        if (owners_takes_part (self, slot))
            add_slot (self, &self->slots[slot]);
    }
}

int owners_take (owners_t *self, const wire_header_t *header, cursor_t *frame, int64_t now_ms)
{
    wire_announce_t head;
    if (!frame_valid (self, *frame))
        return -1;
    wire_read_announce (frame, &head);
    if (head.shards_total != self->shard_count)
        return -2;
    owners_worker_t *worker = find_or_add (self, header->sender);
    if (!worker || incarnation_judge (worker->incarnation, worker->heard_ms, header->incarnation,
                                      now_ms) == INCARNATION_STALE)
        return 0;
    bool anew = worker->incarnation != header->incarnation ||
                !span_equal (span_of (worker->endpoint), head.endpoint);
    if (anew) {
        free (worker->endpoint);
        worker->endpoint = memory_copy_string (head.endpoint.bytes, head.endpoint.size);
        worker->incarnation = header->incarnation;
        worker->stage = head.stage;
        worker->changed = true;
    }
    worker->heard_ms = now_ms;
    uint32_t number = (uint32_t)(worker - self->workers);
    bool *named = memory_new_array (self->slot_count, sizeof *named);
    uint32_t *changed = memory_new_array (self->slot_count, sizeof *changed);
    uint32_t changed_count = 0;
    take_partitions (self, frame, &head, worker);
    for (uint32_t i = 0; i < head.shard_count; i++) {
        uint32_t slot;
        if (take_shard (self, frame, &head, number, anew, now_ms, &slot))
            changed[changed_count++] = slot;
        named[slot] = true;
    }
    drop_unnamed (self, number, named);
    count_totals (self);
    for (uint32_t i = 0; i < changed_count; i++)
        self->events.owned (self->events.arg, changed[i]);
    take_rewinds (self, frame, &head);
    free (named);
    free (changed);
    return 0;
}

/*  ---- what follows from them ---- */

uint32_t owners_slot_count (const owners_t *self)
{
    return self->slot_count;
}

const owners_slot_t *owners_slot (const owners_t *self, uint32_t slot)
{
    return &self->slots[slot];
}

bool owners_takes_part (const owners_t *self, uint32_t slot)
{
    return (self->stages >> (slot / self->shard_count) & 1) != 0;
}

owners_worker_t *owners_worker (owners_t *self, uint32_t worker)
{
    return &self->workers[worker];
}

uint32_t owners_worker_count (const owners_t *self)
{
    return self->worker_count;
}

bool owners_complete (const owners_t *self)
{
    for (uint32_t i = 0; i < self->slot_count; i++) {
        if (owners_takes_part (self, i) && self->slots[i].worker == OWNERS_NOBODY)
            return false;
    }
    return true;
}

bool owners_know (const owners_t *self, uint32_t partition)
{
    for (uint32_t i = 0; i < self->slot_count; i++) {
        int32_t number = self->slots[i].worker;
        if (!owners_takes_part (self, i))
            continue;
        if (number == OWNERS_NOBODY || partition >= self->workers[number].knows_count ||
            !self->workers[number].knows[partition])
            return false;
    }
    return true;
}

bool owners_settled (const owners_t *self)
{
    for (uint32_t i = 0; i < self->slot_count; i++) {
        if (owners_takes_part (self, i) && !self->slots[i].settled)
            return false;
    }
    return owners_complete (self);
}

int64_t owners_durable (const owners_t *self, uint32_t partition)
{
    return partition < self->total_count ? self->totals[partition].durable : -1;
}

int64_t owners_applied (const owners_t *self, uint32_t partition)
{
    return partition < self->total_count ? self->totals[partition].applied : -1;
}

int64_t owners_greatest_ms (const owners_t *self, uint32_t partition)
{
    return partition < self->total_count ? self->totals[partition].greatest_ms : EVENT_TIME_NONE;
}

int64_t owners_watermark_ms (const owners_t *self)
{
    int64_t greatest_ms = EVENT_TIME_NONE;
    for (uint32_t i = 0; i < self->slot_count; i++) {
        if (owners_takes_part (self, i) && self->slots[i].watermark_ms > greatest_ms)
            greatest_ms = self->slots[i].watermark_ms;
    }
    return greatest_ms;
}

bool owners_partition_idle (const owners_t *self, uint32_t partition)
{
    return partition < self->idle_count && self->idle[partition];
}
