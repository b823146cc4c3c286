/*  profile_strings: each string once, by numbers that are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "profiler/profile_strings.h"

enum { TEXTS = 2000, TEXT_BYTES = 64 };

/*  Within an entry and beside it, empty included. */
static span_t text_of (uint32_t i, char *text)
{
    int size = i ? snprintf (text, TEXT_BYTES, "%u%.*s", i, (int)(i % 40),
                             "........................................")
                 : 0;
    return (span_t){text, (size_t)size};
}

static void agrees_with_a_list (void **state)
{
    (void)state;
    static uint32_t refs[TEXTS], numbers[TEXTS];
    profile_strings_t *strings = profile_strings_new ();
    char bytes[TEXT_BYTES];
    uint32_t count = 0, number_limit = 0;
    srand (13);
    for (int round = 0; round < 40000; round++) {
        uint32_t i = (uint32_t)(rand () % TEXTS);
        span_t text = text_of (i, bytes);
        uint32_t found = profile_strings_find (strings, text);
        assert_int_equal (found, refs[i] ? numbers[i] : PROFILE_STRING_NONE);
        if (refs[i] && rand () % 2) {
            assert_int_equal (profile_strings_size (strings, numbers[i]), text.size);
            assert_true (span_equal (profile_strings_get (strings, numbers[i]), text));
            profile_strings_release (strings, numbers[i]);
            count -= --refs[i] == 0;
        } else {
            numbers[i] = profile_strings_take (strings, text);
            count += refs[i]++ == 0;
            if (numbers[i] >= number_limit)
                number_limit = numbers[i] + 1;
        }
        assert_int_equal (profile_strings_count (strings), count);
    }
    assert_true (number_limit <= TEXTS);
    for (uint32_t i = 0; i < TEXTS; i++)
        for (; refs[i]; refs[i]--)
            profile_strings_release (strings, numbers[i]);
    assert_int_equal (profile_strings_count (strings), 0);
    profile_strings_destroy (&strings);
}

/*  Equal hashes do not make equal texts. */
static void equal_hashes (void **state)
{
    (void)state;
    profile_strings_t *strings = profile_strings_new ();
    span_t a = {"first", 5}, b = {"other", 5};
    uint32_t hash = profile_strings_hash (a);
    uint32_t one = profile_strings_add (strings, a, hash);
    assert_int_equal (profile_strings_seek (strings, b, hash), PROFILE_STRING_NONE);
    uint32_t two = profile_strings_add (strings, b, hash);
    assert_int_equal (profile_strings_seek (strings, a, hash), one);
    assert_int_equal (profile_strings_seek (strings, b, hash), two);
    profile_strings_release (strings, one);
    assert_int_equal (profile_strings_seek (strings, a, hash), PROFILE_STRING_NONE);
    assert_int_equal (profile_strings_seek (strings, b, hash), two);
    profile_strings_destroy (&strings); /* what is held goes with it */
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (agrees_with_a_list),
        cmocka_unit_test (equal_hashes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
