/*  byte_queue: blocks of bytes that leave in the order in which they came, many to one allocation.
 *  What was given out stays where it is until it leaves.
 */
#ifndef HOTPATH_BYTE_QUEUE_H
#define HOTPATH_BYTE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

typedef struct byte_page byte_page_t;

/*  Zeroed: empty. */
typedef struct {
    byte_page_t *first, *last;
} byte_queue_t;

/*  Room for `size` bytes behind all others, not zeroed. */
uint8_t *byte_queue_push (byte_queue_t *self, size_t size);
/*  The oldest block leaves. */
void byte_queue_pop (byte_queue_t *self);
/*  Whatever is in it. */
void byte_queue_free (byte_queue_t *self);

#endif
