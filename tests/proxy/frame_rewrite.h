/*  frame_rewrite: a frame whose receiver would answer past the proxy, with another endpoint in it: an announce says
 *  where the worker takes sections, results say where it takes acknowledgements. Pure; everything else of the frame
 *  stays as it is, byte by byte.
 */
#ifndef HOTPATH_FRAME_REWRITE_H
#define HOTPATH_FRAME_REWRITE_H

#include "common/buffer.h"
#include "common/span.h"
#include "common/wire.h"

/*  The endpoint to put in place of `endpoint`; borrowed until the next call; bytes NULL: leave it. */
typedef span_t (frame_rewrite_t)(void *arg, span_t endpoint);

/*  Writes the frame with its endpoint replaced into `copy` (emptied before). -1: it is none of that kind
 *  (WIRE_ANNOUNCE or WIRE_RESULTS), or is not to be changed; then `copy` is empty. */
int frame_rewrite (span_t frame, wire_kind_t kind, frame_rewrite_t *replace, void *arg, buffer_t *copy);

#endif
