/*  offset_ledger: per partition, how far it was read and how far each shard was handed sections of it; and
 *  where it must begin or rewind. Pure: it reads nothing and sends nothing.
 *
 *  Slots number the shards of all stages: slot = stage * shard_count + shard. Partitions are numbers of
 *  partition_names.
 */
#ifndef HOTPATH_OFFSET_LEDGER_H
#define HOTPATH_OFFSET_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/vector.h"
#include "common/wire_event.h"
#include "ingestor/idleness.h"

enum { LEDGER_SAMPLES = 128, LEDGER_SAMPLE_MS = 1000 };

/*  What one shard was handed of one partition, and the rows that wait to be. */
typedef struct {
    int64_t handed;            /* the next section begins here */
    int64_t greatest_ms;       /* greatest event time before it */
    int64_t counted;           /* events below were counted in this run (or before it) */
    bool begun;                /* a first section (with base) was handed out since the slot was set */
    buffer_t rows;
    uint32_t row_count;
    wire_chain_t chain;
} ledger_slot_t;

typedef struct {
    int64_t at;       /* position … */
    int64_t clock_ms; /* … that was reached then */
} ledger_sample_t;

/*  The scenario that a partition waits for. */
typedef struct {
    char tenant[EVENT_ID_BYTES_MAX + 1], scenario[EVENT_ID_BYTES_MAX + 1];
    int64_t since_ms, asked_ms, warned_ms; /* own clock; 0: not yet */
} ledger_awaited_t;

typedef struct {
    uint32_t source_index;
    bool owned;           /* assigned to this ingestor */
    bool started;         /* the source gives records from `position` on */
    bool stopped;         /* lost offsets: stands still until told */
    bool skip_to_oldest;  /* lost offsets: told to go on at the oldest kept one … */
    bool renew;           /* … or as the partition's next generation */
    int64_t lost_wanted, lost_oldest, lost_end; /* what was wanted then, and what there was */
    bool restart;         /* a slot stands below the position: it must be read again from there */
    bool awaiting;        /* the record at `position` is of a scenario that configd is asked for */
    ledger_awaited_t awaited; /* … or was last */
    int64_t retry_ms;     /* the record at `position` cannot be taken: read again then (own clock); or 0 */
    bool at_end;          /* has reached its present end; with --once: has ended */
    int64_t position;     /* every offset below was read and routed */
    int64_t greatest_ms;  /* greatest valid event time before it */
    int64_t first_ms;     /* event time of the first event of this life, or EVENT_TIME_NONE */
    int64_t valid_clock_ms; /* own clock when the last valid event came (or it was started) */
    idleness_run_t run;   /* when the source knew that it stands at its end */
    int64_t base;         /* offset it began at without a vector, or -1 */
    bool base_lost;
    uint64_t rewinds;
    int64_t counted;      /* messages below that belong to no shard were counted */
    int64_t committed;    /* told to the source as durable */
    uint32_t paused;      /* reasons: PAUSE_… */
    int64_t letters_ms;   /* own clock since when it waits for its dead letters, or 0 */
    bool source_paused;   /* what the source was told */
    bool told_idle, told_ended; /* what the workers were told */
    ledger_slot_t *slots;
    ledger_sample_t samples[LEDGER_SAMPLES];
    uint32_t sample_count;
} ledger_partition_t;

typedef struct {
    ledger_partition_t **partitions; /* by number; NULL: never assigned here */
    uint32_t count, slot_count;
} offset_ledger_t;

void offset_ledger_free (offset_ledger_t *self);
/*  The partition's ledger, made where it is new. Stable address. */
ledger_partition_t *offset_ledger_get (offset_ledger_t *self, uint32_t number);

/*  Sets a slot to an announced entry (absent: to the base); unsent rows are dropped. */
void offset_ledger_set_slot (ledger_partition_t *partition, uint32_t slot, vector_entry_t entry);
/*  The entry to begin at: the least of all slots; VECTOR_ABSENT where one has none. */
vector_entry_t offset_ledger_start (const ledger_partition_t *partition, uint32_t slot_count);
/*  The greatest offset that a slot stands at, or -1: the partition must not end below it. */
int64_t offset_ledger_most (const ledger_partition_t *partition, uint32_t slot_count);
/*  The partition is read again from here: all unsent rows are dropped, what was handed stays handed. */
void offset_ledger_rewind (ledger_partition_t *partition, uint32_t slot_count, vector_entry_t entry,
                           int64_t now_ms);
/*  Begins at the base (oldest kept): slots without an entry stand there. -1 where a slot's entry lies below it
 *  (lost offsets) and `skip` is false. */
int offset_ledger_begin (ledger_partition_t *partition, uint32_t slot_count, int64_t base,
                         bool base_lost, bool skip, int64_t now_ms);
/*  It waits at its position for a scenario (ids of 1 .. EVENT_ID_BYTES_MAX bytes) until it is begun again.
 *  The same one as before keeps its times. */
void offset_ledger_await (ledger_partition_t *partition, span_t tenant, span_t scenario,
                          int64_t now_ms);
/*  Remembers when the position was reached, at most one sample a second. */
void offset_ledger_sample (ledger_partition_t *partition, int64_t now_ms);
/*  How long ago (ms, of the own clock) the oldest offset at or above `applied` was handed out: 0 where all was
 *  applied. */
int64_t offset_ledger_lead_ms (const ledger_partition_t *partition, int64_t applied, int64_t now_ms);

#endif
