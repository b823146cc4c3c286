/*  byte_queue: a list of pages, each with a count of the blocks in it that have not left. The last
 *  page is kept when it is empty.
 */
#include "common/byte_queue.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/memory.h"

enum { PAGE_BYTES = 16 << 10 };

struct byte_page {
    byte_page_t *next;
    size_t size, capacity, count;
    uint8_t bytes[];
};

static byte_page_t *new_page (size_t size)
{
    size_t capacity = size > PAGE_BYTES ? size : (size_t)PAGE_BYTES;
    byte_page_t *page = memory_resize (NULL, sizeof *page + capacity);
    *page = (byte_page_t){.capacity = capacity};
    return page;
}

uint8_t *byte_queue_push (byte_queue_t *self, size_t size)
{
    byte_page_t *page = self->last;
    if (!page || page->capacity - page->size < size) {
        page = new_page (size);
        if (self->last)
            self->last->next = page;
        else
            self->first = page;
        self->last = page;
    }
    uint8_t *bytes = page->bytes + page->size;
    page->size += size;
    page->count++;
    return bytes;
}

void byte_queue_pop (byte_queue_t *self)
{
    /* An empty last page that was too small for the next block stays before that block's. */
    while (self->first && !self->first->count && self->first != self->last) {
        byte_page_t *page = self->first;
        self->first = page->next;
        free (page);
    }
    byte_page_t *page = self->first;
    CHECK (page && page->count);
    if (--page->count)
        return;
    page->size = 0;
    if (page == self->last)
        return;
    self->first = page->next;
    free (page);
}

void byte_queue_free (byte_queue_t *self)
{
    for (byte_page_t *page = self->first, *next; page; page = next) {
        next = page->next;
        free (page);
    }
    *self = (byte_queue_t){0};
}
