/*  owed_index: finds what is in it and nothing else, equal hashes and full turns included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include "common/owed_index.h"

enum { ENTRIES = 3000 };

static uint32_t found_of (const owed_index_t *index, uint64_t hash, const char *entry)
{
    uint64_t at = OWED_INDEX_START;
    uint32_t found = 0;
    for (void *one; (one = owed_index_next (index, hash, &at)) != NULL;)
        found += one == entry;
    return found;
}

/*  Hashes of which many are equal, and many of the same place. */
static uint64_t hash_of (int i)
{
    return i % 3 ? (uint64_t)i * UINT64_C (0x9e3779b97f4a7c15) : (uint64_t)(i % 50) << 32 | 0xffffff;
}

static void test_agrees_with_a_list (void **state)
{
    (void)state;
    static char entries[ENTRIES];
    static bool there[ENTRIES];
    owed_index_t index = {0};
    uint32_t count = 0;
    srand (11);
    for (int round = 0; round < 30000; round++) {
        int i = rand () % (round < 20000 ? ENTRIES : 300);
        assert_int_equal (found_of (&index, hash_of (i), &entries[i]), there[i]);
        if (there[i])
            owed_index_remove (&index, hash_of (i), &entries[i]);
        else
            owed_index_add (&index, hash_of (i), &entries[i]);
        there[i] = !there[i];
        count = there[i] ? count + 1 : count - 1;
        assert_int_equal (index.count, count);
    }
    for (int i = 0; i < ENTRIES; i++) {
        assert_int_equal (found_of (&index, hash_of (i), &entries[i]), there[i]);
        if (there[i])
            owed_index_remove (&index, hash_of (i), &entries[i]);
        there[i] = false;
    }
    assert_int_equal (index.count, 0);
    owed_index_free (&index);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_agrees_with_a_list)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
