#include "scorer/score_records.h"

#include "common/event.h"
#include "common/key_hash.h"
#include "common/pack.h"

enum { FIELDS_PER_ACTION = 5 };

/*  ---- keys ---- */

static uint8_t *put_big_endian (uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    return to + size;
}

static uint64_t get_big_endian (const uint8_t **from, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | (*from)[i];
    *from += size;
    return value;
}

static uint8_t *put_head (uint8_t *to, record_type_t type, uint64_t hash)
{
    to[0] = 'c';
    to[1] = (uint8_t)type;
    return put_big_endian (to + 2, hash, 8);
}

static void put_bucket (uint8_t *to, uint64_t hash, const score_bucket_t *bucket, int64_t mark_ms)
{
    to = put_head (to, RECORD_CELL, hash);
    to = put_big_endian (to, (uint64_t)bucket->start_ms, 8);
    to = put_big_endian (to, (uint64_t)bucket->length_ms, 4);
    put_big_endian (to, (uint64_t)mark_ms, 8);
}

static void put_item (uint8_t *to, uint64_t hash, uint32_t item)
{
    put_big_endian (put_head (to, RECORD_ITEM, hash), item, 4);
}

int score_records_parse_key (const uint8_t *key, size_t key_size, record_key_t *parsed)
{
    static const size_t sizes[] = {[RECORD_SCENARIO] = RECORD_SCENARIO_KEY_BYTES,
                                   [RECORD_ITEM] = RECORD_ITEM_KEY_BYTES,
                                   [RECORD_CELL] = RECORD_CELL_KEY_BYTES};
    if (key_size < RECORD_SCENARIO_KEY_BYTES || key[0] != 'c' || key[1] < RECORD_SCENARIO ||
        key[1] > RECORD_CELL || key_size != sizes[key[1]])
        return -1;
    *parsed = (record_key_t){.type = (record_type_t)key[1]};
    const uint8_t *at = key + 2;
    parsed->hash = get_big_endian (&at, 8);
    if (parsed->type == RECORD_CELL) {
        parsed->start_ms = (int64_t)get_big_endian (&at, 8);
        parsed->length_ms = (int64_t)get_big_endian (&at, 4);
        parsed->mark_ms = (int64_t)get_big_endian (&at, 8);
    }
    if (parsed->type != RECORD_SCENARIO)
        parsed->item = (uint32_t)get_big_endian (&at, 4);
    return 0;
}

void score_records_scenario_key (uint8_t key[RECORD_SCENARIO_KEY_BYTES], uint64_t hash)
{
    put_head (key, RECORD_SCENARIO, hash);
}

void score_records_delete_scenario (change_set_t *deletes, uint64_t hash)
{
    uint8_t key[RECORD_SCENARIO_KEY_BYTES];
    score_records_scenario_key (key, hash);
    change_set_delete (deletes, key, sizeof key);
}

void score_records_delete_item (change_set_t *deletes, uint64_t hash, uint32_t item)
{
    uint8_t key[RECORD_ITEM_KEY_BYTES];
    put_item (key, hash, item);
    change_set_delete (deletes, key, sizeof key);
}

void score_records_delete_bucket (change_set_t *deletes, uint64_t hash,
                                  const score_bucket_t *bucket)
{
    uint8_t from[RECORD_BUCKET_KEY_BYTES], to[RECORD_BUCKET_KEY_BYTES];
    put_bucket (from, hash, bucket, bucket->mark_ms);
    put_bucket (to, hash, bucket, bucket->mark_ms + 1);
    change_set_delete_range (deletes, from, sizeof from, to, sizeof to);
}

/*  ---- values ---- */

static void write_actions (const score_cells_t *cells, const score_bucket_t *bucket,
                           const score_cell_t *cell, buffer_t *to)
{
    uint32_t count = 0;
    for (uint32_t at = cell->first; at; at = bucket->sums[at - 1].next)
        count++;
    pack_array (to, (size_t)count * FIELDS_PER_ACTION);
    for (uint32_t at = cell->first; at; at = bucket->sums[at - 1].next) {
        const action_sums_t *sums = &bucket->sums[at - 1];
        if (sums->action < ACTION_CUSTOM)
            pack_uint (to, sums->action);
        else
            pack_span (to, action_names_get (cells->names, sums->action));
        pack_uint (to, sums->moments.count);
        pack_int (to, sums->moments.s1_ms);
        pack_uint (to, sums->moments.s2_high);
        pack_uint (to, sums->moments.s2_low);
    }
}

static void write_cell (const score_cells_t *cells, const score_bucket_t *bucket,
                        const score_cell_t *cell, buffer_t *to)
{
    buffer_clear (to);
    pack_array (to, 2);
    write_actions (cells, bucket, cell, to);
    if (!cell->stats) {
        pack_nil (to);
        return;
    }
    pack_array (to, 3);
    distinct_write (cell->stats->users, to);
    pack_uint (to, cell->stats->watched_ms);
    pack_uint (to, cell->stats->watched_count);
}

