/*  pack: values go round, and no byte beyond the end is read, whatever the bytes say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/pack.h"

static void integers (void **state)
{
    (void)state;
    static const int64_t values[] = {0,          1,
                                     127,        128,
                                     255,        256,
                                     65535,      65536,
                                     UINT32_MAX, INT64_C (1) << 32,
                                     INT64_MAX,  -1,
                                     -32,        -33,
                                     -128,       -129,
                                     -32768,     -32769,
                                     INT32_MIN,  INT64_C (-2147483649),
                                     INT64_MIN,  INT64_MIN + 1};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        buffer_t bytes = {0};
        pack_int (&bytes, values[i]);
        if (values[i] >= 0)
            pack_uint (&bytes, (uint64_t)values[i]);
        cursor_t cursor = cursor_of (bytes.bytes, bytes.size);
        assert_true (cursor_int (&cursor) == values[i]);
        if (values[i] >= 0)
            assert_true (cursor_uint (&cursor) == (uint64_t)values[i]);
        assert_true (cursor_finished (&cursor));
        buffer_free (&bytes);
    }
}

/*  What is written where the room is known are the bytes that msgpack-c writes. */
static void same_bytes_at (void **state)
{
    (void)state;
    static const int64_t values[] = {0,     1,     127,   128,    255,       256,       65535,
                                     65536, -1,    -32,   -33,    -128,      -129,      -32768,
                                     -32769, INT32_MIN, INT64_C (-2147483649), INT64_MIN,
                                     UINT32_MAX, INT64_C (1) << 32, INT64_MAX};
    static const size_t sizes[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536};
    char *text = memory_new (65536);
    uint8_t *made = memory_new (2 * 65536);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        buffer_t bytes = {0};
        pack_int (&bytes, values[i]);
        pack_uint (&bytes, (uint64_t)values[i]);
        uint8_t *end = pack_at_uint (pack_at_int (made, values[i]), (uint64_t)values[i]);
        assert_int_equal (end - made, bytes.size);
        assert_memory_equal (made, bytes.bytes, bytes.size);
        buffer_free (&bytes);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        buffer_t bytes = {0};
        pack_array (&bytes, sizes[i]);
        pack_span (&bytes, (span_t){text, sizes[i]});
        pack_bool (&bytes, true);
        pack_bool (&bytes, false);
        pack_nil (&bytes);
        uint8_t *end = pack_at_span (pack_at_array (made, (uint32_t)sizes[i]),
                                     (span_t){text, sizes[i]});
        end = pack_at_nil (pack_at_bool (pack_at_bool (end, true), false));
        assert_int_equal (end - made, bytes.size);
        assert_memory_equal (made, bytes.bytes, bytes.size);
        buffer_free (&bytes);
    }
    free (text);
    free (made);
}

static void others (void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
    char *text = memory_new (65536);
    memset (text, 'x', 65536);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        buffer_t bytes = {0};
        pack_span (&bytes, (span_t){text, sizes[i]});
        pack_bytes (&bytes, text, sizes[i]);
        pack_double (&bytes, -0.5);
        pack_bool (&bytes, true);
        pack_bool (&bytes, false);
        pack_nil (&bytes);
        pack_array (&bytes, 3);
        buffer_append (&bytes, "\1\2\3", 3);
        cursor_t cursor = cursor_of (bytes.bytes, bytes.size);
        assert_true (span_equal (cursor_span (&cursor, sizes[i]), (span_t){text, sizes[i]}));
        assert_false (cursor_take_nil (&cursor));
        assert_true (span_equal (cursor_span (&cursor, sizes[i]), (span_t){text, sizes[i]}));
        assert_true (cursor_double (&cursor) == -0.5);
        assert_true (cursor_bool (&cursor));
        assert_false (cursor_bool (&cursor));
        assert_true (cursor_take_nil (&cursor));
        assert_int_equal (cursor_array (&cursor, 3), 3);
        assert_int_equal (cursor_uint (&cursor) + cursor_uint (&cursor) + cursor_uint (&cursor), 6);
        assert_true (cursor_finished (&cursor));
        buffer_free (&bytes);
    }
    free (text);
}

typedef enum { ARRAY, UINT, INT, UINT_MAX_9, DOUBLE, BOOL, SPAN_4, NIL } reader_t;

static void read_one (cursor_t *cursor, reader_t reader)
{
    switch (reader) {
    case ARRAY:
        assert_int_equal (cursor_array (cursor, 100), 0);
        break;
    case UINT:
        assert_int_equal (cursor_uint (cursor), 0);
        break;
    case INT:
        assert_int_equal (cursor_int (cursor), 0);
        break;
    case UINT_MAX_9:
        assert_int_equal (cursor_uint_max (cursor, 9), 0);
        break;
    case DOUBLE:
        assert_true (cursor_double (cursor) == 0);
        break;
    case BOOL:
        assert_false (cursor_bool (cursor));
        break;
    case SPAN_4:
        assert_null (cursor_span (cursor, 4).bytes);
        break;
    case NIL:
        assert_false (cursor_take_nil (cursor));
    }
}

/*  The bytes stand alone on the heap, so that a sanitizer sees every byte read beyond them. */
static void refused (void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t size;
        reader_t reader;
    } cases[] = {
        {"no bytes: uint", "", 0, UINT},
        {"no bytes: span", "", 0, SPAN_4},
        {"no bytes: array", "", 0, ARRAY},
        {"a negative is no uint", "\xff", 1, UINT},
        {"2^64 - 1 is no int", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, INT},
        {"2^63 is no int", "\xcf\x80\0\0\0\0\0\0\0", 9, INT},
        {"ten is above nine", "\x0a", 1, UINT_MAX_9},
        {"a cut uint64", "\xcf\0\0\0\0\0\0\0", 8, UINT},
        {"a cut uint8", "\xcc", 1, UINT},
        {"a string is no uint", "\xa1x", 2, UINT},
        {"never used", "\xc1", 1, UINT},
        {"an integer is no double", "\x01", 1, DOUBLE},
        {"a cut double", "\xcb\0\0\0\0\0\0\0", 8, DOUBLE},
        {"a float is no double", "\xca\0\0\0\0", 5, DOUBLE},
        {"nil is no bool", "\xc0", 1, BOOL},
        {"an integer is no span", "\x01", 1, SPAN_4},
        {"five bytes of at most four", "\xa5hello", 6, SPAN_4},
        {"four of three", "\xa4one", 4, SPAN_4},
        {"a bin of 2^32 - 1", "\xc6\xff\xff\xff\xff", 5, SPAN_4},
        {"a cut size", "\xdb\0\0", 3, SPAN_4},
        {"more elements than bytes", "\x93\x01\x02", 3, ARRAY},
        {"more elements than may be", "\xdd\xff\xff\xff\xff", 5, ARRAY},
        {"a map is no array", "\x81\x01\x01", 3, ARRAY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *bytes = memory_new (cases[i].size);
        memcpy (bytes, cases[i].bytes, cases[i].size);
        cursor_t cursor = cursor_of (bytes, cases[i].size);
        read_one (&cursor, cases[i].reader);
        if (!cursor.failed)
            fail_msg ("%s: taken", cases[i].name);
        assert_false (cursor_finished (&cursor));
        /* once in error, it stays there */
        for (reader_t reader = ARRAY; reader <= NIL; reader++)
            read_one (&cursor, reader);
        free (bytes);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (integers),
        cmocka_unit_test (same_bytes_at),
        cmocka_unit_test (others),
        cmocka_unit_test (refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
