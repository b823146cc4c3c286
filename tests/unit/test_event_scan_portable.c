/*  The tests of event_scan over its code for processors without SSE2: linked before the library's. */
#undef __SSE2__
#include "common/event_scan.c"
#include "tests/unit/test_event_scan.c"
