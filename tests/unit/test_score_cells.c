/*  score_cells, score_records: cells are counted, stored once a commit, read back exactly, and
 * forgotten with their items when their slice is too old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>
#include "common/event.h"
#include "common/key_hash.h"
#include "scorer/score_records.h"
#include "tests/unit/record_map.h"

#define HASH UINT64_C (0xfedcba9876543210)

static void add (score_cells_t *cells, const char *item, uint16_t action, int64_t time_ms,
                 int64_t slice_ms, int64_t mark_ms)
{
    span_t id = span_of (item);
    score_event_t event = {.item = id,
                           .item_hash = key_hash (span_of ("t"), span_of ("s"), id),
                           .time_ms = time_ms,
                           .slice_ms = slice_ms,
                           .mark_ms = mark_ms,
                           .watched_ms = EVENT_MS_NONE,
                           .action = action};
    score_cells_add (cells, &event);
}

static size_t commit (score_cells_t *cells, change_set_t *deletes, record_map_t *map)
{
    change_set_t changes = {0};
    buffer_t scratch = {0};
    change_set_append (&changes, deletes);
    score_records_collect (cells, &changes, &scratch);
    size_t puts = record_map_apply (map, &changes);
    change_set_free (&changes);
    buffer_free (&scratch);
    return puts;
}

/*  Reads all records but the scenario's; -1 as soon as one cannot be read. */
static int load_all (score_cells_t *cells, action_names_t *names, const record_map_t *map)
{
    for (size_t i = 0; i < map->count; i++) {
        record_key_t key;
        const record_t *record = &map->list[i];
        const uint8_t *value = (const uint8_t *)record->value.bytes;
        if (score_records_parse_key ((const uint8_t *)record->key.bytes, record->key.size, &key))
            return -1;
        assert_true (key.hash == HASH);
        if (key.type == RECORD_ITEM
                ? score_records_load_item (cells, &key, span_of ("t"), span_of ("s"), value,
                                           record->value.size)
                : score_records_load_cell (cells, names, &key, value, record->value.size))
            return -1;
    }
    item_table_loaded (&cells->items);
    return 0;
}

static void assert_same_cell (const score_cells_t *a, const score_bucket_t *x,
                              const score_cell_t *cell, const score_cells_t *b,
                              const score_bucket_t *y)
{
    const score_cell_t *other = score_cells_find (y, cell->item);
    assert_non_null (other);
    assert_true (
        span_equal (item_table_id (&a->items, cell->item), item_table_id (&b->items, other->item)));
    uint32_t at = cell->first, other_at = other->first;
    span_t before = {"", 0}; /* in the order of names */
    for (; at && other_at; at = x->sums[at - 1].next, other_at = y->sums[other_at - 1].next) {
        assert_memory_equal (&x->sums[at - 1].moments, &y->sums[other_at - 1].moments,
                             sizeof (decay_moments_t));
        span_t name = action_names_get (a->names, x->sums[at - 1].action);
        assert_true (span_equal (name, action_names_get (b->names, y->sums[other_at - 1].action)));
        assert_true (span_compare (before, name) < 0);
        before = name;
    }
    assert_true (!at && !other_at);
    assert_true (!cell->stats == !other->stats);
    if (!cell->stats)
        return;
    assert_int_equal (cell->stats->watched_ms, other->stats->watched_ms);
    assert_int_equal (cell->stats->watched_count, other->stats->watched_count);
    buffer_t users[2] = {{0}, {0}};
    distinct_write (cell->stats->users, &users[0]);
    distinct_write (other->stats->users, &users[1]);
    assert_int_equal (users[0].size, users[1].size);
    assert_memory_equal (users[0].bytes, users[1].bytes, users[0].size);
    buffer_free (&users[0]);
    buffer_free (&users[1]);
}

static void assert_same (const score_cells_t *a, const score_cells_t *b)
{
    assert_int_equal (a->bucket_count, b->bucket_count);
    assert_int_equal (a->cell_count, b->cell_count);
    assert_int_equal (a->items.index.count, b->items.index.count);
    for (uint32_t i = 0; i < a->bucket_count; i++) {
        const score_bucket_t *x = a->buckets[i], *y = b->buckets[i];
        assert_true (x->start_ms == y->start_ms && x->length_ms == y->length_ms &&
                     x->mark_ms == y->mark_ms && x->cell_count == y->cell_count);
        for (uint32_t j = 0; j < x->cell_count; j++)
            assert_same_cell (a, x, &x->cells[j], b, y);
    }
}

