#!/usr/bin/env bash
# make bench-peers: hotpath beside the engines that it replaces, over the same events of a local Kafka
# (docs/peers.md). Sets up, builds, compares what each computes with the oracle, measures; prints a
# table, writes build/bench/peers.json.
#
#   BENCH_PEERS='flink flink-once pyflink'   the engines to run beside hotpath; flink-once writes each
#                                     profile once, at the end: how little Flink could cost
#   BENCH_PEERS_EVENTS=1000000        events a run, over 3 hours of event time
#   BENCH_PEERS_RUNS=2                runs of each
#   BENCH_PEERS_SLOW_EVENTS=20000     events a run of slow engines (pyflink), of the same density
#   BENCH_PEERS_SLOW_RUNS=1
#   BENCH_PEERS_CHECK_EVENTS=20000    events that are compared with the oracle
#   BENCH_PEERS_SLOW_CHECK_EVENTS=2000
#   BENCH_PEERS_JAVA_OPTIONS='-Xms1g -Xmx1g -XX:+UseParallelGC'
#   BENCH_PEERS_ARGUMENTS=            more for the peers in Java, such as '--parallelism 2'
#   BENCH_ARGUMENTS=                  more for `hotpath run`
#
# Takes about 20 minutes of two cores, half of it for pyflink, and 2 GB of disk.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
cd "$root"

if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit 0
fi
if [ "${1:-}" != --no-build ]; then
    deploy/setup.sh peers
    make -s all
    mvn -B -q -f tests/bench/peers/pom.xml package
    case " ${BENCH_PEERS:-pyflink} " in
    *' pyflink '*) tests/bench/peers/pyflink/setup.sh ;;
    esac
fi
make -s -f tests/bench/Makefile
exec build/venv/bin/python tests/bench/peers/peers.py
