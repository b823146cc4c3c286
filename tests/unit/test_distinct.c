/*  distinct: exact up to its limit, within 3 % beyond, the same state whatever the order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <xxhash.h>

#include "common/distinct.h"

static uint64_t hash_of (uint64_t number)
{
    return XXH3_64bits (&number, sizeof number);
}

/*  A hash of the one shard in 16 that such a set sees: its low bits are all alike. */
static uint64_t hash_in_shard (uint64_t number)
{
    return (hash_of (number) & ~UINT64_C (15)) | 3;
}

static buffer_t written (const distinct_t *set)
{
    buffer_t bytes = {0};
    distinct_write (set, &bytes);
    return bytes;
}

static void assert_same (const distinct_t *a, const distinct_t *b)
{
    buffer_t x = written (a), y = written (b);
    assert_int_equal (x.size, y.size);
    assert_memory_equal (x.bytes, y.bytes, x.size);
    buffer_free (&x);
    buffer_free (&y);
}

static void exact_up_to_the_limit (void **state)
{
    (void)state;
    static const distinct_shape_t shapes[] = {DISTINCT_METRICS, DISTINCT_ITEM, {10, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        distinct_t *set = distinct_new (shapes[s]);
        assert_int_equal (distinct_count (set), 0);
        for (uint64_t i = 0; i < shapes[s].exact_max; i++) {
            assert_int_equal (distinct_add (set, i ? hash_in_shard (i) : 0), 1);
            assert_int_equal (distinct_add (set, i ? hash_in_shard (i) : 0), 0);
            assert_int_equal (distinct_count (set), i + 1);
        }
        size_t before = distinct_memory_bytes (set);
        assert_int_equal (distinct_add (set, hash_in_shard (shapes[s].exact_max + 7)), 1);
        double count = (double)distinct_count (set);
        assert_true (fabs (count - shapes[s].exact_max - 1) <= 0.1 * count + 1);
        assert_true (distinct_memory_bytes (set) >= (size_t)1 << shapes[s].register_bits);
        assert_true (before < 16384);
        distinct_destroy (&set);
        assert_null (set);
    }
}

static void close_beyond_the_limit (void **state)
{
    (void)state;
    static const struct {
        uint64_t count;
        double error_max; /* the standard error of 2^14 registers is 0.8 % */
    } cases[] = {{257, 0.03}, {1000, 0.03}, {10000, 0.03}, {100000, 0.03}, {1000000, 0.03}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        distinct_t *spread = distinct_new (DISTINCT_METRICS);
        distinct_t *shard = distinct_new (DISTINCT_METRICS);
        for (uint64_t i = 0; i < cases[c].count; i++) {
            distinct_add (spread, hash_of (i));
            distinct_add (shard, hash_in_shard (i));
        }
        double wanted = (double)cases[c].count;
        double errors[] = {(double)distinct_count (spread) / wanted - 1,
                           (double)distinct_count (shard) / wanted - 1};
        for (size_t e = 0; e < 2; e++)
            if (!(fabs (errors[e]) < cases[c].error_max))
                fail_msg ("%g distinct: error %g", wanted, errors[e]);
        distinct_destroy (&spread);
        distinct_destroy (&shard);
    }
}

static void order_does_not_matter (void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 200, 256, 257, 3000, 30000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        uint64_t count = counts[c];
        distinct_t *up = distinct_new (DISTINCT_METRICS), *down = distinct_new (DISTINCT_METRICS);
        distinct_t *merged = distinct_new (DISTINCT_METRICS);
        distinct_t *parts[3];
        for (size_t p = 0; p < 3; p++)
            parts[p] = distinct_new (DISTINCT_METRICS);
        for (uint64_t i = 0; i < count; i++) {
            distinct_add (up, i ? hash_of (i) : 0);
            distinct_add (down, i == count - 1 ? 0 : hash_of (count - 1 - i));
            distinct_add (parts[i % 3], i ? hash_of (i) : 0);
            distinct_add (parts[i % 2], i ? hash_of (i) : 0); /* they overlap */
        }
        for (size_t p = 3; p-- > 0;)
            distinct_merge (merged, parts[p]);
        assert_same (up, down);
        assert_same (up, merged);
        assert_int_equal (distinct_count (up), distinct_count (merged));
        distinct_merge (merged, up); /* nothing new in it */
        assert_same (up, merged);
        for (size_t p = 0; p < 3; p++)
            distinct_destroy (&parts[p]);
        distinct_destroy (&up);
        distinct_destroy (&down);
        distinct_destroy (&merged);
    }
}

