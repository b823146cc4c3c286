/*  score_records: the stored form of the scorer's cells: keys, values, and what a commit changes.
 *
 *  Keys begin with 'c', a type byte, and the scenario's hash; integers are big endian, so that
 * bytewise order is scenarios, items, cells, and cells in the order of their slices:
 *
 *      'c' 1 hash(8)                                            -> see score_scenario
 *      'c' 2 hash(8) item(4)                                    -> str id
 *      'c' 3 hash(8) start(8) length(4) mark(8) item(4)         -> [actions, stats]
 *
 *  actions: one flat array, five entries an action, in order of names: number (known) or name
 * (custom), count, S1, high and low half of S2. stats: nil or [bin users, watched_ms,
 * watched_count].
 */
#ifndef HOTPATH_SCORE_RECORDS_H
#define HOTPATH_SCORE_RECORDS_H

#include "common/buffer.h"
#include "common/change_set.h"
#include "scorer/score_cells.h"

typedef enum { RECORD_SCENARIO = 1, RECORD_ITEM = 2, RECORD_CELL = 3 } record_type_t;

enum {
    RECORD_SCENARIO_KEY_BYTES = 10,
    RECORD_ITEM_KEY_BYTES = 14,
    RECORD_CELL_KEY_BYTES = 34,
    RECORD_BUCKET_KEY_BYTES = 30, /* what the cells of one bucket share */
};

/*  A key, taken apart; the fields behind `hash` as the type has them. */
typedef struct {
    record_type_t type;
    uint64_t hash;
    uint32_t item;
    int64_t start_ms, length_ms, mark_ms;
} record_key_t;

/*  -1: not a key of the scorer. */
int score_records_parse_key (const uint8_t *key, size_t key_size, record_key_t *parsed);
void score_records_scenario_key (uint8_t key[RECORD_SCENARIO_KEY_BYTES], uint64_t hash);

void score_records_delete_scenario (change_set_t *deletes, uint64_t hash);
void score_records_delete_item (change_set_t *deletes, uint64_t hash, uint32_t item);
void score_records_delete_bucket (change_set_t *deletes, uint64_t hash,
                                  const score_bucket_t *bucket);

/*  Appends a put of every item and cell that changed since the last call, each once. `scratch` is
 * the caller's, for reuse. */
void score_records_collect (score_cells_t *cells, change_set_t *changes, buffer_t *scratch);

/*  Take a stored record; -1 where it cannot be read. Items come before cells. */
int score_records_load_item (score_cells_t *cells, const record_key_t *key, span_t tenant,
                             span_t scenario, const uint8_t *value, size_t value_size);
int score_records_load_cell (score_cells_t *cells, action_names_t *names, const record_key_t *key,
                             const uint8_t *value, size_t value_size);

#endif
