/*  hotpath-scorer: the worker (common/worker.h) with the scorer stage. */
#include "common/worker.h"

int main (int argc, char **argv)
{
    return worker_main (&scorer_stage, "Item hot scores: applies events to its shards, ranks each window, commits.", argc, argv);
}
