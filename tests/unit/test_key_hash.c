/*  key_hash: fixed values (they decide which shard's state a key is in), and no two tuples run
 * together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <xxhash.h>

#include "common/key_hash.h"

static uint64_t hash (const char *tenant, const char *scenario, const char *id)
{
    return key_hash (span_of (tenant), span_of (scenario), span_of (id));
}

/*  The bytes as key_hash.h describes them, written out. */
static void as_described (void **state)
{
    (void)state;
    static const char three[] = "\1\0\0\0t\2\0\0\0ss\3\0\0\0iii";
    static const char two[] = "\1\0\0\0t\2\0\0\0ss";
    assert_true (hash ("t", "ss", "iii") == XXH3_64bits (three, sizeof three - 1));
    assert_true (key_hash_scenario (span_of ("t"), span_of ("ss")) ==
                 XXH3_64bits (two, sizeof two - 1));
}

static void tuples (void **state)
{
    (void)state;
    static const char *const different[][3] = {{"a", "b", "c"},  {"ab", "c", "d"}, {"a", "bc", "d"},
                                               {"a", "b", "cd"}, {"b", "a", "c"},  {"a", "c", "b"},
                                               {"c", "b", "a"},  {"abc", "d", "e"}};
    enum { COUNT = sizeof different / sizeof *different };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < i; j++)
            assert_true (hash (different[i][0], different[i][1], different[i][2]) !=
                         hash (different[j][0], different[j][1], different[j][2]));
}

static void longest (void **state)
{
    (void)state;
    char id[256];
    memset (id, 'x', sizeof id);
    span_t whole = {id, 256}, shorter = {id, 255};
    assert_true (key_hash (whole, whole, whole) != key_hash (whole, whole, shorter));
    assert_true (key_hash_scenario (whole, whole) != key_hash_scenario (shorter, whole));
}

/*  Every shard gets its share: within a quarter of it. */
static void spread (void **state)
{
    (void)state;
    enum { KEYS = 16000, SHARDS = 16 };
    uint32_t counts[SHARDS] = {0};
    char id[16];
    for (int i = 0; i < KEYS; i++) {
        snprintf (id, sizeof id, "item-%d", i);
        counts[key_hash_shard (hash ("t", "s", id), SHARDS)]++;
    }
    for (int i = 0; i < SHARDS; i++)
        assert_in_range (counts[i], KEYS / SHARDS * 3 / 4, KEYS / SHARDS * 5 / 4);
    assert_int_equal (key_hash_shard (UINT64_MAX, 1), 0);
}

/*  Whatever the count: shards are in states that are stored. */
static void shard_is_the_remainder (void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 1024; count++) {
        uint64_t one = hash ("t", "s", "item-1") + count;
        assert_int_equal (key_hash_shard (one, count), one % count);
        assert_int_equal (key_hash_shard (UINT64_MAX, count), UINT64_MAX % count);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (as_described),
        cmocka_unit_test (tuples),
        cmocka_unit_test (longest),
        cmocka_unit_test (spread),
        cmocka_unit_test (shard_is_the_remainder),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
