/*  key_queue: keys of gather that wait, first in, first out. Whoever pushes sees to it that a key is in it
 *  once. Zeroed memory is an empty one; free its list in the end.
 */
#ifndef HOTPATH_SINK_KEY_QUEUE_H
#define HOTPATH_SINK_KEY_QUEUE_H

#include <stddef.h>
#include "sink/gather_keys.h"

typedef struct {
    gather_key_t **list;
    size_t first, count, capacity;
} key_queue_t;

void key_queue_push (key_queue_t *queue, gather_key_t *key);
/*  The first; NULL: none is in it. */
gather_key_t *key_queue_pop (key_queue_t *queue);

#endif
