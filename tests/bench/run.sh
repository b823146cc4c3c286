#!/usr/bin/env bash
# make bench: what an event costs. Sets up, builds, runs the pipeline over a file and over a local
# Kafka, and the floor beside it; prints the tables, writes build/bench/result.json.
#
#   BENCH_SCENARIOS=reference  names of tests/bench/bench_scenarios.py; all: each of them (make bench-all)
#   BENCH_EVENTS=              events a run, instead of the scenario's own number
#   BENCH_RUNS=3               runs of each: the median is reported, with the least and the most
#   BENCH_SOURCES=             file, kafka or both, instead of the scenario's own
#   BENCH_PACES=               live: 100,000 events a second of event time; squeezed: the same events
#                              over 3 hours, so with 12 window slides and what they cost
#   BENCH_ARGUMENTS=           more for `hotpath run`, such as '--scorers 2'
#   BENCH_RESULT=              where the JSON goes
#
# Needs about 3 GB of disk (build/bench keeps the made events of the reference, the broker its copy
# while it runs). With --with NAME it runs tests/bench/NAME.py instead, --no-build builds nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

program=bench
build=1
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --no-build) build= ;;
    --with) program=${2-}; shift $(($# > 1)) ;;
    *) break ;;
    esac
    shift
done
if [ ! -f "tests/bench/$program.py" ]; then
    printf "run.sh: --with '%s': there is no tests/bench/%s.py\n" "$program" "$program" >&2
    exit 64
fi
if [ -n "$build" ]; then
    deploy/setup.sh test
    make -s all
fi
make -s -f tests/bench/Makefile
PYTHONPATH=tests exec build/venv/bin/python "tests/bench/$program.py" "$@"
