/*  kept_seeds: schedules that found something, kept as tests. */
#ifndef HOTPATH_MODEL_KEPT_SEEDS_H
#define HOTPATH_MODEL_KEPT_SEEDS_H

#include <stdint.h>

typedef struct {
    uint64_t seed;
    const char *found;
} kept_seed_t;

static const kept_seed_t kept_seeds[] = {
    {1, "the first one"},
    {1795566211006552, "of two ingestors of one incarnation, a gap of the second was taken for one of the first"},
    {1795566412013739, "a late answer of a sink's former life began the numbers of results anew"},
    {1795566828012196, "a lesser part was acknowledged while the greater one was not in Redis, and its owner dead"},
    {1795567230056291, "a history without rec:metrics: the first window that came was shown as the newest"},
};

#endif
