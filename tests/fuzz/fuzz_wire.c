/*  fuzz_wire: any bytes as a frame between ingestors, workers and sinks, read as its receiver does,
 * rows included. Holds: no overrun; a frame that is read whole is written again as one that reads
 * and writes the same (the writer's form is the canonical one: equal bytes from then on).
 */
#include <stdlib.h>

#include "common/check.h"
#include "tests/support/wire_frames.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
    buffer_t copy = {0}, again = {0};
    if (size && frames_copy (bytes, size, &copy)) {
        CHECK (copy.size <= size + size / 2 + 64); /* bin for str is the only form that is longer */
        CHECK (frames_copy (copy.bytes, copy.size, &again));
        CHECK (copy.size == again.size && memcmp (copy.bytes, again.bytes, copy.size) == 0);
    }
    buffer_free (&copy);
    buffer_free (&again);
    return 0;
}