static void collect_items (score_cells_t *cells, change_set_t *changes, buffer_t *scratch)
{
    item_table_t *items = &cells->items;
    uint32_t at = items->dirty_first;
    while (at != ITEM_TABLE_END) {
        uint32_t number = at - 1;
        item_t *item = &items->list[number];
        at = item->dirty_next;
        item->dirty_next = 0;
        if (!item->id) /* gone again before this commit */
            continue;
        uint8_t key[RECORD_ITEM_KEY_BYTES];
        put_item (key, cells->hash, number);
        buffer_clear (scratch);
        pack_span (scratch, item_table_id (items, number));
        change_set_put (changes, key, sizeof key, scratch->bytes, scratch->size);
        item->stored = true;
    }
    items->dirty_first = ITEM_TABLE_END;
}

/*  It is as stored from now on. */
static void settle (score_bucket_t *bucket, score_cell_t *cell)
{
    cell->dirty_next = 0;
    for (uint32_t at = cell->first; at; at = bucket->sums[at - 1].next)
        bucket->sums[at - 1].dirty = false;
}

static void collect_bucket (score_cells_t *cells, score_bucket_t *bucket, change_set_t *changes,
                            buffer_t *scratch)
{
    uint8_t key[RECORD_CELL_KEY_BYTES];
    put_bucket (key, cells->hash, bucket, bucket->mark_ms);
    uint32_t at = bucket->dirty_first;
    while (at != SCORE_CELLS_END) {
        score_cell_t *cell = &bucket->cells[at - 1];
        at = cell->dirty_next;
        settle (bucket, cell);
        put_big_endian (key + RECORD_BUCKET_KEY_BYTES, cell->item, 4);
        write_cell (cells, bucket, cell, scratch);
        change_set_put (changes, key, sizeof key, scratch->bytes, scratch->size);
    }
    bucket->dirty_first = SCORE_CELLS_END;
    bucket->stored = true;
}

void score_records_collect (score_cells_t *cells, change_set_t *changes, buffer_t *scratch)
{
    if (!cells->dirty)
        return;
    collect_items (cells, changes, scratch);
    for (uint32_t i = 0; i < cells->bucket_count; i++)
        if (cells->buckets[i]->dirty_first != SCORE_CELLS_END)
            collect_bucket (cells, cells->buckets[i], changes, scratch);
    cells->dirty = false;
}

/*  ---- reading ---- */

int score_records_load_item (score_cells_t *cells, const record_key_t *key, span_t tenant,
                             span_t scenario, const uint8_t *value, size_t value_size)
{
    cursor_t cursor = cursor_of (value, value_size);
    span_t id = cursor_span (&cursor, EVENT_ID_BYTES_MAX);
    if (!cursor_finished (&cursor))
        return -1;
    return item_table_load (&cells->items, key->item, id, key_hash (tenant, scenario, id));
}

/*  A known action by its number, a custom one by its name. */
static uint16_t read_action (cursor_t *cursor, action_names_t *names)
{
    if (cursor->at < cursor->end && *cursor->at < 0x80) {
        uint64_t number = cursor_uint_max (cursor, ACTION_KNOWN_COUNT - 1);
        return (uint16_t)number;
    }
    span_t name = cursor_span (cursor, EVENT_ACTION_BYTES_MAX);
    if (!name.size)
        cursor->failed = true;
    return cursor->failed ? ACTION_OTHER : action_names_intern (names, name);
}

static void read_stats (cursor_t *cursor, score_cells_t *cells, score_cell_t *cell)
{
    if (cursor_take_nil (cursor))
        return;
    if (cursor_array (cursor, 3) != 3)
        cursor->failed = true;
    cell_stats_t *stats = score_cells_stats (cells, cell);
    distinct_read (stats->users, cursor);
    stats->watched_ms = cursor_uint (cursor);
    stats->watched_count = cursor_uint (cursor);
}

int score_records_load_cell (score_cells_t *cells, action_names_t *names, const record_key_t *key,
                             const uint8_t *value, size_t value_size)
{
    if (key->item >= cells->items.count || !cells->items.list[key->item].id || key->start_ms < 0 ||
        key->length_ms < 1 || key->mark_ms < 0)
        return -1;
    cursor_t cursor = cursor_of (value, value_size);
    if (cursor_array (&cursor, 2) != 2)
        return -1;
    size_t fields = cursor_array (&cursor, (size_t)ACTION_NUMBER_MAX * FIELDS_PER_ACTION);
    if (cursor.failed || !fields || fields % FIELDS_PER_ACTION)
        return -1;
    score_bucket_t *bucket =
        score_cells_bucket (cells, key->start_ms, key->length_ms, key->mark_ms);
    bucket->stored = true;
    for (size_t i = 0; i < fields / FIELDS_PER_ACTION && !cursor.failed; i++) {
        uint16_t action = read_action (&cursor, names);
        decay_moments_t moments = {.count = cursor_uint (&cursor)};
        moments.s1_ms = cursor_int (&cursor);
        moments.s2_high = cursor_uint (&cursor);
        moments.s2_low = cursor_uint (&cursor);
        if (!cursor.failed)
            decay_merge (&score_cells_sums (cells, bucket, key->item, action)->moments, &moments);
    }
    read_stats (&cursor, cells, score_cells_cell (cells, bucket, key->item));
    return cursor_finished (&cursor) ? 0 : -1;
}
