/*  key_queue: see key_queue.h. */
#include "sink/key_queue.h"

#include <stdlib.h>

#include "common/memory.h"

void key_queue_push (key_queue_t *queue, gather_key_t *key)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity ? queue->capacity * 2 : 64;
        gather_key_t **list = memory_new_array (capacity, sizeof *list);
        for (size_t i = 0; i < queue->count; i++)
            list[i] = queue->list[(queue->first + i) % queue->capacity];
        free (queue->list);
        *queue = (key_queue_t){.list = list, .count = queue->count, .capacity = capacity};
    }
    queue->list[(queue->first + queue->count++) % queue->capacity] = key;
}

gather_key_t *key_queue_pop (key_queue_t *queue)
{
    if (queue->count == 0)
        return NULL;
    gather_key_t *key = queue->list[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    return key;
}
