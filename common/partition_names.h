/*  partition_names: partitions by name as dense numbers, for the life of one process. */
#ifndef HOTPATH_PARTITION_NAMES_H
#define HOTPATH_PARTITION_NAMES_H

#include <stdint.h>
#include "common/span.h"

typedef struct partition_names partition_names_t;

partition_names_t *partition_names_new (void);
void partition_names_destroy (partition_names_t **self_p);
/*  Number of a name, made where it is new. */
uint32_t partition_names_intern (partition_names_t *self, span_t name);
/*  Name of a number that was given; borrowed for the life of self. */
span_t partition_names_get (const partition_names_t *self, uint32_t number);
/*  How many there are: numbers are 0 .. count - 1. */
uint32_t partition_names_count (const partition_names_t *self);

#endif
