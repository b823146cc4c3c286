/*  base64: the vectors of RFC 4648, section 10, and bytes that need the last two digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include "ingestor/base64.h"

static void encodes (void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        {"", 0, ""},
        {"f", 1, "Zg=="},
        {"fo", 2, "Zm8="},
        {"foo", 3, "Zm9v"},
        {"foob", 4, "Zm9vYg=="},
        {"fooba", 5, "Zm9vYmE="},
        {"foobar", 6, "Zm9vYmFy"},
        {"\xfb\xff\xfe\0", 4, "+//+AA=="},
        {"\xff\xff\xff", 3, "////"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t out = {0};
        buffer_append (&out, "<", 1);
        base64_append (&out, cases[i].bytes, cases[i].size);
        assert_int_equal (out.size, 1 + strlen (cases[i].text));
        assert_memory_equal (out.bytes + 1, cases[i].text, out.size - 1);
        buffer_free (&out);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (encodes)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
