/*  profile_slab: blocks are of their size, apart from each other, used again, and all freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "profiler/profile_slab.h"

static void test_sizes (void **state)
{
    (void)state;
    static const struct {
        uint32_t wanted, given;
    } cases[] = {
        {1, 64},      {64, 64},       {65, 128},      {512, 512},     {513, 640},
        {640, 640},   {641, 768},     {1024, 1024},   {1025, 1280},   {2048, 2048},
        {2049, 2560}, {32767, 32768}, {32768, 32768}, {32769, 32832}, {100000, 100032},
    };
    profile_slab_t slab = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t bytes = cases[i].wanted;
        void *block = profile_slab_take (&slab, &bytes);
        assert_true (bytes == cases[i].given || (slab.outside && bytes >= cases[i].wanted));
        memset (block, 1, bytes);
        profile_slab_give (&slab, block, bytes);
    }
    assert_int_equal (slab.outside, 0);
    profile_slab_free (&slab);
    assert_int_equal (slab.bytes, 0);
}

/*  Each block holds its number all over, until it is given back. */
static void test_blocks_are_apart (void **state)
{
    (void)state;
    enum { BLOCKS = 2000, ROUNDS = 60000 };
    static struct {
        uint8_t *bytes;
        uint32_t size;
    } blocks[BLOCKS];
    profile_slab_t slab = {0};
    srand (7);
    for (int round = 0; round < ROUNDS; round++) {
        int i = rand () % BLOCKS;
        for (uint32_t at = 0; at < blocks[i].size; at++)
            assert_int_equal (blocks[i].bytes[at], (uint8_t)i);
        profile_slab_give (&slab, blocks[i].bytes, blocks[i].size);
        blocks[i].bytes = NULL;
        blocks[i].size = 0;
        if (rand () % 4 == 0)
            continue;
        blocks[i].size = 1 + (uint32_t)rand () % (rand () % 50 ? 700 : 40000);
        blocks[i].bytes = profile_slab_take (&slab, &blocks[i].size);
        memset (blocks[i].bytes, i, blocks[i].size);
    }
    for (int i = 0; i < BLOCKS; i++) {
        profile_slab_give (&slab, blocks[i].bytes, blocks[i].size);
        blocks[i].size = 0;
    }
    assert_int_equal (slab.outside, 0);
    uint64_t bytes = slab.bytes;
    for (int i = 0; i < 1000; i++) { /* what was given back is enough */
        uint32_t size = 100;
        profile_slab_give (&slab, profile_slab_take (&slab, &size), size);
    }
    assert_int_equal (slab.bytes, bytes);
    profile_slab_free (&slab);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_sizes),
        cmocka_unit_test (test_blocks_are_apart),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