static void round_trips (void **state)
{
    (void)state;
    static const uint64_t counts[] = {0, 1, 256, 257, 2000, 5000, 100000};
    distinct_t *copy = distinct_new (DISTINCT_METRICS);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        distinct_t *set = distinct_new (DISTINCT_METRICS);
        for (uint64_t i = 0; i < counts[c]; i++)
            distinct_add (set, i ? hash_of (i) : 0);
        buffer_t bytes = written (set);
        assert_true (bytes.size <= 12288 + 5);
        cursor_t cursor = cursor_of (bytes.bytes, bytes.size);
        distinct_read (copy, &cursor);
        assert_true (cursor_finished (&cursor));
        assert_same (set, copy);
        assert_int_equal (distinct_count (set), distinct_count (copy));
        /*  Every shorter one is refused, and leaves an empty set. */
        for (size_t size = 0; size < bytes.size; size += 1 + size / 16) {
            cursor = cursor_of (bytes.bytes, size);
            distinct_read (copy, &cursor);
            assert_true (cursor.failed);
            assert_int_equal (distinct_count (copy), 0);
        }
        buffer_free (&bytes);
        distinct_clear (set);
        assert_int_equal (distinct_count (set), 0);
        distinct_destroy (&set);
    }
    distinct_destroy (&copy);
}

static void bad_bytes_are_refused (void **state)
{
    (void)state;
    static uint8_t dense_zero[2 + 768] = {2, 10}, dense_high[2 + 768] = {2, 10};
    static uint8_t many[2 + 65 * 8] = {0, 10};
    memset (dense_high + 2, 0xff, 768); /* ranks of 63, where 55 is the greatest */
    for (uint8_t i = 0; i < 65; i++)
        many[2 + 8 * i] = i;
    static const uint8_t unsorted[] = {0, 10, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8};
    static const uint8_t twice[] = {0, 10, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9};
    static const uint8_t ragged[] = {0, 10, 1, 2, 3};
    static const uint8_t form[] = {3, 10}, bits[] = {0, 14}, sparse_empty[] = {1, 10};
    static const uint8_t sparse_index[] = {1, 10, 1, 0, 1}; /* register 1024 of 1024 */
    static const uint8_t sparse_rank_zero[] = {1, 10, 0, 1, 0};
    static const uint8_t sparse_rank_high[] = {1, 10, 0, 1, 56};
    static const uint8_t sparse_twice[] = {1, 10, 0, 1, 1, 0, 1, 2};
#define BYTES(name) #name, name, sizeof name
    const struct {
        const char *name;
        const uint8_t *bytes;
        size_t size;
    } cases[] = {
        {BYTES (dense_zero)},
        {BYTES (dense_high)},
        {BYTES (many)},
        {BYTES (unsorted)},
        {BYTES (twice)},
        {BYTES (ragged)},
        {BYTES (form)},
        {BYTES (bits)},
        {BYTES (sparse_empty)},
        {BYTES (sparse_index)},
        {BYTES (sparse_rank_zero)},
        {BYTES (sparse_rank_high)},
        {BYTES (sparse_twice)},
        {"one byte", form, 1},
        {"no byte", form, 0},
    };
#undef BYTES
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        buffer_t bytes = {0};
        pack_bytes (&bytes, cases[c].bytes, cases[c].size);
        cursor_t cursor = cursor_of (bytes.bytes, bytes.size);
        distinct_t *set = distinct_new (DISTINCT_ITEM);
        distinct_read (set, &cursor);
        if (!cursor.failed)
            fail_msg ("taken: %s", cases[c].name);
        assert_int_equal (distinct_count (set), 0);
        distinct_destroy (&set);
        buffer_free (&bytes);
    }
}

static void full_registers_do_not_overflow (void **state)
{
    (void)state;
    uint8_t dense[2 + 768] = {2, 10};
    for (size_t i = 0; i < 1024; i++) /* every register 55 */
        for (size_t bit = 0; bit < 6; bit++)
            if (55 >> (5 - bit) & 1)
                dense[2 + (i * 6 + bit) / 8] |= (uint8_t)(0x80 >> (i * 6 + bit) % 8);
    buffer_t bytes = {0};
    pack_bytes (&bytes, dense, sizeof dense);
    cursor_t cursor = cursor_of (bytes.bytes, bytes.size);
    distinct_t *set = distinct_new (DISTINCT_ITEM);
    distinct_read (set, &cursor);
    assert_false (cursor.failed);
    assert_true (distinct_count (set) > UINT64_C (1) << 60);
    distinct_destroy (&set);
    buffer_free (&bytes);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (exact_up_to_the_limit), cmocka_unit_test (close_beyond_the_limit),
        cmocka_unit_test (order_does_not_matter), cmocka_unit_test (round_trips),
        cmocka_unit_test (bad_bytes_are_refused), cmocka_unit_test (full_registers_do_not_overflow),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