static void add_random (score_cells_t *cells, const uint16_t *actions, int64_t from_ms, int count)
{
    for (int i = 0; i < count; i++) {
        char id[16];
        snprintf (id, sizeof id, "i%d", rand () % 300);
        uint64_t user = (uint64_t)(rand () % 100);
        span_t item = span_of (id);
        score_event_t event = {.item = item,
                               .item_hash = key_hash (span_of ("t"), span_of ("s"), item),
                               .time_ms = from_ms + rand () % 1000,
                               .slice_ms = 100,
                               .mark_ms = rand () % 10 ? 0 : from_ms + 500,
                               .user_hash = XXH3_64bits (&user, sizeof user),
                               .watched_ms = rand () % 2 ? EVENT_MS_NONE : rand () % 1000,
                               .action = actions[rand () % 4],
                               .with_stats = rand () % 3 == 0};
        score_cells_add (cells, &event);
    }
}

/*  Commits, expiry and restarts in between; the restarted process numbers custom actions otherwise.
 */
static void read_back_exactly (void **state)
{
    (void)state;
    action_names_t *names = action_names_new (), *other = action_names_new ();
    uint16_t actions[4] = {ACTION_VIEW, ACTION_CLICK};
    actions[2] = action_names_intern (names, span_of ("zoom"));
    actions[3] = action_names_intern (names, span_of ("bend"));
    action_names_intern (other, span_of ("something"));
    action_names_intern (other, span_of ("bend"));
    record_map_t map = {0};
    change_set_t deletes = {0};
    score_cells_t *cells = score_cells_new (HASH, names);
    srand (5);
    for (int round = 0; round < 30; round++) {
        int64_t from_ms = 1000000 + round * 300;
        add_random (cells, actions, from_ms, 400);
        if (round % 3 == 1)
            score_cells_expire (cells, from_ms - 900, &deletes);
        if (round % 4 == 2)
            score_cells_expire (cells, from_ms, &deletes); /* also what no commit has seen */
        if (round % 2)
            continue;
        commit (cells, &deletes, &map);
        score_cells_t *read = score_cells_new (HASH, other);
        assert_int_equal (load_all (read, other, &map), 0);
        assert_same (cells, read);
        assert_int_equal (commit (read, &deletes, &map), 0); /* nothing is dirty */
        score_cells_destroy (&read);
    }
    assert_true (cells->cell_count > 1000);
    score_cells_expire (cells, INT64_MAX, &deletes);
    assert_int_equal (cells->cell_count, 0);
    assert_int_equal (cells->items.index.count, 0);
    commit (cells, &deletes, &map);
    assert_int_equal (map.count, 0);
    score_cells_destroy (&cells);
    change_set_free (&deletes);
    record_map_free (&map);
    action_names_destroy (&names);
    action_names_destroy (&other);
}

static void stored_once_a_commit (void **state)
{
    (void)state;
    action_names_t *names = action_names_new ();
    score_cells_t *cells = score_cells_new (HASH, names);
    record_map_t map = {0};
    change_set_t deletes = {0};
    for (int i = 0; i < 100; i++)
        add (cells, "a", i % 2 ? ACTION_VIEW : ACTION_LIKE, i, 1000, 0);
    assert_int_equal (commit (cells, &deletes, &map), 2); /* the item, its cell */
    assert_int_equal (commit (cells, &deletes, &map), 0);
    add (cells, "a", ACTION_VIEW, 5, 1000, 0);
    add (cells, "a", ACTION_VIEW, 5, 1000, 3000); /* a cell of its own: marked */
    add (cells, "a", ACTION_VIEW, 5, 10, 0);      /* and another: of a shorter slice */
    assert_int_equal (commit (cells, &deletes, &map), 3);
    assert_int_equal (map.count, 4);
    assert_int_equal (cells->bucket_count, 3);
    assert_int_equal (cells->buckets[0]->length_ms, 10);
    assert_int_equal (cells->buckets[1]->mark_ms, 0);
    assert_int_equal (cells->buckets[2]->mark_ms, 3000);
    score_cells_destroy (&cells);
    record_map_free (&map);
    action_names_destroy (&names);
}

