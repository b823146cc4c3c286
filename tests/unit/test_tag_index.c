/*  tag_index: finds what is in it and nothing else, equal tags and full turns included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include "common/tag_index.h"

enum { NUMBERS = 3000 };

static uint32_t found_of (const tag_index_t *index, uint32_t tag, uint32_t number)
{
    uint64_t at = TAG_INDEX_START;
    uint32_t found = 0;
    for (uint32_t one; (one = tag_index_next (index, tag, &at)) != TAG_INDEX_NONE;)
        found += one == number;
    return found;
}

/*  Tags of which many are equal, and many of the last place of any capacity. */
static uint32_t tag_of (uint32_t number)
{
    return number % 3 ? tag_index_tag (number) : number % 50 << 24 | 0xffffff;
}

static void agrees_with_a_list (void **state)
{
    (void)state;
    static bool there[NUMBERS];
    tag_index_t index = {0};
    uint32_t count = 0;
    srand (12);
    for (int round = 0; round < 30000; round++) {
        uint32_t number = (uint32_t)(rand () % (round < 20000 ? NUMBERS : 300));
        assert_int_equal (found_of (&index, tag_of (number), number), there[number]);
        if (there[number])
            tag_index_remove (&index, tag_of (number), number);
        else
            tag_index_add (&index, tag_of (number), number);
        there[number] = !there[number];
        count = there[number] ? count + 1 : count - 1;
        assert_int_equal (index.count, count);
    }
    for (uint32_t number = 0; number < NUMBERS; number++) {
        assert_int_equal (found_of (&index, tag_of (number), number), there[number]);
        if (there[number])
            tag_index_remove (&index, tag_of (number), number);
    }
    assert_int_equal (index.count, 0);
    tag_index_free (&index);
}

static void room (void **state)
{
    (void)state;
    tag_index_t index = {0};
    tag_index_ask (&index, 7);
    assert_int_equal (found_of (&index, 7, 0), 0);
    tag_index_reserve (&index, 0);
    assert_int_equal (tag_index_memory_bytes (&index), 0);
    tag_index_reserve (&index, 1000);
    const tag_place_t *places = index.places;
    size_t bytes = tag_index_memory_bytes (&index);
    assert_in_range (bytes, 1500 * sizeof *places, 3000 * sizeof *places);
    for (uint32_t number = 0; number < 1000; number++)
        tag_index_add (&index, tag_index_tag (number), number);
    assert_ptr_equal (index.places, places);
    tag_index_reserve (&index, 10); /* never less */
    assert_int_equal (tag_index_memory_bytes (&index), bytes);
    for (uint32_t number = 0; number < 1000; number++)
        assert_int_equal (found_of (&index, tag_index_tag (number), number), 1);
    tag_index_free (&index);
    assert_int_equal (tag_index_memory_bytes (&index), 0);
}

/*  Hashes of one shard are equal modulo the number of shards: their tags still fill all places. */
static void tags_of_a_shard_are_spread (void **state)
{
    (void)state;
    enum { HASHES = 4096, SHARDS = 64, BUCKETS = 256 };
    uint32_t counts[BUCKETS] = {0};
    for (uint64_t i = 0; i < HASHES; i++)
        counts[tag_index_tag (i * UINT64_C (0xd6e8feb86659fd93) / SHARDS * SHARDS) % BUCKETS]++;
    for (int i = 0; i < BUCKETS; i++)
        assert_in_range (counts[i], 1, 8 * HASHES / BUCKETS);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (agrees_with_a_list),
        cmocka_unit_test (room),
        cmocka_unit_test (tags_of_a_shard_are_spread),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
