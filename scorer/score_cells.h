/*  score_cells: what the items of one scenario did, in one shard: cells by slice, mark, item and
 * action.
 *
 *  A bucket holds the cells of one (slice, mark), a cell what one item did in it. Buckets are
 * sorted by (slice start, slice length, mark), the actions of a cell by name: the order in which
 * sums run, so that equal input gives equal bits. Cells hold counts and integer moments
 * (common/decay.h), so neither weights nor lambda are in them. A bucket remembers its slice: after
 * the slice length has changed, older cells stay as they are until they age.
 *
 *  Pure. It does not decide what is late or too old (scorer_stage), computes no score (ranking),
 * and knows no stored form (score_records). The structures are open for those two, who only read
 * them.
 */
#ifndef HOTPATH_SCORE_CELLS_H
#define HOTPATH_SCORE_CELLS_H

#include "common/action_names.h"
#include "common/change_set.h"
#include "common/decay.h"
#include "common/distinct.h"
#include "scorer/item_table.h"

/*  What one item did by one action in one bucket. */
typedef struct {
    decay_moments_t moments; /* the count alone where it was counted with lambda 0 */
    uint32_t next;           /* index + 1 of the cell's next action by name; 0: none */
    uint32_t item;           /* of its cell */
    uint16_t action;
    bool dirty; /* its cell is in the chain of those that changed */
} action_sums_t;

/*  Kept only while the config says item_stats. */
typedef struct {
    distinct_t *users; /* DISTINCT_ITEM */
    uint64_t watched_ms, watched_count;
} cell_stats_t;

typedef struct {
    uint32_t item;
    uint32_t first; /* index + 1 of its first action_sums_t by name; 0: none */
    uint32_t
        dirty_next; /* 0: as stored; else in the chain: index + 1 of the next, or SCORE_CELLS_END */
    cell_stats_t *stats; /* NULL: none kept */
} score_cell_t;

typedef struct {
    int64_t start_ms, length_ms; /* the slice */
    int64_t mark_ms; /* its events count in windows T >= mark; 0: in all that cover it */
    score_cell_t *cells;
    uint32_t cell_count, cell_capacity;
    uint32_t
        *slots; /* cell index + 1 by item number, linear probing; 0: empty. At most half taken */
    uint32_t slot_count;
    action_sums_t *sums;
    uint32_t sum_count, sum_capacity;
    /*  Of `sums`, by item number and action: most events find what they count in without a look at
     *  its cell. */
    tag_index_t sum_index;
    uint32_t dirty_first; /* chain of cells that changed */
    bool stored;          /* some of it may be in stored records */
    uint64_t stamp; /* of its last event, or of its making; no two buckets ever have the same one */
} score_bucket_t;

#define SCORE_CELLS_END UINT32_MAX

typedef struct {
    uint64_t hash; /* key_hash_scenario */
    const action_names_t *names;
    item_table_t items;
    score_bucket_t **buckets; /* sorted by (start, length, mark) */
    uint32_t bucket_count, bucket_capacity;
    uint32_t recent;       /* the bucket that the last event went to */
    uint32_t action_limit; /* greatest action number seen + 1 */
    uint64_t cell_count;
    uint64_t stamp; /* the last one given */
    bool dirty;     /* something changed since the last score_records_collect */
    bool has_stats; /* some cell has had stats */
} score_cells_t;

/*  One event to count. */
typedef struct {
    span_t item; /* 1 .. 256 bytes */
    uint64_t item_hash;
    int64_t time_ms;  /* >= 0 */
    int64_t slice_ms; /* length of the slices in use now; < 2^32 */
    int64_t mark_ms;  /* windows_mark */
    uint64_t user_hash;
    int64_t watched_ms; /* or EVENT_MS_NONE */
    uint16_t action;
    bool counts_only; /* lambda is 0 */
    bool with_stats;  /* keep unique users and watched time */
} score_event_t;

/*  `names` is borrowed for the life of it. */
score_cells_t *score_cells_new (uint64_t scenario_hash, const action_names_t *names);
void score_cells_destroy (score_cells_t **self_p);

/*  Counts one event. Two hash probes; allocates only as tables grow. */
void score_cells_add (score_cells_t *self, const score_event_t *event);

/*  Where an event that comes soon will be looked for, as far as it is known. Zeroed before the
 * first step. */
typedef struct {
    const score_bucket_t *bucket;
    uint32_t item; /* number */
    bool lost;     /* nothing is there, or it is elsewhere than thought: there is no next step */
} score_ask_t;

/*  Asks the processor for the memory of the step-th thing (0 .. SCORE_ASK_STEPS - 1) that counting
 * an event will touch; each lies where the one before says. Changes nothing but *ask. */
enum { SCORE_ASK_STEPS = 4 };
void score_cells_ask (const score_cells_t *self, int step, uint64_t item_hash, uint16_t action,
                      score_ask_t *ask);

/*  Forgets the buckets whose slice starts before `before_ms`, and the items that only they had;
 * what is to be deleted from the stored records is appended to `deletes`. */
void score_cells_expire (score_cells_t *self, int64_t before_ms, change_set_t *deletes);

/*  First bucket whose slice starts at or after `from_ms` (bucket_count if none). */
uint32_t score_cells_lower_bound (const score_cells_t *self, int64_t from_ms);

/*  Cell of an item in a bucket, or NULL. */
const score_cell_t *score_cells_find (const score_bucket_t *bucket, uint32_t item);

/*  ---- for loading ---- */

score_bucket_t *score_cells_bucket (score_cells_t *self, int64_t start_ms, int64_t length_ms,
                                    int64_t mark_ms);
/*  The cell, made where it is new; borrowed until the bucket's next cell is made. */
score_cell_t *score_cells_cell (score_cells_t *self, score_bucket_t *bucket, uint32_t item);
/*  Sums of an item and action, made (and the cell) where they are new; borrowed until the bucket's
 * next ones are made. */
action_sums_t *score_cells_sums (score_cells_t *self, score_bucket_t *bucket, uint32_t item,
                                 uint16_t action);
/*  The cell's stats, made where it has none. */
cell_stats_t *score_cells_stats (score_cells_t *self, score_cell_t *cell);

size_t score_cells_memory_bytes (const score_cells_t *self);

#endif
