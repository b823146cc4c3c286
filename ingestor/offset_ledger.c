#include "ingestor/offset_ledger.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/memory.h"

void offset_ledger_free (offset_ledger_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        ledger_partition_t *partition = self->partitions[i];
        if (!partition)
            continue;
        for (uint32_t slot = 0; slot < self->slot_count; slot++)
            buffer_free (&partition->slots[slot].rows);
        free (partition->slots);
        free (partition);
    }
    free (self->partitions);
    *self = (offset_ledger_t){.slot_count = self->slot_count};
}

ledger_partition_t *offset_ledger_get (offset_ledger_t *self, uint32_t number)
{
    if (number >= self->count) {
        self->partitions =
            memory_resize (self->partitions, (number + 1) * sizeof *self->partitions);
        memset (self->partitions + self->count, 0,
                (number + 1 - self->count) * sizeof *self->partitions);
        self->count = number + 1;
    }
    if (!self->partitions[number]) {
        ledger_partition_t *partition = memory_new (sizeof *partition);
        partition->slots = memory_new_array (self->slot_count, sizeof *partition->slots);
        partition->greatest_ms = EVENT_TIME_NONE;
        partition->first_ms = EVENT_TIME_NONE;
        partition->base = -1;
        partition->committed = -1;
        partition->counted = -1;
        for (uint32_t slot = 0; slot < self->slot_count; slot++)
            partition->slots[slot].counted = -1;
        self->partitions[number] = partition;
    }
    return self->partitions[number];
}

static void drop_rows (ledger_slot_t *slot)
{
    buffer_clear (&slot->rows);
    slot->row_count = 0;
}

void offset_ledger_set_slot (ledger_partition_t *partition, uint32_t slot, vector_entry_t entry)
{
    ledger_slot_t *at = &partition->slots[slot];
    drop_rows (at);
    at->handed = entry.next;
    at->greatest_ms = entry.greatest_ms;
    at->begun = entry.next != VECTOR_ABSENT;
    if (at->counted < entry.next)
        at->counted = entry.next;
}

vector_entry_t offset_ledger_start (const ledger_partition_t *partition, uint32_t slot_count)
{
    vector_entry_t least = {INT64_MAX, EVENT_TIME_NONE};
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        const ledger_slot_t *at = &partition->slots[slot];
        if (at->handed < least.next)
            least = (vector_entry_t){at->handed, at->greatest_ms};
    }
    return least;
}

int64_t offset_ledger_most (const ledger_partition_t *partition, uint32_t slot_count)
{
    int64_t most = -1;
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        int64_t handed = partition->slots[slot].handed;
        if (handed != INT64_MAX && handed > most)
            most = handed;
    }
    return most;
}

static void stand_at (ledger_partition_t *partition, uint32_t slot_count, vector_entry_t entry,
                      int64_t now_ms)
{
    for (uint32_t slot = 0; slot < slot_count; slot++)
        drop_rows (&partition->slots[slot]);
    partition->position = entry.next;
    partition->greatest_ms = entry.greatest_ms;
    partition->valid_clock_ms = now_ms;
    partition->at_end = false;
    partition->awaiting = false;
    partition->retry_ms = 0;
    partition->sample_count = 0;
    if (partition->counted < 0)
        partition->counted = entry.next;
}

void offset_ledger_rewind (ledger_partition_t *partition, uint32_t slot_count, vector_entry_t entry,
                           int64_t now_ms)
{
    /* The base stays: a slot that stands there and was handed nothing yet still has to begin with it. */
    stand_at (partition, slot_count, entry, now_ms);
}

int offset_ledger_begin (ledger_partition_t *partition, uint32_t slot_count, int64_t base,
                         bool base_lost, bool skip, int64_t now_ms)
{
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        int64_t handed = partition->slots[slot].handed;
        if (handed != VECTOR_ABSENT && handed < base && !skip)
            return -1;
    }
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        ledger_slot_t *at = &partition->slots[slot];
        if (at->handed >= base)
            continue;
        at->handed = base;
        at->begun = false;
        if (at->counted < base)
            at->counted = base;
    }
    partition->base = base;
    partition->base_lost = base_lost;
    stand_at (partition, slot_count, (vector_entry_t){base, EVENT_TIME_NONE}, now_ms);
    return 0;
}

static void copy_id (char to[EVENT_ID_BYTES_MAX + 1], span_t id)
{
    CHECK (id.size <= EVENT_ID_BYTES_MAX);
    memcpy (to, id.bytes, id.size);
    to[id.size] = '\0';
}

void offset_ledger_await (ledger_partition_t *partition, span_t tenant, span_t scenario,
                          int64_t now_ms)
{
    ledger_awaited_t *awaited = &partition->awaited;
    partition->awaiting = true;
    partition->at_end = false;
    if (span_equal (span_of (awaited->tenant), tenant) &&
        span_equal (span_of (awaited->scenario), scenario))
        return;
    copy_id (awaited->tenant, tenant);
    copy_id (awaited->scenario, scenario);
    awaited->since_ms = now_ms;
    awaited->asked_ms = awaited->warned_ms = 0;
}

void offset_ledger_sample (ledger_partition_t *partition, int64_t now_ms)
{
    uint32_t count = partition->sample_count;
    if (count && (now_ms - partition->samples[count - 1].clock_ms < LEDGER_SAMPLE_MS ||
                  partition->samples[count - 1].at == partition->position))
        return;
    if (count == LEDGER_SAMPLES) {
        memmove (partition->samples, partition->samples + 1,
                 (LEDGER_SAMPLES - 1) * sizeof *partition->samples);
        count--;
    }
    partition->samples[count] = (ledger_sample_t){partition->position, now_ms};
    partition->sample_count = count + 1;
}

int64_t offset_ledger_lead_ms (const ledger_partition_t *partition, int64_t applied, int64_t now_ms)
{
    for (uint32_t i = 0; i < partition->sample_count; i++) {
        if (partition->samples[i].at > applied)
            return now_ms - partition->samples[i].clock_ms;
    }
    return 0;
}
