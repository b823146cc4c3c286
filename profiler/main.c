/*  hotpath-profiler: the worker (common/worker.h) with the profiler stage. */
#include "common/worker.h"

int main (int argc, char **argv)
{
    return worker_main (&profiler_stage,
                        "User profiles: applies events to its shards, writes profiles, commits.",
                        argc, argv);
}
