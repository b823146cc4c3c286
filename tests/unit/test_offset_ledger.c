/*  offset_ledger: where a partition begins, what a rewind leaves, how far reading leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingestor/offset_ledger.h"

#define ABSENT VECTOR_ABSENT
#define NONE   EVENT_TIME_NONE

enum { SLOTS = 3 };

static int make (void **state)
{
    offset_ledger_t *ledger = memory_new (sizeof *ledger);
    ledger->slot_count = SLOTS;
    *state = ledger;
    return 0;
}

static int unmake (void **state)
{
    offset_ledger_free (*state);
    free (*state);
    return 0;
}

static void set_all (ledger_partition_t *partition, const vector_entry_t entries[SLOTS])
{
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        offset_ledger_set_slot (partition, slot, entries[slot]);
}

/*  Rows that were routed and not handed out. */
static void add_row (ledger_partition_t *partition, uint32_t slot)
{
    buffer_append (&partition->slots[slot].rows, "row", 3);
    partition->slots[slot].row_count++;
}

static void partitions (void **state)
{
    offset_ledger_t *ledger = *state;
    ledger_partition_t *fifth = offset_ledger_get (ledger, 5);
    assert_int_equal (ledger->count, 6);
    assert_null (ledger->partitions[0]);
    assert_true (fifth->greatest_ms == NONE && fifth->first_ms == NONE);
    assert_true (fifth->base == -1 && fifth->committed == -1 && fifth->counted == -1);
    assert_true (fifth->slots[SLOTS - 1].counted == -1);
    offset_ledger_get (ledger, 500);
    offset_ledger_get (ledger, 0);
    assert_ptr_equal (offset_ledger_get (ledger, 5), fifth);
}

static void starts (void **state)
{
    static const struct {
        const char *name;
        vector_entry_t entries[SLOTS];
        int64_t next, greatest_ms, most;
    } cases[] = {
        {"the least of all", {{30, 3000}, {10, 1000}, {20, 2000}}, 10, 1000, 30},
        {"all alike", {{10, 1000}, {10, 1000}, {10, 1000}}, 10, 1000, 10},
        {"one has none", {{30, 3000}, {ABSENT, NONE}, {20, 2000}}, ABSENT, NONE, 30},
        {"nothing yet", {{ABSENT, NONE}, {ABSENT, NONE}, {ABSENT, NONE}}, ABSENT, NONE, -1},
        {"offset 0 is one", {{0, NONE}, {10, 1000}, {20, 2000}}, 0, NONE, 20},
        {"one takes no part", {{INT64_MAX, NONE}, {10, 1000}, {20, 2000}}, 10, 1000, 20},
    };
    ledger_partition_t *partition = offset_ledger_get (*state, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_all (partition, cases[i].entries);
        vector_entry_t entry = offset_ledger_start (partition, SLOTS);
        int64_t most = offset_ledger_most (partition, SLOTS);
        if (entry.next != cases[i].next || entry.greatest_ms != cases[i].greatest_ms ||
            most != cases[i].most)
            fail_msg ("%s: %lld, %lld", cases[i].name, (long long)entry.next, (long long)most);
    }
}

static void slots (void **state)
{
    ledger_partition_t *partition = offset_ledger_get (*state, 0);
    ledger_slot_t *slot = &partition->slots[1];
    add_row (partition, 1);
    offset_ledger_set_slot (partition, 1, (vector_entry_t){40, 4000});
    assert_true (slot->handed == 40 && slot->greatest_ms == 4000 && slot->begun);
    assert_true (slot->row_count == 0 && slot->rows.size == 0);
    assert_int_equal (slot->counted, 40);
    /* It went back to what is durable: what was counted stays counted. */
    offset_ledger_set_slot (partition, 1, (vector_entry_t){25, 2500});
    assert_true (slot->handed == 25 && slot->counted == 40);
    offset_ledger_set_slot (partition, 1, (vector_entry_t){ABSENT, NONE});
    assert_true (slot->handed == ABSENT && !slot->begun && slot->counted == 40);
}

static void a_rewind (void **state)
{
    ledger_partition_t *partition = offset_ledger_get (*state, 0);
    set_all (partition, (vector_entry_t[]){{30, 3000}, {10, 1000}, {20, 2000}});
    add_row (partition, 0);
    add_row (partition, 2);
    partition->base = 10;
    partition->at_end = true;
    partition->position = 100;
    offset_ledger_sample (partition, 0);
    offset_ledger_rewind (partition, SLOTS, offset_ledger_start (partition, SLOTS), 77);
    assert_true (partition->position == 10 && partition->greatest_ms == 1000);
    assert_true (!partition->at_end && partition->base == 10 && partition->valid_clock_ms == 77);
    assert_true (partition->counted == 10 && partition->sample_count == 0);
    assert_true (partition->slots[0].handed == 30 && partition->slots[0].greatest_ms == 3000);
    for (int slot = 0; slot < SLOTS; slot++)
        assert_true (partition->slots[slot].row_count == 0 &&
                     partition->slots[slot].rows.size == 0);
    /* again, farther back: what was counted stays */
    partition->counted = 50;
    offset_ledger_rewind (partition, SLOTS, (vector_entry_t){5, 500}, 78);
    assert_true (partition->position == 5 && partition->counted == 50);
}

