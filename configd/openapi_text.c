#include "configd/openapi_text.h"

/*  The assembler puts the file's bytes here; the Makefile names it as what this depends on. */
__asm__(".section .rodata\n"
        "openapi_text_begin:\n"
        ".incbin \"docs/openapi.json\"\n"
        "openapi_text_end:\n"
        ".previous\n");

extern const char openapi_text_begin[], openapi_text_end[];

span_t openapi_text (void)
{
    return (span_t){openapi_text_begin, (size_t)(openapi_text_end - openapi_text_begin)};
}