static void numbers_are_used_again (void **state)
{
    (void)state;
    action_names_t *names = action_names_new ();
    score_cells_t *cells = score_cells_new (HASH, names);
    record_map_t map = {0};
    change_set_t deletes = {0};
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 100; i++) {
            char id[16];
            snprintf (id, sizeof id, "%d", round * 50 + i); /* half of them stay for a round */
            add (cells, id, ACTION_VIEW, round * 10, 10, 0);
        }
        if (round)
            score_cells_expire (cells, round * 10, &deletes);
        if (round % 3 == 0)
            commit (cells, &deletes, &map);
        assert_int_equal (cells->items.index.count, 100);
        assert_true (cells->items.count <= 150);
    }
    commit (cells, &deletes, &map);
    assert_int_equal (map.count, 200);
    score_cells_t *read = score_cells_new (HASH, names);
    assert_int_equal (load_all (read, names, &map), 0);
    assert_same (cells, read);
    for (int i = 0; i < 100; i++) { /* numbers between are taken first */
        char id[16];
        snprintf (id, sizeof id, "new %d", i);
        add (read, id, ACTION_VIEW, 500, 10, 0);
    }
    assert_true (read->items.count <= 200);
    score_cells_destroy (&cells);
    score_cells_destroy (&read);
    change_set_free (&deletes);
    record_map_free (&map);
    action_names_destroy (&names);
}

/*  A range delete must end where the next bucket begins. */
static void deletes_no_neighbour (void **state)
{
    (void)state;
    action_names_t *names = action_names_new ();
    score_cells_t *cells = score_cells_new (HASH, names);
    record_map_t map = {0};
    change_set_t deletes = {0};
    static const int64_t starts[] = {0, 255, 256, 65535, 65536};
    for (size_t i = 0; i < 5; i++) {
        add (cells, "a", ACTION_VIEW, starts[i], 1, 0);
        add (cells, "a", ACTION_VIEW, starts[i], 1, 65537);
        add (cells, "b", ACTION_VIEW, starts[i], 1, 65537);
    }
    commit (cells, &deletes, &map);
    assert_int_equal (map.count, 2 + 15);
    for (size_t i = 0; i < 5; i++) {
        score_cells_expire (cells, starts[i] + 1, &deletes);
        commit (cells, &deletes, &map);
        assert_int_equal (map.count, i < 4 ? 2 + 3 * (4 - i) : 0);
    }
    score_cells_destroy (&cells);
    change_set_free (&deletes);
    record_map_free (&map);
    action_names_destroy (&names);
}

/*  Every cut and every changed byte of a record is read or refused, never more. */
static void damaged_records (void **state)
{
    (void)state;
    action_names_t *names = action_names_new ();
    uint16_t zoom = action_names_intern (names, span_of ("zoom"));
    score_cells_t *cells = score_cells_new (HASH, names);
    record_map_t map = {0};
    change_set_t deletes = {0};
    uint16_t actions[4] = {ACTION_VIEW, zoom, zoom, ACTION_LIKE};
    add_random (cells, actions, 1000, 3);
    commit (cells, &deletes, &map);
    int refused = 0;
    for (size_t i = 0; i < map.count; i++) {
        span_t value = map.list[i].value;
        for (size_t cut = 0; cut < value.size; cut++) {
            score_cells_t *read = score_cells_new (HASH, names);
            map.list[i].value.size = cut;
            refused += load_all (read, names, &map) < 0;
            map.list[i].value.size = value.size;
            score_cells_destroy (&read);
        }
        for (size_t bit = 0; bit < 8 * value.size; bit++) {
            score_cells_t *read = score_cells_new (HASH, names);
            ((char *)value.bytes)[bit / 8] ^= (char)(1 << bit % 8);
            refused += load_all (read, names, &map) < 0;
            ((char *)value.bytes)[bit / 8] ^= (char)(1 << bit % 8);
            score_cells_destroy (&read);
        }
    }
    assert_true (refused > 100);
    static const char *const bad_keys[] = {"",
                                           "c",
                                           "c\1",
                                           "x\1abcdefgh",
                                           "c\4abcdefgh",
                                           "c\1abcdefghi",
                                           "c\2abcdefgh",
                                           "c\3abcdefghijkl"};
    for (size_t i = 0; i < sizeof bad_keys / sizeof *bad_keys; i++) {
        record_key_t key;
        assert_int_equal (
            score_records_parse_key ((const uint8_t *)bad_keys[i], strlen (bad_keys[i]), &key), -1);
    }
    score_cells_destroy (&cells);
    record_map_free (&map);
    action_names_destroy (&names);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (read_back_exactly),      cmocka_unit_test (stored_once_a_commit),
        cmocka_unit_test (numbers_are_used_again), cmocka_unit_test (deletes_no_neighbour),
        cmocka_unit_test (damaged_records),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
