#!/usr/bin/env bash
# make bench: what an event costs. Sets up, builds, runs the pipeline over a file and over a local
# Kafka, and the floor beside it; prints the tables, writes build/bench/result.json.
#
#   BENCH_EVENTS=2000000      events a run
#   BENCH_RUNS=3              runs of each: the median is reported, with the least and the most
#   BENCH_SOURCES='file kafka'
#   BENCH_PACES='live squeezed'   live: 100,000 events a second of event time; squeezed: the same
#                             events over 3 hours, so with 12 window slides and what they cost
#   BENCH_ARGUMENTS=          more for `hotpath run`, such as '--scorers 2'
#
# Needs about 3 GB of disk (build/bench keeps the made events, the broker its copy while it runs).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit 0
fi
if [ "${1:-}" != --no-build ]; then
    deploy/setup.sh test
    make -s all
fi
make -s -f tests/bench/Makefile
PYTHONPATH=tests exec build/venv/bin/python tests/bench/bench.py