static void beginnings (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t next[SLOTS], base;
        bool skip;
        int result;
        int64_t handed[SLOTS];
        bool begun[SLOTS];
    } cases[] = {
        {"all anew", {ABSENT, ABSENT, ABSENT}, 7, false, 0, {7, 7, 7}, {0, 0, 0}},
        {"from zero", {ABSENT, ABSENT, ABSENT}, 0, false, 0, {0, 0, 0}, {0, 0, 0}},
        {"one is ahead", {ABSENT, 20, ABSENT}, 7, false, 0, {7, 20, 7}, {0, 1, 0}},
        {"one stands at the base", {ABSENT, 7, 9}, 7, false, 0, {7, 7, 9}, {0, 1, 1}},
        {"one is below: lost", {ABSENT, 6, 9}, 7, false, -1, {ABSENT, 6, 9}, {0, 1, 1}},
        {"one is below: told to skip", {ABSENT, 6, 9}, 7, true, 0, {7, 7, 9}, {0, 0, 1}},
        {"one takes no part",
         {ABSENT, INT64_MAX, ABSENT},
         7,
         false,
         0,
         {7, INT64_MAX, 7},
         {0, 1, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *ledger;
        make (&ledger);
        ledger_partition_t *partition = offset_ledger_get (ledger, 0);
        for (uint32_t slot = 0; slot < SLOTS; slot++)
            offset_ledger_set_slot (partition, slot, (vector_entry_t){cases[i].next[slot], NONE});
        int result = offset_ledger_begin (partition, SLOTS, cases[i].base, true, cases[i].skip, 5);
        bool as_told = result == cases[i].result;
        for (uint32_t slot = 0; slot < SLOTS; slot++)
            as_told &= partition->slots[slot].handed == cases[i].handed[slot] &&
                       partition->slots[slot].begun == cases[i].begun[slot];
        if (result == 0)
            as_told &= partition->position == cases[i].base && partition->base == cases[i].base &&
                       partition->base_lost && partition->greatest_ms == NONE;
        if (!as_told)
            fail_msg ("%s", cases[i].name);
        unmake (&ledger);
    }
}

/*  Positions by the clock: 100 at 0 s, 200 at 1 s, … */
static void leads (void **state)
{
    ledger_partition_t *partition = offset_ledger_get (*state, 0);
    assert_int_equal (offset_ledger_lead_ms (partition, -1, 1000), 0);
    for (int second = 0; second < 10; second++) {
        partition->position = 100 * (second + 1);
        offset_ledger_sample (partition, 1000 * second);
        partition->position++;
        offset_ledger_sample (partition, 1000 * second + 999); /* too soon */
        assert_int_equal (partition->sample_count, second + 1);
    }
    partition->position = 1000;
    offset_ledger_sample (partition, 60000); /* it did not move */
    assert_int_equal (partition->sample_count, 10);
    static const struct {
        int64_t applied, lead_ms;
    } cases[] = {{-1, 20000},  {0, 20000},   {99, 20000}, {100, 19000},
                 {250, 18000}, {999, 11000}, {1000, 0},   {5000, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal (offset_ledger_lead_ms (partition, cases[i].applied, 20000),
                          cases[i].lead_ms);
    /* The oldest samples go when there are too many. */
    for (int64_t second = 10; second < 2 * LEDGER_SAMPLES; second++) {
        partition->position = 100 * (second + 1);
        offset_ledger_sample (partition, 1000 * second);
    }
    assert_int_equal (partition->sample_count, LEDGER_SAMPLES);
    int64_t now_ms = 1000 * (2 * LEDGER_SAMPLES - 1);
    assert_int_equal (offset_ledger_lead_ms (partition, 0, now_ms), 1000 * (LEDGER_SAMPLES - 1));
    assert_int_equal (offset_ledger_lead_ms (partition, partition->position - 1, now_ms), 0);
    assert_int_equal (offset_ledger_lead_ms (partition, partition->position - 101, now_ms), 1000);
}

static void awaiting (void **state)
{
    ledger_partition_t *partition = offset_ledger_get (*state, 0);
    const vector_entry_t entry = {10, 1000};
    const vector_entry_t entries[SLOTS] = {entry, entry, entry};
    set_all (partition, entries);
    offset_ledger_rewind (partition, SLOTS, entry, 0);
    partition->at_end = true;
    offset_ledger_await (partition, span_of ("t"), span_of ("a"), 50);
    assert_true (partition->awaiting && !partition->at_end);
    partition->retry_ms = 70;
    assert_int_equal (partition->position, 10);
    assert_int_equal (partition->awaited.since_ms, 50);
    partition->awaited.asked_ms = 50;
    partition->awaited.warned_ms = 60;
    offset_ledger_rewind (partition, SLOTS, entry, 0);
    assert_false (partition->awaiting || partition->retry_ms);
    offset_ledger_await (partition, span_of ("t"), span_of ("a"), 70); /* rewound by a worker */
    assert_true (partition->awaiting);
    assert_int_equal (partition->awaited.since_ms, 50);
    assert_int_equal (partition->awaited.asked_ms, 50);
    offset_ledger_await (partition, span_of ("u"), span_of ("a"), 80);
    assert_int_equal (partition->awaited.since_ms, 80);
    assert_int_equal (partition->awaited.asked_ms, 0);
    assert_int_equal (partition->awaited.warned_ms, 0);
    assert_string_equal (partition->awaited.tenant, "u");
    assert_string_equal (partition->awaited.scenario, "a");
    assert_int_equal (offset_ledger_begin (partition, SLOTS, 0, false, false, 0), 0);
    assert_false (partition->awaiting);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (partitions, make, unmake),
        cmocka_unit_test_setup_teardown (starts, make, unmake),
        cmocka_unit_test_setup_teardown (slots, make, unmake),
        cmocka_unit_test_setup_teardown (a_rewind, make, unmake),
        cmocka_unit_test (beginnings),
        cmocka_unit_test_setup_teardown (leads, make, unmake),
        cmocka_unit_test_setup_teardown (awaiting, make, unmake),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
