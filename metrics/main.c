/*  hotpath-metrics: the worker (common/worker.h) with the metrics stage. */
#include "common/worker.h"

int main (int argc, char **argv)
{
    return worker_main (
        &metrics_stage,
        "Recommendation metrics: applies events to its shards, reports each window, commits.", argc,
        argv);
}
